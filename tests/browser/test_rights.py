"""What somebody may see is all that he sees, in totals and files too, and is asked again while his page is open."""

import io

import numpy as np
import pandas as pd

import riskgrid as rg
from riskgrid.dashboards.state import State
from riskgrid.page import money
from tests.browser.served import BOOK
from tests.browser.test_tour import reads

_WHO = "Who: VaR and ES by desk"


def told(run, where=None):
    """PV, VaR and ES as they are written."""
    total = rg.report(run, [], where=where).table
    return [reads(money(float(total[name][0]))) for name in ("base_value", "value_at_risk", "expected_shortfall")]


def seen(page):
    """Whatever could hold a number."""
    return page.page.locator("table:visible, canvas:visible, dl:visible").count()


def test_key__that_is_revoked_ends_the_page_that_is_open(visit, store):
    """A list that looks after itself says so by itself; so does the next click, and numbers are gone."""
    run = rg.open_run(store.runs["vote"], store=store.store)
    page = visit(State(run=run.run_id).query, who="kim")
    assert all(number in page.text for number in told(run))
    page.follow(State(page="runs").query)
    assert seen(page)
    (key,) = (row.key_id for row in store.store.keys.list() if row.principal == "key:kim")
    store.store.keys.revoke(key, "test")
    page.page.get_by_text("Your sign-in has ended").locator("visible=true").wait_for()
    assert not seen(page.settle())
    page.follow(State(run=run.run_id).query)
    assert "Your sign-in has ended" in page.text
    assert "was revoked" in page.text
    assert not seen(page)
    assert not [number for number in told(run) if number in page.text]


def test_rights__that_are_narrowed_hold_for_the_page_that_is_open(visit, store):
    run = rg.open_run(store.runs["vote"], store=store.store)
    whole, own = told(run), told(run, {"book": BOOK})
    page = visit(State(run=run.run_id).query, who="pat")
    assert all(number in page.text for number in whole)
    store.people.let("pat", {"book": BOOK})
    page.card(_WHO).get_by_role("button", name="CSV", exact=True).click()
    page.page.get_by_text("what you may see has changed").wait_for()
    page.follow(State(run=run.run_id).query)
    assert all(number in page.text for number in own)
    assert not [number for number in whole if number in page.text]
    page.follow(State(page="drill-down", run=run.run_id, by="book").query)
    assert BOOK in page.text
    assert "EQD-EMEA-2" not in page.text


def test_one_book__is_all_that_its_owner_sees(visit, store):
    run = rg.open_run(store.runs["vote"], store=store.store)
    whole, own = told(run), told(run, {"book": BOOK})
    page = visit(State(run=run.run_id).query, who="lee")
    text = page.text
    assert [number for number in own if number not in text] == []
    assert [number for number in whole if number in text] == []
    assert "of your books" in text
    held = pd.read_csv(io.BytesIO(page.taken(_WHO, "CSV")))
    assert held["desk"].dropna().unique().tolist() == ["Equity Derivatives"]
    measured = rg.report(run, ["desk"], where={"book": BOOK}).table["value_at_risk"]
    assert np.array_equal(held["value_at_risk"].to_numpy(), measured.values)
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
