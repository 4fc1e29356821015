"""What cannot be answered is said in one sentence with the right status, and what is hidden is as what never was."""

import threading

import pytest
from starlette.testclient import TestClient

from riskgrid.access import Door
from riskgrid.api.app import PREFIX, make_app
from riskgrid.api.service import Service, Sizes, Slots
from riskgrid.engine.budget import Limits
from riskgrid.errors import TooMany

BAD = {
    "label": ("/pnl", {"by": "dessk"}, "unknown label 'dessk'; did you mean 'desk'?"),
    "label of where": ("/report", {"where": "dessk=Rates"}, "unknown label 'dessk'"),
    "where": ("/report", {"where": "Rates"}, "where is 'Rates'; label=value is right"),
    "label twice": ("/pnl", {"by": ["desk", "desk"]}, "name one twice"),
    "method": ("/report", {"var_method": "hazzen"}, "unknown method 'hazzen'; did you mean 'hazen'?"),
    "misspelt": ("/report", {"wher": "desk=Rates"}, "unknown query parameter 'wher'; did you mean 'where'?"),
    "level": ("/report", {"var_level": "1.5"}, "var_level is '1.5'; 0.99 is right"),
    "no level": ("/report", {"var_level": ".0"}, "is not between 0 and 1"),
    "part": ("/report", {"part": "head"}, "unknown part 'head'; known: 'table', 'tail', 'total'"),
    "part of the tail": ("/tail", {"part": "books"}, "unknown part 'books'"),
    "option": ("/measures/value_at_risk", {"count": 3}, "unknown option of measure 'value_at_risk' 'count'"),
    "measure of bumps": ("/measures/delta", {}, "measure 'delta' is of pnl, ladder over scenario"),
    "measure that needs more": ("/measures/taylor_pnl", {}, "measure 'taylor_pnl' is of pnl, moves"),
    "measure of dates": ("/measures/kupiec", {}, "over date"),
    "tail measure": ("/tail", {"measure": "varr"}, "unknown tail measure 'varr'"),
    "component of what": ("/measures/component", {"measure": "varr"}, "unknown tail measure 'varr'"),
    "tail weights of nodes": ("/measures/tail_weights", {"level": "0.0"}, "is not between 0 and 1"),
    "status": ("/trades", {"status": "dead"}, "unknown status 'dead'"),
    "column": ("/trades", {"columns": "pv"}, "unknown column of a trade table 'pv'"),
    "cursor": ("/trades", {"cursor": "abc"}, "the cursor is of no page of this list"),
    "cursor that is no text": ("/trades", {"cursor": "é"}, "the cursor is of no page of this list"),
    "limit": ("/trades", {"limit": 0}, "limit: Input should be greater than or equal to 1"),
    "pattern": ("/sensitivities", {"patterns": "equty:*"}, "equty:*"),
    "space": ("/sensitivities", {"space": "quote"}, "space: Input should be 'par' or 'zero'"),
    "bump": ("/sensitivities", {"sizes": "fx:*=much"}, "sizes has the bump 'much'"),
    "bump of nothing": ("/sensitivities", {"sizes": "fx"}, "sizes is 'fx'; pattern=bump is right"),
    "spot": ("/spot-vol/equity:SPX", {"spots": "nan"}, "spot move"),
    "volatility": ("/spot-vol/equity:SPX", {"vols": "inf", "spots": 0.0}, "finite"),
    "classes": ("/classes", {"classes": "fx"}, "classes is 'fx'; class=pattern is right"),
    "shock": ("/stress", {"shock": "equity:*=down"}, "shock 'down' cannot be read"),
    "factor of a shock": ("/stress", {"shock": "equty:*=-5%"}, "unknown factor 'equty:*'"),
    "a file for a shock": ("/stress", {"shock": "/etc/passwd"}, "shock is '/etc/passwd'; pattern=shock is right"),
    "scenario set": ("/stress", {"scenarios": "/etc/shocks.yaml"}, "unknown named scenarios '/etc/shocks.yaml'"),
    "both": ("/stress", {"scenarios": "a", "shock": "fx:EUR=-5%"}, "both 'shock' and 'scenarios'"),
    "history": ("/stress", {"history": "/etc"}, "history: Input should be 'sample'"),
    "earlier run": ("/explain", {"since": "deadbeef0000"}, "unknown run 'deadbeef0000'"),
    "no earlier run": ("/explain", {}, "since: Field required"),
    "other run": ("/compare", {"with": "deadbeef0000"}, "unknown run 'deadbeef0000'"),
    "no other run": ("/compare", {}, "with: Field required"),
}


@pytest.mark.parametrize("name", BAD)
def test_question__that_is_wrong_is_told_in_a_sentence(served, name):
    path, query, said = BAD[name]
    response = served.get(path, **query)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json"), response.text
    assert said in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/trades/NOBODY", "unknown trade 'NOBODY'"),
        ("/trades/NOBODY/pnl", "unknown trade 'NOBODY'"),
        ("/trades/a/b", "unknown trade 'a/b'"),
        ("/scenarios/1999-01-01/trades", "unknown scenario '1999-01-01'"),
        ("/measures/varr", "unknown measure 'varr'"),
        ("/spot-vol/equity:NOBODY", "unknown underlying of a grid 'equity:NOBODY'"),
    ],
)
def test_path__that_names_what_is_not_there_is_not_found(served, path, said):
    response = served.get(path)
    assert response.status_code == 404
    assert response.json()["detail"].startswith(said)


