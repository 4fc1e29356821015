"""Views that are worth a look: each page in the states that people meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.state import State
from tests.browser.served import Filled

__all__ = ["VIEWS"]


def _of(run: str = "", **rest: object) -> Callable[[Filled], str]:
    return lambda store: State(run=store.runs[run] if run else "", **rest).query  # type: ignore[arg-type]


#: Name to the address of a view, given the store.
VIEWS: Mapping[str, Callable[[Filled], str]] = {
    "overview": _of(),
    "overview-of-a-what-if": _of("supposed"),
    "drill-down": _of(page="drill-down", where=(("region", "EMEA"), ("desk", "Rates"))),
    "drill-down-tail": _of(page="drill-down", part="tail", where=(("desk", "Equity Derivatives"),)),
    "drill-down-trades": _of(page="drill-down", part="trades", where=(("desk", "FX Options"),)),
    "drill-down-trade": _of(page="drill-down", part="trades", trade="FO-000009"),
    "what-if": _of(page="what-if"),
    "what-if-compared": lambda store: (
        State(
            page="what-if",
            run=store.runs["vote"],
            beside=(store.runs["moved"],),
            draft=Draft().dropped("EO-000003").resized("FF-000002", 4.0).shifted("fx:GBP", "-8%").text,
        ).query
    ),
    "runs": _of(page="runs"),
    "run": _of("holes", page="runs"),
}
