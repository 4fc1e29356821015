"""Value at risk, expected shortfall and the scenarios behind them, of labelled P&L.

Every measure is minus the a-quantile of P&L or an average below it, with a = 1 - level in exact decimal arithmetic:
``ceil(1000 * (1 - 0.99))`` is 11 in floating point and 10 on paper. Losses are positive; a negative one is not floored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import BadSpec
from riskgrid.measures.convention import (
    ALIASES,
    METHODS,
    ROUNDING,
    SHORTFALLS,
    Level,
    clamped,
    flags_of,
    known,
    named,
    rank_of,
    shares_of,
    tail_of,
    weighted_flags,
)
from riskgrid.registry import measure

__all__ = ["ALIASES", "METHODS", "SHORTFALLS", "expected_shortfall", "tail_scenarios", "value_at_risk"]

type Values = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_FEW = 8  # of so many values a rank is found by way of all below it; beyond, by partition


@measure("value_at_risk", reference="Hull (2018), ch. 13; numpy.quantile of P&L in all nine methods", error=1e-12)
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
    tail = tail_of(level)
    method = known(method, METHODS, ALIASES)
    shares = shares_of(pnl, weight)
    size = pnl.sizes["scenario"]
    if shares is None:
        position, share = rank_of(size, tail, method)
        flags = flags_of(size, tail) + clamped(size, position, share)
        result = _consume(pnl, lambda values: _quantile(values, position, share))
    else:
        if method != "inverted_cdf":
            raise BadSpec(f"method {method!r} has no form for unequal weights; use 'inverted_cdf' or drop the weights")
        flags = weighted_flags(shares, tail)
        result = _consume(pnl, lambda rows: _whole(rows, lambda kept: _weighted_quantile(kept, shares, float(tail))))
    return named(result, pnl, {"measure": "value_at_risk", "level": str(level), "method": method, "flags": flags})


@measure("expected_shortfall", reference="Hull (2018), ch. 13; integral of the quantile by hand", error=1e-12)
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
    tail = tail_of(level)
    method = known(method, SHORTFALLS, {})
    shares = shares_of(pnl, weight)
    size = pnl.sizes["scenario"]
    if shares is None:
        flags = flags_of(size, tail)
        result = _consume(pnl, lambda values: _shortfall(values, size * tail, method))
    else:
        flags = weighted_flags(shares, tail)
        result = _consume(
            pnl, lambda rows: _whole(rows, lambda kept: _weighted_shortfall(kept, shares, float(tail), method))
        )
    return named(result, pnl, {"measure": "expected_shortfall", "level": str(level), "method": method, "flags": flags})


@measure("tail_scenarios", reference="stable sort of the P&L", error=0.0)
def tail_scenarios(pnl: xr.DataArray, count: int = 10) -> xr.Dataset:
    """The ``count`` worst scenarios of each row: ``worst_scenario`` and ``worst_pnl`` over ``rank``, worst first.

    Ties keep scenario order. A row with a NaN has no worst scenario: its label is "" and its P&L NaN. Raises BadSpec.

    >>> pnl = xr.DataArray([3.0, -1.0, -2.0], dims="scenario", coords={"scenario": ["a", "b", "c"]})
    >>> tail_scenarios(pnl, 2)["worst_scenario"].values.tolist()
    ['c', 'b']
    """
    shares_of(pnl, None)
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
    last = (reached < tail - ROUNDING).sum(axis=1)[:, None]
    found: Values = np.take_along_axis(values, last, axis=1)[:, 0]
    return found


def _weighted_shortfall(rows: Values, shares: Values, tail: float, method: str) -> Values:
    values, weights, reached = _weighted_tail(rows, shares, tail)
    last = (reached < tail - ROUNDING).sum(axis=1)[:, None]
    inside = np.arange(values.shape[1]) <= last
    if method == "tail_integral":  # the scenario that crosses a counts with the part below it
        crossing = np.arange(values.shape[1]) == last
        weights = np.where(crossing, tail - (reached - weights), weights)
        return _sum(np.where(inside, weights * values, 0.0)) / tail
    return _sum(np.where(inside, weights * values, 0.0)) / np.take_along_axis(reached, last, axis=1)[:, 0]


def _weighted_tail(rows: Values, shares: Values, tail: float) -> tuple[Values, Values, Values]:
    """Lowest values of each row, enough to weigh ``tail``, with their weights and running weights; (row, rank)."""
    # as many as the lightest scenarios need to reach the tail are enough for any row
    enough = int((np.cumsum(np.sort(shares)) < tail + ROUNDING).sum()) + 1
    order = formulas.tail_index(rows, min(enough, rows.shape[1]))
    weights = shares[order]
    return np.take_along_axis(rows, order, axis=1), weights, np.cumsum(weights, axis=1)


def _sum(values: Values) -> Values:
    # one by one from the worst: a sum over an axis may pair its terms differently for another number of rows
    total: Values = np.cumsum(values, axis=1)[:, -1]
    return total
