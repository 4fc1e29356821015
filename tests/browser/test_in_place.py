"""A view that was painted over another one is, pixel for pixel, the view that its address opens."""

from __future__ import annotations

import pytest

from riskgrid.dashboards.state import State

WHOLE = State()
DESK = State(page="drill-down", where=(("desk", "Rates"),))
PART = DESK.within("region", "EMEA")
WALKS = {
    "another-convention": (WHOLE.but(convention="var-95-es-95"), WHOLE),
    "over-another-page": (DESK, WHOLE),
    "nothing-to-compare-with": (WHOLE, WHOLE.but(against="none")),
    "a-step-down": (State(page="drill-down"), DESK),
    "a-step-up": (PART, DESK),
    "to-its-trades": (PART.but(by="desk"), PART.but(by="trade_id")),
}


@pytest.fixture(scope="module")
def fresh():
    """What new pages have shown, by their addresses: each of them is loaded once."""
    return {}


@pytest.mark.parametrize("name", WALKS)
def test_painted_in_place__is_what_a_new_page_shows(visit, fresh, name):
    first, second = WALKS[name]
    page = visit(first.query, height=1500)
    with page.painting():
        page.follow(second.query)
    painted = page.text, page.drawn
    if second not in fresh:
        page.open(second.query)
        fresh[second] = page.text, page.drawn
    assert painted[0] == fresh[second][0]
    assert len(painted[1]) > 2
    assert painted[1] == fresh[second][1]
