"""The Black (1976) value of an option on a lognormal forward."""

import numpy as np

from riskgrid.formulas.arrays import Flags, Values
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.elementary import exp_decay, log_series, split
from riskgrid.formulas.kernel import kernel
from riskgrid.formulas.lane import at, fma, line, part, row
from riskgrid.formulas.memory import widest
from riskgrid.formulas.normal import TAIL_END
from riskgrid.formulas.reference import ndtr

LN2 = 0.6931471805599453094
ROOT_TWO = 1.4142135623730950488
STRIP = 512  # states


@scalar
def weighted_tail_fraction(x):  # type: ignore[no-untyped-def]
    """Numerator and denominator of N(-x) exp(x^2/2) for 0 <= x <= 70: as in `normal`, of degree 7/8.

    The relative error, 3.5e-16 at 0, may grow as exp(x^2/2) does, to 3.5e-11: it is multiplied by exp(-x^2/2).
    """
    p = fma(0.000028300941783915345314, x, 0.00059816056133116899796)
    p = fma(p, x, 0.0059977848622933509398)
    p = fma(p, x, 0.036594920893556665997)
    p = fma(p, x, 0.14629028606399013085)
    p = fma(p, x, 0.38460763628751849872)
    p = fma(p, x, 0.62366689342125432765)
    p = fma(p, x, 0.49999999999999982803)
    q = fma(0.00007093994112718723622, x, 0.0014993661324882649895)
    q = fma(q, x, 0.015105159993392850322)
    q = fma(q, x, 0.093229123108274645613)
    q = fma(q, x, 0.38159011465079883821)
    q = fma(q, x, 1.0527620669830975992)
    q = fma(q, x, 1.9010634156343863854)
    q = fma(q, x, 2.045218347645302303)
    q = fma(q, x, 1.0)
    return p, q


@scalar
def bounded(total_vol):  # type: ignore[no-untyped-def]
    """A total volatility that can be divided by; beyond these bounds the value is the limit value already."""
    vol = 1e-290 if total_vol < 1e-290 else total_vol
    return 1e4 if vol > 1e4 else vol


@scalar
def strike_distance(forward, strike, total_vol):  # type: ignore[no-untyped-def]
    """abs(log(f/k)) in total volatilities: log(f/k) = 2 atanh((f - k)/(f + k)) of mantissas.

    One division for the logarithm and for its quotient with the volatility.
    """
    forward_mantissa, forward_exponent = split(forward)
    strike_mantissa, strike_exponent = split(strike)
    exponent = forward_exponent - strike_exponent
    above = forward_mantissa > ROOT_TWO * strike_mantissa
    below = ROOT_TWO * forward_mantissa < strike_mantissa
    factor = 0.5 if above else (2.0 if below else 1.0)
    exponent += 1.0 if above else (-1.0 if below else 0.0)
    forward_mantissa *= factor
    vol = bounded(total_vol)
    total = forward_mantissa + strike_mantissa
    reciprocal = 1.0 / (total * vol)
    s = (forward_mantissa - strike_mantissa) * vol * reciprocal
    log_ratio = fma(exponent, LN2, fma(s, log_series(s * s), s + s))
    return abs(log_ratio) * (total * reciprocal)


@scalar
def black_at(forward, strike, total_vol, is_call, distance):  # type: ignore[no-untyped-def]
    """Intrinsic value plus the out-of-the-money option, so that parity holds and the value is never below intrinsic.

    distance : as of `strike_distance`.   One exponential for both tails, as f n(d1) = k n(d2), and one division.
    """
    valid = (forward > 0.0) & (forward < np.inf) & (strike > 0.0) & (strike < np.inf) & (total_vol >= 0.0)
    half_vol = 0.5 * bounded(total_vol)
    upper = half_vol - distance  # d1 of the option with the lesser of forward and strike in front
    near = abs(upper)
    near = TAIL_END if near > TAIL_END else near
    far = half_vol + distance
    far = TAIL_END if far > TAIL_END else far
    near_p, near_q = weighted_tail_fraction(near)
    far_p, far_q = weighted_tail_fraction(far)
    lesser = forward if forward < strike else strike
    density = lesser * exp_decay(-0.5 * near * near)
    near_p = -near_p if upper > 0.0 else near_p
    tails = fma(near_p, far_q, -(far_p * near_q)) / (near_q * far_q)
    option = fma(density, tails, lesser if upper > 0.0 else 0.0)
    option = option if (option > 0.0) & (total_vol > 0.0) else 0.0
    intrinsic = forward - strike if is_call else strike - forward
    intrinsic = intrinsic if intrinsic > 0.0 else 0.0
    return intrinsic + option if valid else np.nan


@scalar
def black_number(forward, strike, total_vol, is_call):  # type: ignore[no-untyped-def]
    """Black value of one lane. A loop does better in two passes, see `black_strip`."""
    return black_at(forward, strike, total_vol, is_call, strike_distance(forward, strike, total_vol))


@scalar
def black_strip(forward, strike, total_vol, is_call, out):  # type: ignore[no-untyped-def]
    """Black values of a strip in the first cache, each argument as `row` or `part` gives it.

    Two passes, the first of which leaves distances in `out`: in one, the processor has to keep more numbers than it has
    registers, and it takes 1.4 times as long.
    """
    widest()
    for j in range(out.shape[0]):
        out[j] = strike_distance(at(forward, j), at(strike, j), at(total_vol, j))
    for j in range(out.shape[0]):
        out[j] = black_at(at(forward, j), at(strike, j), at(total_vol, j), at(is_call, j), out[j])


@loop("out")
def black_loop(forward, strike, total_vol, is_call, out):  # type: ignore[no-untyped-def]
    """Black value of every lane."""
    widest()
    states = out.shape[1]
    for i in range(out.shape[0]):
        out_row = line(out, i)
        forward_row, strike_row = row(forward, i), row(strike, i)
        vol_row, call_row = row(total_vol, i), row(is_call, i)
        for begin in range(0, states, STRIP):
            end = min(begin + STRIP, states)
            f, k = part(forward_row, begin, end), part(strike_row, begin, end)
            v, c = part(vol_row, begin, end), part(call_row, begin, end)
            black_strip(f, k, v, c, out_row[begin:end])


@kernel(black_loop)
def black_value(forward: Values, strike: Values, total_vol: Values, is_call: Flags) -> Values:
    """Undiscounted Black (1976) option value. Error at most 1e-15 of the greater of forward and strike.

    forward, strike : (trade, state), currency per unit, > 0 and finite.   total_vol : volatility * sqrt(time), no unit,
    >= 0.   is_call : (trade, state).   A lane outside this domain is NaN; at ``total_vol == 0`` the value is the
    intrinsic value.  Source: Black (1976), J. Financial Economics 3, 167-179.

    >>> round(float(black_value(100.0, 100.0, 0.2, True)), 4)
    7.9656
    """
    valid = (forward > 0) & (forward < np.inf) & (strike > 0) & (strike < np.inf) & (total_vol >= 0)
    sign = np.where(is_call, 1.0, -1.0)
    d1 = (np.log(forward) - np.log(strike)) / total_vol + 0.5 * np.asarray(total_vol)
    value = sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - total_vol)))
    intrinsic = np.maximum(sign * (np.asarray(forward) - strike), 0.0)
    limit = np.where(np.isinf(total_vol), np.where(is_call, forward, strike), intrinsic)
    value = np.where((total_vol > 0) & np.isfinite(total_vol), np.maximum(value, intrinsic), limit)
    return np.where(valid, value, np.nan)
