"""What lasts beyond a view: light or dark, a service that comes back, a run that goes on."""

import pytest

import riskgrid as rg
from riskgrid.dashboards.state import State
from riskgrid.jobs import submit
from riskgrid.question import ask
from tests.browser.served import Serving
from tests.browser.visiting import Visit


def theme(page):
    return page.page.evaluate("document.documentElement.dataset.theme")


def test_dark__is_kept(visit):
    page = visit().open()
    assert theme(page) == "light"
    page.darken()
    page.open()
    assert theme(page) == "dark"
    assert theme(visit(dark=True).open()) == "dark"


def test_run__goes_on_before_ones_eyes(visit, store):
    """Asked while the page is open, it comes into the list by itself, and so does its end."""
    # of a day before those that other tests take for the latest
    page = visit().open("?page=runs")
    book, market = rg.sample.portfolio(trades=20), rg.sample.market("2016-06-22")
    row = submit(ask(book, market, rg.sample.scenarios("2016-06-22", count=5)), store.store, name="of the evening")
    page.page.get_by_role("link", name="of the evening").first.wait_for()
    page.click("of the evening")
    page.page.get_by_text("Complete").first.wait_for()
    assert store.store.catalogue.get(row.run_id).status == "complete"


@pytest.fixture
def mortal(store, service, tmp_path):
    """A service that may end: another one on the same store."""
    serving = Serving(store.store, tmp_path)
    serving.start()
    yield serving
    serving.end()


def test_restart__shows_the_same_view_again(browser, signed_in, mortal, store):
    context = browser.new_context(storage_state=signed_in["ann"])
    page = Visit.begun(context, mortal.place).open(State(page="drill-down", where=(("desk", "Rates"),)).query)
    seen = page.text
    mortal.end()
    page.page.get_by_text("Connection lost").wait_for()
    mortal.start()
    page.page.wait_for_function("!window.riskgridLost")
    page.settle()
    assert page.text == seen
    context.close()
