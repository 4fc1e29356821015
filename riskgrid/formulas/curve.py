"""Weighted sums of curve nodes, and the discount factors they stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Array, Indices
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop
from riskgrid.formulas.elementary import exp_number
from riskgrid.formulas.lane import fma, line


@loop("out")
def weighted_nodes_loop(panel, index, weight, out):  # type: ignore[no-untyped-def]
    """Sums node by node, so that the state axis stays innermost."""
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
    """The sum and its exponential, row by row while the row is in the first cache."""
    for i in range(out.shape[0]):
        out_row = line(out, i)
        for j in range(out_row.shape[0]):
            out_row[j] = 0.0
        for k in range(index.shape[1]):
            node, share = line(panel, index[i, k]), weight[i, k]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(share, node[j], out_row[j])
        for j in range(out_row.shape[0]):
            out_row[j] = exp_number(out_row[j])


def weighted_nodes_numpy(panel: Array, index: Indices, weight: Array, out: Array) -> None:
    """Specification of `weighted_nodes`."""
    out[...] = 0.0
    for k in range(index.shape[1]):
        out += weight[:, k, None] * panel[index[:, k]]


def discount_factors_numpy(panel: Array, index: Indices, weight: Array, out: Array) -> None:
    """Specification of `discount_factors`."""
    weighted_nodes_numpy(panel, index, weight, out)
    np.exp(out, out=out)


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
    unit.  Raises IndexError where an index is not a row.

    >>> discount_factors(np.array([[0.0, 0.02]]), np.array([[0]]), np.array([[-5.0]])).round(6)
    array([[1.      , 0.904837]])
    """
    return _sums(discount_factors_loop, discount_factors_numpy, panel, index, weight, out)


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
