"""Monte Carlo scenarios: returns drawn with the covariance of a history, put on today's levels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas, hashing
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import scenario_set
from riskgrid.scenarios.component import principal_components, root_of
from riskgrid.scenarios.covariance import MEANS, check_covariance, covariance
from riskgrid.scenarios.draw import MODELS, Sampling, whole_number
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.nearest import repaired
from riskgrid.scenarios.returns import RETURNS, Rules, check_rules, least_scale
from riskgrid.scenarios.set import shifts
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["Options", "monte_carlo"]

type Day = str | np.datetime64

_CHUNK = 1_024  # scenarios mixed at once: always the same shape, so that a scenario's bits do not tell the count


class Sample(TypedDict, total=False):
    """How scenarios are drawn.

    ``model`` : ``gaussian`` (default), or ``student_t`` with ``degrees`` of freedom (default 5): one chi-square for all
    factors of a scenario, the covariance as for the normal.   ``random`` : ``philox`` (default) or ``sobol``.
    ``antithetic`` : every second scenario mirrors the one before.   ``replicates`` : independent batches of equal
    size (default 1). Where there are several, or where draws of a batch depend on each other, the set has the
    coordinate ``batch`` (scenario), from 1.
    ``components`` : None (default) for all there are, a whole number or a share of variance for principal ones, see
    :func:`riskgrid.scenarios.component.principal_components`.
    ``horizon`` : days (default 1); returns of one day are scaled by its root, means by itself.
    """

    model: str
    degrees: float
    random: str
    antithetic: bool
    replicates: int
    components: int | float | None
    horizon: int


class Estimate(TypedDict, total=False):
    """What the covariance is estimated from: one-day changes of the history.

    ``start`` or ``window`` : the first date used, or the number of changes.   ``end`` : the last date, the market's by
    default.   ``decay`` : weight of a day as a share of the next one's.   ``mean`` : ``zero`` (default) or
    ``historical``, see :func:`riskgrid.scenarios.covariance.covariance`.
    """

    start: Day
    end: Day
    window: int
    decay: float
    mean: str


class Options(Sample, Estimate, Rules, total=False):
    """All that may be said of Monte Carlo scenarios."""


@scenario_set("monte_carlo")
def monte_carlo(
    history: MarketHistory | None,
    market: MarketSnapshot,
    *,
    count: int,
    seed: int,
    covariance: xr.DataArray | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """``count`` drawn scenarios, ``mc-000001`` and on, over every factor of the market.

    Returns are drawn in the kind in which history shows them: a log return r becomes scale e^r, a relative one 1 + r
    (at the least :func:`riskgrid.scenarios.returns.least_scale`; how often that held is counted as ``floored``), an
    absolute one offset r. Proxies and the other rules of :func:`riskgrid.scenarios.historical.historical` hold, since
    the returns come from it.   covariance : (factor, factor_) of one-day returns instead, with or without the
    coordinates ``returns`` and ``mean``; where it is not positive semi-definite it is repaired, and that is said;
    factors without a row are ``unshocked``.   Options: :class:`Sample`, :class:`Estimate`.
    The same seed gives the same bits on any number of threads, and with independent draws a larger count begins with
    the scenarios of a smaller one.   BadScenarios, UnknownName.   Source: Glasserman (2003), Monte Carlo Methods in
    Financial Engineering, sections 2.3.3 (principal components), 4.2 (antithetic), 5.4 (scrambling) and 9.3 (t).
    """
    check_rules(options, ("count", "seed", "covariance", *Sample.__annotations__, *Estimate.__annotations__))
    sampling, model = _sampling(count, seed, options), options.get("model", "gaussian")
    horizon, mean = whole_number("horizon", options.get("horizon", 1)), options.get("mean", "zero")
    if mean not in MEANS:
        raise UnknownName("mean", mean, MEANS)
    matrix, unshocked, facts = _estimate(history, market, covariance, options)
    loadings, mixing = _loadings(matrix, options.get("components"), sampling)
    drift = _drift(matrix, mean) * horizon
    moved = np.array([market.factors.index(name) for name in matrix["factor"].values], dtype=np.intp)
    kinds = _kinds(matrix, market, moved)
    returns = _mixed(sampling.draws(len(loadings)), loadings * np.sqrt(float(horizon)), drift)
    scale, offset, floored = _shifts(returns, market, moved, kinds)
    told = {"model": model, "horizon": horizon, "horizon_rule": "root of time" if horizon > 1 else "none"}
    told |= {name: value.item() if isinstance(value, np.generic) else value for name, value in vars(sampling).items()}
    told |= {"kind": "monte_carlo", "mean": mean, **mixing}
    asked = {name: kind for name, kind in zip(matrix["factor"].values, kinds, strict=True) if kind != _usual(name)}
    facts.setdefault("returns", {str(name): str(kind) for name, kind in asked.items()})
    facts["counts"] |= {"scenarios": len(returns), "factors": len(market.factors), "floored": floored}
    made = shifts(
        [f"mc-{number:06d}" for number in range(1, count + 1)],
        market.factors,
        scale,
        offset,
        name=_name(sampling, model, horizon),
        kind="monte_carlo",
        provenance=facts | told,
        unshocked=unshocked,
    )
    if sampling.replicates == 1 and sampling.independent:
        return made
    batch = np.repeat(np.arange(1, sampling.replicates + 1), count // sampling.replicates)
    return made.assign_coords(batch=("scenario", batch))


def _sampling(count: int, seed: int, options: Options) -> Sampling:
    model = options.get("model", "gaussian")
    if model not in MODELS:
        raise UnknownName("model", model, MODELS)
    if model == "gaussian" and "degrees" in options:
        raise BadScenarios("degrees of freedom go with model='student_t'; the gaussian model has none")
    degrees = options.get("degrees", 5.0) if model == "student_t" else None
    random, antithetic = options.get("random", "philox"), options.get("antithetic", False)
    return Sampling(count, seed, random, antithetic, options.get("replicates", 1), degrees)


def _estimate(
    history: MarketHistory | None, market: MarketSnapshot, given: xr.DataArray | None, options: Options
) -> tuple[xr.DataArray, Flags, dict[str, Any]]:
    """The covariance, by factor of the market whether nothing is known of it, and the facts behind both."""
    if given is None:
        return _from_history(history, market, options)
    used = sorted({*options} & {*Rules.__annotations__, *Estimate.__annotations__} - {"mean"})
    if used:
        raise BadScenarios(f"'{used[0]}' says how a covariance comes from a history; with covariance= it has no use")
    for name in check_covariance(given)["factor"].values:
        if name not in market.factors:
            raise UnknownName("factor of the covariance", str(name), market.factors)
    matrix = repaired(given)
    unshocked = ~np.isin(market.factors, matrix["factor"].values)
    digest = hashing.digest("covariance", matrix["factor"].values, np.asarray(given.values, dtype=np.float64))
    facts = {name: matrix.attrs[name] for name in ("repair", "smallest_eigenvalue", "moved")}
    return (
        matrix,
        unshocked,
        {"covariance": hashing.short(digest, 40), "counts": {"unshocked": int(unshocked.sum())}} | facts,
    )


def _from_history(
    history: MarketHistory | None, market: MarketSnapshot, options: Options
) -> tuple[xr.DataArray, Flags, dict[str, Any]]:
    if history is None:
        raise BadScenarios("there is neither a history nor a covariance to draw returns from; one of them is right")
    if "window" in options:
        if "start" in options:
            raise BadScenarios(
                "the returns come from a start on or from a window of so many days; one of them is right"
            )
        whole_number("window", options["window"])
    window = {"start": options.get("start"), "end": options.get("end"), "count": options.get("window")}
    rules = {name: value for name, value in options.items() if name in Rules.__annotations__}
    past = historical(history, market, **window, **rules)
    found = covariance(past, decay=options.get("decay"), mean=options.get("mean", "zero"))
    if not found.size:
        raise BadScenarios(f"no factor of the market moves in '{past.attrs['name']}'; another window is right")
    facts = json.loads(past.attrs["provenance"])
    del facts["horizon"], facts["kind"]
    facts |= {"decay": found.attrs["decay"], "still": found.attrs["still"].split()}
    return found, past["unshocked"].values, facts


def _loadings(
    matrix: xr.DataArray, components: int | float | None, sampling: Sampling
) -> tuple[Values, dict[str, Any]]:
    """What components are mixed with, (component, factor), and how many of how many there are."""
    if components is None and sampling.random != "sobol":
        loadings = root_of(matrix)
        return loadings, {"components": len(loadings), "rank": len(loadings)}
    # the first dims of Sobol points are the best ones, so they go to the components that move most
    found = principal_components(matrix, components)
    explained = {
        str(kind): float(share) for kind, share in zip(found["kind"].values, found["explained"].values, strict=True)
    }
    return found["loadings"].values, {
        "components": found.sizes["component"],
        "rank": found.attrs["rank"],
        "explained": explained,
    }


def _drift(matrix: xr.DataArray, mean: str) -> Values:
    if mean == "zero":
        return np.zeros(matrix.sizes["factor"])
    if "mean" not in matrix.coords:
        raise BadScenarios("mean is 'historical', and the covariance has no coordinate 'mean' (factor) to take it from")
    return np.asarray(matrix["mean"].values, dtype=np.float64)


def _kinds(matrix: xr.DataArray, market: MarketSnapshot, moved: NDArray[np.intp]) -> NDArray[Any]:
    """The kind of return of each factor of the covariance."""
    factors = [str(name) for name in matrix["factor"].values]
    usual = [_usual(name) for name in factors]
    kinds = np.array(matrix["returns"].values if "returns" in matrix.coords else usual, dtype=str)
    for name, kind, level in zip(factors, kinds, market.levels[moved], strict=True):
        if kind not in ("log", "relative", "absolute"):
            raise UnknownName(f"return of '{name}'", str(kind), ("absolute", "log", "relative"))
        if kind == "log" and not level > 0:
            raise BadScenarios(f"'{name}' stands at {level:g}, which has no log return; an absolute one is right")
    return kinds


def _usual(factor: str) -> str:
    return RETURNS[factor.partition(":")[0]]


def _mixed(draws: Values, loadings: Values, drift: Values) -> Values:
    """Returns (scenario, factor) of draws (scenario, component), in a fixed order of sums."""
    returns = np.empty((len(draws), loadings.shape[1]))
    for start in range(0, len(draws), _CHUNK):
        some = np.zeros((_CHUNK, len(loadings)))
        here = min(_CHUNK, len(draws) - start)
        some[:here] = draws[start : start + here]
        # einsum and not a product of matrices: BLAS rounds differently on another number of threads
        returns[start : start + here] = np.einsum("sk,kf->sf", some, loadings)[:here]
    return returns + drift if drift.any() else returns


def _shifts(
    returns: Values, market: MarketSnapshot, moved: NDArray[np.intp], kinds: NDArray[Any]
) -> tuple[Values, Values, int]:
    """Scale and offset (scenario, factor) of every factor of the market, and how many scales stand at their floor."""
    shape = (len(returns), len(market.factors))
    scale, offset = np.ones(shape), np.zeros(shape)
    log, relative, absolute = (kinds == kind for kind in ("log", "relative", "absolute"))
    scale[:, moved[log]] = formulas.exp(returns[:, log])
    least, wanted = least_scale(market, moved[relative]), 1.0 + returns[:, relative]
    scale[:, moved[relative]] = np.maximum(wanted, least)
    offset[:, moved[absolute]] = returns[:, absolute]
    return scale, offset, int((wanted < least).sum())


def _name(sampling: Sampling, model: str, horizon: int) -> str:
    draws = {"sobol": "Sobol points"}.get(sampling.random, "antithetic draws" if sampling.antithetic else "draws")
    # the P&L of a run carries the name of its set: riskgrid.measures.interval reads there what it may assume
    apart = "" if sampling.independent else " (not independent)"
    scaled = f", {horizon}-day by the root of time" if horizon > 1 else ""
    return f"monte carlo {model}, {sampling.count:,} {draws}{apart}{scaled}"
