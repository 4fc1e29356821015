"""Volatility updating: the one-row returns of a history's series, and how volatile each series was and is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.driver import Drivers, drivers
from riskgrid.scenarios.returns import Rules, returns_of
from riskgrid.scenarios.variance import mean_square
from riskgrid.scenarios.weighting import check_decay
from riskgrid.scenarios.window import Day, Pairs, window_of
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["CAP", "DECAY", "WARM_UP", "Past", "UpdatingRules", "check_updating", "past", "told", "warmed"]

DECAY, WARM_UP, CAP = 0.94, 100, 10.0


class UpdatingRules(Rules, total=False):
    """How volatilities are made, besides how a history becomes shifts.

    ``decay`` : of exponential weights, above 0 and at most 1, where nothing is scaled; by default 0.94 (RiskMetrics).
    ``warm_up`` : returns before the first scenario's that only volatilities are made of, by default 100.
    ``cap`` : the most a return is scaled by (on a path, on its first date), at least 1, by default 10; None: no cap.
    """

    decay: float
    warm_up: int
    cap: float | None


def check_updating(rules: Mapping[str, Any]) -> None:
    """Raises BadScenarios on a decay, a warm-up or a cap out of range."""
    check_decay(rules.get("decay", DECAY))
    warm_up, cap = rules.get("warm_up", WARM_UP), rules.get("cap", CAP)
    if not isinstance(warm_up, (int, np.integer)) or warm_up < 0:
        raise BadScenarios(f"warm_up is {warm_up!r}; a whole number of returns, 0 or more, is right")
    if cap is not None and not (isinstance(cap, (int, float)) and 1.0 <= cap < np.inf):
        raise BadScenarios(f"cap is {cap!r}; a number of at least 1 is right, or None for no cap")


def told(rules: UpdatingRules) -> dict[str, Any]:
    """The rules of volatilities as the provenance says them.

    >>> told({"decay": 0.97})
    {'decay': 0.97, 'warm_up': 100, 'cap': 10.0}
    """
    cap = rules.get("cap", CAP)
    return {
        "decay": float(rules.get("decay", DECAY)),
        "warm_up": int(rules.get("warm_up", WARM_UP)),
        "cap": None if cap is None else float(cap),
    }


@dataclass(frozen=True)
class Past:
    """Returns of one row each, (date, series), from the first of the warm-up to the last that anything needs.

    fresh : those of which neither level was filled or missing.   at : (scenario,) where each scenario's change begins.
    now : where the market's date ends; both count returns, so that ``variance[at]`` was known at ``at``.
    """

    drivers: Drivers
    returns: Values
    fresh: Flags
    at: NDArray[np.intp]
    now: int

    def initial(self, warm_up: int) -> Values:
        """Mean square of the warm-up's fresh returns, of all where a series has none there; (series,)."""
        early, count = mean_square(self.returns[:warm_up], self.fresh[:warm_up])
        return np.where(count > 0, early, mean_square(self.returns, self.fresh)[0])

    def deviations(self, variance: Values, cap: float | None) -> tuple[Values, Values, dict[str, int]]:
        """Volatility then (scenario, series) and now (series,), by which a return is divided and multiplied.

        variance : forecasts, (date + 1, series).   Where the ratio would pass the cap, then is what it makes it; where
        one of the two is nil, now, so that the return stays. Also how often either was so.
        """
        then, now = np.sqrt(variance[self.at]), np.sqrt(variance[self.now])
        quiet = (then == 0.0) | (now == 0.0)
        least = np.zeros_like(now) if cap is None else now / cap
        capped = ~quiet & (then < least)
        now = np.where(now == 0.0, 1.0, now)
        then = np.where(quiet, now, np.maximum(then, least))
        return then, now, {"capped": int(capped.sum()), "stood_still": int(quiet.sum())}


def warmed(
    history: MarketHistory, market: MarketSnapshot, start: Day | None, end: Day | None, *, warm_up: int
) -> NDArray[np.intp]:
    """Rows of the window, by default as early as a warm-up of so many returns allows.  BadScenarios where none is."""
    rows = window_of(history, market, start, end)
    room, edge = (len(rows) - 1, rows[-1]) if start is None else (int(rows[0]), rows[0])
    if room < warm_up:
        where, right = ("ends", "a longer window") if start is None else ("begins", "a later start")
        raise BadScenarios(
            f"a warm-up of {warm_up} returns does not fit: the history has {room} up to {history.dates[edge]}, where "
            f"the window {where}; {right} or a smaller warm_up is right"
        )
    return rows[warm_up:] if start is None else rows


def past(history: MarketHistory, market: MarketSnapshot, pairs: Pairs, rules: UpdatingRules) -> Past:
    """What the series behind a market did up to its date, and up to the end of the changes between ``pairs``.

    BadScenarios where the market's date is not after the start of the window, and as :func:`drivers`.
    """
    first = int(pairs.before[0]) - rules.get("warm_up", WARM_UP)
    today = int(np.searchsorted(history.dates, market.date, side="right")) - 1
    if today <= pairs.before[0]:
        raise BadScenarios(
            f"the market is of {market.date} and the window begins on {history.dates[pairs.before[0]]}; a window that "
            "begins before the market's date is right, or its volatility is not known"
        )
    last = max(today, int(pairs.after[-1]))
    found = drivers(history, market, pairs, rules, slice(first, last + 1))
    rows = np.arange(first, last)
    with np.errstate(invalid="ignore", divide="ignore"):  # a level may be missing or nil where no scenario needs it
        change, stale = found.changes(history, Pairs(rows, rows + 1))
        returns = returns_of(change, found.measured)
        right = (history.values[first : last + 1, found.column] > 0) | (found.measured == "absolute")
    fresh = np.isfinite(returns) & right[:-1] & right[1:] & ~stale
    return Past(found, returns, fresh, pairs.before - first, today - first)
