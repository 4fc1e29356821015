"""A view that was painted over another one is, pixel for pixel, the view that its address opens."""

from __future__ import annotations

import pytest

from riskgrid.dashboards.state import State

DESK = State(page="drill-down", where=(("desk", "Rates"),))
WALKS = {
    "another-convention": (State(), State(convention="var-95-es-95")),
    "a-step-down": (State(page="drill-down"), DESK),
    "a-step-up": (DESK.within("region", "EMEA"), DESK),
    "to-its-trades": (DESK.within("region", "EMEA", by="desk"), DESK.within("region", "EMEA", by="trade_id")),
    "over-another-page": (DESK, State()),
    "nothing-to-compare-with": (State(), State(against="none")),
}

# by the hands of the page, as a link of it is followed
_FOLLOW = """query => {
  const link = document.createElement("a")
  link.setAttribute("href", query)
  document.body.append(link)
  link.click()
  link.remove()
}"""


# what every canvas that is seen holds: text around it may lie on other parts of a pixel
_DRAWN = """() => {
  const all = from => [...from.querySelectorAll("canvas"),
    ...[...from.querySelectorAll("*")].filter(each => each.shadowRoot).flatMap(each => all(each.shadowRoot))]
  return all(document).filter(each => each.getClientRects().length).map(each => each.toDataURL())
}"""


def drawn(visit):
    visit.page.wait_for_timeout(300)  # until every canvas has been painted
    return visit.page.evaluate(_DRAWN)


@pytest.mark.parametrize("name", WALKS)
def test_painted_in_place__is_what_a_new_page_shows(visit, name):
    first, second = WALKS[name]
    walked = visit(height=1500).open(first.query)
    with walked.painting():
        walked.page.evaluate(_FOLLOW, second.query)
    fresh = visit(height=1500).open(second.query)
    assert walked.text == fresh.text
    assert len(drawn(fresh)) > 2
    assert drawn(walked) == drawn(fresh)
