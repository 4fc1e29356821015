"""What is taken along holds the numbers in full, and of one's own books alone."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import riskgrid as rg
from riskgrid import sheet
from riskgrid.dashboards.state import State
from riskgrid.page import money
from tests.browser.served import BOOK

_WHO = "Who: VaR and ES by desk"


@pytest.fixture(scope="module")
def table(store):
    return rg.report(rg.open_run(store.runs["vote"], store=store.store), ["desk"]).table


def test_copies_and_files__hold_the_full_numbers(visit, store, table):
    page = visit(State(run=store.runs["vote"]).query)
    page.card(_WHO).get_by_role("button", name="Copy").click()
    page.page.get_by_text("Copied", exact=True).wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()") == sheet.to_tsv(table.drop_attrs(deep=False))
    csv = pd.read_csv(io.BytesIO(page.taken(_WHO, "CSV")))
    parquet = pq.read_table(io.BytesIO(page.taken(_WHO, "Parquet"))).to_pandas()
    for held in (csv, parquet):
        for name in ("value_at_risk", "component_expected_shortfall"):
            assert np.array_equal(held[name].to_numpy(), table[name].values)


def test_picture__shows_the_figure(visit, store):
    page = visit(State(run=store.runs["vote"]).query)
    picture = page.taken("P&L over all scenarios", "PNG")
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5_000


def test_one_book__is_all_that_its_owner_sees(visit, store):
    run = rg.open_run(store.runs["vote"], store=store.store)
    whole, own = (rg.report(run, ["desk"], where=where).table for where in (None, {"book": BOOK}))
    page = visit(State(run=run.run_id).query, who="lee")
    text = page.text
    for name in ("base_value", "value_at_risk", "expected_shortfall"):
        assert money(float(own[name][0])).replace("-", "\N{MINUS SIGN}") in text
        assert money(float(whole[name][0])).replace("-", "\N{MINUS SIGN}") not in text
    assert "of your books" in text
    held = pd.read_csv(io.BytesIO(page.taken(_WHO, "CSV")))
    assert held["desk"].dropna().unique().tolist() == ["Equity Derivatives"]
    assert np.array_equal(held["value_at_risk"].to_numpy(), own["value_at_risk"].values)
    page.follow(State(page="drill-down", run=run.run_id, by="book").query)
    assert BOOK in page.text
    assert "EQD-EMEA-2" not in page.text
    page.follow(State(page="drill-down", run=run.run_id, part="trades").query)
    own_trades = set(run.trade_table({"book": BOOK})["trade_id"].values)
    held = pd.read_csv(io.BytesIO(page.taken("Trades of the whole", "CSV")))
    assert set(held["trade_id"]) == own_trades


def test_one_book__leads_to_nothing_of_another(visit, store):
    page = visit(State(run=store.runs["supposed"]).query, who="lee")
    assert "no run called" in page.text.lower() or "unknown run" in page.text.lower() or "no run" in page.text.lower()
