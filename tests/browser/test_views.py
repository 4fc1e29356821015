"""Every view: whole, wide and narrow, light and dark; and for people with a screen reader, a keyboard or weak eyes."""

from pathlib import Path

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe

from riskgrid.dashboards.pages import PAGES
from riskgrid.dashboards.state import State
from tests.browser.views import VIEWS

#: What others have written and we cannot mend. It may only shrink: an entry that no longer occurs fails.
THIRD_PARTY = yaml.safe_load(Path(__file__).with_name("third_party.yaml").read_text())

#: Colours alone differ between light and dark.
_ALL, _COLOURS = {"resultTypes": ["violations"]}, {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
_SERIOUS = ("serious", "critical")
_NARROW = 900

#: Violations of each view that was looked at, as rule and selector.
met: dict[str, set[tuple[str, str]]] = {}


def violations(page, options):
    """Rule, selector and element of each serious violation."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    told = page.evaluate("async options => (await axe.run(options)).violations", options)
    found = [each for each in told if each["impact"] in _SERIOUS]
    return [(each["id"], selector(node["target"]), node["html"][:160]) for each in found for node in each["nodes"]]


def selector(target):
    """Within shadow roots axe tells a path; its last step says enough."""
    last = target[-1]
    return last if isinstance(last, str) else last[-1]


def excused(rule, place):
    return any(each["rule"] == rule and each["selector"] in place for each in THIRD_PARTY)


@pytest.mark.parametrize("name", VIEWS)
def test_view__is_whole_wide_and_narrow_and_its_page_in_both_themes(visit, store, name):
    query = VIEWS[name](store)
    page = visit(query)
    assert page.page.locator("[role=alert]:visible").all_inner_texts() == []
    assert page.page.locator("nav [aria-current=page]").first.inner_text() == PAGES[State.of(query).page].title
    found = violations(page.page, _ALL)
    if name in PAGES or name == "run":
        page.darken()
        found += violations(page.page, _COLOURS)
        page.lighten()
    met[name] = {(rule, place) for rule, place, _ in found}
    assert [each for each in found if not excused(each[0], each[1])] == []
    page.page.set_viewport_size({"width": _NARROW, "height": 900})
    assert page.page.evaluate("document.scrollingElement.scrollWidth") <= _NARROW


def test_views__show_every_page(store):
    assert {State.of(query(store)).page for query in VIEWS.values()} == set(PAGES)


def test_third_party__lists_nothing_that_is_gone():
    if set(met) < set(VIEWS):
        pytest.skip("not every view was looked at")
    seen = set().union(*met.values())
    gone = [each for each in THIRD_PARTY if not any(r == each["rule"] and each["selector"] in s for r, s in seen)]
    assert gone == []
