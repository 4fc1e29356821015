"""Calendars against QuantLib, whose holidays are kept by other people.

Known differences, outside the years compared here: Sydney before 2011 (days in lieu) and Juneteenth of 2021 (announced
a day before; kept by government, not by settlement).  Anzac Day on a weekend moves to Monday in New South Wales in 2026
and 2027, which QuantLib does not know.
"""

import numpy as np
import pytest

from riskgrid.conventions import (
    CALENDARS,
    ROLLS,
    adjust,
    advance,
    business_days_between,
    holiday_dates,
    is_business_day,
)
from riskgrid.conventions.month import as_dates
from riskgrid.errors import InputError, UnknownName

ql = pytest.importorskip("QuantLib")

ORACLE = {
    "AU": ql.Australia(),
    "CA": ql.Canada(),
    "CH": ql.Switzerland(),
    "JP": ql.Japan(),
    "NYSE": ql.UnitedStates(ql.UnitedStates.NYSE),
    "TARGET": ql.TARGET(),
    "UK": ql.UnitedKingdom(),
    "US": ql.UnitedStates(ql.UnitedStates.Settlement),
    "weekends": ql.WeekendsOnly(),
}
QL_ROLL = {
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
    "modified_preceding": ql.ModifiedPreceding,
    "unadjusted": ql.Unadjusted,
}
ANZAC_IN_LIEU = {"2026-04-27", "2027-04-26"}


def to_ql(dates):
    return [ql.Date(d.day, d.month, d.year) for d in dates.tolist()]


def iso(dates):
    return [str(d) for d in dates]


@pytest.mark.parametrize("name", CALENDARS)
def test_holidays__agree_with_quantlib(name):
    listed = ORACLE[name].holidayList(ql.Date(1, 1, 2022), ql.Date(31, 12, 2039), False)
    ours = set(iso(holiday_dates(name, 2022, 2039)))
    if name == "AU":
        assert ours >= ANZAC_IN_LIEU
        ours -= ANZAC_IN_LIEU
    assert ours == {d.ISO() for d in listed}


def test_holidays__of_joined_calendars_are_those_of_either():
    both = holiday_dates("US+UK", 2026, 2027)
    assert set(iso(both)) == set(iso(holiday_dates("US", 2026, 2027))) | set(iso(holiday_dates("UK", 2026, 2027)))
    assert (np.diff(both) > np.timedelta64(0, "D")).all()


def test_holidays__include_a_new_year_observed_in_the_year_before():
    assert "2021-12-31" in iso(holiday_dates("US", 2021, 2021))
    assert "2021-12-31" not in iso(holiday_dates("US", 2022, 2022))


def test_holidays__name_an_unknown_calendar_and_empty_years():
    with pytest.raises(UnknownName, match="unknown calendar 'TARGT'; did you mean 'TARGET'"):
        holiday_dates("US+TARGT", 2026, 2026)
    with pytest.raises(InputError, match="'US' from 2027 to 2026"):
        holiday_dates("US", 2027, 2026)


@pytest.mark.parametrize("size", [40, 6_000], ids=["few_dates", "more_dates_than_days"])
@pytest.mark.parametrize("roll", ROLLS)
@pytest.mark.parametrize("name", ["TARGET", "JP", "weekends"])
def test_adjust__agrees_with_quantlib(name, roll, size):
    dates = np.random.default_rng(5).integers(18_993, 20_818, size).astype("datetime64[D]")  # 2022 to 2026
    expected = [ORACLE[name].adjust(d, QL_ROLL[roll]).ISO() for d in to_ql(dates)]
    assert iso(adjust(dates, roll, holiday_dates(name, 2021, 2027))) == expected


def test_adjust__takes_a_roll_and_calendar_for_each_date():
    rng = np.random.default_rng(6)
    dates = rng.integers(18_993, 20_818, 500).astype("datetime64[D]")
    roll, place = rng.integers(0, len(ROLLS), 500), rng.integers(0, 2, 500)
    closed = (holiday_dates("US", 2021, 2027), holiday_dates("JP", 2021, 2027))
    together = adjust(dates, (roll, ROLLS), (place, closed))
    alone = [adjust(d, ROLLS[r], closed[p])[0] for d, r, p in zip(dates, roll, place, strict=True)]
    assert iso(together) == iso(alone)


def test_adjust__leaves_missing_dates_and_its_input_alone():
    dates = as_dates(["2026-01-31", "NaT", "2026-02-01"])
    before = dates.copy()
    assert iso(adjust(dates, "modified_following", as_dates([]))) == ["2026-01-30", "NaT", "2026-02-02"]
    assert iso(dates) == iso(before)
    adjust(dates, "unadjusted", as_dates([]))[0] = np.datetime64("2000-01-01")
    assert iso(dates) == iso(before)
    assert adjust([], "following", as_dates([])).size == 0


def test_adjust__names_an_unknown_roll():
    with pytest.raises(UnknownName, match="unknown roll 'modified_folowing'; did you mean 'modified_following'"):
        adjust("2026-01-01", "modified_folowing", as_dates([]))


@pytest.mark.parametrize("days", [-5, -1, 1, 2, 10])
def test_advance__agrees_with_quantlib(days):
    dates = np.random.default_rng(8).integers(18_993, 20_818, 1_500).astype("datetime64[D]")
    expected = [ORACLE["UK"].advance(d, days, ql.Days).ISO() for d in to_ql(dates)]
    assert iso(advance(dates, days, holiday_dates("UK", 2021, 2027))) == expected


def test_advance__by_zero_rolls_to_the_following_business_day():
    assert iso(advance(["2026-01-31", "2026-01-30"], 0, as_dates([]))) == ["2026-02-02", "2026-01-30"]


def test_business_days__are_counted_as_quantlib_counts_them():
    rng = np.random.default_rng(9)
    first = rng.integers(18_993, 20_818, 1_500).astype("datetime64[D]")
    last = first + rng.integers(0, 800, 1_500).astype("timedelta64[D]")
    expected = [ORACLE["UK"].businessDaysBetween(a, b) for a, b in zip(to_ql(first), to_ql(last), strict=True)]
    closed = holiday_dates("UK", 2021, 2029)
    assert business_days_between(first, last, closed).tolist() == expected
    assert is_business_day(first, closed).tolist() == [ORACLE["UK"].isBusinessDay(d) for d in to_ql(first)]
