"""States that lie later than the valuation date: what was settled in between is cash, carried at the base curve."""

import numpy as np
import pytest

from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios.set import shifts
from tests.instruments.oracle import CURVES, HOLIDAYS, TODAY, curve, date_of, day, snapshot

TICK = 2.0**-20
RATE = 0.03
AHEAD = (1, 2, 10, 31, 90, 184, 200, 366, 800, 4000)


def at_dates(days, factors=(), scale=1.0):
    """Scenarios with the same shifts, so many days ahead."""
    labels, dates = (
        [f"{row}: in {count} days" for row, count in enumerate(days)],
        np.array([day(count) for count in days]),
    )
    return shifts(labels, list(factors), scale, 0.0, name="ahead", kind="test", provenance={}, date=dates)


def growth(days, nodes=CURVES["USD"], start=0):
    """What one unit grows to between two days at the base curve."""
    rates = curve(nodes)
    return rates.discount(date_of(day(start))) / rates.discount(date_of(day(days)))


FLAT = {"USD": {365: RATE}, "PROJECTION": {365: RATE}, "EUR": {365: RATE}}
DETERMINISTIC = {
    "fixed_rate_bond": {
        "currency": "USD",
        "notional": 100.0,
        "coupon": [0.05, 0.0, 0.01],
        "issue": "2014-02-10",
        "maturity": ["2030-07-10", "2016-09-09", "2018-01-05"],
        "payments_per_year": [2, 1, 12],
        "day_count": "30/360",
        "calendar": "TARGET",
    },
    "interest_rate_swap": {
        "currency": "USD",
        "side": ["pay", "receive", "pay"],
        "notional": 100.0,
        "fixed_rate": 0.02,
        "index": "USD-3M",
        "start": ["2016-05-10", "2016-07-15", "2017-01-31"],
        "spread": [0.0, 0.01, 0.0],
        "maturity": ["2018-05-10", "2026-07-15", "2017-09-30"],
        "payment_lag": [0, 2, 1],
        "calendar": "TARGET",
        **{f"{leg}_payments_per_year": 4 for leg in ("fixed", "floating")},
        **{f"{leg}_day_count": "ACT/360" for leg in ("fixed", "floating")},
    },
    "fx_forward": {
        "bought": ["EUR", "USD", "EUR"],
        "sold": ["USD", "EUR", "USD"],
        "notional": 100.0,
        "rate": [1.0, 1.0, 1.3],
        "maturity": [day(1), day(100), day(5000)],
    },
    "commodity_forward": {
        "commodity": "WTI",
        "currency": "USD",
        "lot": 2.0,
        "price": [40.0, 50.0, 60.0],
        "delivery": [day(1), day(150), day(900)],
    },
}


@pytest.mark.parametrize("instrument", DETERMINISTIC)
def test_pnl__at_one_flat_rate_that_stays_every_value_grows_at_that_rate(value, instrument):
    """Nothing is lost or found when a coupon, a fixing or a settlement falls between the two dates."""
    fixings = {"USD-3M": Fixings(np.array([np.datetime64("2016-05-06")]), np.array([0.021]))}
    market = snapshot({"fx:EUR": 1.11, "commodity:WTI:0D": 48.0}, curves=FLAT, fixings=fixings)
    found = value(instrument, DETERMINISTIC[instrument], market, at_dates(AHEAD))
    assert not found.problems
    expected = found.base[:, None] * np.expm1(RATE * np.array(AHEAD) / 365.0)
    np.testing.assert_allclose(found.pnl, expected, rtol=0, atol=0.5001 * TICK)


