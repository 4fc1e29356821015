"""Volatility from a surface of variance rates whose nodes, and whose moneyness, move with the state."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Array, Indices
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.curve import check_rows, output
from riskgrid.formulas.lane import LANES, at, fma, lanes, line, part, row


@scalar
def reach(m, begin, inverse, near, far, lane):  # type: ignore[no-untyped-def]
    """The lane's bracket (left node, right node, fraction), moved on if its moneyness lies beyond `begin`."""
    left, right, fraction = lane
    reached = m > begin
    return (
        near if reached else left,
        far if reached else right,
        (m - begin) * inverse if reached else fraction,
    )


@loop("out")
def surface_vol_loop(  # type: ignore[no-untyped-def]
    variance, grid, inverse_step, row_low, row_high, weight_low, weight_high, moneyness, out
):
    """Walks the strikes with the state innermost; a lane keeps the last bracket whose left node it has passed.

    Choosing while walking costs a few operations a strike and no gather, and a node outside the bracket cannot spoil
    a lane. Four strikes a pass save loads and stores.
    """
    left, right, share = lanes(), lanes(), lanes()
    last = len(grid) - 1
    fours = last // 4 * 4
    states = out.shape[1]
    for t in range(out.shape[0]):
        out_row, m_row = line(out, t), row(moneyness, t)
        low, high, a, b = row_low[t], row_high[t], weight_low[t], weight_high[t]
        for begin in range(0, states, LANES):
            end = min(begin + LANES, states)
            m_part, out_part = part(m_row, begin, end), out_row[begin:end]
            l0, h0 = line(variance, low)[begin:end], line(variance, high)[begin:end]
            for j in range(end - begin):
                left[j] = right[j] = fma(a, l0[j], b * h0[j])
                share[j] = 0.0 if at(m_part, j) == at(m_part, j) else np.nan
            for k in range(0, fours, 4):
                l0, h0 = line(variance, low + k)[begin:end], line(variance, high + k)[begin:end]
                l1, h1 = line(variance, low + k + 1)[begin:end], line(variance, high + k + 1)[begin:end]
                l2, h2 = line(variance, low + k + 2)[begin:end], line(variance, high + k + 2)[begin:end]
                l3, h3 = line(variance, low + k + 3)[begin:end], line(variance, high + k + 3)[begin:end]
                l4, h4 = line(variance, low + k + 4)[begin:end], line(variance, high + k + 4)[begin:end]
                g0, g1, g2, g3 = grid[k], grid[k + 1], grid[k + 2], grid[k + 3]
                i0, i1, i2, i3 = inverse_step[k], inverse_step[k + 1], inverse_step[k + 2], inverse_step[k + 3]
                for j in range(end - begin):
                    m = at(m_part, j)
                    u0, u1 = fma(a, l0[j], b * h0[j]), fma(a, l1[j], b * h1[j])
                    u2, u3 = fma(a, l2[j], b * h2[j]), fma(a, l3[j], b * h3[j])
                    u4 = fma(a, l4[j], b * h4[j])
                    lane = reach(m, g0, i0, u0, u1, (left[j], right[j], share[j]))
                    lane = reach(m, g1, i1, u1, u2, lane)
                    lane = reach(m, g2, i2, u2, u3, lane)
                    left[j], right[j], share[j] = reach(m, g3, i3, u3, u4, lane)
            for k in range(fours, last):
                l0, h0 = line(variance, low + k)[begin:end], line(variance, high + k)[begin:end]
                l1, h1 = line(variance, low + k + 1)[begin:end], line(variance, high + k + 1)[begin:end]
                g0, i0 = grid[k], inverse_step[k]
                for j in range(end - begin):
                    u0, u1 = fma(a, l0[j], b * h0[j]), fma(a, l1[j], b * h1[j])
                    lane = (left[j], right[j], share[j])
                    left[j], right[j], share[j] = reach(at(m_part, j), g0, i0, u0, u1, lane)
            for j in range(end - begin):
                # the ends are exact, and free of the node that has no weight
                mixed = fma(share[j], right[j] - left[j], left[j])
                mixed = right[j] if share[j] >= 1.0 else mixed
                out_part[j] = np.sqrt(left[j] if share[j] == 0.0 else mixed)


