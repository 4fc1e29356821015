"""The chain of European options as hand-written kernels: from spot, zero rates and variances to ticks and cells."""

from __future__ import annotations

import numba
import numpy as np

from riskgrid.formulas.black import black_at, black_number, strike_distance, weighted_tail_fraction
from riskgrid.formulas.compiled import OPTIONS
from riskgrid.formulas.elementary import exp_decay, exp_number, log_number
from riskgrid.formulas.lane import LANES, fma, lanes, line
from riskgrid.formulas.normal import TAIL_END


@numba.njit(**OPTIONS)  # never from a cache: that would not see a change of the formulas inside
def price_by_row(groups, trades, shared, out, totals, scale, two_passes):  # type: ignore[no-untyped-def]  # noqa: PLR0912
    """Prices trade by trade. groups : first trades, rows of the shared tables and weights, by expiry.

    shared : spot, growth and payment factors, variances, strikes.   out : ticks (trade, scenario).   totals : (cell,
    scenario), added to.   two_passes : of Black over the states in hand, as riskgrid does it, or all in one.
    """
    starts, which, weight = groups
    strike, _, is_call, size, cell, base = trades
    spot, growth, paid, variance, grid = shared
    forward, total_vol, value = lanes(), lanes(), lanes()
    nodes, inverse = len(grid), 1.0 / (grid[1:] - grid[:-1])
    states, origin = spot.shape[1], starts[0]
    for g in range(len(which)):
        share, pair, low, high = which[g, 0], which[g, 6], which[g, 4], which[g, 5]
        _, _, c, d, years = weight[g]
        c, d = c * years, d * years
        for t in range(starts[g], starts[g + 1]):
            level, call, units = strike[t], is_call[t], size[t]
            for begin in range(0, states, LANES):
                n = min(begin + LANES, states) - begin
                s, up, due = line(spot, share)[begin:], line(growth, pair)[begin:], line(paid, pair)[begin:]
                for j in range(n):
                    forward[j] = s[j] * up[j]
                least = most = forward[0]
                for j in range(n):
                    least, most = min(least, forward[j]), max(most, forward[j])
                first = last = 0
                for k in range(1, nodes - 1):  # the brackets that this trade's moneyness reaches in these states
                    first += level > grid[k] * most
                    last += level > grid[k] * least
                for k in range(first, last + 1):
                    v0, v1 = line(variance, low + k)[begin:], line(variance, high + k)[begin:]
                    w0, w1 = line(variance, low + k + 1)[begin:], line(variance, high + k + 1)[begin:]
                    g0, step = grid[k], inverse[k]
                    if k == first:
                        for j in range(n):
                            w = min(max((level / forward[j] - g0) * step, 0.0), 1.0)
                            u = fma(c, v0[j], d * v1[j])
                            total_vol[j] = fma(w, fma(c, w0[j], d * w1[j]) - u, u)
                    else:
                        for j in range(n):
                            w = (level / forward[j] - g0) * step
                            u = fma(c, v0[j], d * v1[j])
                            mixed = fma(min(w, 1.0), fma(c, w0[j], d * w1[j]) - u, u)
                            total_vol[j] = mixed if w > 0.0 else total_vol[j]
                if two_passes:
                    for j in range(n):
                        total_vol[j] = np.sqrt(total_vol[j])
                        value[j] = strike_distance(forward[j], level, total_vol[j])
                    for j in range(n):
                        value[j] = black_at(forward[j], level, total_vol[j], call, value[j]) * (due[j] * units)
                else:
                    for j in range(n):
                        value[j] = black_number(forward[j], level, np.sqrt(total_vol[j]), call) * (due[j] * units)
                if begin == 0:
                    base[t] = value[0]
                here, still = int(begin == 0), base[t]
                ticks, total = line(out, t - origin)[begin + here - 1 :], line(totals, cell[t])[begin + here - 1 :]
                for j in range(n - here):
                    x = np.rint((value[j + here] - still) * scale)
                    fits = abs(x) <= 2147483647.0
                    tick = np.int32(x if fits else 0.0) if fits else np.int32(-2147483648)
                    ticks[j] = tick
                    total[j] += tick


