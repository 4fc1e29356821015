"""For every route and every sight: no byte of an answer tells of a book that is not seen."""

import pytest

from riskgrid.access import Door
from riskgrid.api.app import PREFIX, make_app
from riskgrid.api.service import Service
from riskgrid.principal import Principal
from riskgrid.store import Store
from tests.api.worlds import HIDDEN, SEEN, World

RUN, BEFORE, HIDDEN_RUN = "{today}", "{before}", "{hidden}"
#: What one may ask of a run's numbers, beside nothing.
TREES = [{}, {"by": ["strategy", "trade_id"]}, {"by": ["region", "book"], "where": ["desk=Flow"]}, {"by": ["division"]}]
WHERE = [{}, {"where": ["desk=Macro"]}, {"where": ["book=Nobody"]}, {"where": ["trade_id=fx_option-1"]}]
JSON, ARROW = {}, {"Accept": "application/vnd.apache.arrow.stream"}


def of_run(path, queries, **options):
    """A question of a visible run in several ways, then of a hidden and of an unknown one."""
    asked = [(path, {"params": query, **options}) for query in queries]
    others = [(path.replace(RUN, other), {"params": queries[0], **options}) for other in (HIDDEN_RUN, "000000000000")]
    return asked + others


def named(path, *names):
    return [(f"{path}/{name}", {}) for name in names]


def changes(**form):
    return {"json": {"changes": form}}


LABELS = {"region": "EMEA", "desk": "Macro", "book": "Macro A"}
ROWS = [{"trade_id": "N-1", "trade_date": "2016-06-01", "underlying": "SPX", "currency": "USD", **LABELS}]
CHANGES = [
    changes(shift={"fx:EUR": "+1%"}),
    changes(drop=["{trade}"]),
    changes(drop=["fx_option-1"]),
    changes(drop=["fx_option-1", "equity-2", "never"], resize={"never": 2.0}),
    changes(resize={"equity-1": 2.0}),
    changes(amend={"equity_option-2": {"strike": 90.0}}),
    changes(amend={"equity_option-2": {"division": "x"}}),
    changes(add={"equity": ROWS}),
    changes(add={"equity": [{**ROWS[0], "trade_id": "equity-0"}]}),
    changes(add={"equity": [{**ROWS[0], "quantity": "many"}]}),
    changes(rehang=[{"where": {"book": "Flow A"}, "to": {"counterparty": "New"}}]),
    changes(rehang=[{"where": {"desk": "Macro"}, "to": {"desk": "Flow"}}]),
    changes(rehang=[{"where": {"book": "Nobody"}, "to": {"desk": "Flow"}}]),
    changes(rehang=[{"where": {"trade_id": "fx_option-1"}, "to": {"counterparty": "New"}}]),
    changes(only={"book": ["Flow A", "Flow B"]}),
    changes(only={"division": "x"}),
    changes(snapshot="before"),
    changes(snapshot="secret"),
    changes(overlay={"crash": {"equity:*": "-20%"}}),
    changes(scenarios="days", shift={"vol:*": "+1vol"}),
    changes(shift={"nothing:*": "+1%"}),
    changes(),
]
INPUTS = {"portfolio": "book", "market": "today", "scenarios": "days"}

