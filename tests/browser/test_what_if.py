"""A what-if that is put together on its page, run there and compared, is the library's."""

import io

import numpy as np
import pandas as pd

import riskgrid as rg
from riskgrid.dashboards.state import State
from riskgrid.page import money
from tests.browser.test_tour import reads


def test_what_if__is_put_together_run_and_compared(visit, store):
    run = rg.open_run(store.runs["vote"], store=store.store)
    trade = run.trade_table({"desk": "Equity Derivatives"})["trade_id"].values[3]
    page = visit(State(page="what-if", run=run.run_id, where=(("desk", "Equity Derivatives"),)).query)
    with page.painting():
        page.page.get_by_label(f"Drop {trade}").check()
    page.click("Move the market")
    page.page.get_by_label("Factors").fill("equity:*")
    page.page.get_by_label("By -5%").fill("-5%")
    with page.painting():
        page.page.get_by_role("button", name="Put into the draft").click()
    page.open(page.query)
    assert f"Drop {trade}" in page.text
    assert "Shift equity:* \N{MINUS SIGN}5%" in page.text
    page.page.get_by_label("Name").fill("of the browser")
    with page.painting():
        page.page.get_by_role("button", name="Run what-if").click()

    (beside,) = State.of(page.query).beside
    other = rg.open_run(beside, store=store.store)
    again = rg.what_if(run, {"drop": [str(trade)], "shift": {"equity:*": "-5%"}})
    assert other.result_id == again.result_id
    page.page.get_by_role("heading", name="Side by side").wait_for()
    table = rg.compare(run, again, by="desk").table
    for name in ("base_value", "value_at_risk", "expected_shortfall"):
        assert [each for each in table[name].values.ravel() if reads(money(float(each))) not in page.text] == []
        changes = [float(each) for each in table[f"{name}_change"].values[1] if each]
        assert changes
        assert [each for each in changes if reads(money(each)) not in page.text] == []
    held = pd.read_csv(io.BytesIO(page.taken("Side by side", "CSV")))
    for name in ("value_at_risk", "value_at_risk_change", "expected_shortfall"):
        assert np.array_equal(held[name].to_numpy(), table[name].values.ravel(), equal_nan=True)
