"""Schedules against QuantLib, trade by trade, and against themselves.

Where we differ from QuantLib: it takes "month's end" by the business calendar and we by the month, so dates are
compared unadjusted and rolled afterwards; it drops a period that rolling has emptied and we keep it (it accrues
nothing, but the last one pays the face); it has no long stubs, so the oracle merges its short ones.
"""

import numpy as np
import pytest

from riskgrid import conventions
from riskgrid.conventions import ROLLS, STUBS, add_months, adjust, holiday_dates, make_schedule, year_fraction
from riskgrid.conventions.month import as_dates, is_month_end
from riskgrid.errors import InputError, UnknownName

ql = pytest.importorskip("QuantLib")

NONE = as_dates([])
BY_FLOW = (
    "trade",
    "start",
    "end",
    "unadjusted_start",
    "unadjusted_end",
    "reference_start",
    "reference_end",
    "is_first",
    "is_last",
)
US = holiday_dates("US", 2004, 2065)
JP = holiday_dates("JP", 2004, 2065)


def random_trades(size=400, seed=21):
    """Starts and ends, a third of each at or about a month's end; months per period."""
    rng = np.random.default_rng(seed)
    start = rng.integers(13_500, 20_000, size).astype("datetime64[D]")
    end = start + rng.integers(1, 5_500, size).astype("timedelta64[D]")
    for dates, chosen in ((start, rng.random(size) < 0.4), (end, rng.random(size) < 0.4)):
        first = dates[chosen].astype("datetime64[M]").astype("datetime64[D]")
        dates[chosen] = first - rng.integers(0, 3, chosen.sum()).astype("timedelta64[D]")
    start, end = np.minimum(start, end), np.maximum(start, end)
    end[start == end] += np.timedelta64(1, "D")
    return start, end, rng.choice([1, 2, 3, 4, 6, 12], size)


def oracle(start, end, months, stub, end_of_month):
    """Unadjusted period boundaries by QuantLib."""
    rule = ql.DateGeneration.Forward if stub.endswith("back") else ql.DateGeneration.Backward
    dates = (ql.Date(d.day, d.month, d.year) for d in (start.item(), end.item()))
    tenor = ql.Period(int(months), ql.Months)
    schedule = ql.Schedule(*dates, tenor, ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted, rule, bool(end_of_month))
    boundaries = [d.ISO() for d in schedule]
    place = len(boundaries) - 1 if stub.endswith("back") else 1
    if stub.startswith("long") and len(boundaries) > 2 and not schedule.isRegular(place):
        del boundaries[-2 if stub.endswith("back") else 1]
    return boundaries


def boundaries_of(schedule, trade):
    flows = slice(*schedule.offset[trade : trade + 2])
    return [str(schedule.unadjusted_start[flows][0]), *map(str, schedule.unadjusted_end[flows])]


@pytest.mark.parametrize("end_of_month", [False, True], ids=["by_day", "end_of_month"])
@pytest.mark.parametrize("stub", STUBS)
def test_schedule__has_the_dates_of_quantlib(stub, end_of_month):
    start, end, months = random_trades()
    ours = make_schedule(start, end, months, stub=stub, roll="unadjusted", end_of_month=end_of_month, holidays=NONE)
    for trade in range(start.size):
        expected = oracle(start[trade], end[trade], months[trade], stub, end_of_month)
        assert boundaries_of(ours, trade) == expected, (start[trade], end[trade], months[trade])


@pytest.mark.parametrize("roll", ROLLS)
def test_schedule__rolls_every_date(roll):
    start, end, months = random_trades(seed=22)
    ours = make_schedule(start, end, months, roll=roll, holidays=US)
    assert (ours.start == adjust(ours.unadjusted_start, roll, US)).all()
    assert (ours.end == adjust(ours.unadjusted_end, roll, US)).all()
    inside = ~ours.is_first
    assert (ours.start[inside] == ours.end[np.flatnonzero(inside) - 1]).all()
    assert (ours.start <= ours.end).all()


