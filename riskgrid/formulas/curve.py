"""Weighted sums of curve nodes, and the discount factors they stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Array, Indices
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.elementary import INVERSE_LN2, LN2_HIGH, LN2_LOW, ROUND_BIASED, exp_reduced
from riskgrid.formulas.lane import bits, fma, from_bits, line
from riskgrid.formulas.memory import widest

FARTHEST = 708.0  # of the logarithm of a discount factor; beyond, its inverse or itself is no normal number


@scalar
def discount_number(x):  # type: ignore[no-untyped-def]
    """exp(x), with 0 below -708 and inf above 708: one multiplication less than with denormals."""
    clipped = -FARTHEST if x < -FARTHEST else x
    clipped = FARTHEST if clipped > FARTHEST else clipped
    shifted = clipped * INVERSE_LN2 + ROUND_BIASED
    k = shifted - ROUND_BIASED
    r = fma(k, -LN2_LOW, fma(k, -LN2_HIGH, clipped))
    power = from_bits(bits(shifted) << 52)
    value = fma(exp_reduced(r), power, power)
    value = 0.0 if x < -FARTHEST else value
    return np.inf if x > FARTHEST else value


@loop("out")
def weighted_nodes_loop(panel, index, weight, out):  # type: ignore[no-untyped-def]
    """Sums node by node, so that the state axis stays innermost."""
    widest()
    for i in range(out.shape[0]):
        out_row = line(out, i)
        for j in range(out_row.shape[0]):
            out_row[j] = 0.0
        for k in range(index.shape[1]):
            node, share = line(panel, index[i, k]), weight[i, k]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(share, node[j], out_row[j])


@loop("out")
def discount_factors_loop(panel, index, weight, out):  # type: ignore[no-untyped-def]
    """The sum and its exponential, row by row while the row is in the first cache; two nodes in one pass."""
    widest()
    wide = index.shape[1] > 1
    for i in range(out.shape[0]):
        out_row, first, w0 = line(out, i), line(panel, index[i, 0]), weight[i, 0]
        if wide:
            second, w1 = line(panel, index[i, 1]), weight[i, 1]
            if index.shape[1] == 2:
                for j in range(out_row.shape[0]):
                    out_row[j] = discount_number(fma(w1, second[j], w0 * first[j]))
                continue
            for j in range(out_row.shape[0]):
                out_row[j] = fma(w1, second[j], w0 * first[j])
        else:
            for j in range(out_row.shape[0]):
                out_row[j] = w0 * first[j]
        for k in range(2, index.shape[1]):
            node, share = line(panel, index[i, k]), weight[i, k]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(share, node[j], out_row[j])
        for j in range(out_row.shape[0]):
            out_row[j] = discount_number(out_row[j])


@loop("out")
def paid_growth_loop(discount, start, end, paid, out):  # type: ignore[no-untyped-def]
    """One division per period and state."""
    widest()
    for i in range(out.shape[0]):
        out_row, paid_row = line(out, i), line(discount, paid[i])
        start_row, end_row = line(discount, start[i]), line(discount, end[i])
        for j in range(out_row.shape[0]):
            out_row[j] = (start_row[j] / end_row[j] - 1.0) * paid_row[j]


def weighted_nodes_numpy(panel: Array, index: Indices, weight: Array, out: Array) -> None:
    """Specification of `weighted_nodes`."""
    out[...] = 0.0
    for k in range(index.shape[1]):
        out += weight[:, k, None] * panel[index[:, k]]


def discount_factors_numpy(panel: Array, index: Indices, weight: Array, out: Array) -> None:
    """Specification of `discount_factors`."""
    weighted_nodes_numpy(panel, index, weight, out)
    np.exp(out, out=out)


def paid_growth_numpy(discount: Array, start: Indices, end: Indices, paid: Indices, out: Array) -> None:
    """Specification of `paid_growth`."""
    np.multiply(discount[start] / discount[end] - 1.0, discount[paid], out=out)


def weighted_nodes(panel: Array, index: Indices, weight: Array, out: Array | None = None) -> Array:
    """Weighted sums of rows of a panel: any interpolation that is linear in its nodes.

    panel : (node, state).   index, weight : (point, k), rows of the panel and their weights, summed in the order of k.
    Returns (point, state), in the unit of weight times panel.  Raises IndexError where an index is not a row.

    >>> weighted_nodes(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([[0, 1]]), np.array([[0.5, 0.5]]))
    array([[2., 4.]])
    """
    return _sums(weighted_nodes_loop, weighted_nodes_numpy, panel, index, weight, out)


def discount_factors(panel: Array, index: Indices, weight: Array, out: Array | None = None) -> Array:
    """Exponential of `weighted_nodes`: discount factors, where the weights of zero rates carry minus the time.

    panel : (node, state), a rate per year.   index, weight : (point, k), weights in years.   Returns (point, state), no
    unit, 0 or inf where its logarithm is beyond 708.  Raises IndexError where an index is not a row.

    >>> discount_factors(np.array([[0.0, 0.02]]), np.array([[0]]), np.array([[-5.0]])).round(6)
    array([[1.      , 0.904837]])
    """
    return _sums(discount_factors_loop, discount_factors_numpy, panel, index, weight, out)


def paid_growth(discount: Array, start: Indices, end: Indices, paid: Indices, out: Array | None = None) -> Array:
    """Growth of money over each period, discounted from its payment date: (P_start / P_end - 1) P_paid.

    discount : (date, state), discount factors.   start, end, paid : (period,), rows of the dates; the first two on the
    curve that projects.   Returns (period, state), no unit.  Raises IndexError where a row is not a date.

    >>> paid_growth(np.array([[1.0], [0.8], [0.5]]), np.array([0]), np.array([1]), np.array([2]))
    array([[0.125]])
    """
    for name, rows in (("start", start), ("end", end), ("paid", paid)):
        check_rows(name, rows, len(discount))
    out = output((len(start), discount.shape[1]), out)
    with np.errstate(all="ignore"):
        (paid_growth_loop if BACKEND == "numba" else paid_growth_numpy)(discount, start, end, paid, out)
    return out


def _sums(
    compiled: Callable[..., Any],
    specification: Callable[..., Any],
    panel: Array,
    index: Indices,
    weight: Array,
    out: Array | None,
) -> Array:
    check_rows("index", index, len(panel))
    if index.shape != weight.shape:
        raise ValueError(f"weight: shape {weight.shape}; it must be that of index, {index.shape}")
    out = output((len(index), panel.shape[1]), out)
    with np.errstate(all="ignore"):
        (compiled if BACKEND == "numba" else specification)(panel, index, weight, out)
    return out


def check_rows(name: str, index: Indices, rows: int) -> None:
    """Raises IndexError where an index is not in [0, rows): compiled code would read beside the array."""
    if index.size and not (index.min() >= 0 and index.max() < rows):
        raise IndexError(f"{name}: rows {index.min()} to {index.max()} are asked for; known: 0 to {rows - 1}")


def output(shape: tuple[int, int], out: Array | None) -> Array:
    """A matrix to write to: the one given, or a new one.  Raises ValueError where the given one has another shape."""
    if out is None:
        return np.empty(shape)
    if out.shape != shape or out.dtype != np.float64:
        raise ValueError(f"out is {out.dtype} {out.shape}; it must be float64 {shape}")
    return out
