"""Historical scenarios: what the market did between two dates, put on today's levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.registry import scenario_set
from riskgrid.scenarios.returns import Rules, check_rules, moves
from riskgrid.scenarios.set import shifts

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["historical"]

type Day = str | np.datetime64


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
    before, after = _pairs(_window(history, market, start, end), count, horizon)
    found = moves(history, market, before, after, rules)
    first, last = history.dates[before[0]], history.dates[after[-1]]
    facts = found.facts | {"kind": "historical", "window": [str(first), str(last)], "horizon": horizon}
    facts["counts"] = found.facts["counts"] | {"scenarios": len(after), "factors": len(market.factors)}
    return shifts(
        [str(day) for day in history.dates[after].astype("datetime64[D]")],
        market.factors,
        found.scale,
        found.offset,
        name=f"historical {first}..{last}" + (f", {horizon}-day" if horizon > 1 else ""),
        kind="historical",
        provenance=facts,
        stale=found.stale,
        unshocked=found.unshocked,
    )


def _window(history: MarketHistory, market: MarketSnapshot, start: Day | None, end: Day | None) -> NDArray[np.intp]:
    first = history.dates[0] if start is None else _day("start", start)
    last = market.date if end is None else _day("end", end)
    rows = np.flatnonzero((history.dates >= first) & (history.dates <= last))
    if not rows.size:
        raise BadScenarios(
            f"the history has no date from {first} to {last}; it covers {history.dates[0]} to {history.dates[-1]}"
        )
    return rows


def _day(option: str, value: Any) -> np.datetime64:
    try:
        day = np.datetime64(value, "D")
    except (TypeError, ValueError, OverflowError):
        day = np.datetime64("NaT", "D")
    if np.isnat(day) or isinstance(value, (int, np.integer)):  # an integer counts days from 1970
        raise BadScenarios(f"{option} is {value!r}, which is no date; right is e.g. '2014-01-03'")
    return day


def _pairs(rows: NDArray[np.intp], count: int | None, horizon: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if not all(isinstance(number, (int, np.integer)) for number in (horizon, count or 1)):
        raise BadScenarios(f"horizon is {horizon!r} and count {count!r}; both are whole numbers")
    if horizon < 1 or (count is not None and count < 1):
        raise BadScenarios(f"horizon is {horizon} and count {count}; both are at least 1")
    possible = len(rows) - horizon
    if possible < (count or 1):
        raise BadScenarios(
            f"the window has {len(rows)} dates, enough for {max(possible, 0)} changes of horizon {horizon}; "
            f"{count or 1} asked for"
        )
    after = rows[horizon:] if count is None else rows[len(rows) - count :]
    return after - horizon, after
