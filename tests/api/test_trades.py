"""Trades in pages, as spreadsheets, and who has read of them."""

import csv
import io

import pytest

import riskgrid as rg
from riskgrid import wire
from riskgrid.api.media import CSV


def test_trades__come_in_pages_that_hold_each_once(served):
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        query = {"limit": 30, "where": "region=EMEA"} | ({"cursor": cursor} if cursor else {})
        page = wire.from_json(served.get("/trades", **query).json())
        found += page["trade_id"].values.tolist()
        cursor, pages = page.attrs["next"], pages + 1
    assert found == served.run.trade_table({"region": "EMEA"})["trade_id"].values.tolist()
    assert pages == -(-len(found) // 30) > 1


def test_cursor__is_of_its_own_question(served):
    cursor = served.get("/trades", limit=2).json()["attrs"]["next"]
    assert served.get("/trades", limit=5, cursor=cursor).status_code == 200
    assert served.get("/trades", limit=2, cursor=cursor, where="desk=Rates").status_code == 422


def test_trades__without_a_number_say_why(served):
    page = wire.from_json(served.get("/trades", status=["failed", "no_number"]).json())
    assert sorted(page["trade_id"].values.tolist()) == ["FAULTY-1", "FAULTY-2", "FAULTY-3"]
    assert all(page["problem"].values.tolist())


def test_trade__tells_its_terms_with_their_units(served):
    body = served.get("/trades/SW-000001").json()
    assert body["attrs"]["instrument"] == "interest_rate_swap"
    assert body["variables"]["fixed_rate"]["attrs"]["units"] == "a year, decimal"
    assert body["variables"]["maturity"]["dtype"] == "datetime64[D]"
    terms = served.run.portfolio.trade("SW-000001")
    assert body["variables"]["maturity"]["values"] == [str(terms["maturity"])]
    assert body["variables"]["notional"]["values"] == [terms["notional"]]


@pytest.mark.parametrize(
    ("path", "query", "what"),
    [
        ("/trades", {"where": "desk=Rates"}, "trades"),
        ("/trades/SW-000001", {}, "trade"),
        ("/trades/SW-000001/pnl", {}, "trade pnl"),
        ("/scenarios/2016-06-24/trades", {}, "worst trades"),
        ("/pnl", {"where": "trade_id=SW-000001"}, "pnl"),
        ("/report", {"by": "trade_id", "where": "trade_id=SW-000001"}, "report"),
        ("/tail", {"part": "trades"}, "tail"),
    ],
)
def test_read__of_single_trades_is_noted_also_where_the_answer_is_known(served, path, query, what):
    journal = served.service.door.store.journal
    for _ in range(2):
        before = _reads(journal)
        assert served.get(path, "rates", **query).status_code == 200
        last, *rest = _reads(journal)
        assert len(rest) == len(before)
        assert (last.subject, last.detail["what"]) == (served.run.run_id, what)


def test_read__of_sums_is_not_noted(served):
    journal = served.service.door.store.journal
    before = len(_reads(journal))
    assert served.get("/report", "rates", by="desk").status_code == 200
    assert len(_reads(journal)) == before


def _reads(journal):
    return [each for each in journal.audit(principal="rates") if each.verb == "read"]


def test_spreadsheet__has_the_digits_of_the_report(served):
    response = served.get("/report", accept=CSV, by="desk")
    assert response.headers["content-type"].startswith(CSV)
    rows = list(csv.DictReader(io.StringIO(response.text)))
    table = rg.report(served.run, "desk").table
    assert [float(row["value_at_risk"]) for row in rows] == table["value_at_risk"].values.tolist()
    assert [row["desk"] for row in rows] == table["desk"].values.tolist()


def test_spreadsheet__of_two_dimensions_has_a_row_for_each_pair(served):
    rows = list(csv.DictReader(io.StringIO(served.get("/pnl", accept=CSV, by="desk").text)))
    nodes = served.run.aggregate("desk")
    assert len(rows) == nodes["pnl"].size
    assert [float(row["pnl"]) for row in rows] == nodes["pnl"].values.ravel().tolist()
    assert rows[0]["scenario"] == nodes["scenario"].values[0]
