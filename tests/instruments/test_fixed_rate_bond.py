import itertools

import numpy as np
import pytest

from riskgrid.schema import Status
from tests.instruments.oracle import (
    CALENDAR,
    CURVES,
    DAY_COUNTS,
    TODAY,
    assert_close,
    curve,
    date_of,
    day,
    quote,
    snapshot,
)

ql = pytest.importorskip("QuantLib")

SPREADS = {"": 0.0, "ACME": 0.015, "NEST": -0.002}
LEVELS = {"spread:ACME": 0.015, "spread:NEST": -0.002, "fx:EUR": 1.11}
TRADES = 400


def random_bonds(day_count, seed=5):
    """Bonds of up to 30 years, before and after issue, of which most have a short first period."""
    rng = np.random.default_rng(seed)
    issue = TODAY + rng.integers(-7000, 60, TRADES).astype("timedelta64[D]")
    maturity = np.maximum(TODAY, issue) + rng.integers(1, 10957, TRADES).astype("timedelta64[D]")
    month_ends = maturity.astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    maturity[::4] = np.maximum(month_ends, issue + np.timedelta64(40, "D"))[::4]
    return {
        "currency": "USD",
        "notional": rng.choice([100.0, 1e6, 1e12], TRADES),
        "coupon": rng.choice([0.0, 0.02, 0.1, -0.003], TRADES),
        "issue": issue,
        "maturity": maturity,
        "payments_per_year": rng.choice([1, 2, 3, 4, 6, 12], TRADES),
        "day_count": day_count,
        "calendar": "TARGET",
        "issuer": rng.choice(list(SPREADS), TRADES),
        "settlement_lag": rng.integers(0, 4, TRADES),
        "quantity": rng.choice([1.0, -1.0], TRADES),
    }


