"""What an option value must satisfy whatever formula computes it."""

import numpy as np
import pytest

from riskgrid import formulas

FORWARD = np.array([[80.0, 95.0, 100.0, 120.0]])
STRIKE = np.array([[100.0], [90.0], [1e-9], [1e9]])


@pytest.mark.parametrize("value", [formulas.black_value, formulas.bachelier_value], ids=["black", "bachelier"])
def test_value__is_intrinsic_without_volatility(value):
    np.testing.assert_array_equal(value(FORWARD, STRIKE, 0.0, True), np.maximum(FORWARD - STRIKE, 0.0))
    np.testing.assert_array_equal(value(FORWARD, STRIKE, 0.0, False), np.maximum(STRIKE - FORWARD, 0.0))


@pytest.mark.parametrize("value", [formulas.black_value, formulas.bachelier_value], ids=["black", "bachelier"])
@pytest.mark.parametrize("vol", [1e-12, 0.01, 0.3, 5.0])
def test_call_less_put__is_forward_less_strike(value, vol):
    difference = value(FORWARD, STRIKE, vol, True) - value(FORWARD, STRIKE, vol, False)
    np.testing.assert_allclose(difference, FORWARD - STRIKE, rtol=1e-14)


def test_black_value__grows_with_volatility_up_to_the_forward():
    values = formulas.black_value(100.0, 120.0, np.concatenate([np.linspace(0.0, 20.0, 400), [1e5, np.inf]]), True)
    assert np.all(np.diff(values) >= 0.0)
    assert values[0] == 0.0
    assert values[-1] == values[-2] == 100.0


def test_black_value__is_nan_in_lanes_outside_its_domain_and_only_there():
    forward = np.array([100.0, -1.0, 0.0, np.nan, np.inf, 100.0, 100.0, 100.0, 100.0])
    strike = np.array([100.0, 100.0, 100.0, 100.0, 100.0, 0.0, -5.0, 100.0, 100.0])
    vol = np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, -0.1, np.nan])
    for evaluate in (formulas.black_value.numba, formulas.black_value.numpy):
        assert np.isnan(evaluate(forward, strike, vol, True)).tolist() == [False] + 8 * [True]


def test_black_value__is_homogeneous_in_forward_and_strike():
    one = formulas.black_value.numba(FORWARD, 100.0, 0.3, True)
    assert (1024.0 * one).tobytes() == formulas.black_value.numba(1024.0 * FORWARD, 102400.0, 0.3, True).tobytes()


def test_bachelier_value__takes_negative_forwards_and_strikes():
    assert formulas.bachelier_value(-0.01, -0.02, 0.01, True) == pytest.approx(
        formulas.bachelier_value(0.02, 0.01, 0.01, True), rel=1e-14
    )