def test_pnl__of_a_bond_with_a_settlement_lag_grows_from_settlement_to_settlement(value):
    trades = {**DETERMINISTIC["fixed_rate_bond"], "settlement_lag": 2}
    found = value("fixed_rate_bond", trades, snapshot(curves=FLAT), at_dates(AHEAD))
    dates = np.array([TODAY, *(day(count) for count in AHEAD)])
    # a state on a holiday settles from the business day before, as QuantLib's calendars count
    settled = np.busday_offset(dates, 2, roll="preceding", holidays=HOLIDAYS)
    days = (settled[1:] - settled[0]).astype(int)
    expected = found.base[:, None] * np.expm1(RATE * days / 365.0)
    np.testing.assert_allclose(found.pnl, expected, rtol=0, atol=0.5001 * TICK)


ALIVE = {
    "equity": {"underlying": ["AAPL"], "currency": "USD"},
    "equity_option": {
        "underlying": "AAPL",
        "currency": "USD",
        "option_type": ["call", "put"],
        "strike": [90.0, 110.0],
        "expiry": [day(400), day(2000)],
    },
    "fx_forward": {"bought": ["EUR"], "sold": "USD", "notional": 100.0, "rate": 1.1, "maturity": day(300)},
    "fx_option": {
        "call_currency": ["EUR", "USD"],
        "put_currency": ["USD", "EUR"],
        "notional": 100.0,
        "strike": [1.1, 0.9],
        "expiry": day(250),
        "delivery": day(252),
        "premium": 2.0,
        "premium_date": [day(-3), day(150)],
    },
    "commodity_forward": {"commodity": ["WTI"], "currency": "USD", "lot": 1.0, "price": 45.0, "delivery": day(300)},
    "commodity_option": {
        "commodity": ["WTI"],
        "currency": "USD",
        "option_type": "put",
        "strike": 50.0,
        "lot": 1.0,
        "expiry": day(300),
        "delivery": day(330),
    },
    "fixed_rate_bond": {
        "currency": "USD",
        "notional": 100.0,
        "coupon": [0.05],
        "issue": "2016-05-10",
        "maturity": "2026-05-11",
        "payments_per_year": 1,
        "day_count": "30/360",
        "calendar": "TARGET",
        "settlement_lag": 2,
    },
}
LEVELS = {
    "fx:EUR": 1.11,
    "equity:AAPL": 95.0,
    "dividend:AAPL": 0.02,
    "commodity:WTI:0D": 48.0,
    "commodity:WTI:365D": 52.0,
    **{
        f"vol:{name}:{t}D:{m}": 0.2 + 0.3 * (1 - float(m))
        for name in ("AAPL", "EURUSD", "WTI")
        for t in (91, 730)
        for m in ("0.80", "1.20")
    },
}


@pytest.mark.parametrize("instrument", ALIVE)
@pytest.mark.parametrize("days", [1, 45, 100])
def test_pnl__before_anything_is_settled_is_a_base_valuation_on_the_later_date(value, instrument, days):
    market = snapshot(LEVELS)
    later = MarketSnapshot(day(days), "USD", market.factors, market.levels, market.conventions, {}, {})
    found = value(instrument, ALIVE[instrument], market, at_dates([days]))
    moved = value(instrument, ALIVE[instrument], later)
    expected = np.rint((moved.base - found.base) * 2.0**20)
    np.testing.assert_array_equal(found.ticks[:, 0], expected)
    assert instrument == "equity" or (found.ticks != 0).all()


def test_pnl__states_of_many_dates_stand_in_any_order(value):
    market = snapshot(LEVELS)
    for instrument, trades in ALIVE.items():
        days = [100, 0, 45, 100, 1, 0, 45]
        found = value(instrument, trades, market, at_dates(days, ["fx:EUR"], np.linspace(0.9, 1.1, 7)[:, None]))
        for column, count in enumerate(days):
            scale = np.linspace(0.9, 1.1, 7)[column]
            one = value(instrument, trades, market, at_dates([count], ["fx:EUR"], scale))
            np.testing.assert_array_equal(found.ticks[:, column], one.ticks[:, 0])


