import numpy as np
import pytest

from riskgrid.market.objects import Fixings
from riskgrid.schema import Status
from tests.instruments.oracle import (
    CURVES,
    DAY_COUNTS,
    HOLIDAYS,
    ROLLS,
    TODAY,
    assert_close,
    curve,
    date_of,
    day,
    snapshot,
)
from tests.instruments.swap_oracle import PAST, PUBLISHED, index_of, schedule_of, swap_values

ql = pytest.importorskip("QuantLib")

TRADES = 150
ADJUSTED = [roll for roll in ROLLS if roll != "unadjusted"]
# QuantLib has no reference periods for coupons between rolled dates
COUNTS = [name for name in DAY_COUNTS if name != "ACT/ACT ICMA"]


def some_days(rng, low, high):
    """Days of the month up to the 27th: where the month ends is a test of its own."""
    days = TODAY + rng.integers(low, high, TRADES).astype("timedelta64[D]")
    months = days.astype("datetime64[M]")
    return months.astype("datetime64[D]") + rng.integers(0, 27, TRADES).astype("timedelta64[D]")


def random_swaps(seed=3, **chosen):
    """Swaps that began up to ten years ago or begin within one, of up to 30 years."""
    rng = np.random.default_rng(seed)
    start = some_days(rng, -3000, 365)
    trades = {
        "currency": "USD",
        "side": rng.choice(["pay", "receive"], TRADES),
        "notional": rng.choice([1.0, 1e6, 1e12], TRADES),
        "fixed_rate": rng.choice([0.0, 0.015, 0.06, -0.004], TRADES),
        "index": "USD-3M",
        "start": start,
        "maturity": np.maximum(some_days(rng, 30, 10957), start + np.timedelta64(20, "D")),
        "fixed_payments_per_year": rng.choice([1, 2, 4, 6, 12], TRADES),
        "fixed_day_count": rng.choice(COUNTS, TRADES),
        "floating_payments_per_year": rng.choice([1, 2, 3, 4, 12], TRADES),
        "floating_day_count": rng.choice(COUNTS, TRADES),
        "calendar": "TARGET",
        "spread": rng.choice([0.0, 0.0025, -0.01], TRADES),
        "payment_lag": rng.integers(0, 4, TRADES),
        "roll": rng.choice(ADJUSTED, TRADES),
        "stub": rng.choice(["short_front", "short_back", "long_front", "long_back"], TRADES),
        "quantity": rng.choice([1.0, -2.0], TRADES),
    }
    return trades | chosen


@pytest.fixture(autouse=True)
def _par_coupons():
    before = ql.IborCoupon.usingAtParCoupons()
    ql.IborCoupon.createAtParCoupons()
    yield
    if not before:
        ql.IborCoupon.createIndexedCoupons()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_value__is_that_of_quantlib_on_two_curves_with_past_fixings(value, seed):
    trades = random_swaps(seed)
    found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    assert not found.problems
    assert_close(found.base, swap_values(trades), 2 * trades["notional"])


def test_value__is_that_of_quantlib_below_zero(value):
    trades = random_swaps(6)
    curves = {"USD": CURVES["EUR"], "PROJECTION": CURVES["JPY"]}
    found = value("interest_rate_swap", trades, snapshot(curves=curves, fixings={"USD-3M": PUBLISHED}))
    expected = swap_values(trades, discount=CURVES["EUR"], projection=CURVES["JPY"])
    assert_close(found.base, expected, 2 * trades["notional"])


@pytest.mark.parametrize("side", ["pay", "receive"])
def test_value__is_that_of_quantlibs_vanilla_swap(value, side):
    plain = {"payment_lag": 0, "roll": "modified_following", "stub": "short_front", "side": side, "quantity": 1.0}
    trades = random_swaps(7, **plain)
    defaults = {k: v for k, v in trades.items() if k not in ("payment_lag", "roll", "stub", "quantity")}
    found = value("interest_rate_swap", defaults, snapshot(fixings={"USD-3M": PUBLISHED}))
    index, engine = index_of(curve(CURVES["PROJECTION"])), ql.DiscountingSwapEngine(curve(CURVES["USD"]), False)
    expected = []
    for row in range(TRADES):
        schedules = [
            schedule_of(
                trades["start"][row],
                trades["maturity"][row],
                trades[f"{leg}_payments_per_year"][row],
                ROLLS[roll],
                stub,
            )
            for leg, roll, stub in (
                ("fixed", "modified_following", "short_front"),
                ("floating", "modified_following", "short_front"),
            )
        ]
        swap = ql.VanillaSwap(
            ql.Swap.Payer if side == "pay" else ql.Swap.Receiver,
            float(trades["notional"][row]),
            schedules[0],
            float(trades["fixed_rate"][row]),
            DAY_COUNTS[trades["fixed_day_count"][row]](),
            schedules[1],
            index,
            float(trades["spread"][row]),
            DAY_COUNTS[trades["floating_day_count"][row]](),
        )
        swap.setPricingEngine(engine)
        expected.append(swap.NPV())
    assert_close(found.base, expected, trades["notional"])


