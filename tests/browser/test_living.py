"""What lasts beyond a view: light or dark, a service that comes back, a run that goes on."""

import riskgrid as rg
from riskgrid.dashboards.state import State
from riskgrid.jobs import submit
from riskgrid.question import ask


def theme(page):
    return page.page.evaluate("document.documentElement.dataset.theme")


def test_dark__is_kept_and_is_at_first_what_the_machine_is(visit):
    page = visit()
    assert theme(page) == "light"
    page.darken()
    assert theme(page.open()) == "dark"
    page.lighten()
    page.context.clear_cookies(name="riskgrid-theme")
    page.page.emulate_media(color_scheme="dark")
    assert theme(page.open()) == "dark"
    page.page.emulate_media(color_scheme="light")
    page.lighten()


def test_run__goes_on_before_ones_eyes(visit, store):
    """Asked while the page is open, it comes into the list by itself, and so does its end."""
    page = visit("?page=runs")
    # of a day before those that other tests take for the latest
    book, market = rg.sample.portfolio(trades=20), rg.sample.market("2016-06-22")
    row = submit(ask(book, market, rg.sample.scenarios("2016-06-22", count=5)), store.store, name="of the evening")
    page.page.get_by_role("link", name="of the evening").first.wait_for()
    page.click("of the evening")
    page.page.get_by_text("Complete").locator("visible=true").first.wait_for()
    assert store.store.catalogue.get(row.run_id).status == "complete"


def test_restart__shows_the_same_view_again(visit, service):
    page = visit(State(page="drill-down", where=(("desk", "Rates"),)).query)
    seen = page.text
    service.end()
    try:
        page.page.get_by_text("Connection lost").wait_for()
    finally:
        service.start()
    page.page.wait_for_function("window.riskgridDesk && !window.riskgridLost")
    assert page.settle().text == seen
    page.complaints.clear()  # of requests while nobody was there to answer
