"""Every drill-down over HTTP has the library's bits, shows nothing of other books, and says what is wrong."""

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr

import riskgrid as rg
from riskgrid import detail, wire
from riskgrid.analysis.measuring import measured
from riskgrid.api.media import ARROW, PARQUET

CRASH = {"asked": [{"equity:*": "-20%"}, {"vol:*": "x1.5"}]}


def spot_vol(run):
    found = rg.spot_vol_ladder(run, "equity:SPX", spots=[-0.1, 0.1], vols=[0.0], by="desk").pnl
    return found.drop_attrs().to_dataset(name="pnl")


#: Path, query, and what the library answers to the same question of (run, run of the day before).
QUESTIONS = {
    "report": ("/report", {"by": ["desk"]}, lambda run, _: rg.report(run, "desk").table),
    "report total": (
        "/report",
        {"part": "total", "var_level": ".95"},
        lambda run, _: rg.report(run, ["region", "desk"], var_level=".95").total.to_dataset(name="pnl"),
    ),
    "report tail": ("/report", {"part": "tail"}, lambda run, _: rg.report(run, ["region", "desk"]).tail),
    "pnl": ("/pnl", {"by": ["desk", "book"]}, lambda run, _: run.aggregate(["desk", "book"])),
    "pnl of some": (
        "/pnl",
        {"where": ["region=EMEA", "region=APAC"]},
        lambda run, _: run.aggregate([], {"region": ["EMEA", "APAC"]}),
    ),
    "measure": (
        "/measures/value_at_risk",
        {"by": ["desk"], "level": "0.9", "method": "hazen"},
        lambda run, _: measured(run, "value_at_risk", "desk", level="0.9", method="hazen"),
    ),
    "component": (
        "/measures/component",
        {"by": ["desk"], "measure": "value_at_risk"},
        lambda run, _: measured(run, "component", "desk", measure="value_at_risk"),
    ),
    "trades": ("/trades", {"limit": 1000}, lambda run, _: run.trade_table()),
    "trades of some": (
        "/trades",
        {"where": "instrument=interest_rate_swap", "status": "priced", "columns": ["book", "base_value"]},
        lambda run, _: detail.trades(
            run, {"instrument": "interest_rate_swap"}, status=["priced"], columns=["book", "base_value"], count=100
        ),
    ),
    "trade": ("/trades/SW-000001", {}, lambda run, _: detail.trade(run, "SW-000001")),
    "trade pnl": ("/trades/SW-000001/pnl", {}, lambda run, _: detail.trade_pnl(run, ["SW-000001"])),
    "scenarios": ("/scenarios", {}, lambda run, _: detail.scenario_table(run)),
    "worst trades": (
        "/scenarios/2016-06-24/trades",
        {"count": 5},
        lambda run, _: run.worst_trades("2016-06-24", 5),
    ),
    "tail": ("/tail", {"level": "0.9"}, lambda run, _: rg.tail_view(run, level="0.9").scenarios),
    "tail trades": ("/tail", {"part": "trades", "count": 3}, lambda run, _: rg.tail_view(run, count=3).trades),
    "tail factors": ("/tail", {"part": "factors"}, lambda run, _: rg.tail_view(run).factors),
    "contributions": ("/contributions", {"by": "desk"}, lambda run, _: rg.contributions(run, "desk").table),
    "classes": ("/classes", {"by": "desk"}, lambda run, _: rg.risk_classes(run, "desk").table),
    "own classes": (
        "/classes",
        {"classes": ["rates=par:*", "rates=zero:*"]},
        lambda run, _: rg.risk_classes(run, classes={"rates": ["par:*", "zero:*"]}).table,
    ),
    "sensitivities": (
        "/sensitivities",
        {"by": "desk", "patterns": ["fx:*", "par:*"], "sizes": "fx:*=2%"},
        lambda run, _: rg.sensitivities(run, "desk", patterns=["fx:*", "par:*"], sizes={"fx:*": (2.0, "%")}).table,
    ),
    "sensitivities of trades": (
        "/sensitivities",
        {"by": "trade_id", "patterns": "fx:*", "sticky": "run"},
        lambda run, _: rg.sensitivities(run, "trade_id", patterns=["fx:*"], sticky=None).table,
    ),
    "spot vol": (
        "/spot-vol/equity:SPX",
        {"by": "desk", "spots": [-0.1, 0.1], "vols": 0.0},
        lambda run, _: spot_vol(run),
    ),
    "stress": ("/stress", {}, lambda run, _: rg.stress_report(run).table),
    "stress asked": (
        "/stress",
        {"shock": ["equity:*=-20%", "vol:*=x1.5"], "by": ""},
        lambda run, _: rg.stress_report(run, CRASH, ()).table,
    ),
    "explain": ("/explain", {"by": "desk"}, lambda run, before: rg.explain(before, run, by="desk").by("desk")),
    "explain trades": (
        "/explain",
        {"part": "trades", "count": 4},
        lambda run, before: rg.explain(before, run).trades(4),
    ),
    "explain objects": (
        "/explain",
        {"part": "objects"},
        lambda run, before: rg.explain(before, run).factors(["region", "desk"]),
    ),
    "explain sensitivities": (
        "/explain",
        {"part": "sensitivities", "by": "desk"},
        lambda run, before: rg.explain(before, run, sensitivities=True).estimated.by("desk"),
    ),
    "compare": ("/compare", {"by": "desk"}, lambda run, before: rg.compare(run, before, by="desk").table),
}