def test_trade__of_a_hidden_book_answers_as_an_unknown_one(served):
    hidden = served.run.trade_table({"desk": "FX Options"})["trade_id"].values[0]
    for tail in ("", "/pnl"):
        found, never = served.get(f"/trades/{hidden}{tail}", "rates"), served.get(f"/trades/FZ-999999{tail}", "rates")
        assert found.status_code == never.status_code == 404
        assert found.json()["detail"].split(";")[0] == f"unknown trade '{hidden}'"
        known = served.seen("rates").trade_table()["trade_id"].values.tolist()
        for response in (found, never):
            told = response.json()["detail"].partition("known: ")[2].split(", ")
            assert {each.strip("'") for each in told} <= set(known)
        lengths = {"content-length", "x-request-id"}
        assert {**found.headers, **dict.fromkeys(lengths)} == {**never.headers, **dict.fromkeys(lengths)}


def test_trades__of_who_sees_no_book_are_none(served):
    response = served.get("/trades", "nobody")
    assert response.status_code == 200
    assert (response.json()["sizes"], response.json()["attrs"]["matching"]) == ({"trade": 0}, 0)


@pytest.fixture
def narrow(served):
    """The same store in a process that may do little."""
    sizes, limits = Sizes(numbers=200), Limits(valuations=5000)
    door = Door(served.service.door.store, limits=limits)
    return TestClient(make_app(Service(door, sizes=sizes, slots=Slots(1))))


def test_answer__that_is_too_large_is_refused_before_it_is_made(served, narrow, monkeypatch):
    url = f"/api/v1/runs/{served.run.run_id}"
    monkeypatch.setattr(type(served.run), "aggregate", None)  # what would make it
    response = narrow.get(f"{url}/pnl", params={"by": "desk"})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("the answer has 240 values (8 nodes x 30 scenarios); at most 200 are")


def test_analysis__that_would_price_too_much_is_refused_with_its_pruned_count(served, narrow):
    url = f"/api/v1/runs/{served.run.run_id}/sensitivities"
    refused = narrow.get(url, params={"patterns": "vol:*", "space": "zero"})
    assert refused.status_code == 422
    assert "valuations; at most 5,000 are right here" in refused.json()["detail"]
    assert narrow.get(url, params={"patterns": "fx:JPY"}).status_code == 200


def test_analysis__beyond_those_at_work_is_told_to_come_again(served, narrow):
    slots = narrow.app.state.service.slots
    with slots.taken():
        response = narrow.get(f"/api/v1/runs/{served.run.run_id}/classes")
    assert (response.status_code, response.headers["retry-after"]) == (429, "2")
    assert response.json()["detail"].startswith("1 analyses are at work")


def test_slot__is_free_again_after_an_error():
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.taken():
        raise ZeroDivisionError
    with slots.taken():
        found = []
        thread = threading.Thread(target=lambda: found.append(_refused(slots)))
        thread.start()
        thread.join()
    assert found == [True]


def _refused(slots):
    try:
        with slots.taken():
            return False
    except TooMany:
        return True


LONG = "x" * 201
CHANGES = {
    "reporting": {"portfolio": "a", "market": "a", "scenarios": "a", "reporting": LONG},
    "name": {"portfolio": "a", "market": "a", "scenarios": "a", "name": LONG},
    "changes.only": {"changes": {"only": {"desk": LONG}}},
    "changes.drop.0": {"changes": {"drop": [LONG]}},
    "changes.amend": {"changes": {"amend": {LONG: {"strike": 1.0}}}},
    "changes.add": {"changes": {"add": {"equity": [{"trade_id": LONG * 100}]}}},
    "changes.rehang.0.to": {"changes": {"rehang": [{"where": {"desk": "a"}, "to": {"desk": LONG}}]}},
    "changes.shift": {"changes": {"shift": {"fx:EUR": LONG}}},
    "changes.date.date": {"changes": {"date": {"date": LONG}}},
}


@pytest.mark.parametrize("place", CHANGES)
def test_a_text_without_an_end__is_refused_where_it_stands(served, place):
    body = CHANGES[place]
    path = f"runs/{served.run.run_id}/what-ifs" if "changes" in body else "runs"
    said = served.client.post(f"{PREFIX}/{path}", json=body)
    assert said.status_code == 422
    assert said.json()["detail"].startswith(place)
    assert "should have at most" in said.json()["detail"]


def test_a_slash_at_the_end__is_not_led_to_a_host_that_was_named_by_whoever_asks(served):
    said = served.client.get(f"{PREFIX}/runs/", headers={"Host": "evil.example"}, follow_redirects=False)
    assert (said.status_code, said.json()["detail"]) == (404, f"nothing is at {PREFIX}/runs/")
    assert "location" not in said.headers
