import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.market.curves import (
    EXTRAPOLATIONS,
    INTERPOLATIONS,
    curve_panel,
    curve_weights,
    price_weights,
    weighted_sum,
    zero_weights,
)

TIMES = np.array([0.25, 1.0, 2.0, 5.0, 10.0])
ZEROS = np.array([[0.01, -0.002], [0.015, -0.004], [0.012, 0.001], [0.03, 0.008], [0.028, 0.02]])
SCHEMES = [(one, other) for one in INTERPOLATIONS for other in EXTRAPOLATIONS]


def zero_rate(query, interpolation, extrapolation="flat_zero", times=TIMES, zeros=ZEROS):
    panel = curve_panel(times, zeros, interpolation)
    return weighted_sum(panel, *zero_weights(times, np.atleast_1d(query), interpolation, extrapolation))


def log_discount(query, interpolation, extrapolation="flat_zero", times=TIMES, zeros=ZEROS):
    panel = curve_panel(times, zeros, interpolation)
    return weighted_sum(panel, *curve_weights(times, np.atleast_1d(query), interpolation, extrapolation))


@pytest.mark.parametrize(("interpolation", "extrapolation"), SCHEMES)
def test_zero_weights__give_the_node_values_at_the_nodes_in_bits(interpolation, extrapolation):
    np.testing.assert_array_equal(zero_rate(TIMES, interpolation, extrapolation), ZEROS)


def test_zero_weights__linear_zero_is_numpys_linear_interpolation():
    query = np.linspace(0.01, 12.0, 300)
    for state in range(2):
        expected = np.interp(query, TIMES, ZEROS[:, state])
        np.testing.assert_allclose(zero_rate(query, "linear_zero")[:, state], expected, rtol=0, atol=1e-16)


def test_curve_weights__log_linear_discount_is_linear_in_the_log_discount_factor():
    query = np.linspace(0.0, 10.0, 300)
    for state in range(2):
        expected = np.interp(query, [0.0, *TIMES], [0.0, *(-TIMES * ZEROS[:, state])])
        np.testing.assert_allclose(log_discount(query, "log_linear_discount")[:, state], expected, rtol=0, atol=1e-15)


@given(st.lists(st.integers(-1000, 3000).map(lambda points: points / 1e4), min_size=3, max_size=9))
def test_curve_panel__slopes_are_those_of_scipys_pchip(rates):
    times, zeros = np.cumsum(np.arange(1.0, len(rates) + 1)), np.array(rates)[:, None]
    expected = PchipInterpolator(times, zeros[:, 0])
    query = np.linspace(times[0], times[-1], 50)
    values = zero_rate(query, "monotone_cubic", times=times, zeros=zeros)[:, 0]
    np.testing.assert_allclose(values, expected(query), rtol=0, atol=1e-14)


def test_curve_panel__slopes_of_a_state_do_not_depend_on_its_company():
    alone = [curve_panel(TIMES, ZEROS[:, [state]], "monotone_cubic") for state in range(2)]
    np.testing.assert_array_equal(curve_panel(TIMES, ZEROS, "monotone_cubic"), np.concatenate(alone, axis=1))


@pytest.mark.parametrize(("interpolation", "extrapolation"), SCHEMES)
def test_curve_weights__discount_is_one_today_and_before(interpolation, extrapolation):
    np.testing.assert_array_equal(log_discount([0.0, -1.0], interpolation, extrapolation), np.zeros((2, 2)))


@pytest.mark.parametrize(("interpolation", "extrapolation"), SCHEMES)
def test_zero_weights__are_flat_before_the_first_node(interpolation, extrapolation):
    rates = zero_rate([-1.0, 0.0, 0.1], interpolation, extrapolation)
    np.testing.assert_array_equal(rates, np.repeat(ZEROS[:1], 3, axis=0))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_curve_weights__flat_zero_keeps_the_last_zero_rate(interpolation):
    np.testing.assert_allclose(log_discount(40.0, interpolation)[0], -40.0 * ZEROS[-1], rtol=1e-15)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_curve_weights__flat_forward_keeps_the_last_forward_rate(interpolation):
    inside, last = log_discount(np.array([10.0 - 1e-6, 10.0]), interpolation)
    forward = -(last - inside) / 1e-6
    expected = last - forward * 20.0
    np.testing.assert_allclose(log_discount(30.0, interpolation, "flat_forward")[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("interpolation", "extrapolation"), SCHEMES)
def test_curve_weights__of_one_node_are_flat(interpolation, extrapolation):
    one = {"times": np.array([2.0]), "zeros": np.array([[0.03]])}
    np.testing.assert_array_equal(zero_rate([0.5, 2.0, 9.0], interpolation, extrapolation, **one), [[0.03]] * 3)
    np.testing.assert_allclose(log_discount([9.0], interpolation, extrapolation, **one), [[-0.27]], rtol=1e-15)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_curve_weights__a_node_that_is_not_needed_may_be_nan(interpolation):
    zeros = np.array([[0.01], [0.02], [np.nan]])
    times = np.array([1.0, 2.0, 3.0])
    at_node = log_discount([1.0], interpolation, times=times, zeros=zeros)
    np.testing.assert_array_equal(at_node, [[-0.01]])
    assert np.isnan(log_discount([2.5], interpolation, times=times, zeros=zeros)).all()


def test_price_weights__are_linear_inside_and_flat_outside():
    prices = np.array([[50.0], [60.0], [58.0]])
    index, weight = price_weights(np.array([0.0, 0.5, 1.0]), np.array([-1.0, 0.0, 0.25, 0.5, 3.0]))
    assert index.dtype == np.int32
    np.testing.assert_array_equal(weighted_sum(prices, index, weight)[:, 0], [50.0, 50.0, 55.0, 60.0, 58.0])


def test_price_weights__of_one_node_are_flat():
    index, weight = price_weights(np.array([0.0]), np.array([0.0, 2.0]))
    np.testing.assert_array_equal(weighted_sum(np.array([[-36.98]]), index, weight), [[-36.98], [-36.98]])


@pytest.mark.parametrize("times", [[], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [np.nan]])
def test_zero_weights__refuse_times_that_do_not_increase(times):
    with pytest.raises(BadMarket, match="one or more, increasing, above 0"):
        zero_weights(np.array(times), np.array([1.0]), "linear_zero", "flat_zero")


def test_zero_weights__list_the_schemes():
    with pytest.raises(UnknownName, match=r"unknown interpolation 'cubic'.*'monotone_cubic'"):
        zero_weights(TIMES, TIMES, "cubic", "flat_zero")
    with pytest.raises(UnknownName, match=r"unknown extrapolation 'flat'.*'flat_zero'"):
        zero_weights(TIMES, TIMES, "linear_zero", "flat")
