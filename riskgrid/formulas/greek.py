"""Derivatives of the Black (1976) value: by the forward, twice by the forward, by the total volatility."""

import numpy as np

from riskgrid.formulas.arrays import Array, Flags, Values
from riskgrid.formulas.black import LN2, ROOT_TWO
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.elementary import log_series, split
from riskgrid.formulas.kernel import kernel
from riskgrid.formulas.lane import at, fma, line, row
from riskgrid.formulas.memory import widest
from riskgrid.formulas.normal import INVERSE_ROOT_TWO_PI, exp_half_square, norm_cdf_number
from riskgrid.formulas.reference import ndtr


@scalar
def in_domain(forward, strike, total_vol):  # type: ignore[no-untyped-def]
    """Whether the Black value and its derivatives have a number here."""
    return (forward > 0.0) & (forward < np.inf) & (strike > 0.0) & (strike < np.inf) & (total_vol >= 0.0)


@scalar
def upper_distance(forward, strike, total_vol):  # type: ignore[no-untyped-def]
    """d1; 0 at the money without volatility, the mean of its limits from either side.

    The logarithm is 2 atanh((f - k)/(f + k)) of mantissas: near the money log(f) - log(k) would lose what it divides.
    """
    forward_mantissa, forward_exponent = split(forward)
    strike_mantissa, strike_exponent = split(strike)
    exponent = forward_exponent - strike_exponent
    above = forward_mantissa > ROOT_TWO * strike_mantissa
    below = ROOT_TWO * forward_mantissa < strike_mantissa
    exponent += 1.0 if above else (-1.0 if below else 0.0)
    forward_mantissa *= 0.5 if above else (2.0 if below else 1.0)
    s = (forward_mantissa - strike_mantissa) / (forward_mantissa + strike_mantissa)
    log_ratio = fma(exponent, LN2, fma(s, log_series(s * s), s + s))
    return 0.0 if (log_ratio == 0.0) & (total_vol == 0.0) else log_ratio / total_vol + 0.5 * total_vol


@loop("out")
def delta_loop(forward, strike, total_vol, is_call, out):  # type: ignore[no-untyped-def]
    """Derivative by the forward of every lane."""
    widest()
    for i in range(out.shape[0]):
        out_row = line(out, i)
        forward_row, strike_row = row(forward, i), row(strike, i)
        vol_row, call_row = row(total_vol, i), row(is_call, i)
        for j in range(out_row.shape[0]):
            f, k, v = at(forward_row, j), at(strike_row, j), at(vol_row, j)
            d1 = upper_distance(f, k, v)
            sign = 1.0 if at(call_row, j) else -1.0
            out_row[j] = sign * norm_cdf_number(sign * d1) if in_domain(f, k, v) else np.nan


@loop("out")
def gamma_loop(forward, strike, total_vol, out):  # type: ignore[no-untyped-def]
    """Second derivative by the forward of every lane."""
    widest()
    for i in range(out.shape[0]):
        out_row = line(out, i)
        forward_row, strike_row, vol_row = row(forward, i), row(strike, i), row(total_vol, i)
        for j in range(out_row.shape[0]):
            f, k, v = at(forward_row, j), at(strike_row, j), at(vol_row, j)
            density = INVERSE_ROOT_TWO_PI * exp_half_square(upper_distance(f, k, v))
            # apart from the strike the density is gone long before the volatility is
            found = 0.0 if density == 0.0 else density / (f * v)
            out_row[j] = found if in_domain(f, k, v) else np.nan


@loop("out")
def vega_loop(forward, strike, total_vol, out):  # type: ignore[no-untyped-def]
    """Derivative by the total volatility of every lane."""
    widest()
    for i in range(out.shape[0]):
        out_row = line(out, i)
        forward_row, strike_row, vol_row = row(forward, i), row(strike, i), row(total_vol, i)
        for j in range(out_row.shape[0]):
            f, k, v = at(forward_row, j), at(strike_row, j), at(vol_row, j)
            density = INVERSE_ROOT_TWO_PI * exp_half_square(upper_distance(f, k, v))
            out_row[j] = f * density if in_domain(f, k, v) else np.nan


@kernel(delta_loop)
def black_delta(forward: Values, strike: Values, total_vol: Values, is_call: Flags) -> Values:
    """Derivative of the undiscounted Black (1976) value by the forward: N(d1), of a put N(d1) - 1. No unit.

    forward, strike : (trade, state), > 0 and finite.   total_vol : volatility * sqrt(time), >= 0.   A lane outside this
    domain is NaN. At ``total_vol == 0`` it is 0 or 1 (a put's -1), at the money half of that.
    Source: Black (1976), J. Financial Economics 3, 167-179; Hull (2018), ch. 19.

    >>> round(float(black_delta(100.0, 100.0, 0.2, True)), 6)
    0.539828
    """
    sign = np.where(is_call, 1.0, -1.0)
    return _where_valid(forward, strike, total_vol, sign * ndtr(sign * _upper_distance(forward, strike, total_vol)))


@kernel(gamma_loop)
def black_gamma(forward: Values, strike: Values, total_vol: Values) -> Values:
    """Second derivative of the undiscounted Black (1976) value by the forward, of calls and puts, per unit of forward.

    Arguments as of :func:`black_delta`. At ``total_vol == 0`` it is 0, at the money inf.

    >>> round(float(black_gamma(100.0, 100.0, 0.2)), 8)
    0.01984763
    """
    density = INVERSE_ROOT_TWO_PI * np.exp(-0.5 * np.square(_upper_distance(forward, strike, total_vol)))
    found = np.where(density == 0.0, 0.0, density / (np.asarray(forward) * total_vol))
    return _where_valid(forward, strike, total_vol, found)


@kernel(vega_loop)
def black_vega(forward: Values, strike: Values, total_vol: Values) -> Values:
    """Derivative of the undiscounted Black (1976) value by the total volatility, of calls and puts, in currency.

    Arguments as of :func:`black_delta`. Times sqrt(time) it is the one by the volatility.

    >>> round(float(black_vega(100.0, 100.0, 0.2)), 6)
    39.695255
    """
    d1 = _upper_distance(forward, strike, total_vol)
    return _where_valid(forward, strike, total_vol, forward * INVERSE_ROOT_TWO_PI * np.exp(-0.5 * np.square(d1)))


def _upper_distance(forward: Values, strike: Values, total_vol: Values) -> Array:
    log_ratio = np.log(forward) - np.log(strike)
    d1 = log_ratio / total_vol + 0.5 * np.asarray(total_vol)
    return np.asarray(np.where((np.asarray(forward) == strike) & (np.asarray(total_vol) == 0.0), 0.0, d1))


def _where_valid(forward: Values, strike: Values, total_vol: Values, found: Array) -> Array:
    valid = (forward > 0) & (forward < np.inf) & (strike > 0) & (strike < np.inf) & (total_vol >= 0)
    return np.asarray(np.where(valid, found, np.nan))
