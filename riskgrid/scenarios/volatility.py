"""Volatility-scaled historical scenarios: past returns as large as they would be at today's volatility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.registry import scenario_set
from riskgrid.scenarios.driver import followed
from riskgrid.scenarios.returns import check_rules, stretched
from riskgrid.scenarios.updating import CAP, DECAY, WARM_UP, UpdatingRules, check_updating, past, told, warmed
from riskgrid.scenarios.variance import exponential
from riskgrid.scenarios.window import Day, pairs_of

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["volatility_scaled"]


@scenario_set("volatility_scaled")
def volatility_scaled(
    history: MarketHistory,
    market: MarketSnapshot,
    *,
    start: Day | None = None,
    end: Day | None = None,
    count: int | None = None,
    horizon: int = 1,
    **rules: Unpack[UpdatingRules],
) -> xr.Dataset:
    """Historical scenarios whose returns are multiplied by volatility now over volatility then, series by series.

    The window is that of :func:`riskgrid.scenarios.historical.historical`, by default as early as the warm-up allows.
    Volatility then is the forecast of the date the change starts on, volatility now that of the market's date, both of
    exponentially weighted squares of one-row returns, from their mean square in the warm-up (in all where a series has
    none there); over a ``horizon`` forecasts grow alike, so the ratio is the same. A filled level makes no return. A
    series that had stood still (variance 0) keeps its change. A relative shift leaves a volatility at one point or more
    (or its level, where lower), any other level at a hundredth or more. Rules, with their defaults:
    :class:`riskgrid.scenarios.updating.UpdatingRules`, :class:`riskgrid.scenarios.returns.Rules`.
    BadScenarios as of a historical set, and where the warm-up does not fit or a rule is out of range.
    Source: Hull and White (1998), Incorporating volatility updating into the historical simulation method for
    value-at-risk, J. Risk 1(1), 5-19.
    """
    check_rules(rules, ("start", "end", "count", "horizon"), UpdatingRules)
    check_updating(rules)
    if start is not None and count is not None:
        raise BadScenarios("a historical window has a start or a count of scenarios, not both")
    decay, warm_up, cap = rules.get("decay", DECAY), rules.get("warm_up", WARM_UP), rules.get("cap", CAP)
    pairs = pairs_of(warmed(history, market, start, end, warm_up=warm_up), count, horizon)
    found = past(history, market, pairs, rules)
    variance = exponential(decay, found.initial(warm_up)).forecasts(found.returns, found.fresh)
    then, now, counts = found.deviations(variance, cap)
    change, stale = found.drivers.changes(history, pairs)
    change = stretched(change, now / then, found.drivers.measured)
    first, last = history.dates[pairs.before[0]], history.dates[pairs.after[-1]]
    return followed(found.drivers, market, change, stale, floor="all").scenarios(
        [str(day) for day in history.dates[pairs.after].astype("datetime64[D]")],
        market,
        name=f"volatility-scaled {first}..{last}" + (f", {horizon}-day" if horizon > 1 else ""),
        kind="volatility_scaled",
        facts={
            "window": [str(first), str(last)],
            "horizon": int(horizon),
            "volatility": {"model": "exponential", **told(rules), **counts},
            "counts": {"scenarios": len(pairs.after), "factors": len(market.factors)},
        },
    )
