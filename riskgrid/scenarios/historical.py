"""Historical scenarios: what the market did between two dates, put on today's levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.registry import scenario_set
from riskgrid.scenarios.driver import moves
from riskgrid.scenarios.returns import Rules, check_rules
from riskgrid.scenarios.window import Day, pairs_of, window_of

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["historical"]


@scenario_set("historical")
def historical(
    history: MarketHistory,
    market: MarketSnapshot,
    *,
    start: Day | None = None,
    end: Day | None = None,
    count: int | None = None,
    horizon: int = 1,
    **rules: Unpack[Rules],
) -> xr.Dataset:
    """One scenario per date of the history: the change that ended on it, over every factor of the market.

    ``start`` : the first date whose level is used; or ``count`` : the number of scenarios.   ``end`` : the last date,
    the market's unless a later one is asked for.   ``horizon`` : a change is from ``horizon`` rows before, overlapping,
    and instantaneous when applied.   Rules, with their defaults: :class:`riskgrid.scenarios.returns.Rules`. Scenarios
    are labelled by the date their change ends on. BadScenarios where the window is too short, a level is missing in it,
    or a log or relative return meets a level that is not positive. Returns: Hull (2018), ch. 22.
    """
    check_rules(rules, ("start", "end", "count", "horizon"))
    if start is not None and count is not None:
        raise BadScenarios("a historical window has a start or a count of scenarios, not both")
    pairs = pairs_of(window_of(history, market, start, end), count, horizon)
    first, last = history.dates[pairs.before[0]], history.dates[pairs.after[-1]]
    return moves(history, market, pairs, rules).scenarios(
        [str(day) for day in history.dates[pairs.after].astype("datetime64[D]")],
        market,
        name=f"historical {first}..{last}" + (f", {horizon}-day" if horizon > 1 else ""),
        kind="historical",
        facts={
            "window": [str(first), str(last)],
            "horizon": int(horizon),
            "counts": {"scenarios": len(pairs.after), "factors": len(market.factors)},
        },
    )