@pytest.mark.parametrize("stub", ["short_front", "short_back"])
def test_value__keeps_dates_at_the_end_of_the_month_from_either_anchor(value, stub):
    rng = np.random.default_rng(2)
    months = TODAY.astype("datetime64[M]")
    ends = [(months + rng.integers(low, high, TRADES)).astype("datetime64[D]") for low, high in ((-90, 12), (24, 360))]
    start, maturity = (one - np.timedelta64(1, "D") for one in ends)
    other = maturity if stub == "short_back" else start
    other -= rng.integers(2, 25, TRADES).astype("timedelta64[D]")
    trades = random_swaps(8, start=start, maturity=maturity, roll="modified_following", stub=stub)
    found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    assert_close(found.base, swap_values(trades, end_of_month=True), 2 * trades["notional"])


def test_value__a_fixing_published_today_is_used_and_else_projected(value):
    starts = [TODAY + np.timedelta64(4, "D")] * 2  # two business days after today, over a weekend and a 4th of July
    trades = random_swaps(9)
    trades = {k: v[:2] if isinstance(v, np.ndarray) else v for k, v in trades.items()} | {
        "start": np.array(starts),
        "maturity": np.array([day(400), day(4000)]),
        "stub": "short_back",
        "quantity": np.ones(2),
    }
    with_today = Fixings(np.append(PAST, TODAY), np.append(PUBLISHED.values, 0.3))
    for fixings in (PUBLISHED, with_today):
        ql.IndexManager.instance().clearHistories()
        found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": fixings}))
        assert_close(found.base, swap_values(trades, fixings), 2 * trades["notional"])
    projected = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    assert (np.abs(found.base - projected.base) > 1e-3 * trades["notional"]).all()


def test_value__without_a_past_fixing_fails_and_names_index_and_date(value):
    trades = {k: v[:3] if isinstance(v, np.ndarray) else v for k, v in random_swaps().items()}
    trades |= {"start": np.array([day(-40), day(10), day(-75)]), "maturity": day(2000), "stub": "short_back"}
    trades |= {"roll": "modified_following", "payment_lag": 0, "floating_payments_per_year": 4}
    lost = np.busday_offset(np.busday_offset(day(-40), 0, "modifiedfollowing"), -2, holidays=HOLIDAYS)
    hole = lost != PAST
    fixings = Fixings(PAST[hole], PUBLISHED.values[hole])
    found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": fixings}))
    assert found.problems == {0: f"no fixing of index 'USD-3M' on {lost}, which lies in the past"}
    assert found.status.tolist() == [Status.FAILED, Status.PRICED, Status.PRICED]
    assert np.isfinite(found.base).tolist() == [False, True, True]
    whole = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    np.testing.assert_array_equal(found.base[1:], whole.base[1:])


def test_value__of_a_forward_start_needs_no_fixings(value):
    trades = random_swaps(10)
    trades["start"] = np.maximum(trades["start"], day(7))
    trades["maturity"] = np.maximum(trades["maturity"], trades["start"] + np.timedelta64(60, "D"))
    found = value("interest_rate_swap", trades, snapshot())
    assert not found.problems
    assert_close(found.base, swap_values(trades, None), 2 * trades["notional"])