@pytest.mark.parametrize("instrument", ["equity_option", "commodity_option", "fx_option"])
@pytest.mark.parametrize("move", [0.5, 1.0, 1.3])
def test_pnl__of_an_option_that_expired_in_between_is_its_payoff_at_the_states_spot_as_cash(value, instrument, move):
    later, expired, kinds = 120, 60, ["call", "put", "call"]
    factor, spot, terms = {
        "equity_option": ("equity:AAPL", 95.0, {"underlying": "AAPL", "currency": "USD", "option_type": kinds}),
        "commodity_option": (
            "commodity:WTI:0D",
            48.0,
            {"commodity": "WTI", "currency": "USD", "option_type": kinds, "lot": 1.0},
        ),
        "fx_option": ("fx:EUR", 1.11, {"call_currency": ["EUR"] * 3, "put_currency": "USD", "notional": 1.0}),
    }[instrument]
    kinds = kinds if instrument != "fx_option" else ["call"] * 3
    strike = spot * np.array([0.9, 1.1, 2.0])
    scenarios = at_dates([later], [factor], move)
    found = value(instrument, {**terms, "strike": strike, "expiry": day(expired)}, snapshot(LEVELS), scenarios)
    sign = np.array([1.0 if kind == "call" else -1.0 for kind in kinds])
    payoff = np.maximum(sign * (spot * move - strike), 0.0) * growth(later, start=expired)
    np.testing.assert_allclose(found.base + found.pnl[:, 0], payoff, rtol=0, atol=0.51 * TICK)


def test_pnl__of_an_fx_forward_that_matured_in_between_is_both_sums_carried_at_their_own_rates(value):
    trades = {"bought": ["EUR"], "sold": "USD", "notional": 100.0, "rate": 1.05, "maturity": day(40)}
    found = value("fx_forward", trades, snapshot(LEVELS), at_dates([40, 41, 300], ["fx:EUR"], 1.2))
    for column, days in enumerate((40, 41, 300)):
        euros, dollars = 100.0 * growth(days, CURVES["EUR"], 40), 105.0 * growth(days, start=40)
        expected = euros * 1.11 * 1.2 - dollars
        assert found.base[0] + found.pnl[0, column] == pytest.approx(expected, abs=0.51 * TICK)


def test_pnl__of_a_bond_holds_the_coupon_that_was_paid_in_between(value):
    """The coupon is carried at the base curve even where the state's own curve has moved."""
    trades = {
        "currency": "USD",
        "notional": [100.0],
        "coupon": 0.06,
        "issue": "2014-10-03",
        "maturity": "2018-10-03",
        "payments_per_year": 1,
        "day_count": "30/360",
        "calendar": "weekends",
    }
    paid, later = 94, 200  # Monday, 3 October 2016
    assert day(paid) == np.datetime64("2016-10-03")
    factors = [f"zero:USD:{count}D" for count in CURVES["USD"]]
    ahead = shifts(["ahead"], factors, 1.0, 0.01, name="ahead", kind="test", provenance={}, date=[day(later)])
    found = value("fixed_rate_bond", trades, snapshot(), ahead)
    moved = {count: rate + 0.01 for count, rate in CURVES["USD"].items()}
    alone = value("fixed_rate_bond", trades, snapshot(date=day(later), curves={"USD": moved}))
    expected = alone.base[0] + 6.0 * growth(later, start=paid)
    assert found.base[0] + found.pnl[0, 0] == pytest.approx(expected, abs=0.51 * TICK)


def test_pnl__of_a_premium_that_fell_due_in_between_is_a_debt_carried_at_its_own_rate(value):
    option = {"call_currency": ["EUR"], "put_currency": "USD", "notional": 100.0, "strike": 1.1, "expiry": day(500)}
    owing = {**option, "premium": 3.0, "premium_currency": "EUR", "premium_date": day(20)}
    scenarios = at_dates([10, 20, 300], ["fx:EUR"], 0.9)
    without, found = (value("fx_option", trades, snapshot(LEVELS), scenarios) for trades in (option, owing))
    owed = (without.base + without.pnl[0]) - (found.base + found.pnl[0])
    sums = [1 / growth(10, CURVES["EUR"]), 1.0, growth(300, CURVES["EUR"], 20)]
    sums[0] = curve(CURVES["EUR"], date=day(10)).discount(date_of(day(20)))  # the same zero rates, ten days on
    np.testing.assert_allclose(owed, 3.0 * 1.11 * 0.9 * np.array(sums), rtol=0, atol=1.01 * TICK)


