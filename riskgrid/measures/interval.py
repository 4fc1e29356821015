"""Confidence intervals of value at risk and expected shortfall, for what a finite number of draws leaves open.

The scenarios are taken as draws from one distribution. Where they are independent, the binomial and the variance of a
tail mean say how far the estimate may be off. Antithetic draws and Sobol points are not: of them only independent
replicates tell anything, which the coordinate ``batch`` (scenario) of the scenario set marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from riskgrid import formulas
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.convention import Level, flags_of, named, shares_of, tail_of
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.registry import measure

__all__ = ["expected_shortfall_interval", "value_at_risk_interval"]

type Values = NDArray[np.float64]

_DEPENDENT = "not independent"  # in the name of a scenario set, which the P&L of a run carries
_METHODS = ("asymptotic", "bootstrap")
_FEW = (
    25  # scenarios in the tail: with fewer, 95 % intervals of normal P&L were found to hold the truth in 92 % or less
)


@measure("value_at_risk_interval", reference="binomial in exact fractions; coverage by simulation", error=1e-12)
def value_at_risk_interval(
    pnl: xr.DataArray, level: Level = 0.99, *, confidence: Level = 0.95, batch: xr.DataArray | None = None
) -> xr.DataArray:
    """Lower and upper bound of the value at risk, (..., bound), in the unit of ``pnl``; ``scenario`` is consumed.

    Two losses of the sample, whatever the distribution: the number of draws beyond the true VaR is binomial, so ranks
    are chosen that leave at most (1 - confidence)/2 on either side; ``attrs["reached"]`` is the exact probability.
    Where no loss is far enough out, the bound is infinite and a flag says so.   batch : (scenario), names independent
    replicates of equal size, by default the coordinate ``batch`` of ``pnl``; then the interval is the estimate plus and
    minus Student's t times the spread of the replicates about it (sectioning).
    A NaN leaves its row NaN. BadSpec, also for weighted scenarios and for dependent draws without ``batch``.
    Source: Conover (1999), Practical Nonparametric Statistics, 3rd ed., section 3.2; Nakayama (2014), ACM Transactions
    on Modeling and Computer Simulation 24(4), 19.

    >>> losses = xr.DataArray(-np.arange(1000.0), dims="scenario")
    >>> value_at_risk_interval(losses, 0.99).values.tolist(), float(value_at_risk(losses, 0.99))
    ([982.0, 996.0], 990.0)
    """
    tail, spare = tail_of(level), tail_of(confidence)
    convention: dict[str, Any] = {
        "measure": "value_at_risk_interval",
        "level": str(level),
        "confidence": str(confidence),
    }
    batch = _draws(pnl, batch)
    if batch is not None:
        found, more = _sectioned(pnl, value_at_risk, level, spare, batch)
        return named(found, pnl, convention | more)
    size = pnl.sizes["scenario"]
    high, low, reached = _ranks(size, tail, spare)
    flags = flags_of(size, tail) + _overlap(pnl)
    flags += ["no upper bound: too few scenarios"] if high < 1 else []
    flags += ["no lower bound: too few scenarios"] if low > size else []

    def bounds(rows: Values) -> Values:
        ordered = formulas.tail_select(rows, min(low, size))
        upper = -ordered[:, high - 1] if high >= 1 else np.full(len(rows), np.inf)
        return np.stack([-ordered[:, low - 1] if low <= size else np.full(len(rows), -np.inf), upper], axis=1)

    convention |= {"method": "order_statistics", "reached": reached, "flags": flags}
    return named(_consume(pnl, bounds), pnl, convention)


@measure("expected_shortfall_interval", reference="the published variance by hand; coverage by simulation", error=1e-12)
def expected_shortfall_interval(
    pnl: xr.DataArray,
    level: Level = 0.975,
    *,
    confidence: Level = 0.95,
    batch: xr.DataArray | None = None,
    method: str = "asymptotic",
    resamples: int = 1_000,
    seed: int = 0,
) -> xr.DataArray:
    """Lower and upper bound of the expected shortfall, (..., bound), in the unit of ``pnl``; ``scenario`` is consumed.

    method : ``asymptotic``, ES plus and minus the normal quantile times sqrt((V + level (ES - VaR)^2) / (n a)), V the
    variance of the losses in the tail; or ``bootstrap``, percentiles of the ES of ``resamples`` samples drawn with
    ``seed``, the same draws for every row. Both are short where the tail is heavy or holds few scenarios: below n a = 2
    the bounds are NaN, below 25 a flag says so.   batch : as for :func:`value_at_risk_interval`.
    A NaN leaves its row NaN. BadSpec, also for weighted scenarios and for dependent draws without ``batch``.
    Source: Manistre and Hancock (2005), North American Actuarial Journal 9(2), 129-156; Efron and Tibshirani (1993), An
    Introduction to the Bootstrap, section 13.3.

    >>> losses = xr.DataArray(-np.arange(1000.0), dims="scenario")
    >>> expected_shortfall_interval(losses, 0.975).values.round(2).tolist(), float(expected_shortfall(losses, 0.975))
    ([981.53, 992.47], 987.0)
    """
    tail, spare = tail_of(level), tail_of(confidence)
    if method not in _METHODS:
        raise UnknownName("method", method, _METHODS)
    convention: dict[str, Any] = {
        "measure": "expected_shortfall_interval",
        "level": str(level),
        "confidence": str(confidence),
    }
    batch = _draws(pnl, batch)
    if batch is not None:
        found, more = _sectioned(pnl, expected_shortfall, level, spare, batch)
        return named(found, pnl, convention | more)
    size = pnl.sizes["scenario"]
    exact = size * tail
    flags = flags_of(size, tail) + _overlap(pnl)
    flags += ["no bounds: fewer than 2 scenarios in the tail"] if exact < 2 else []
    flags += ["few scenarios in the tail: interval too short"] if 2 <= exact < _FEW else []
    weights: Values | None = None
    if method == "bootstrap" and exact >= 2:
        weights = _resampled(size, exact, resamples, seed)
        convention |= {"resamples": resamples, "seed": seed}

    def bounds(rows: Values) -> Values:
        if exact < 2:
            return np.full((len(rows), 2), np.nan)
        return _asymptotic(rows, tail, spare) if weights is None else _percentiles(rows, weights, spare)

    return named(_consume(pnl, bounds), pnl, convention | {"method": method, "flags": flags})


def _draws(pnl: xr.DataArray, batch: xr.DataArray | None) -> xr.DataArray | None:
    """Checks that an interval can be told of these scenarios; their batches, if they have any."""
    if shares_of(pnl, None) is not None:
        raise BadSpec("an interval of weighted scenarios is not defined here; drop the weights, or draw scenarios anew")
    brought = batch is None and "batch" in pnl.coords
    batch = pnl.coords["batch"] if brought else batch
    name = str(pnl.attrs.get("scenario_set", "this set"))
    if (brought and np.unique(pnl.coords["batch"].values).size == 1) or (batch is None and _DEPENDENT in name):
        raise BadSpec(
            f"the scenarios of '{name}' are {_DEPENDENT}, so one sample of them tells no interval; draw them with "
            "replicates=16 or so"
        )
    return batch


def _overlap(pnl: xr.DataArray) -> list[str]:
    """The flag of scenarios that share days: neighbours are no independent draws."""
    days = int(pnl.attrs.get("horizon", 1))
    apart = pnl.attrs.get("scenario_kind") in ("historical", "volatility_scaled")
    return [f"changes of {days} days overlap: interval far too short"] if apart and days > 1 else []


def _ranks(size: int, tail: Fraction, spare: Fraction) -> tuple[int, int, float]:
    """Ranks of the losses, from the worst, that are the upper and the lower bound, and what is between them.

    K, the number of losses beyond the true VaR, is binomial: loss ``high`` is beyond it unless K < high, loss ``low``
    is not unless K >= low.
    """
    beyond = np.arange(size + 1.0)
    below = special.bdtr(beyond, size, float(tail))
    high = int((below <= float(spare) / 2).sum())
    low = int((special.bdtrc(beyond, size, float(tail)) > float(spare) / 2).sum()) + 1
    return high, low, float(below[low - 1] - (below[high - 1] if high else 0.0))


def _asymptotic(rows: Values, tail: Fraction, spare: Fraction) -> Values:
    share = _tail_shares(rows.shape[1] * tail)
    exact = float(share.sum())
    lowest = formulas.tail_select(rows, len(share))
    # from the worst loss on: the squares of large losses would leave no digits for their spread
    above = lowest - lowest[:, :1]
    mean = _sum(share * above) / exact
    variance = _sum(share * (above - mean[:, None]) ** 2) / (exact - 1.0)
    error = np.sqrt((variance + float(1 - tail) * (above[:, -1] - mean) ** 2) / exact)
    half = float(special.ndtri(1.0 - float(spare) / 2)) * error
    shortfall = -lowest[:, 0] - mean
    return np.stack([shortfall - half, shortfall + half], axis=1)


def _tail_shares(exact: Fraction) -> Values:
    """How much of each of the worst scenarios is in a tail of ``exact``: whole ones and a part of the last."""
    share = np.ones(math.ceil(exact))
    share[-1] = float(exact - (len(share) - 1))
    return share


def _resampled(size: int, exact: Fraction, resamples: Any, seed: Any) -> Values:
    """Weights (resample, rank) of the losses, worst first, in the expected shortfall of samples drawn with replacement.

    A sample's tail needs its lowest ranks alone, and those are sizes of uniforms in order: sums of exponentials.
    """
    if isinstance(resamples, bool) or not isinstance(resamples, (int, np.integer)) or resamples < 100:
        raise BadSpec(f"resamples is {resamples!r}; a whole number of at least 100 is right")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadSpec(f"seed is {seed!r}; a whole number of at least 0 is right")
    share = _tail_shares(exact)
    random = np.random.Generator(np.random.Philox(seed))
    sums = np.cumsum(random.standard_exponential((resamples, len(share))), axis=1)
    whole = sums[:, -1:] + random.standard_gamma(size + 1.0 - len(share), (resamples, 1))
    drawn = np.minimum((size * (sums / whole)).astype(np.intp), size - 1)
    weights = np.zeros((resamples, int(drawn.max()) + 1))
    np.add.at(weights, (np.arange(resamples)[:, None], drawn), share / float(exact))
    return weights


def _percentiles(rows: Values, weights: Values, spare: Fraction) -> Values:
    lowest = formulas.tail_select(rows, weights.shape[1])
    drawn = -np.einsum("bk,rk->rb", weights, lowest)
    at = (float(spare) / 2, 1.0 - float(spare) / 2)
    return np.ascontiguousarray(np.quantile(drawn, at, axis=1).T)


def _sectioned(
    pnl: xr.DataArray, take: Callable[..., xr.DataArray], level: Level, spare: Fraction, batch: xr.DataArray
) -> tuple[xr.DataArray, dict[str, Any]]:
    """Interval about the estimate from the spread of the batches' own estimates about it."""
    try:
        _, aligned = xr.align(pnl["scenario"], batch, join="exact")
    except ValueError as error:
        raise BadSpec("the batches are not of the scenarios of the P&L; both need the same labels") from error
    if batch.dims != ("scenario",):
        raise BadSpec(f"the batches have dims {batch.dims}; ('scenario',) is right")
    names, member, sizes = np.unique(aligned.values, return_inverse=True, return_counts=True)
    if len(names) < 2 or (sizes != sizes[0]).any():
        raise BadSpec(
            f"there are {len(names)} batches of {sizes.min():,} to {sizes.max():,} scenarios; two or more of equal "
            "size are right"
        )
    whole = take(pnl, level)
    apart = [take(pnl.isel(scenario=np.flatnonzero(member == number)), level) for number in range(len(names))]
    spread = np.sqrt(sum((one - whole) ** 2 for one in apart) / (len(names) - 1.0) / len(names))
    half = float(special.stdtrit(len(names) - 1.0, 1.0 - float(spare) / 2)) * spread
    sign = xr.DataArray([-1.0, 1.0], {"bound": ["lower", "upper"]}, "bound")
    flags = [f"in a batch: {flag}" for flag in flags_of(int(sizes[0]), tail_of(level))]
    return whole + half * sign, {"method": "sectioning", "batches": len(names), "flags": flags}


def _consume(pnl: xr.DataArray, bounds: Callable[[Values], Values]) -> xr.DataArray:
    """Bounds (row, bound) of the rows of P&L; those of a row with a NaN are NaN."""

    def whole(values: NDArray[Any]) -> Values:
        rows = np.ascontiguousarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
        missing = np.isnan(rows).any(axis=1)[:, None]
        found = bounds(np.where(missing, 0.0, rows))
        return np.where(missing, np.nan, found + 0.0).reshape(*values.shape[:-1], 2)

    made: xr.DataArray = xr.apply_ufunc(
        whole,
        pnl,
        input_core_dims=[["scenario"]],
        output_core_dims=[["bound"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"bound": 2}},
    )
    return made.assign_coords(bound=["lower", "upper"])


def _sum(values: Values) -> Values:
    # one by one from the worst: a sum over an axis may pair its terms differently for another number of rows
    total: Values = np.cumsum(values, axis=1)[:, -1]
    return total
