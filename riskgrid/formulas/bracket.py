"""Volatility from a surface on strips of states, walked between the least and the greatest moneyness only."""

import numpy as np

from riskgrid.formulas.compiled import scalar
from riskgrid.formulas.lane import LANES, bits, fma, lanes
from riskgrid.formulas.memory import DOUBLE, memory, widest
from riskgrid.formulas.surface import reach


@scalar
def ordered(x):  # type: ignore[no-untyped-def]
    """An integer that sorts as the number does, NaN beyond both ends: least and greatest of integers are vectors."""
    b = bits(x)
    return b ^ ((b >> 63) & 0x7FFFFFFFFFFFFFFF)


@scalar
def brackets(m, grid):  # type: ignore[no-untyped-def]
    """First and last left node among the brackets of a strip of moneyness, counted without a branch on them."""
    widest()
    least = greatest = ordered(m[0])
    for j in range(m.shape[0]):
        here = ordered(m[j])
        least, greatest = min(least, here), max(greatest, here)
    first = last = 0
    for k in range(1, grid.shape[0] - 1):
        node = ordered(grid[k])
        first += node < least
        last += node < greatest
    return first, last


@scalar
def volatility(lane):  # type: ignore[no-untyped-def]
    """Volatility in a bracket; the ends are exact, and free of the node that has no weight."""
    left, right, share = lane
    mixed = fma(share, right - left, left)
    mixed = right if share >= 1.0 else mixed
    return np.sqrt(left if share == 0.0 else mixed)


@scalar
def surface_strip(m, low, high, stride, weights, grid, inverse_step, out):  # type: ignore[no-untyped-def]
    """As `surface.surface_vol_loop`, on the brackets that a few lanes' moneyness falls into and no others.

    low, high : addresses of the first strike's strips at both expiries.   stride : bytes from one strike to the next.
    """
    widest()
    found = lanes()
    for begin in range(0, out.shape[0], LANES):
        n = min(LANES, out.shape[0] - begin)
        at, target = m[begin : begin + n], out[begin : begin + n]
        first, last = brackets(at, grid)
        near = (last - first < 4) & (grid.shape[0] > 4)
        first = min(first, grid.shape[0] - 5) if near else first
        start = first * stride + begin * DOUBLE
        nodes, inverse = grid[first:], inverse_step[first:]
        if near:
            walk_four(at, low + start, high + start, stride, weights, nodes, inverse, found)
        else:
            walk(at, low + start, high + start, stride, weights, nodes, inverse, last - first, found)
        for j in range(n):
            target[j] = found[j]


@scalar
def walk_four(m, low, high, stride, weights, grid, inverse_step, found):  # type: ignore[no-untyped-def]
    """Volatility between the first five nodes in one pass: the root takes so long that spare brackets cost nothing."""
    widest()
    n, a, b = m.shape[0], weights[0], weights[1]
    x0, x1, x2 = memory(low, n), memory(low + stride, n), memory(low + 2 * stride, n)
    y0, y1, y2 = memory(high, n), memory(high + stride, n), memory(high + 2 * stride, n)
    x3, x4 = memory(low + 3 * stride, n), memory(low + 4 * stride, n)
    y3, y4 = memory(high + 3 * stride, n), memory(high + 4 * stride, n)
    g0, g1, g2, g3 = grid[0], grid[1], grid[2], grid[3]
    i0, i1, i2, i3 = inverse_step[0], inverse_step[1], inverse_step[2], inverse_step[3]
    for j in range(n):
        u0, u1, u2 = fma(a, x0[j], b * y0[j]), fma(a, x1[j], b * y1[j]), fma(a, x2[j], b * y2[j])
        u3, u4 = fma(a, x3[j], b * y3[j]), fma(a, x4[j], b * y4[j])
        lane = reach(m[j], g0, i0, u0, u1, (u0, u0, 0.0 if m[j] == m[j] else np.nan))
        lane = reach(m[j], g1, i1, u1, u2, lane)
        lane = reach(m[j], g2, i2, u2, u3, lane)
        found[j] = volatility(reach(m[j], g3, i3, u3, u4, lane))


@scalar
def walk(m, low, high, stride, weights, grid, inverse_step, more, found):  # type: ignore[no-untyped-def]
    """Volatility between the first 2 + `more` nodes, bracket by bracket."""
    widest()
    left, right, share = lanes(), lanes(), lanes()
    n, a, b = m.shape[0], weights[0], weights[1]
    x0, y0 = memory(low, n), memory(high, n)
    for j in range(n):
        left[j] = right[j] = fma(a, x0[j], b * y0[j])
        share[j] = 0.0 if m[j] == m[j] else np.nan
    for k in range(min(more + 1, grid.shape[0] - 1)):
        x0, y0 = memory(low + k * stride, n), memory(high + k * stride, n)
        x1, y1 = memory(low + (k + 1) * stride, n), memory(high + (k + 1) * stride, n)
        g0, i0 = grid[k], inverse_step[k]
        for j in range(n):
            u0, u1 = fma(a, x0[j], b * y0[j]), fma(a, x1[j], b * y1[j])
            left[j], right[j], share[j] = reach(m[j], g0, i0, u0, u1, (left[j], right[j], share[j]))
    for j in range(n):
        found[j] = volatility((left[j], right[j], share[j]))