def test_pnl__of_a_rate_that_fixed_in_between_is_the_forward_of_the_base_curve(value):
    trades = {
        "currency": "USD",
        "side": "pay",
        "notional": [100.0],
        "fixed_rate": 0.0,
        "index": "USD-3M",
        "start": "2016-08-01",
        "maturity": "2017-02-01",
        "calendar": "weekends",
        "roll": "unadjusted",
        "fixed_payments_per_year": 1,
        "fixed_day_count": "30/360",
        "floating_payments_per_year": 4,
        "floating_day_count": "ACT/360",
    }
    indices = {"USD-3M": {"currency": "USD", "curve": "PROJECTION", "tenor": "3M", "day_count": "ACT/360"}}
    later = 60  # 30 August: the first period is running, the second not yet fixed
    factors = [f"zero:PROJECTION:{count}D" for count in CURVES["PROJECTION"]]
    ahead = shifts(["ahead"], factors, 1.0, 0.01, name="ahead", kind="test", provenance={}, date=[day(later)])
    found = value("interest_rate_swap", trades, snapshot(indices=indices), ahead)
    starts = [np.datetime64(text) for text in ("2016-08-01", "2016-11-01", "2017-02-01")]
    base, moved = curve(CURVES["PROJECTION"]), {count: rate + 0.01 for count, rate in CURVES["PROJECTION"].items()}
    state, discount = curve(moved, date=day(later)), curve(CURVES["USD"], date=day(later))
    first = base.discount(date_of(starts[0])) / base.discount(date_of(starts[1])) - 1.0
    second = state.discount(date_of(starts[1])) / state.discount(date_of(starts[2])) - 1.0
    expected = 100.0 * (first * discount.discount(date_of(starts[1])) + second * discount.discount(date_of(starts[2])))
    assert found.base[0] + found.pnl[0, 0] == pytest.approx(expected, abs=0.51 * TICK)


def test_pnl__of_a_trade_that_expired_before_the_valuation_date_is_nothing(value):
    trades = {"bought": ["EUR"] * 2, "sold": "USD", "notional": 100.0, "rate": 1.1, "maturity": [day(-1), day(0)]}
    found = value("fx_forward", trades, snapshot(LEVELS), at_dates([0, 30], ["fx:EUR"], 1.5))
    np.testing.assert_array_equal(found.base, 0.0)
    np.testing.assert_array_equal(found.pnl, 0.0)


@pytest.mark.parametrize("days", [0, 40, 64, 100])
def test_pnl__of_a_period_that_rolling_left_without_a_day_is_nothing(value, days):
    """The swap ends on a Sunday, a day after its last regular date: both roll to the Monday."""
    trades = {
        "currency": "USD",
        "side": "pay",
        "notional": [100.0],
        "fixed_rate": 0.01,
        "index": "USD-3M",
        "start": "2016-08-03",
        "calendar": "weekends",
        "roll": "following",
        "stub": "short_back",
        "fixed_payments_per_year": 1,
        "fixed_day_count": "30/360",
        "floating_payments_per_year": 12,
        "floating_day_count": "ACT/360",
    }
    market = snapshot()
    rolled = value("interest_rate_swap", {**trades, "maturity": "2016-09-04"}, market, at_dates([days]))
    straight = value("interest_rate_swap", {**trades, "maturity": "2016-09-05"}, market, at_dates([days]))
    assert not rolled.problems
    np.testing.assert_array_equal(rolled.base, straight.base)
    np.testing.assert_array_equal(rolled.ticks, straight.ticks)