@numba.njit(**OPTIONS)  # never from a cache: that would not see a change of the formulas inside
def price_by_expiry(groups, trades, shared, out, totals, scale):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """The same, with what the trades of an expiry share made once; zero rates and FX in place of the tables."""
    starts, which, weight = groups
    strike, log_strike, is_call, size, cell, base = trades
    spot, zero, fx, variance, grid = shared
    forward, log_forward, paid, total_vol, value = lanes(), lanes(), lanes(), lanes(), lanes()
    nodes, inverse = len(grid), 1.0 / (grid[1:] - grid[:-1])
    strip = np.empty((nodes, LANES))
    states, origin = spot.shape[1], starts[0]
    for g in range(len(which)):
        share, near, far, money, low, high, _ = which[g]
        a, b, c, d, years = weight[g]
        for begin in range(0, states, LANES):
            n = min(begin + LANES, states) - begin
            s, z0, z1 = line(spot, share)[begin:], line(zero, near)[begin:], line(zero, far)[begin:]
            rate = line(fx, money)[begin:]
            for j in range(n):
                growth = fma(a, z0[j], b * z1[j])
                forward[j] = s[j] * exp_number(growth)
                paid[j] = exp_number(-growth) * rate[j]
                log_forward[j] = log_number(forward[j])
            least = most = forward[0]
            for j in range(n):
                least, most = min(least, forward[j]), max(most, forward[j])
            for k in range(nodes):
                u, v0, v1 = line(strip, k), line(variance, low + k)[begin:], line(variance, high + k)[begin:]
                for j in range(n):
                    u[j] = fma(c, v0[j], d * v1[j]) * years
            for t in range(starts[g], starts[g + 1]):
                level = strike[t]
                first = last = 0
                for k in range(1, nodes - 1):  # the brackets that this trade's moneyness reaches in these states
                    first += level > grid[k] * most
                    last += level > grid[k] * least
                u0, u1 = line(strip, first), line(strip, first + 1)
                g0, step = grid[first], inverse[first]
                for j in range(n):
                    w = min(max((level / forward[j] - g0) * step, 0.0), 1.0)
                    total_vol[j] = fma(w, u1[j] - u0[j], u0[j])
                for k in range(first + 1, last + 1):
                    u0, u1, g0, step = line(strip, k), line(strip, k + 1), grid[k], inverse[k]
                    for j in range(n):
                        w = (level / forward[j] - g0) * step
                        mixed = fma(min(w, 1.0), u1[j] - u0[j], u0[j])
                        total_vol[j] = mixed if w > 0.0 else total_vol[j]
                side, log_level, units = 1.0 if is_call[t] else -1.0, log_strike[t], size[t]
                for j in range(n):
                    vol, f = np.sqrt(total_vol[j]), forward[j]
                    distance = abs(log_forward[j] - log_level) / vol
                    upper, over = 0.5 * vol - distance, 0.5 * vol + distance
                    at = min(abs(upper), TAIL_END)
                    near_p, near_q = weighted_tail_fraction(at)
                    far_p, far_q = weighted_tail_fraction(min(over, TAIL_END))
                    lesser = min(f, level)
                    near_p = -near_p if upper > 0.0 else near_p
                    tails = fma(near_p, far_q, -(far_p * near_q)) / (near_q * far_q)
                    option = fma(lesser * exp_decay(-0.5 * at * at), tails, lesser if upper > 0.0 else 0.0)
                    value[j] = (max(side * (f - level), 0.0) + max(option, 0.0)) * (paid[j] * units)
                if begin == 0:
                    base[t] = value[0]
                here, still = int(begin == 0), base[t]
                ticks, total = line(out, t - origin)[begin + here - 1 :], line(totals, cell[t])[begin + here - 1 :]
                for j in range(n - here):
                    x = np.rint((value[j + here] - still) * scale)
                    fits = abs(x) <= 2147483647.0
                    tick = np.int32(x if fits else 0.0) if fits else np.int32(-2147483648)
                    ticks[j] = tick
                    total[j] += tick
