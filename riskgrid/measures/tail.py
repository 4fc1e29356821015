"""Value at risk, expected shortfall and the scenarios behind them, of labelled P&L.

Every measure is minus the a-quantile of P&L or an average below it, with a = 1 - level in exact decimal arithmetic:
``ceil(1000 * (1 - 0.99))`` is 11 in floating point and 10 on paper. Losses are positive; a negative one is not floored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.registry import measure

__all__ = ["ALIASES", "METHODS", "SHORTFALLS", "expected_shortfall", "tail_scenarios", "value_at_risk"]

type Values = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Level = float | str | Decimal

# position of the a-quantile among n sorted values is alpha + a (n + 1 - alpha - beta): Hyndman and Fan (1996), p. 363
_CONTINUOUS = {
    "interpolated_inverted_cdf": (Fraction(0), Fraction(1)),
    "hazen": (Fraction(1, 2), Fraction(1, 2)),
    "weibull": (Fraction(0), Fraction(0)),
    "linear": (Fraction(1), Fraction(1)),
    "median_unbiased": (Fraction(1, 3), Fraction(1, 3)),
    "normal_unbiased": (Fraction(3, 8), Fraction(3, 8)),
}
METHODS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", *_CONTINUOUS)
SHORTFALLS = ("tail_integral", "inverted_cdf")
ALIASES = {"centred": "hazen", "excel_exclusive": "weibull", "excel_inclusive": "linear"}

_ROUNDING = 1e-12  # sums of float weights that differ by less are the same: 0.1 + 0.2 reaches 0.3

_FEW = 8  # of so many values a rank is found by way of all below it; beyond, by partition


@measure("value_at_risk")
def value_at_risk(
    pnl: xr.DataArray, level: Level = 0.99, *, method: str = "inverted_cdf", weight: xr.DataArray | None = None
) -> xr.DataArray:
    """Minus the (1 - level)-quantile of P&L, a positive loss in the unit of ``pnl``; the dim ``scenario`` is consumed.

    method : one of :data:`METHODS` (NumPy's names) or :data:`ALIASES`; the default is the ceil(n a)-th worst loss.
    weight : (scenario), sums to one, by default the coordinate ``weight`` of ``pnl`` if it has one; unequal weights
    have the ``inverted_cdf`` form only.
    A NaN leaves its own row NaN. attrs: measure, level, method, scenarios, flags. Raises BadSpec, UnknownName.
    Source: Hyndman and Fan (1996), The American Statistician 50, 361-365.

    >>> pnl = xr.DataArray(np.arange(-500.0, 500.0), dims="scenario")
    >>> float(value_at_risk(pnl, 0.99))
    491.0
    """
    tail = _tail(level)
    method = _known(method, METHODS, ALIASES)
    shares = _shares(pnl, weight)
    size = pnl.sizes["scenario"]
    if shares is None:
        position, share = _position(size, tail, method)
        flags = _flags(size, tail) + _clamped(size, position, share)
        result = _consume(pnl, lambda values: _quantile(values, position, share))
    else:
        if method != "inverted_cdf":
            raise BadSpec(f"method {method!r} has no form for unequal weights; use 'inverted_cdf' or drop the weights")
        flags = _weighted_flags(shares, tail)
        result = _consume(pnl, lambda rows: _whole(rows, lambda kept: _weighted_quantile(kept, shares, float(tail))))
    return _named(result, pnl, {"measure": "value_at_risk", "level": str(level), "method": method, "flags": flags})


@measure("expected_shortfall")
def expected_shortfall(
    pnl: xr.DataArray, level: Level = 0.975, *, method: str = "tail_integral", weight: xr.DataArray | None = None
) -> xr.DataArray:
    """Mean loss of the worst share 1 - level of the scenarios, positive, in the unit of ``pnl``; consumes ``scenario``.

    method : ``tail_integral`` averages exactly n a scenarios, the last one in part; ``inverted_cdf`` averages the worst
    ceil(n a).   weight : (scenario), sums to one.   A NaN leaves its own row NaN.
    attrs: measure, level, method, scenarios, flags. Raises BadSpec, UnknownName.
    Source: Acerbi and Tasche (2002), Journal of Banking & Finance 26, 1487-1503, definition 2.6.

    >>> pnl = xr.DataArray(-np.arange(250.0, 0.0, -1.0), dims="scenario")
    >>> float(expected_shortfall(pnl, 0.975))  # the 6 worst and a quarter of the 7th, over 6.25
    247.36
    """
    tail = _tail(level)
    method = _known(method, SHORTFALLS, {})
    shares = _shares(pnl, weight)
    size = pnl.sizes["scenario"]
    if shares is None:
        flags = _flags(size, tail)
        result = _consume(pnl, lambda values: _shortfall(values, size * tail, method))
    else:
        flags = _weighted_flags(shares, tail)
        result = _consume(
            pnl, lambda rows: _whole(rows, lambda kept: _weighted_shortfall(kept, shares, float(tail), method))
        )
    return _named(result, pnl, {"measure": "expected_shortfall", "level": str(level), "method": method, "flags": flags})


@measure("tail_scenarios")
def tail_scenarios(pnl: xr.DataArray, count: int = 10) -> xr.Dataset:
    """The ``count`` worst scenarios of each row: ``worst_scenario`` and ``worst_pnl`` over ``rank``, worst first.

    Ties keep scenario order. A row with a NaN has no worst scenario: its label is "" and its P&L NaN. Raises BadSpec.

    >>> pnl = xr.DataArray([3.0, -1.0, -2.0], dims="scenario", coords={"scenario": ["a", "b", "c"]})
    >>> tail_scenarios(pnl, 2)["worst_scenario"].values.tolist()
    ['c', 'b']
    """
    _shares(pnl, None)
    if "scenario" not in pnl.coords:
        raise BadSpec("the P&L carries no scenario labels; give the dim 'scenario' a coordinate of names")
    if count < 1:
        raise BadSpec(f"count {count} asks for no scenario; at least 1 is right")
    count = min(count, pnl.sizes["scenario"])
    ordered = pnl.transpose(..., "scenario")
    rows = _rows(ordered.values)
    order = formulas.tail_index(rows, count)
    missing = np.isnan(rows).any(axis=1)
    labels = np.where(missing[:, None], "", pnl["scenario"].values[order].astype(str))
    worst = np.where(missing[:, None], np.nan, np.take_along_axis(rows, order, axis=1))
    kept = ordered.isel(scenario=0, drop=True)
    shape, dims = (*kept.shape, count), (*kept.dims, "rank")
    return xr.Dataset(
        {"worst_scenario": (dims, labels.reshape(shape)), "worst_pnl": (dims, worst.reshape(shape), pnl.attrs)},
        coords={**kept.coords, "rank": np.arange(1, count + 1)},
    )


def _tail(level: Level) -> Fraction:
    """1 - level, exactly as its digits read."""
    try:
        exact = Decimal(str(level))
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or not 0 < exact < 1:
        raise BadSpec(f"level {level!r} is not between 0 and 1; 0.99 is right for a 99 % measure")
    return 1 - Fraction(exact)


def _known(method: str, methods: tuple[str, ...], aliases: Mapping[str, str]) -> str:
    method = aliases.get(method, method)
    if method not in methods:
        raise UnknownName("method", method, [*methods, *aliases])
    return method


def _shares(pnl: xr.DataArray, weight: xr.DataArray | None) -> Values | None:
    """Checks the scenarios of ``pnl``; their weights, or None where all weigh the same."""
    if "scenario" not in pnl.dims:
        raise BadSpec(f"the P&L has no dim 'scenario'; its dims are {', '.join(map(repr, pnl.dims)) or 'none'}")
    if pnl.sizes["scenario"] == 0:
        raise BadSpec("the P&L has no scenarios; a measure needs at least one")
    if weight is None and "weight" in pnl.coords:
        weight = pnl.coords["weight"]
    if weight is None:
        return None
    try:
        _, aligned = xr.align(pnl["scenario"], weight, join="exact")
    except ValueError as error:
        raise BadSpec("the weights are not of the scenarios of the P&L; both need the same labels") from error
    shares = np.asarray(aligned.values, dtype=np.float64)
    if weight.dims != ("scenario",):
        raise BadSpec(f"the weights have dims {weight.dims}; ('scenario',) is right")
    if not (shares >= 0.0).all() or abs(math.fsum(shares) - 1.0) > 1e-9:
        raise BadSpec(f"the weights sum to {math.fsum(shares):.12g}; none below 0 and a sum of 1 is right")
    return None if (shares == shares[0]).all() else shares


def _position(size: int, tail: Fraction, method: str) -> tuple[int, float]:
    """Rank j >= 1 from below and the share of rank j + 1 in the quantile, before clamping."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        exact = alpha + tail * (size + 1 - alpha - beta)
        return math.floor(exact), float(exact - math.floor(exact))
    exact = size * tail
    if method == "inverted_cdf":
        return math.ceil(exact), 0.0
    if method == "averaged_inverted_cdf":
        return math.ceil(exact), 0.5 if exact.denominator == 1 else 0.0
    below = exact - Fraction(1, 2)
    rank = math.floor(below)
    return (rank if below == rank and rank % 2 == 0 else rank + 1), 0.0


def _clamped(size: int, position: int, share: float) -> list[str]:
    if position < 1:
        return ["rank below 1: clamped"]
    return ["rank above n: clamped"] if position + (share > 0.0) > size else []


def _flags(size: int, tail: Fraction) -> list[str]:
    return ["fewer than 1/a scenarios"] if size * tail < 1 else []


def _weighted_flags(shares: Values, tail: Fraction) -> list[str]:
    return ["a scenario weighs more than a"] if shares.max() > float(tail) + _ROUNDING else []


def _consume(pnl: xr.DataArray, kernel: Callable[[Values], tuple[Values, Flags]]) -> xr.DataArray:
    """Minus ``kernel`` of the rows of P&L; it tells which rows hold a NaN, and those are NaN."""

    def loss(values: Values) -> Values:
        found, missing = kernel(_rows(values))
        # 0 - x and not -x: no loss is 0.0, never -0.0
        return np.where(missing, np.nan, 0.0 - found).reshape(values.shape[:-1])

    result: xr.DataArray = xr.apply_ufunc(
        loss, pnl, input_core_dims=[["scenario"]], dask="parallelized", output_dtypes=[np.float64]
    )
    return result


def _whole(rows: Values, kernel: Callable[[Values], Values]) -> tuple[Values, Flags]:
    """A kernel of rows without a NaN: it sees nothing but zeros in the others."""
    missing = np.isnan(rows).any(axis=1)
    return kernel(np.where(missing[:, None], 0.0, rows) if missing.any() else rows), missing


def _named(result: xr.DataArray, pnl: xr.DataArray, convention: dict[str, Any]) -> xr.DataArray:
    result.name = convention["measure"]  # the result is new, so nobody else sees it change
    result.attrs = {**pnl.attrs, **convention, "scenarios": pnl.sizes["scenario"]}
    return result


def _rows(values: NDArray[Any]) -> Values:
    return np.ascontiguousarray(values, dtype=np.float64).reshape(-1, values.shape[-1])


def _quantile(rows: Values, position: int, share: float) -> tuple[Values, Flags]:
    """Rank ``position`` from below of each row, moved by ``share`` to the next one; ranks are clamped to 1..n."""
    low = min(max(position, 1), rows.shape[1]) - 1
    high = min(max(position + 1, 1), rows.shape[1]) - 1
    if share == 0.0 or low == high:
        part, missing = _up_to(rows, low, low)
        return part[:, low], missing
    part, missing = _up_to(rows, low, high)
    # from the nearer rank, so that a share of one gives that rank's own bits
    step = part[:, high] - part[:, low]
    return part[:, low] + step * share if share < 0.5 else part[:, high] - step * (1.0 - share), missing


def _up_to(rows: Values, low: int, high: int) -> tuple[Values, Flags]:
    """Rows with the ranks ``low`` and ``high`` in place, and which rows hold a NaN."""
    if _FEW * (high + 1) <= rows.shape[1]:
        return formulas.lowest_values(rows, high + 1)
    return _whole(rows, lambda kept: np.partition(kept, (low, high), axis=1))


def _shortfall(rows: Values, exact: Fraction, method: str) -> tuple[Values, Flags]:
    """Mean of the lowest ``exact`` = n a values of each row, whole ones for ``inverted_cdf``."""
    count = math.ceil(exact)
    lowest, missing = formulas.lowest_values(rows, count)
    if exact < 1:
        return lowest[:, 0], missing
    whole = count if method == "inverted_cdf" else math.floor(exact)
    total = _sum(lowest[:, :whole])
    if whole == count:
        return total / count, missing
    return (total + float(exact - whole) * lowest[:, whole]) / float(exact), missing


def _weighted_quantile(rows: Values, shares: Values, tail: float) -> Values:
    values, reached = _weighted_tail(rows, shares, tail)[::2]
    last = (reached < tail - _ROUNDING).sum(axis=1)[:, None]
    found: Values = np.take_along_axis(values, last, axis=1)[:, 0]
    return found


def _weighted_shortfall(rows: Values, shares: Values, tail: float, method: str) -> Values:
    values, weights, reached = _weighted_tail(rows, shares, tail)
    last = (reached < tail - _ROUNDING).sum(axis=1)[:, None]
    inside = np.arange(values.shape[1]) <= last
    if method == "tail_integral":  # the scenario that crosses a counts with the part below it
        crossing = np.arange(values.shape[1]) == last
        weights = np.where(crossing, tail - (reached - weights), weights)
        return _sum(np.where(inside, weights * values, 0.0)) / tail
    return _sum(np.where(inside, weights * values, 0.0)) / np.take_along_axis(reached, last, axis=1)[:, 0]


def _weighted_tail(rows: Values, shares: Values, tail: float) -> tuple[Values, Values, Values]:
    """Lowest values of each row, enough to weigh ``tail``, with their weights and running weights; (row, rank)."""
    # as many as the lightest scenarios need to reach the tail are enough for any row
    enough = int((np.cumsum(np.sort(shares)) < tail + _ROUNDING).sum()) + 1
    order = formulas.tail_index(rows, min(enough, rows.shape[1]))
    weights = shares[order]
    return np.take_along_axis(rows, order, axis=1), weights, np.cumsum(weights, axis=1)


def _sum(values: Values) -> Values:
    # one by one from the worst: a sum over an axis may pair its terms differently for another number of rows
    total: Values = np.cumsum(values, axis=1)[:, -1]
    return total
