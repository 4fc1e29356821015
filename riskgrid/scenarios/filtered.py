"""Filtered historical scenarios: paths of past residuals, at a volatility that starts from today's and follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.registry import scenario_set
from riskgrid.scenarios.driver import followed
from riskgrid.scenarios.garch import Fit, fit
from riskgrid.scenarios.returns import LEAST_SCALE, check_rules, returns_of, stretched
from riskgrid.scenarios.updating import CAP, DECAY, WARM_UP, Past, UpdatingRules, check_updating, past, told, warmed
from riskgrid.scenarios.variance import Recursion, exponential
from riskgrid.scenarios.window import Day, pairs_of
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["FilteringRules", "filtered_historical"]


class FilteringRules(UpdatingRules, total=False):
    """Further rules of filtered scenarios.

    ``seed`` : of the dates that are drawn, a whole number of at least 0, by default 0.
    ``decay`` : of the exponential weights of a series whose GARCH fit is no good.
    """

    seed: int


@scenario_set("filtered_historical")
def filtered_historical(
    history: MarketHistory,
    market: MarketSnapshot,
    *,
    start: Day | None = None,
    end: Day | None = None,
    count: int | None = None,
    horizon: int = 1,
    **rules: Unpack[FilteringRules],
) -> xr.Dataset:
    """``count`` paths of ``horizon`` dates, drawn from the window with replacement; or each date of it once.

    Every series has a GARCH(1,1) of zero mean, fitted to its fresh one-row returns from the warm-up on with its
    variance targeted (:func:`riskgrid.scenarios.garch.fit`); exponential weights where the fit is no good, named in the
    provenance. Residuals are returns over their own forecast volatility. A path draws dates, one for all series so that
    they move together as they did; its first volatility is the forecast of the market's date, each later one follows
    from the path's own returns. Shifts are the path's whole change, instantaneous. A residual of a filled level is zero
    and leaves the variance where it was. Without ``count`` the horizon is 1 and nothing is drawn: scenarios scaled as
    by :func:`riskgrid.scenarios.volatility.volatility_scaled`, by GARCH. Floors as there; on a path of several dates a
    relative return leaves a hundredth of the level or more each day. Rules, with their defaults:
    :class:`FilteringRules`, :class:`riskgrid.scenarios.updating.UpdatingRules`,
    :class:`riskgrid.scenarios.returns.Rules`.   BadScenarios as of a volatility-scaled set.
    Source: Barone-Adesi, Giannopoulos and Vosper (1999), VaR without correlations for portfolios of derivative
    securities, J. Futures Markets 19, 583-602.
    """
    check_rules(rules, ("start", "end", "count", "horizon"), FilteringRules)
    check_updating(rules)
    seed, warm_up = rules.get("seed", 0), rules.get("warm_up", WARM_UP)
    _check_draw(count, horizon, seed)
    pairs = pairs_of(warmed(history, market, start, end, warm_up=warm_up), None, 1)
    found = past(history, market, pairs, rules)
    fitted = fit(found.returns, found.fresh)
    model = _models(fitted, found, rules)
    then, now, counts = found.deviations(model.forecasts(found.returns, found.fresh), rules.get("cap", CAP))
    drawn = _draws(len(pairs.after), count, horizon, seed)
    change, stale = _paths(found, (then, now), model, drawn, found.drivers.changes(history, pairs))
    first, last = history.dates[pairs.before[0]], history.dates[pairs.after[-1]]
    days = [" ".join(path) for path in history.dates[pairs.after].astype(str)[drawn]]
    made = followed(found.drivers, market, change, stale, floor="all").scenarios(
        [f"path {i:0{len(str(count))}d}" for i in range(1, count + 1)] if count else days,
        market,
        name=f"filtered {first}..{last}" + (f", {horizon}-day" if horizon > 1 else ""),
        kind="filtered_historical",
        facts={
            "window": [str(first), str(last)],
            "horizon": int(horizon),
            "volatility": {
                "model": "GARCH(1,1), zero mean, variance targeted",
                "exponential_instead": _fallen(history, found, fitted),
                **told(rules),
                **counts,
            },
            "draw": {"count": int(count), "seed": int(seed), "generator": "Philox"} if count else None,
            "counts": {"scenarios": len(drawn), "factors": len(market.factors)},
        },
    )
    return made.assign_coords(drawn=("scenario", np.array(days)))


def _check_draw(count: int | None, horizon: int, seed: Any) -> None:
    if not all(isinstance(number, (int, np.integer)) for number in (horizon, count or 1, seed)):
        raise BadScenarios(f"horizon is {horizon!r}, count {count!r} and seed {seed!r}; all are whole numbers")
    if horizon < 1 or (count is not None and count < 1) or seed < 0:
        raise BadScenarios(f"horizon is {horizon}, count {count} and seed {seed}; at least 1, 1 and 0 are right")
    if count is None and horizon > 1:
        raise BadScenarios(f"a path of {horizon} dates is drawn; say how many paths, e.g. count=1000")


def _models(fitted: Fit, found: Past, rules: FilteringRules) -> Recursion:
    """The fitted recursion, or exponential weights where the fit is no good; what never moved stays as it is."""
    decay = np.where(fitted.problem == "still", 1.0, rules.get("decay", DECAY))
    other = exponential(decay, found.initial(rules.get("warm_up", WARM_UP)))
    one, good = fitted.recursion, fitted.problem == ""
    return Recursion(
        np.where(good, one.constant, other.constant),
        np.where(good, one.weight, other.weight),
        np.where(good, one.persistence, other.persistence),
        np.where(good, one.initial, other.initial),
    )


def _draws(dates: int, count: int | None, horizon: int, seed: int) -> NDArray[np.intp]:
    """Which dates of the window each path takes, (scenario, day); each once without a count."""
    if count is None:
        return np.arange(dates)[:, None]
    return np.random.Generator(np.random.Philox(seed)).integers(dates, size=(count, horizon), dtype=np.intp)


def _paths(
    found: Past,
    volatility: tuple[Values, Values],
    model: Recursion,
    drawn: NDArray[np.intp],
    pool: tuple[Values, Flags],
) -> tuple[Values, Flags]:
    """The change of each series over each path, and whether a date on it was stale; (scenario, series).

    volatility : then (date, series), now (series,).   pool : changes and stale flags of the dates, (date, series).
    """
    (then, now), (changes, stale), measured = volatility, pool, found.drivers.measured
    total, flags = _still(len(drawn), measured), np.zeros((len(drawn), len(measured)), dtype=bool)
    variance = np.broadcast_to(np.square(now), total.shape)
    for day in drawn.T:
        step = stretched(changes[day], np.sqrt(variance) / then[day], measured)
        if drawn.shape[1] > 1:  # two falls of more than the level would make a rise
            step = np.where(measured == "relative", np.maximum(step, LEAST_SCALE), step)
        variance = np.where(stale[day], variance, model.next(variance, returns_of(step, measured)))
        total = np.where(measured == "absolute", total + step, total * step)
        flags |= stale[day]
    return total, flags


def _still(count: int, measured: NDArray[Any]) -> Values:
    return np.tile(np.where(measured == "absolute", 0.0, 1.0), (count, 1))


def _fallen(history: MarketHistory, found: Past, fitted: Fit) -> dict[str, str]:
    """Why a series has no GARCH, by its name in the history."""
    bad = np.flatnonzero(fitted.problem != "")
    return {history.factors[found.drivers.column[at]]: str(fitted.problem[at]) for at in bad}