def bond_of(trades, row, day_count=None):
    maturity = trades["maturity"][row]
    at_month_end = (maturity + np.timedelta64(1, "D")).astype("datetime64[M]") != maturity.astype("datetime64[M]")
    schedule = ql.Schedule(
        date_of(trades["issue"][row]),
        date_of(maturity),
        ql.Period(int(12 // trades["payments_per_year"][row]), ql.Months),
        CALENDAR,
        ql.Unadjusted,
        ql.Unadjusted,
        ql.DateGeneration.Backward,
        bool(at_month_end),
    )
    return ql.FixedRateBond(
        int(trades["settlement_lag"][row]),
        float(trades["notional"][row]),
        schedule,
        [float(trades["coupon"][row])],
        day_count if day_count is not None else DAY_COUNTS[trades["day_count"]](),
        ql.Following,
        100.0,
        ql.Date(),  # with an issue date QuantLib settles a bond not before it
        CALENDAR,
    )


def engine_of(issuer, nodes=CURVES["USD"], schemes=("linear_zero", "flat_zero")):
    rates = curve(nodes, schemes=schemes)
    if issuer:
        made = ql.ZeroSpreadedTermStructure(rates, quote(SPREADS[issuer]), ql.Continuous, ql.NoFrequency)
        made.enableExtrapolation()
        rates = ql.YieldTermStructureHandle(made)
    return ql.DiscountingBondEngine(rates)


def dirty(trades, row, engines, day_count=None):
    bond = bond_of(trades, row, day_count)
    bond.setPricingEngine(engines[str(trades["issuer"][row])])
    return bond.settlementValue() * trades["quantity"][row]


@pytest.mark.parametrize("day_count", DAY_COUNTS)
@pytest.mark.parametrize("nodes", [CURVES["USD"], CURVES["EUR"]], ids=["sloped", "negative"])
def test_value__is_the_settlement_value_of_quantlib(value, day_count, nodes):
    trades = random_bonds(day_count)
    found = value("fixed_rate_bond", trades, snapshot(LEVELS, curves={"USD": nodes}))
    engines = {issuer: engine_of(issuer, nodes) for issuer in SPREADS}
    assert not found.problems
    expected = [dirty(trades, row, engines) for row in range(TRADES)]
    # with ten coupons of 10 % above a curve near 0 the value is four times the notional
    assert_close(found.base, expected, trades["notional"])


def test_value__of_30e_360_isda_knows_the_termination_date(value):
    trades = random_bonds("30E/360 ISDA", seed=6)
    found = value("fixed_rate_bond", trades, snapshot(LEVELS))
    engines = {issuer: engine_of(issuer) for issuer in SPREADS}
    counts = [ql.Thirty360(ql.Thirty360.ISDA, date_of(maturity)) for maturity in trades["maturity"]]
    expected = [dirty(trades, row, engines, counts[row]) for row in range(TRADES)]
    assert_close(found.base, expected, trades["notional"])


@pytest.mark.parametrize("schemes", [("log_linear_discount", "flat_forward"), ("linear_zero", "flat_forward")])
def test_value__follows_the_interpolation_and_the_extrapolation_of_the_curve(value, schemes):
    trades = random_bonds("ACT/ACT ICMA", seed=7)
    short = {365: 0.01, 1825: 0.02, 2555: 0.018}
    found = value("fixed_rate_bond", trades, snapshot(LEVELS, curves={"USD": short}, schemes=schemes))
    engines = {issuer: engine_of(issuer, short, schemes) for issuer in SPREADS}
    assert_close(found.base, [dirty(trades, row, engines) for row in range(TRADES)], trades["notional"])


def test_value__less_accrued_interest_is_the_clean_price_of_quantlib(value):
    trades = {**random_bonds("ACT/ACT ICMA", seed=8), "quantity": 1.0, "notional": np.full(TRADES, 100.0)}
    found = value("fixed_rate_bond", trades, snapshot(LEVELS))
    engines = {issuer: engine_of(issuer) for issuer in SPREADS}
    clean, accrued = np.zeros((2, TRADES))
    for row in range(TRADES):
        bond = bond_of(trades, row)
        bond.setPricingEngine(engines[str(trades["issuer"][row])])
        clean[row], accrued[row] = bond.cleanPrice(), bond.accruedAmount()
    assert (accrued > 0.1).sum() > TRADES / 4
    assert_close(found.base - accrued, clean, 100.0)


def test_value__is_converted_and_discounted_in_the_bonds_own_currency(value):
    trades = {**random_bonds("ACT/360", seed=9), "issuer": np.full(TRADES, "")}
    found = value("fixed_rate_bond", {**trades, "currency": "EUR"}, snapshot(LEVELS))
    engines = {"": engine_of("", CURVES["EUR"])}
    expected = [1.11 * dirty(trades, row, engines) for row in range(TRADES)]
    assert_close(found.base, expected, 1.11 * trades["notional"])


@pytest.mark.parametrize("lag", [0, 1, 2, 5])
def test_value__leaves_out_flows_up_to_the_settlement_date(value, lag):
    """The last coupon and the face are paid so many days ahead; what is paid on the settlement date is not sold."""
    days = list(range(1, 15))
    trades = {
        "currency": "USD",
        "notional": np.full(14, 1.0),
        "coupon": np.full(14, 0.04),
        "issue": np.full(14, np.datetime64("2015-01-01")),
        "maturity": np.array([day(d) for d in days]),
        "payments_per_year": np.full(14, 1),
        "day_count": "30/360",
        "calendar": "weekends",
        "issuer": np.full(14, ""),
        "settlement_lag": np.full(14, lag),
        "quantity": np.ones(14),
    }
    found = value("fixed_rate_bond", trades, snapshot())
    settled = np.busday_offset(TODAY, lag, roll="following")
    paid = np.busday_offset(trades["maturity"], 0, roll="following")
    np.testing.assert_array_equal(found.base > 0.0, paid > settled)


@pytest.mark.parametrize("days", [-500, -1, 0])
def test_value__is_nothing_from_the_maturity_on(value, days):
    trades = {k: v[:3] if isinstance(v, np.ndarray) else v for k, v in random_bonds("30/360").items()}
    trades |= {"issue": [np.datetime64("2010-01-01")] * 3, "maturity": [day(days)] * 3, "settlement_lag": 0}
    found = value("fixed_rate_bond", trades, snapshot(LEVELS))
    np.testing.assert_array_equal(found.base, 0.0)
    assert (found.status == Status.EXPIRED).all()


def test_value__of_an_issuer_without_spread_says_so(value):
    trades = {k: v[:3] if isinstance(v, np.ndarray) else v for k, v in random_bonds("30/360").items()}
    found = value("fixed_rate_bond", {**trades, "issuer": ["", "GHOST", "ACME"]}, snapshot(LEVELS))
    assert found.problems == {1: "no issuer spread 'spread:GHOST'; known: 'spread:ACME', 'spread:NEST'"}
    assert np.isfinite(found.base[[0, 2]]).all()


def test_value__on_an_unknown_calendar_says_so(value):
    trades = {k: v[:2] if isinstance(v, np.ndarray) else v for k, v in random_bonds("30/360").items()}
    found = value("fixed_rate_bond", {**trades, "calendar": ["TARGET", "MARS"]}, snapshot(LEVELS))
    assert found.problems == {1: "no calendar 'calendar:MARS'; known: 'calendar:TARGET'"}
    assert np.isfinite(found.base[0])


def test_value__every_day_count_stands_beside_every_other_in_one_block(value):
    names = list(itertools.islice(itertools.cycle(DAY_COUNTS), TRADES))
    mixed = value("fixed_rate_bond", random_bonds(names), snapshot(LEVELS))
    for name in DAY_COUNTS:
        alone = value("fixed_rate_bond", random_bonds(name), snapshot(LEVELS))
        here = np.array(names) == name
        np.testing.assert_array_equal(mixed.base[here], alone.base[here])
