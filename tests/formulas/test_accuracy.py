"""Kernels against fifty digits: the errors their docstrings state."""

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas.compiled import INTERPRETED

mpmath = pytest.importorskip("mpmath")
fused_only = pytest.mark.skipif(INTERPRETED, reason="stated for fused multiply-adds")


def ulps(found, exact):
    """Error in units of the last place of the nearest float64, the subnormal spacing included."""
    spacing = np.spacing(np.abs(np.array([float(value) for value in exact])))
    with mpmath.workdps(50):
        return max(
            float(abs(mpmath.mpf(float(x)) - y) / float(s)) for x, y, s in zip(found, exact, spacing, strict=True)
        )


def relative(found, exact):
    return max(float(abs(mpmath.mpf(float(x)) / y - 1)) for x, y in zip(found, exact, strict=True))


def test_exp__is_within_1_1_ulp_of_normal_and_denormal_values():
    values = np.concatenate(
        [
            np.random.default_rng(1).uniform(-745.0, 709.7, 1500),
            np.linspace(-1.0, 1.0, 501),
            np.linspace(-745.1, -708.0, 200),
        ]
    )
    with mpmath.workdps(50):
        assert ulps(formulas.exp.numba(values), [mpmath.exp(mpmath.mpf(float(x))) for x in values]) <= 1.1


def test_exp__overflows_to_infinity_and_underflows_to_zero():
    found = formulas.exp.numba(
        np.array([709.782712893384, 709.79, 1e300, np.inf, -745.13321910194, -745.14, -1e300, -np.inf])
    )
    assert np.isfinite(found[0])
    assert np.all(found[1:4] == np.inf)
    assert found[4] == 5e-324
    assert np.all(found[5:] == 0.0)


def test_log__is_within_one_ulp_near_one_and_for_denormals():
    draw = np.random.default_rng(2)
    values = np.concatenate(
        [
            np.exp(draw.uniform(-745.0, 709.0, 1500)),
            draw.uniform(0.5, 2.0, 500),
            1 + draw.normal(0, 1e-9, 200),
            [5e-324],
        ]
    )
    values = values[(values > 0.0) & (values != 1.0)]
    with mpmath.workdps(50):
        assert ulps(formulas.log.numba(values), [mpmath.log(mpmath.mpf(float(x))) for x in values]) <= 1.0


def test_log__is_minus_infinity_at_zero_and_nan_below():
    found = formulas.log.numba(np.array([0.0, -0.0, -5e-324, -1.0, -np.inf, np.nan, np.inf, 1.0]))
    np.testing.assert_array_equal(found, [-np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan, np.inf, 0.0])


@fused_only
def test_norm_cdf__has_a_relative_error_of_2e_15_down_to_the_far_tail():
    values = np.concatenate([np.linspace(-37.0, 8.0, 901), np.random.default_rng(3).normal(0, 1, 600)])
    with mpmath.workdps(50):
        exact = [mpmath.erfc(-mpmath.mpf(float(x)) / mpmath.sqrt(2)) / 2 for x in values]
        assert relative(formulas.norm_cdf.numba(values), exact) < 2e-15


def test_norm_cdf__is_a_half_at_zero_and_reaches_its_ends():
    found = formulas.norm_cdf.numba(np.array([0.0, -np.inf, -60.0, np.inf, 60.0, 1e300, np.nan]))
    np.testing.assert_array_equal(found, [0.5, 0.0, 0.0, 1.0, 1.0, 1.0, np.nan])


@fused_only
def test_norm_pdf__has_a_relative_error_of_1e_15():
    values = np.linspace(-37.0, 37.0, 1201)
    with mpmath.workdps(50):
        assert relative(formulas.norm_pdf.numba(values), [mpmath.npdf(mpmath.mpf(float(x))) for x in values]) < 1e-15


def test_norm_ppf__has_a_relative_error_of_2e_15_from_denormal_probabilities_on():
    draw = np.random.default_rng(4)
    values = np.concatenate(
        [draw.random(300), 10.0 ** draw.uniform(-307, -1, 200), 1 - 10.0 ** draw.uniform(-15, -1, 100)]
    )
    found = formulas.norm_ppf.numba(values)
    with mpmath.workdps(50):
        for answer, probability in zip(found, values, strict=True):
            x, p = mpmath.mpf(float(answer)), mpmath.mpf(float(probability))
            # one Newton step from the answer: its relative size is the answer's error
            error = (mpmath.erfc(-x / mpmath.sqrt(2)) / 2 - p) / mpmath.npdf(x)
            assert abs(error / x) < 2e-15


def test_norm_ppf__is_infinite_at_the_ends_and_nan_beyond():
    found = formulas.norm_ppf.numba(np.array([0.0, 1.0, -0.1, 1.1, np.nan, 0.5]))
    np.testing.assert_array_equal(found, [-np.inf, np.inf, np.nan, np.nan, np.nan, 0.0])


def exact_black(forward, strike, vol, is_call):
    forward, strike, vol = (mpmath.mpf(float(x)) for x in (forward, strike, vol))
    d1 = mpmath.log(forward / strike) / vol + vol / 2
    sign = 1 if is_call else -1
    return sign * (forward * mpmath.ncdf(sign * d1) - strike * mpmath.ncdf(sign * (d1 - vol)))


def test_black_value__has_an_error_of_1e_15_of_forward_or_strike():
    draw = np.random.default_rng(5)
    n = 1500
    forward, is_call = 100 * np.exp(draw.normal(0, 1, n)), draw.random(n) < 0.5
    vol = 10.0 ** draw.uniform(-4, 1, n)
    strike = forward * np.exp(vol * draw.uniform(-6, 6, n))
    found = formulas.black_value.numba(forward, strike, vol, is_call)
    with mpmath.workdps(50):
        for i in range(n):
            error = abs(float(found[i] - exact_black(forward[i], strike[i], vol[i], is_call[i])))
            assert error <= 1e-15 * max(forward[i], strike[i])


def test_bachelier_value__has_an_error_of_1e_15_of_vol_or_moneyness():
    draw = np.random.default_rng(6)
    n = 800
    forward, strike, vol = draw.normal(0, 0.02, n), draw.normal(0, 0.02, n), 10.0 ** draw.uniform(-5, 0, n)
    found = formulas.bachelier_value.numba(forward, strike, vol, True)
    with mpmath.workdps(50):
        for i in range(n):
            gap, v = mpmath.mpf(float(forward[i])) - mpmath.mpf(float(strike[i])), mpmath.mpf(float(vol[i]))
            exact = gap * mpmath.ncdf(gap / v) + v * mpmath.npdf(gap / v)
            assert abs(float(found[i] - exact)) <= 1e-15 * max(vol[i], abs(float(gap)))