#: One of each route.
ONE_EACH = list({path: name for name, (path, _, _) in reversed(QUESTIONS.items())}.values())


def asked(served, name, who="all", accept="application/json"):
    path, query, _ = QUESTIONS[name]
    beside = {"/explain": "since", "/compare": "with"}
    query = {**query, **({beside[path]: served.before.run_id} if path in beside else {})}
    return served.get(path, who, accept, **query)


def read(response):
    if response.headers["content-type"] == ARROW:
        return wire.from_arrow(pa.ipc.open_stream(response.content).read_all())
    return wire.from_json(response.json())


def assert_bits(found, expected):
    xr.testing.assert_equal(found, expected)
    for name, variable in expected.variables.items():
        if variable.dtype.kind in "fiu":
            assert found[name].values.tobytes() == np.ascontiguousarray(variable.values).tobytes(), name


@pytest.mark.parametrize("name", QUESTIONS)
def test_answer__has_the_bits_of_the_library_in_every_form(served, name):
    expected = QUESTIONS[name][2](served.seen(), served.seen(before=True))
    for accept in ("application/json", ARROW):
        response = asked(served, name, accept=accept)
        assert response.status_code == 200, response.text
        assert_bits(read(response), expected)


@pytest.mark.parametrize("name", ["report total", "pnl", "trades", "worst trades", "classes", "spot vol", "compare"])
def test_parquet__is_a_table_of_a_row_a_combination_with_the_bits_of_the_library(served, name):
    expected = QUESTIONS[name][2](served.seen(), served.seen(before=True))
    table = pq.read_table(io.BytesIO(asked(served, name, accept=PARQUET).content))
    assert "riskgrid.attrs" in {key.decode() for key in table.schema.metadata}
    sizes = [expected.sizes[dim] for dim in expected.sizes]
    assert table.num_rows == math.prod(sizes)
    for column, variable in expected.variables.items():
        if variable.dtype.kind in "fiu" and variable.size:
            whole = variable.set_dims(dict(expected.sizes)).transpose(*expected.sizes)
            found = table[column].to_numpy().astype(variable.dtype)
            assert found.tobytes() == np.ascontiguousarray(whole.values).tobytes(), column


@pytest.mark.parametrize("name", ONE_EACH)
def test_answer__to_who_sees_one_desk_is_that_of_its_books_alone(served, name):
    seen, before = served.seen("rates"), served.seen("rates", before=True)
    expected = QUESTIONS[name][2](seen, before)
    response = asked(served, name, "rates")
    assert response.status_code == 200, response.text
    assert_bits(read(response), expected)
    table = served.run.trade_table()
    hidden = {*table["desk"].values[table["desk"].values != "Rates"].tolist()}
    hidden |= set(table["trade_id"].values.tolist()) - set(seen.trade_table()["trade_id"].values.tolist())
    assert len(hidden) > 100
    assert not [text for text in hidden if f'"{text}"' in response.text]
    for within in (seen.run_id, before.run_id, served.run.result_id):
        assert within not in response.text


@pytest.mark.parametrize("name", ["report", "pnl of some", "trades", "worst trades", "tail", "stress asked", "compare"])
def test_answer__that_one_has_is_not_sent_again(served, name):
    etag = asked(served, name).headers["etag"]
    path, query, _ = QUESTIONS[name]
    beside = {"/explain": "since", "/compare": "with"}
    query = {**query, **({beside[path]: served.before.run_id} if path in beside else {})}
    url = f"/api/v1/runs/{served.run.run_id}{path}"
    again = served.client.get(url, params=query, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = served.client.get(url, params=query, headers={"If-None-Match": etag, "X-API-Key": "rates"})
    assert other.status_code != 304


def test_answer__goes_by_the_order_of_the_labels(served):
    first, second = (
        served.client.get(f"/api/v1/runs/{served.run.run_id}/report", params=[("by", one), ("by", other)])
        for one, other in (("region", "desk"), ("desk", "region"))
    )
    assert first.headers["etag"] != second.headers["etag"]
    assert_bits(wire.from_json(second.json()), rg.report(served.seen(), ["desk", "region"]).table)
    other_order = [("var_level", "0.9"), ("by", "region")], [("by", "region"), ("var_level", "0.9")]
    tags = {
        served.client.get(f"/api/v1/runs/{served.run.run_id}/report", params=params).headers["etag"]
        for params in other_order
    }
    assert len(tags) == 1  # of different names it does not count