def test_schedule__rolled_on_a_calendar_is_that_of_quantlib():
    start, end, months = random_trades(150, seed=23)
    calendar, roll = ql.UnitedStates(ql.UnitedStates.Settlement), ql.ModifiedFollowing
    closed = np.setdiff1d(US, as_dates("2021-06-18"))  # the first Juneteenth, announced a day before
    ours = make_schedule(start, end, months, roll="modified_following", holidays=closed)
    compared = 0
    for trade in range(start.size):
        flows = slice(*ours.offset[trade : trade + 2])
        dates = [ours.start[flows][0], *ours.end[flows]]
        if len(set(dates)) < len(dates):
            continue  # QuantLib drops the empty period
        first, last = (ql.Date(d.day, d.month, d.year) for d in (start[trade].item(), end[trade].item()))
        tenor = ql.Period(int(months[trade]), ql.Months)
        theirs = ql.Schedule(first, last, tenor, calendar, roll, roll, ql.DateGeneration.Backward, False)
        assert [str(d) for d in dates] == [d.ISO() for d in theirs]
        compared += 1
    assert compared > 100


@pytest.mark.parametrize("stub", STUBS)
def test_schedule__reference_periods_are_regular_and_end_where_the_accrual_does(stub):
    start, end, months = random_trades(seed=24)
    ours = make_schedule(start, end, months, stub=stub, roll="unadjusted", holidays=NONE)
    back = stub.endswith("back")
    regular = ours.unadjusted_start == ours.reference_start
    regular &= ours.unadjusted_end == ours.reference_end
    assert (regular | (ours.is_last if back else ours.is_first)).all()
    shared = ours.unadjusted_start == ours.reference_start if back else ours.unadjusted_end == ours.reference_end
    assert shared.all()
    step = ours.reference_end.astype("datetime64[M]") - ours.reference_start.astype("datetime64[M]")
    assert (step.astype(int) == months[ours.trade]).all()
    anchor = (start if back else end)[ours.trade]
    day = (anchor - anchor.astype("datetime64[M]").astype("datetime64[D]")).astype(int)
    got = (ours.reference_end - ours.reference_end.astype("datetime64[M]").astype("datetime64[D]")).astype(int)
    assert ((got == day) | ((got < day) & is_month_end(ours.reference_end))).all()


@pytest.mark.parametrize("stub", STUBS)
def test_schedule__with_icma_pays_regular_coupons_and_stubs_pro_rata(stub):
    start, end, months = random_trades(seed=25)
    ours = make_schedule(start, end, months, stub=stub, roll="unadjusted", holidays=NONE)
    years = year_fraction(
        "ACT/ACT ICMA",
        ours.unadjusted_start,
        ours.unadjusted_end,
        reference_start=ours.reference_start,
        reference_end=ours.reference_end,
    )
    share = years * 12 / months[ours.trade]
    irregular = (ours.unadjusted_start != ours.reference_start) | (ours.unadjusted_end != ours.reference_end)
    np.testing.assert_allclose(share[~irregular], 1, rtol=1e-15)
    lone = ours.is_first & ours.is_last
    stubs = share[irregular & ~lone]
    assert stubs.size > 100
    assert ((stubs > 1) & (stubs < 2)).all() if stub.startswith("long") else ((stubs > 0) & (stubs < 1)).all()


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("roll", ["modified_following", "preceding", "following"])
@pytest.mark.parametrize("after", ["2000-01-01", "2019-05-06", "2026-01-03", "2026-01-05", "2090-01-01"])
def test_schedule__after_a_date_is_the_tail_of_the_whole_one(stub, roll, after):
    start, end, months = random_trades(seed=26)
    limit = np.datetime64(after)
    end[:40] = limit + np.arange(-20, 20).astype("timedelta64[D]")
    start[:40] = add_months(end[:40], -26)
    whole = make_schedule(start, end, months, stub=stub, roll=roll, end_of_month=months > 3, holidays=JP)
    tail = make_schedule(start, end, months, stub=stub, roll=roll, end_of_month=months > 3, holidays=JP, after=limit)
    kept = whole.end >= limit
    for name in BY_FLOW:
        np.testing.assert_array_equal(getattr(tail, name), getattr(whole, name)[kept], err_msg=name)
    assert np.diff(tail.offset).tolist() == np.bincount(whole.trade[kept], minlength=start.size).tolist()


def test_schedule__takes_stub_roll_and_calendar_for_each_trade():
    start, end, months = random_trades(120, seed=27)
    rng = np.random.default_rng(28)
    stub, roll, place = rng.integers(0, 4, 120), rng.integers(0, 5, 120), rng.integers(0, 2, 120)
    ends = rng.random(120) < 0.5
    together = make_schedule(
        start, end, months, stub=(stub, STUBS), roll=(roll, ROLLS), holidays=(place, (US, JP)), end_of_month=ends
    )
    for trade in range(120):
        alone = make_schedule(
            start[trade],
            end[trade],
            months[trade],
            stub=STUBS[stub[trade]],
            roll=ROLLS[roll[trade]],
            holidays=(US, JP)[place[trade]],
            end_of_month=ends[trade],
        )
        flows = slice(*together.offset[trade : trade + 2])
        for name in BY_FLOW[1:]:
            np.testing.assert_array_equal(getattr(together, name)[flows], getattr(alone, name))


