import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.market.bootstrap import bootstrap_par, calibrate, par_quotes
from riskgrid.market.curves import INTERPOLATIONS

MONTHS = np.array([1, 3, 6, 12, 24, 36, 60, 84, 120, 240, 360])
TIMES = MONTHS / 12
SHAPES = {
    "zero": np.zeros(11),
    "flat": np.full(11, 0.03),
    "steep": np.linspace(0.001, 0.06, 11),
    "inverted": np.linspace(0.08, 0.02, 11),
    "negative": np.linspace(-0.009, -0.001, 11),
    "through_zero": np.linspace(-0.02, 0.03, 11),
    "humped": 0.02 + 0.02 * np.sin(np.arange(11.0)),
}


def quotes_of(*shapes):
    return np.stack([SHAPES[shape] for shape in shapes], axis=1)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("payments_per_year", [1, 2, 4, 12])
@pytest.mark.parametrize("simple_up_to", [0.0, 0.5, 1.0])
def test_bootstrap_par__reprices_every_quote_of_every_shape(interpolation, payments_per_year, simple_up_to):
    terms = {"interpolation": interpolation, "payments_per_year": payments_per_year, "simple_up_to": simple_up_to}
    quotes = quotes_of(*SHAPES)
    zeros = bootstrap_par(TIMES, quotes, **terms)
    np.testing.assert_allclose(par_quotes(TIMES, zeros, **terms), quotes, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-0.01, 0.06), min_size=4, max_size=4),
    st.lists(st.sampled_from([1, 2, 3, 5, 6, 9, 12, 15, 18, 30, 60, 100]), min_size=4, max_size=4, unique=True),
    st.sampled_from(INTERPOLATIONS),
)
def test_bootstrap_par__reprices_at_tenors_that_are_no_multiple_of_the_coupon_period(rates, months, interpolation):
    times, quotes = np.array(sorted(months)) / 12, np.array(rates)[:, None]
    zeros = bootstrap_par(times, quotes, interpolation=interpolation)
    repriced = par_quotes(times, zeros, interpolation=interpolation)
    np.testing.assert_allclose(repriced, quotes, rtol=0, atol=1e-12)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_bootstrap_par__bits_of_a_state_do_not_depend_on_its_company(interpolation):
    random = np.random.default_rng(7)
    quotes = quotes_of("steep", "inverted", "zero")[:, random.integers(0, 3, 37)]
    quotes = quotes + random.normal(0.0, 0.003, (11, 37)) + random.normal(0.0, 0.01, 37)
    quotes[4, 5], quotes[10, 9] = np.nan, 5.0
    together = bootstrap_par(TIMES, quotes, interpolation=interpolation)
    alone = [bootstrap_par(TIMES, quotes[:, [state]], interpolation=interpolation) for state in range(37)]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
    np.testing.assert_array_equal(together[:, ::-3], bootstrap_par(TIMES, quotes[:, ::-3], interpolation=interpolation))


@pytest.mark.parametrize("interpolation", ["linear_zero", "log_linear_discount"])
def test_bootstrap_par__nan_quote_leaves_nan_from_its_node_on_in_its_own_state(interpolation):
    quotes = quotes_of("flat", "flat", "steep")
    whole = bootstrap_par(TIMES, quotes, interpolation=interpolation)
    quotes[6, 1] = np.nan
    zeros = bootstrap_par(TIMES, quotes, interpolation=interpolation)
    np.testing.assert_array_equal(zeros[:, [0, 2]], whole[:, [0, 2]])
    np.testing.assert_array_equal(zeros[:6, 1], whole[:6, 1])
    assert np.isnan(zeros[6:, 1]).all()


def test_bootstrap_par__nan_quote_takes_a_monotone_cubic_state_whole():
    quotes = quotes_of("flat", "steep")
    whole = bootstrap_par(TIMES, quotes, interpolation="monotone_cubic")
    quotes[6, 0] = np.nan
    zeros = bootstrap_par(TIMES, quotes, interpolation="monotone_cubic")
    assert np.isnan(zeros[:, 0]).all()
    np.testing.assert_array_equal(zeros[:, 1], whole[:, 1])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_bootstrap_par__coupons_worth_more_than_par_leave_nan(interpolation):
    # 30 years of 15 % coupons discounted at 0 to 1 % up to 20 years are worth more than 1 whatever comes last
    quotes = quotes_of("flat", "flat")
    quotes[:10, 1], quotes[10, 1] = 0.01, 0.15
    zeros = bootstrap_par(TIMES, quotes, interpolation=interpolation)
    assert np.isnan(zeros[10, 1])
    assert np.isfinite(zeros[:, 0]).all()


