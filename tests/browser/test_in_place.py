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


@pytest.mark.parametrize("name", WALKS)
def test_painted_in_place__is_what_a_new_page_shows(visit, name):
    first, second = WALKS[name]
    page = visit(first.query, height=1500)
    with page.painting():
        page.follow(second.query)
    text, drawn = page.text, page.drawn
    page.open(second.query)
    assert page.text == text
    assert len(drawn) > 2
    assert page.drawn == drawn