def test_schedule__months_are_counted_from_the_anchor():
    ours = make_schedule("2026-01-31", "2026-04-30", 1, stub="short_back", roll="unadjusted", holidays=NONE)
    assert [str(d) for d in ours.end] == ["2026-02-28", "2026-03-31", "2026-04-30"]


def test_schedule__end_of_month_moves_regular_dates_only_from_such_an_anchor():
    at_end, not_at_end = "2026-02-28", "2026-02-27"
    ours = make_schedule("2025-01-15", [at_end, not_at_end], 6, end_of_month=True, roll="unadjusted", holidays=NONE)
    assert [str(d) for d in ours.end] == [
        *("2025-02-28", "2025-08-31", at_end),
        *("2025-02-27", "2025-08-27", not_at_end),
    ]


def test_schedule__of_one_day_is_one_short_period():
    ours = make_schedule("2024-02-28", "2024-02-29", 6, stub="long_front", roll="unadjusted", holidays=NONE)
    assert ours.offset.tolist() == [0, 1]
    assert (str(ours.reference_start[0]), str(ours.reference_end[0])) == ("2023-08-29", "2024-02-29")
    assert ours.is_first.tolist() == ours.is_last.tolist() == [True]


def test_schedule__of_no_months_is_one_period():
    ours = make_schedule("2024-02-29", ["2031-06-15", "2024-03-01"], 0, roll="unadjusted", holidays=NONE)
    assert ours.offset.tolist() == [0, 1, 2]
    assert (ours.reference_start == ours.start).all()
    assert (ours.reference_end == as_dates(["2031-06-15", "2024-03-01"])).all()


def test_schedule__has_no_periods_where_nothing_lies_between():
    start = ["2026-01-15", "2026-01-15", "NaT", "2026-01-15"]
    ours = make_schedule(start, ["2026-01-15", "2020-01-15", "2026-01-15", "2027-01-15"], 6, holidays=US)
    assert ours.offset.tolist() == [0, 0, 0, 0, 2]
    assert ours.trade.tolist() == [3, 3]
    assert make_schedule([], [], [], holidays=US).offset.tolist() == [0]
    assert make_schedule([], [], [], holidays=US, after=np.datetime64("2026-01-01")).end.size == 0


def test_schedule__keeps_a_last_period_that_rolling_emptied():
    # from Saturday to Sunday
    ours = make_schedule("2025-08-01", "2026-02-01", 6, stub="short_back", holidays=NONE)
    assert ours.is_last.tolist() == [True]
    stub = make_schedule("2025-07-31", "2026-02-01", 6, stub="short_back", roll="following", holidays=NONE)
    assert [str(d) for d in stub.end] == ["2026-02-02", "2026-02-02"]
    assert stub.is_last.tolist() == [False, True]


def test_schedule__has_the_types_it_promises():
    ours = make_schedule(*random_trades(5), holidays=US)
    types = {name: str(getattr(ours, name).dtype) for name in ("offset", *BY_FLOW)}
    dates = ("start", "end", "unadjusted_start", "unadjusted_end", "reference_start", "reference_end")
    assert types == {
        "offset": "int64",
        "trade": "int32",
        **dict.fromkeys(dates, "datetime64[D]"),
        "is_first": "bool",
        "is_last": "bool",
    }


def test_schedule__names_what_is_wrong():
    with pytest.raises(InputError, match="-3 months a period of trade 1"):
        make_schedule("2024-01-01", "2026-01-01", [6, -3], holidays=US)
    with pytest.raises(UnknownName, match="unknown stub 'short'"):
        make_schedule("2024-01-01", "2026-01-01", 6, stub="short", holidays=US)
    with pytest.raises(UnknownName, match="unknown roll 'nearest'"):
        make_schedule("2024-01-01", "2026-01-01", 6, roll="nearest", holidays=US)


def test_public_names__are_sorted_and_there():
    assert sorted(conventions.__all__, key=lambda n: (n.islower(), not n.isupper(), n)) == conventions.__all__
    assert all(hasattr(conventions, name) for name in conventions.__all__)