def test_value__on_unrolled_dates_projects_between_the_unrolled_dates(value):
    """QuantLib projects from the next business day instead: this sum is written out."""
    maturity = np.datetime64("2026-07-04")  # a Saturday, as its anniversaries often are
    trades = {
        "currency": "USD",
        "side": "pay",
        "notional": [1e6],
        "fixed_rate": 0.0,
        "index": "USD-3M",
        "start": [np.datetime64("2016-07-04")],
        "maturity": [maturity],
        "calendar": "TARGET",
        "roll": "unadjusted",
        "fixed_payments_per_year": 1,
        "fixed_day_count": "30/360",
        "floating_payments_per_year": 4,
        "floating_day_count": "ACT/365F",
    }
    found = value(
        "interest_rate_swap",
        trades,
        snapshot(fixings={"USD-3M": Fixings(np.array([np.datetime64("2016-06-30")]), np.array([0.02]))}),
    )
    months = np.datetime64("2016-07") + 3 * np.arange(41)
    dates = months.astype("datetime64[D]") + np.timedelta64(3, "D")
    paid = np.busday_offset(dates[1:], 0, roll="following", holidays=HOLIDAYS)
    project, discount = curve(CURVES["PROJECTION"]), curve(CURVES["USD"])
    total = 0.0
    for start, end, pay in zip(dates[:-1], dates[1:], paid, strict=True):
        growth = project.discount(date_of(start)) / project.discount(date_of(end)) - 1.0
        growth = 0.02 * (end - start).astype(int) / 360.0 if start == dates[0] else growth
        total += growth * 360.0 / 365.0 * discount.discount(date_of(pay))
    assert_close(found.base, [1e6 * total], 1e6)


def test_value__is_nothing_from_the_last_payment_on(value):
    trades = {k: v[:4] if isinstance(v, np.ndarray) else v for k, v in random_swaps().items()}
    trades |= {
        "start": np.datetime64("2010-01-04"),
        "maturity": [day(-900), day(-30), day(-1), day(0)],
        "payment_lag": 0,
    }
    found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    np.testing.assert_array_equal(found.base, 0.0)
    assert (found.status == Status.EXPIRED).all()


def test_value__of_a_matured_swap_that_still_has_to_pay_is_that_payment(value):
    trades = random_swaps(11) | {
        "maturity": np.full(TRADES, day(-2)),
        "start": np.full(TRADES, np.datetime64("2012-03-07")),
    }
    trades |= {"payment_lag": np.full(TRADES, 3), "roll": "following"}
    found = value("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    expected = swap_values(trades)
    assert np.count_nonzero(expected) == TRADES
    assert_close(found.base, expected, 2 * trades["notional"])


def test_value__on_an_unknown_index_says_so(value):
    trades = {k: v[:2] if isinstance(v, np.ndarray) else v for k, v in random_swaps(12).items()}
    found = value(
        "interest_rate_swap", {**trades, "index": ["USD-3M", "MARS-3M"]}, snapshot(fixings={"USD-3M": PUBLISHED})
    )
    assert found.problems == {1: "no rate index 'index:MARS-3M'; known: 'index:USD-3M'"}
    assert np.isfinite(found.base[0])


def test_value__on_several_indices_in_one_block_is_that_on_each_alone(value):
    """The indices differ in curve, lag, calendar, day count and past; the trades alternate between them."""
    indices = {
        "USD-3M": {
            "currency": "USD",
            "curve": "PROJECTION",
            "tenor": "3M",
            "day_count": "ACT/360",
            "calendar": "TARGET",
        },
        "USD-6M": {"currency": "USD", "curve": "USD", "tenor": "6M", "day_count": "30/360", "fixing_lag": 0},
        "USD-12M": {"currency": "USD", "curve": "PROJECTION", "tenor": "12M", "day_count": "ACT/365F", "fixing_lag": 1},
    }
    weekdays = np.busday_offset(TODAY, np.arange(-3300, 0))
    other = Fixings(weekdays, np.linspace(0.05, 0.06, len(weekdays)))
    market = snapshot(indices=indices, fixings={"USD-3M": PUBLISHED, "USD-6M": other, "USD-12M": other})
    names = np.array(list(indices))[np.arange(TRADES) % 3]
    mixed = value("interest_rate_swap", random_swaps(13, index=names), market)
    assert not mixed.problems
    for name in indices:
        alone = value("interest_rate_swap", random_swaps(13, index=name), market)
        here = names == name
        np.testing.assert_array_equal(mixed.base[here], alone.base[here])
        assert (mixed.base[~here] != alone.base[~here]).all()