def surface_vol_numpy(
    variance: Array,
    grid: Array,
    row_low: Indices,
    row_high: Indices,
    weight_low: Array,
    weight_high: Array,
    moneyness: Array,
    out: Array,
) -> None:
    """Specification of `surface_vol`."""
    state = np.arange(out.shape[1])
    moneyness = np.broadcast_to(moneyness, out.shape)
    left = np.clip(np.searchsorted(grid, moneyness, side="left") - 1, 0, max(len(grid) - 2, 0))
    right = np.minimum(left + 1, len(grid) - 1)
    step = np.where(right > left, grid[right] - grid[left], 1.0)
    share = np.clip((moneyness - grid[left]) / step, 0.0, 1.0 if len(grid) > 1 else 0.0)

    def at_node(node: Indices) -> Array:
        low, high = variance[row_low[:, None] + node, state], variance[row_high[:, None] + node, state]
        mixed: Array = weight_low[:, None] * low + weight_high[:, None] * high
        return mixed

    first, second = at_node(left), at_node(right)
    mixed = np.where(share == 0.0, first, np.where(share == 1.0, second, first + share * (second - first)))
    out[...] = np.sqrt(mixed)


def check_grid(grid: Array) -> None:
    """Raises ValueError for a moneyness grid that is empty or does not ascend."""
    if not len(grid) or not np.all(np.diff(grid) > 0.0):
        raise ValueError(f"moneyness_grid: {grid}; it must ascend and have a node")


def surface_vol(
    variance: Array,
    moneyness_grid: Array,
    row_low: Indices,
    row_high: Indices,
    weight_low: Array,
    weight_high: Array,
    moneyness: Array,
    out: Array | None = None,
) -> Array:
    """Volatility at each trade's expiry and each state's moneyness.

    variance : (expiry * strike, state), variance rates (volatility squared) per year, expiry by expiry.
    moneyness_grid : (strike,), ascending.   row_low, row_high : (trade,), *first* rows of the expiries on both sides.
    weight_low, weight_high : (trade,), their weights.   moneyness : (trade, state) or (trade, 1), in the grid's unit.
    Returns (trade, state): the root of the weighted variance, linear in moneyness, flat outside the grid. NaN where the
    moneyness is NaN or the variance negative.  Raises IndexError where an expiry's rows lie outside `variance`,
    ValueError where the grid is empty or does not ascend.

    >>> nodes = np.array([[0.09], [0.01]])
    >>> first, one = np.array([0]), np.array([1.0])
    >>> surface_vol(nodes, np.array([0.9, 1.1]), first, first, one, 0 * one, np.array([[1.1]]))
    array([[0.1]])
    """
    check_grid(moneyness_grid)
    check_rows("row_low", row_low, len(variance) - len(moneyness_grid) + 1)
    check_rows("row_high", row_high, len(variance) - len(moneyness_grid) + 1)
    trades, states = len(row_low), variance.shape[1]
    if moneyness.shape not in {(trades, states), (trades, 1)}:
        raise ValueError(f"moneyness: shape {moneyness.shape}; it must be ({trades}, {states}) or ({trades}, 1)")
    out = output((trades, states), out)
    with np.errstate(all="ignore"):
        if BACKEND == "numba":
            asked = moneyness if moneyness.shape[1] == states and states > 1 else moneyness[:, 0]
            surface_vol_loop(
                variance,
                moneyness_grid,
                1.0 / np.diff(moneyness_grid),
                row_low,
                row_high,
                weight_low,
                weight_high,
                asked,
                out,
            )
        else:
            surface_vol_numpy(variance, moneyness_grid, row_low, row_high, weight_low, weight_high, moneyness, out)
    return out


class SurfaceLookUp:
    """Volatility look-up for trades on surfaces of one or several moneyness grids.

    grids : ascending moneyness nodes of each group. Called with the panel, the moneyness, and by trade the group and
    the four arguments of `surface_vol` that say where its expiry lies.
    """

    __name__ = "surface_vol"

    def __init__(self, grids: Sequence[Array]) -> None:
        for grid in grids:
            check_grid(grid)
        self.grids = list(grids)

    def __call__(self, panel: Array, moneyness: Array, group: Indices, *where: Any, out: Array | None = None) -> Array:
        """Volatility (trade, state) of each trade, on the grid of its group."""
        low, high, weight_low, weight_high = where
        out = output((len(group), panel.shape[1]), out)
        moneyness = np.broadcast_to(moneyness, out.shape)
        for position, grid in enumerate(self.grids):
            at = np.flatnonzero(group == position)
            if len(at) == len(group):
                return surface_vol(panel, grid, low, high, weight_low, weight_high, moneyness, out)
            if len(at):
                rows, weights = (low[at], high[at]), (weight_low[at], weight_high[at])
                out[at] = surface_vol(panel, grid, *rows, *weights, np.ascontiguousarray(moneyness[at]))
        return out
