"""What is taken along holds the numbers in full."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import riskgrid as rg
from riskgrid.dashboards.state import State

_WHO = "Who: VaR and ES by desk"


@pytest.fixture(scope="module")
def table(store):
    return rg.report(rg.open_run(store.runs["vote"], store=store.store), ["desk"]).table


def test_copies_and_files__hold_the_full_numbers(visit, store, table):
    page = visit(State(run=store.runs["vote"]).query)
    page.card(_WHO).get_by_role("button", name="Copy").click()
    page.page.get_by_text("Copied", exact=True).wait_for()
    copied = pd.read_csv(io.StringIO(page.page.evaluate("navigator.clipboard.readText()")), sep="\t")
    csv = pd.read_csv(io.BytesIO(page.taken(_WHO, "CSV")))
    parquet = pq.read_table(io.BytesIO(page.taken(_WHO, "Parquet"))).to_pandas()
    order = [0, *(1 + np.argsort(-table["component_expected_shortfall"].values[1:], kind="stable"))]  # as on the page
    before = rg.report(rg.open_run(store.runs["eve"], store=store.store), ["desk"]).table
    for held in (copied, csv, parquet):
        for name in ("value_at_risk", "component_expected_shortfall"):
            assert np.array_equal(held[name].to_numpy(), table[name].values[order])
        change = float(table["value_at_risk"][0]) - float(before["value_at_risk"][0])
        assert held["value_at_risk_change"][0] == change


def test_picture__shows_the_figure(visit, store):
    page = visit(State(run=store.runs["vote"]).query)
    picture = page.taken("P&L over all scenarios", "PNG")
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5_000
