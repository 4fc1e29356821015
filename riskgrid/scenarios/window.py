"""Rows of a history: the window that a scenario set looks at, and the pairs of dates between which it takes changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["Day", "Pairs", "pairs_of", "window_of"]

type Day = str | np.datetime64


class Pairs(NamedTuple):
    """Rows of the first and of the last level of each change, (scenario,)."""

    before: NDArray[np.intp]
    after: NDArray[np.intp]


def window_of(
    history: MarketHistory, market: MarketSnapshot, start: Day | None = None, end: Day | None = None
) -> NDArray[np.intp]:
    """Rows from ``start`` (the history's first date) to ``end`` (the market's date).  BadScenarios where none is."""
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


def pairs_of(rows: NDArray[np.intp], count: int | None, horizon: int) -> Pairs:
    """Overlapping changes over ``horizon`` rows of a window, the last ``count`` or all.

    >>> pairs_of(np.arange(5), 2, 1)
    Pairs(before=array([2, 3]), after=array([3, 4]))
    """
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
    return Pairs(after - horizon, after)