CASES = {
    f"GET {PREFIX}/runs": [("/runs", {"params": query}) for query in ({}, {"limit": 1}, {"cursor": HIDDEN_RUN})],
    f"POST {PREFIX}/runs": [
        ("/runs", {"json": {**INPUTS, **more}, **options})
        for more, options in (
            ({}, {}),
            ({"name": "keyed"}, {"headers": {"Idempotency-Key": "their key"}}),
            ({"market": "secret"}, {}),
            ({"portfolio": "boook"}, {}),
            ({"cell_labels": ["division"]}, {}),
            ({"portfolio": {"of": HIDDEN_RUN}}, {}),
            ({"portfolio": {"of": RUN}}, {}),
        )
    ],
    f"GET {PREFIX}/runs/{{run_id}}": of_run(f"/runs/{RUN}", [{}]),
    f"POST {PREFIX}/runs/{{run_id}}/cancel": of_run(f"/runs/{RUN}/cancel", [{}]),
    f"POST {PREFIX}/runs/{{run_id}}/resume": of_run(f"/runs/{RUN}/resume", [{}]),
    f"GET {PREFIX}/runs/{{run_id}}/events": [
        *of_run(f"/runs/{RUN}/events", [{}, {"after": 1}]),
        *of_run(f"/runs/{RUN}/events", [{"after": 99}], headers={"Accept": "text/event-stream"}),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/what-ifs": of_run(f"/runs/{RUN}/what-ifs", [{}]),
    f"POST {PREFIX}/runs/{{run_id}}/what-ifs": [
        *((f"/runs/{RUN}/what-ifs", options) for options in CHANGES),
        *((f"/runs/{other}/what-ifs", CHANGES[0]) for other in (HIDDEN_RUN, "000000000000")),
        (f"/runs/{BEFORE}/what-ifs", {**CHANGES[0], "headers": {"Idempotency-Key": "their key"}}),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/report": [
        *of_run(f"/runs/{RUN}/report", [*TREES, *WHERE, {"part": "tail"}]),
        *of_run(f"/runs/{RUN}/report", [{}], headers=ARROW),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/pnl": of_run(f"/runs/{RUN}/pnl", [*TREES, *WHERE]),
    f"GET {PREFIX}/runs/{{run_id}}/measures/{{measure}}": [
        *of_run(f"/runs/{RUN}/measures/value_at_risk", [{"by": ["book"]}, *WHERE]),
        *of_run(f"/runs/{RUN}/measures/tail_scenarios", [{}]),
        *of_run(f"/runs/{RUN}/measures/nothing", [{}]),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/trades": of_run(
        f"/runs/{RUN}/trades", [*WHERE, {"limit": 2}, {"status": ["failed"]}, {"columns": ["division"]}]
    ),
    f"GET {PREFIX}/runs/{{run_id}}/trades/{{trade_id}}": [
        *of_run(f"/runs/{RUN}/trades/{{trade}}", [{}]),
        *((f"/runs/{RUN}/trades/{trade}", {}) for trade in ("fx_option-1", "equity-0", "equity-5", "never")),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/trades/{{trade_id}}/pnl": [
        *of_run(f"/runs/{RUN}/trades/{{trade}}/pnl", [{}]),
        *((f"/runs/{RUN}/trades/{trade}/pnl", {}) for trade in ("fx_option-1", "equity-0", "equity-5", "never")),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/scenarios": of_run(f"/runs/{RUN}/scenarios", WHERE),
    f"GET {PREFIX}/runs/{{run_id}}/scenarios/{{scenario}}/trades": [
        *of_run(f"/runs/{RUN}/scenarios/day 3/trades", WHERE),
        *of_run(f"/runs/{RUN}/scenarios/day 99/trades", [{}]),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/contributions": of_run(f"/runs/{RUN}/contributions", TREES),
    f"GET {PREFIX}/runs/{{run_id}}/classes": of_run(f"/runs/{RUN}/classes", TREES[::2]),
    f"GET {PREFIX}/runs/{{run_id}}/tail": of_run(
        f"/runs/{RUN}/tail", [*WHERE[1:3], {"part": "factors"}, {"part": "trades"}]
    ),
    f"GET {PREFIX}/runs/{{run_id}}/sensitivities": of_run(f"/runs/{RUN}/sensitivities", TREES[1:3]),
    f"GET {PREFIX}/runs/{{run_id}}/spot-vol/{{factor}}": [
        *of_run(f"/runs/{RUN}/spot-vol/equity:SPX", [{"by": ["desk"], "spots": [-0.1, 0.0], "vols": [0.0]}]),
        *of_run(f"/runs/{RUN}/spot-vol/NONE", [{}]),
    ],
    f"GET {PREFIX}/runs/{{run_id}}/stress": of_run(
        f"/runs/{RUN}/stress",
        [{"shock": ["equity:*=-20%"]}, {"scenarios": "days"}, {"scenarios": "secret"}, {"shock": ["nothing=1%"]}],
    ),
    f"GET {PREFIX}/runs/{{run_id}}/explain": of_run(
        f"/runs/{RUN}/explain",
        [
            {"since": BEFORE},
            {"since": BEFORE, "part": "trades"},
            {"since": BEFORE, "part": "objects"},
            {"since": HIDDEN_RUN},
            {"since": "000000000000"},
        ],
    ),
    f"GET {PREFIX}/runs/{{run_id}}/compare": of_run(
        f"/runs/{RUN}/compare", [{"with": BEFORE}, {"with": [BEFORE, HIDDEN_RUN]}, {"with": "000000000000"}]
    ),
    f"GET {PREFIX}/audit": [("/audit", {})],
    **{f"GET {path}": [(path, {})] for path in ("/health", "/ready", "/version", "/metrics")},
    **{f"GET {PREFIX}/{kind}": [(f"/{kind}", {})] for kind in ("portfolios", "markets", "scenario-sets")},
    f"GET {PREFIX}/portfolios/{{name}}": named("/portfolios", "book", "secret", "never"),
    f"GET {PREFIX}/markets/{{name}}": named("/markets", "today", "secret", "never"),
    f"GET {PREFIX}/scenario-sets/{{name}}": named("/scenario-sets", "days", "secret", "never"),
    f"GET {PREFIX}/portfolios/{{name}}/trades": [
        (f"/portfolios/{name}/trades", {"params": {"instrument": instrument}})
        for name in ("book", "secret", "never")
        for instrument in ("equity", "fx_option", "nothing")
    ],
    f"PUT {PREFIX}/portfolios/{{name}}": [
        (f"/portfolios/{name}", {"json": {"equity": [{**ROWS[0], **labels}]}})
        for name in ("mine", "secret", "book")
        for labels in ({}, {"desk": "Flow", "book": "Flow A"}, {"desk": "Hidden", "region": "APAC", "book": "Own"})
    ],
    f"PUT {PREFIX}/markets/{{name}}": [("/markets/secret", {"json": {}})],
    f"PUT {PREFIX}/scenario-sets/{{name}}": [
        (f"/scenario-sets/{name}", {"json": {"stress": {"crash": {"equity:*": "-20%"}}, "market": market}})
        for name, market in (("mine", "today"), ("secret", "today"), ("days", "today"), ("other", "secret"))
    ],
    **{
        f"GET {PREFIX}/{kind}{more}": [(f"/{kind}{one}", {}) for one in ones]
        for kind, name in (("instruments", "equity"), ("measures", "value_at_risk"), ("scenario-generators", "stress"))
        for more, ones in (("", [""]), ("/{name}", [f"/{name}", "/nothing"]))
    },
}


#: Routes of which the one who asks gets nothing here: they are for admins, for one's own runs, or want an archive.
REFUSED = (
    f"GET {PREFIX}/audit",
    "GET /metrics",
    f"POST {PREFIX}/runs/{{run_id}}/cancel",
    f"POST {PREFIX}/runs/{{run_id}}/resume",
    f"PUT {PREFIX}/markets/{{name}}",
)


def routes(app):
    """Every route of the interface, as it is documented."""
    return {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}


@pytest.fixture(scope="module", params=SEEN)
def worlds(request, tmp_path_factory):
    """A world with the hidden books, and one in which they never were."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder, books = tmp_path_factory.mktemp("world"), SEEN[request.param]
        full = World(folder / "full", books, monkeypatch, whole=True)
        bare = World(folder / "bare", books, monkeypatch, whole=False)
        yield full, bare


def filled(worlds, given):
    """With ids and trades in place of their names."""
    full, bare = worlds
    assert full.runs == bare.runs
    hidden = next(seen.row.run_id for seen in full.door.rows(HIDDEN) if seen.row.principal == "hidden")
    told = {**full.runs, "hidden": hidden, "trade": (full.trades or ["none"])[0]}
    if isinstance(given, dict):
        return {name: filled(worlds, value) for name, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [filled(worlds, value) for value in given]
    if isinstance(given, str):
        for name, value in told.items():
            given = given.replace(f"{{{name}}}", value)
    return given


def test_every_route__has_a_case(tmp_path):
    app = make_app(Service(Door(Store(tmp_path))))
    assert routes(app) == set(CASES)


@pytest.mark.parametrize("route", CASES)
def test_answer__is_the_same_where_the_hidden_books_never_were(worlds, route):
    method, met, said = route.partition(" ")[0], set(), b""
    # who sees all of it or nothing has no part that could be mixed up: one question a route is enough
    for number, (path, options) in enumerate(CASES[route] if worlds[0].part else CASES[route][:1]):
        step = f"{route} {number}"
        url, asked = (PREFIX if PREFIX in route else "") + filled(worlds, path), filled(worlds, options)
        full, bare = (each.asked(method, url, step, **asked) for each in worlds)
        assert full[0] < 500, full
        assert full == bare, (url, asked)
        met.add(full[0])
        said += full[2] + repr(full[1]).encode()
    assert not [key for key in worlds[0].within() if key.encode() in said]
    assert min(met) < 300 or route in REFUSED or not worlds[0].trades


def test_answer__after_a_runner_has_worked_is_the_same_too(worlds):
    asked = [each.asked("POST", f"{PREFIX}/runs", "queue", json={**INPUTS, "name": "late"}) for each in worlds]
    assert asked[0] == asked[1]
    assert asked[0][0] == 202
    run = asked[0][1]["location"]
    for each in worlds:
        each.work("work")
    for path in (run, f"{run}/report", f"{run}/trades", f"{PREFIX}/runs"):
        full, bare = (each.asked("GET", path, path) for each in worlds)
        assert full == bare
        assert full[0] == 200


@pytest.mark.parametrize("path", [f"{PREFIX}/audit", "/metrics"])
def test_an_admin_of_some_books__is_told_nothing_that_tells_of_all(worlds, path):
    answers = []
    for each in worlds:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(each, "who", Principal("somebody", frozenset({"admin"}), each.who.books))
            answers.append(each.asked("GET", path, path))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403
