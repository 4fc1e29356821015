import dataclasses

import numpy as np
import pytest

from riskgrid.market.objects import Fixings
from riskgrid.market.rates import published_fixings
from riskgrid.market.states import MarketStates
from riskgrid.market.view import Market
from riskgrid.program import Program
from riskgrid.scenarios.set import shifts
from riskgrid.terms import Names
from tests.instruments.oracle import CALENDAR, CURVES, TODAY, curve, date_of, day, snapshot

ql = pytest.importorskip("QuantLib")

BASE = shifts([], [], 1.0, 0.0, name="base", kind="test", provenance={})
SERIES = [
    Fixings(np.array(["2016-06-01", "2016-06-03"], "datetime64[D]"), np.array([0.01, 0.03])),
    Fixings(np.array(["2016-06-02"], "datetime64[D]"), np.array([0.5])),
]


def view(trades, date=TODAY, **market):
    states = MarketStates(snapshot(**market), BASE)
    return Market(states, trades, base_date=TODAY, date=date)


def numbers(quantity, trades):
    return np.array(Program(quantity, trades).replay(slice(0, 1)))[:, 0]


def test_published_fixings__are_found_by_exact_date_in_the_trades_own_series():
    dates = np.array(
        ["2016-05-31", "2016-06-01", "2016-06-02", "2016-06-03", "2016-06-04", "2016-06-02"], "datetime64[D]"
    )
    found = published_fixings(SERIES, np.array([0, 0, 0, 0, 0, 1]), dates)
    np.testing.assert_array_equal(found, [np.nan, 0.01, np.nan, 0.03, np.nan, 0.5])


def test_published_fixings__of_no_series_are_none():
    found = published_fixings([], np.array([-1, -1]), np.array(["2016-06-01", "2016-06-02"], "datetime64[D]"))
    assert np.isnan(found).all()


@pytest.mark.parametrize("scheme", [("linear_zero", "flat_zero"), ("log_linear_discount", "flat_forward")])
@pytest.mark.parametrize("trades", [3, 200])
def test_forward_rate__is_that_of_quantlib(scheme, trades):
    rng = np.random.default_rng(4)
    start = TODAY + rng.integers(1, 10000, trades).astype("timedelta64[D]")
    end = start + rng.integers(1, 4000, trades).astype("timedelta64[D]")
    asked = view(trades, schemes=scheme).forward_rate(
        Names(np.zeros((1, 1), np.int32), ("USD-3M",)), start.reshape(-1, 1), end.reshape(-1, 1)
    )
    projection = curve(CURVES["PROJECTION"], schemes=scheme)
    expected = [
        projection.forwardRate(date_of(a), date_of(b), ql.Actual360(), ql.Simple).rate()
        for a, b in zip(start, end, strict=True)
    ]
    years = (end - start).astype(int) / 360.0
    # a rate over a day is a difference of discount factors of one ulp each, over 1/360 of a year
    assert (np.abs(numbers(asked, trades) - expected) <= 1e-15 * np.maximum(1.0, 1.0 / years)).all()


def leg(market, start, end, **options):
    trades = len(start)
    frequency = np.full((trades, 1), 4)
    flows = market.schedule(start, end, frequency, Names(np.zeros((1, 1), np.int32), ("TARGET",)), roll="following")
    accrual = flows.accrual("ACT/360")
    index = Names(np.zeros((1, 1), np.int32), ("USD-3M",))
    return market.floating_value(index, Names(np.zeros((1, 1), np.int32), ("USD",)), flows, accrual, **options)


def test_floating_value__of_one_curve_is_the_difference_of_two_discount_factors():
    """Without a spread, and where rates are projected on the curve that discounts, the sum telescopes."""
    start, end = (np.array([[day(a)], [day(b)]]) for a, b in ((12, 40), (12 + 3650, 400)))
    market = view(2, curves={"USD": CURVES["USD"]})
    found = numbers(leg(market, start, end), 2)
    rates = curve(CURVES["USD"])
    for row in range(2):
        first, last = (CALENDAR.adjust(date_of(date[row, 0])) for date in (start, end))
        assert found[row] == pytest.approx(rates.discount(first) - rates.discount(last), abs=1e-14)


def test_floating_value__a_spread_is_an_annuity():
    start, end = np.array([[day(12)]]), np.array([[day(2000)]])
    plain, more = (numbers(leg(view(1), start, end, spread=spread), 1)[0] for spread in (0.0, np.array([[0.02]])))
    market = view(1)
    calendar = Names(np.zeros((1, 1), np.int32), ("TARGET",))
    flows = market.schedule(start, end, np.array([[4]]), calendar, roll="following")
    annuity = market.present_value(Names(np.zeros((1, 1), np.int32), ("USD",)), flows, flows.accrual("ACT/360"))
    assert more - plain == pytest.approx(0.02 * numbers(annuity, 1)[0], abs=1e-15)


