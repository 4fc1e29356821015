"""From the firm down to a trade and back, by click and by keyboard, and what an address holds."""

import re

import riskgrid as rg
from riskgrid.dashboards.state import State
from riskgrid.page import money
from tests.browser.served import BOOK

_DEEP = State(page="drill-down", where=(("desk", "FX Options"), ("region", "EMEA"))).query


def reads(text):
    """As numbers are written on a page."""
    return text.replace("-", "\N{MINUS SIGN}")


def where(visit):
    return [value for _, value in State.of(visit.query).where]


def test_numbers__are_those_of_the_library(visit, store):
    run = rg.open_run(store.runs["vote"], store=store.store)
    told = rg.report(run, ["desk"]).table
    text = visit(State(run=run.run_id).query).text
    for name in ("base_value", "value_at_risk", "expected_shortfall"):
        for value in told[name].values.tolist():
            assert reads(money(value)) in text
    below = rg.report(run, ["region"], where={"desk": "FX Options"}).table
    text = visit(State(page="drill-down", run=run.run_id, where=(("desk", "FX Options"),)).query).text
    for name in ("value_at_risk", "expected_shortfall", "component_expected_shortfall"):
        for value in below[name].values.tolist():
            assert reads(money(value)) in text


def test_tour__by_click_leads_from_the_firm_to_a_trade_and_back(visit):
    page = visit()
    page.click("FX Options")
    assert where(page) == ["FX Options"]
    page.click("EMEA")
    book = re.findall(r"FXO-EMEA-\d", page.text)[0]
    page.click(book)
    trade = re.search(r"FO-\d{6}", page.text)[0]
    page.click(trade)
    assert State.of(page.query).trade == trade
    for crumb in (book, "Firm"):  # the way up from a trade is that of the hierarchy
        page.click(crumb)
        assert not State.of(page.query).trade
    assert where(page) == []
    page.click("Overview")
    assert State.of(page.query).page == "overview"


def test_tour__by_keyboard_leads_from_the_firm_to_a_trade_and_back(visit):
    page = visit("?page=drill-down")
    for depth in (1, 2, 3):
        page.press("ArrowDown", "Enter")
        assert len(where(page)) == depth
    page.press("ArrowDown", "Enter")
    assert State.of(page.query).trade
    for depth in (3, 2, 1, 0):
        page.press("Backspace")
        assert len(where(page)) == depth
        assert not State.of(page.query).trade


def test_slash__finds_a_book_by_its_name(visit):
    page = visit()
    page.page.keyboard.press("/")
    page.page.keyboard.type(BOOK.lower())
    page.press("Enter")
    assert where(page) == [BOOK]
    assert BOOK in page.text


def test_find__of_a_name_that_nothing_has_says_so_and_stays(visit):
    page = visit()
    page.page.keyboard.press("/")
    page.page.keyboard.type("no such book")
    page.page.keyboard.press("Enter")
    page.page.get_by_text("Nothing is called 'no such book'").wait_for()
    assert State.of(page.query) == State()


def test_address__opens_the_same_view_again(visit):
    page = visit()
    page.click("FX Options")
    page.click("EMEA")
    assert State.of(page.query).where == State.of(_DEEP).where
    seen = page.text
    assert page.open(page.query).text == seen


def test_back_and_forward__show_what_was_there(visit):
    page = visit()
    first = page.text
    page.click("FX Options")
    second = page.text
    with page.painting():
        page.page.go_back()
    assert page.text == first
    with page.painting():
        page.page.go_forward()
    assert page.text == second


def test_convention__changes_the_numbers_and_is_kept(visit, store):
    page = visit(State(run=store.runs["vote"]).query)
    with page.painting():
        page.page.get_by_label("Measured as").select_option(label="VaR 95 % / ES 95 %")
    told = rg.report(rg.open_run(store.runs["vote"], store=store.store), [], var_level="0.95", es_level="0.95").table
    assert reads(money(float(told["value_at_risk"][0]))) in page.text
    page.click("FX Options")
    assert State.of(page.query).convention == "var-95-es-95"