def test_bootstrap_par__simple_quotes_are_bills():
    quotes = np.array([[0.02, -0.01, -30.0]])
    zeros = bootstrap_par(np.array([0.25]), quotes, interpolation="linear_zero")
    np.testing.assert_allclose(np.exp(-0.25 * zeros[0, :2]), 1.0 / (1.0 + 0.25 * quotes[0, :2]), rtol=1e-15)
    assert np.isnan(zeros[0, 2])  # 1 + q t is below zero


def test_bootstrap_par__a_lone_bond_is_flat():
    zeros = bootstrap_par(np.array([10.0]), np.array([[0.05]]), interpolation="log_linear_discount")
    np.testing.assert_allclose(zeros, 2.0 * np.log(1.025), rtol=1e-14)


def test_bootstrap_par__no_states_give_no_zeros():
    assert bootstrap_par(TIMES, np.empty((11, 0)), interpolation="monotone_cubic").shape == (11, 0)


@pytest.mark.parametrize(
    ("interpolation", "curve"),
    [("linear_zero", ql.PiecewiseLinearZero), ("log_linear_discount", ql.PiecewiseLogLinearDiscount)],
)
@pytest.mark.parametrize("shape", ["flat", "steep", "inverted", "negative", "humped"])
def test_bootstrap_par__agrees_with_quantlib_on_the_same_instruments(interpolation, curve, shape):
    zeros = bootstrap_par(TIMES, quotes_of(shape), interpolation=interpolation)[:, 0]
    np.testing.assert_allclose(zeros, quantlib_zeros(curve, SHAPES[shape]), rtol=0, atol=1e-10)


def quantlib_zeros(curve, quotes):
    """Zero rates where 30/360 from the first of January makes every tenor its nominal years."""
    today, before = ql.Date(1, 1, 2020), ql.Settings.instance().evaluationDate
    ql.Settings.instance().evaluationDate = today
    count, calendar = ql.Thirty360(ql.Thirty360.BondBasis), ql.NullCalendar()
    instruments = []
    for months, quote in zip(MONTHS.tolist(), quotes.tolist(), strict=True):
        tenor, rate = ql.Period(months, ql.Months), ql.QuoteHandle(ql.SimpleQuote(quote))
        if months <= 6:
            instruments.append(ql.DepositRateHelper(rate, tenor, 0, calendar, ql.Unadjusted, False, count))
            continue
        rule = ql.DateGeneration.Backward
        dates = ql.Schedule(
            today, today + tenor, ql.Period(6, ql.Months), calendar, ql.Unadjusted, ql.Unadjusted, rule, False
        )
        par = ql.QuoteHandle(ql.SimpleQuote(100.0))
        instruments.append(ql.FixedRateBondHelper(par, 0, 100.0, dates, [quote], count, ql.Unadjusted, 100.0, today))
    built = curve(today, instruments, count)
    ends = [today + ql.Period(months, ql.Months) for months in MONTHS.tolist()]
    found = [built.zeroRate(end, count, ql.Continuous).rate() for end in ends]
    ql.Settings.instance().evaluationDate = before
    return found


def test_calibrate__follows_the_conventions():
    terms = {"quotes": "par", "payments_per_year": 4, "simple_up_to": "3M", "interpolation": "log_linear_discount"}
    quotes = quotes_of("steep")
    expected = bootstrap_par(TIMES, quotes, payments_per_year=4, simple_up_to=0.25, interpolation="log_linear_discount")
    np.testing.assert_array_equal(calibrate(TIMES, quotes, terms), expected)
    np.testing.assert_array_equal(calibrate(TIMES, quotes, {"quotes": "zero"}), quotes)


def test_bootstrap_par__names_what_is_wrong():
    with pytest.raises(BadMarket, match=r"11 nodes has numbers of shape \(10, 2\); \(node, state\) is right"):
        bootstrap_par(TIMES, np.zeros((10, 2)), interpolation="linear_zero")
    with pytest.raises(BadMarket, match="pay 5 times a year"):
        bootstrap_par(TIMES, quotes_of("flat"), payments_per_year=5, interpolation="linear_zero")
    with pytest.raises(UnknownName, match="unknown interpolation 'spline'"):
        bootstrap_par(TIMES, quotes_of("flat"), interpolation="spline")