def test_floating_value__a_lost_fixing_is_the_problem_of_its_trade_and_names_the_first_one():
    market = view(3, fixings={"USD-3M": SERIES[0]})
    start, end = np.array([[day(-200)], [day(30)], [day(-20)]]), np.array([[day(500)], [day(500)], [day(800)]])
    leg(market, start, end)
    assert set(market.reading.problems) == {0, 2}
    assert market.reading.problems[2] == "no fixing of index 'USD-3M' on 2016-06-09, which lies in the past"


@pytest.mark.parametrize(("lag", "published"), [(0, "2016-06-13"), (1, "2016-06-10"), (2, "2016-06-09")])
def test_floating_value__a_rate_of_an_unrolled_weekend_start_is_published_on_a_business_day(lag, published):
    """The period starts on Saturday, 11 June; dates are those of QuantLib's advance."""
    start, end = np.array([["2016-06-11"]], "datetime64[D]"), np.array([["2016-09-11"]], "datetime64[D]")
    assert date_of(published) == CALENDAR.advance(date_of(start[0, 0]), -lag, ql.Days)
    index = {"currency": "USD", "curve": "USD", "tenor": "3M", "day_count": "ACT/360", "calendar": "TARGET"}
    fixings = {"USD-3M": Fixings(np.array([published], "datetime64[D]"), np.array([0.2]))}
    market = view(1, fixings=fixings, indices={"USD-3M": {**index, "fixing_lag": lag}})
    calendar, dollar = (Names(np.zeros((1, 1), np.int32), (name,)) for name in ("TARGET", "USD"))
    flows = market.schedule(start, end, np.array([[4]]), calendar)
    value = market.floating_value(
        Names(np.zeros((1, 1), np.int32), ("USD-3M",)), dollar, flows, flows.accrual("ACT/360")
    )
    paid = curve(CURVES["USD"]).discount(ql.Date(12, 9, 2016))
    assert not market.reading.problems
    assert numbers(value, 1)[0] == pytest.approx(0.2 * 92 / 360 * paid, abs=1e-15)


def test_floating_value__on_the_curve_that_discounts_and_the_fixed_leg_read_one_table():
    start, end = (np.array([[day(a)], [day(b)]]) for a, b in ((12, 40), (12 + 3650, 400)))
    market = view(2, curves={"USD": CURVES["USD"]})
    names = [Names(np.zeros((1, 1), np.int32), (name,)) for name in ("TARGET", "USD")]
    flows = market.schedule(start, end, np.full((2, 1), 4), names[0], roll="following")
    market.present_value(names[1], flows, flows.accrual("ACT/360"))
    dates = market.table.quantity.rows
    leg(market, start, end)
    periods = {(a, b) for a, b in zip(flows.schedule.start, flows.schedule.end, strict=True)}
    # of the floating leg only the first days of both trades and the growths are new
    assert market.table.quantity.rows == dates + 2 + len(periods)


def test_floating_value__of_a_rate_that_is_known_reads_no_projection():
    """A projection curve without numbers leaves a trade alone whose only rate is published."""
    published = Fixings(np.array(["2016-06-09"], "datetime64[D]"), np.array([0.01]))
    market = view(2, fixings={"USD-3M": published})
    start, end = np.array([[day(-18)], [day(30)]]), np.array([[day(60)], [day(400)]])
    total = leg(market, start, end)
    projection = market.reading.objects["curve:PROJECTION"]
    broken = {role: market.reading.objects[role] for role in ("discount:USD", "index:USD-3M", "fixing:USD-3M")}
    broken |= {"calendar:TARGET": market.reading.objects["calendar:TARGET"]}
    broken["curve:PROJECTION"] = dataclasses.replace(projection, panel=projection.panel * np.nan)
    found = numbers(leg(Market(broken, 2, base_date=TODAY), start, end), 2)
    assert found[0] == numbers(total, 2)[0] != 0.0
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("date", "known"), [("2016-07-01", 0), ("2016-07-04", 0), ("2016-07-05", 1), ("2016-07-08", 1)]
)
def test_floating_value__a_state_knows_what_is_published_by_its_own_date(date, known):
    """The base, of 2016-07-01, and a state up to the day before do not see the fixing of 2016-07-05."""
    published = Fixings(np.array(["2016-07-05"], "datetime64[D]"), np.array([0.2]))
    index = {"currency": "USD", "curve": "USD", "tenor": "3M", "day_count": "ACT/360", "calendar": "TARGET"}
    start, end = np.array([["2016-07-05"]], "datetime64[D]"), np.array([["2016-10-05"]], "datetime64[D]")
    found = []
    for fixings in ({}, {"USD-3M": published}):
        market = view(1, np.datetime64(date), fixings=fixings, indices={"USD-3M": {**index, "fixing_lag": 0}})
        found.append(numbers(leg(market, start, end), 1)[0])
        assert not market.reading.problems
    zero = np.interp(96.0, *map(list, zip(*CURVES["USD"].items(), strict=True)))
    paid = np.exp(-zero * (np.datetime64("2016-10-05") - np.datetime64(date)).astype(int) / 365.0)
    assert abs(found[0]) < 0.01
    if known:
        assert found[1] == pytest.approx(0.2 * 92 / 360 * paid, rel=2e-3)  # a zero rate of some days later or earlier
    else:
        assert found[1] == found[0]
