"""Exponential and logarithm."""

import numpy as np

from riskgrid.formulas.arrays import Values
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.kernel import kernel
from riskgrid.formulas.lane import at, bits, fma, from_bits, line, row
from riskgrid.formulas.memory import widest

LEAST_EXPONENT = -745.1332191019412  # below it exp rounds to 0
INVERSE_LN2 = 1.44269504088896340736
LN2_HIGH = 0.6931471803691238  # 32 bits, so that its product with an exponent is exact without fma too
LN2_LOW = 1.908214929270587816144266e-10
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
ROUND_BIASED = 6755399441056767.0  # the same plus 1023, so that the low bits are those of an exponent
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_54 = 18014398509481984.0
EXPONENT_OFFSET = 0x3FF0000000000000 - 0x3FE6A09E667F3BCD  # splits mantissas at sqrt(1/2)
MANTISSA = 0x000FFFFFFFFFFFFF
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
TWO_52_BITS = 0x4330000000000000
TWO_52_BIASED = 4503599627370496.0 + 1023.0


@scalar
def exp_reduced(r):  # type: ignore[no-untyped-def]
    """exp(r) - 1 for abs(r) <= ln(2)/2: relative minimax of (exp(r) - 1 - r)/r^2, error 1.3e-17 of exp(r)."""
    p = fma(2.5100385495510319078e-8, r, 2.7620088445409748161e-7)
    p = fma(p, r, 2.7557268459997064772e-6)
    p = fma(p, r, 0.000024801521295954375131)
    p = fma(p, r, 0.00019841269863053616878)
    p = fma(p, r, 0.0013888888917213716901)
    p = fma(p, r, 0.0083333333333300618325)
    p = fma(p, r, 0.041666666666624127873)
    p = fma(p, r, 0.16666666666666667453)
    p = fma(p, r, 0.50000000000000010221)
    return fma(r * r, p, r)


@scalar
def exp_number(x):  # type: ignore[no-untyped-def]
    """exp(x). The power of two comes in two halves, so that overflow gives inf and denormals round once."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    k = (x * INVERSE_LN2 + ROUND) - ROUND
    r = fma(k, -LN2_LOW, fma(k, -LN2_HIGH, x))
    shifted = k * 0.5 + ROUND_BIASED
    half = shifted - ROUND_BIASED
    first = from_bits(bits(shifted) << 52)
    second = from_bits(bits((k - half) + ROUND_BIASED) << 52)
    second = 0.0 if x < LEAST_EXPONENT else second  # a product that underflows to 0 costs a hundred times more
    return (1.0 + exp_reduced(r)) * first * second


@scalar
def exp_decay(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0, with 0 below -708: cheaper than `exp_number` where denormals do not matter."""
    clipped = -708.0 if x < -708.0 else x
    shifted = clipped * INVERSE_LN2 + ROUND_BIASED
    k = shifted - ROUND_BIASED
    r = fma(k, -LN2_LOW, fma(k, -LN2_HIGH, clipped))
    power = from_bits(bits(shifted) << 52)
    return 0.0 if x < -708.0 else fma(exp_reduced(r), power, power)


@scalar
def split(x):  # type: ignore[no-untyped-def]
    """Mantissa in [sqrt(1/2), sqrt(2)) and exponent of a positive number; a denormal is scaled to a normal first."""
    denormal = x < SMALLEST_NORMAL
    shifted = bits(x * TWO_54 if denormal else x) + EXPONENT_OFFSET
    mantissa = from_bits((shifted & MANTISSA) + ROOT_HALF_BITS)
    exponent = from_bits(((shifted >> 52) & 0x7FF) | TWO_52_BITS) - (
        TWO_52_BIASED + 54.0 if denormal else TWO_52_BIASED
    )
    return mantissa, exponent


@scalar
def log_series(z):  # type: ignore[no-untyped-def]
    """(2 atanh(s)/s - 2) for z = s^2 <= 0.0295: minimax, error 9e-18."""
    p = fma(0.14616585424888621989, z, 0.15331710618210771568)
    p = fma(p, z, 0.18182889455674946039)
    p = fma(p, z, 0.22222211130259877029)
    p = fma(p, z, 0.28571428626003268742)
    p = fma(p, z, 0.39999999999899443233)
    p = fma(p, z, 0.66666666666666696883)
    return p * z


@scalar
def log_number(x):  # type: ignore[no-untyped-def]
    """log(x): log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f/(2 + f), so that the leading term is exact."""
    mantissa, exponent = split(x)
    f = mantissa - 1.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    correction = fma(s, half_square + log_series(s * s), exponent * LN2_LOW)
    value = fma(exponent, LN2_HIGH, f - (half_square - correction))
    value = x if x == np.inf else value
    value = -np.inf if x == 0.0 else value
    return value if x >= 0.0 else np.nan


@loop("out")
def exp_loop(x, out):  # type: ignore[no-untyped-def]
    """exp of every lane."""
    widest()
    for i in range(out.shape[0]):
        x_row, out_row = row(x, i), line(out, i)
        for j in range(out_row.shape[0]):
            out_row[j] = exp_number(at(x_row, j))


@loop("out")
def log_loop(x, out):  # type: ignore[no-untyped-def]
    """log of every lane."""
    widest()
    for i in range(out.shape[0]):
        x_row, out_row = row(x, i), line(out, i)
        for j in range(out_row.shape[0]):
            out_row[j] = log_number(at(x_row, j))


@kernel(exp_loop)
def exp(x: Values) -> Values:
    """Exponential. Error at most 1.1 ulp; inf above 709.78, 0 below -745.13, denormals between, NaN stays NaN.

    x : (trade, state), no unit.

    >>> round(float(exp(1.0)), 14)
    2.71828182845905
    """
    return np.exp(x)


@kernel(log_loop)
def log(x: Values) -> Values:
    """Natural logarithm. Error at most 1 ulp, of denormals too; log(0) = -inf, NaN below zero, NaN stays NaN.

    x : (trade, state), no unit.

    >>> round(float(log(10.0)), 14)
    2.30258509299405
    """
    return np.log(x)
