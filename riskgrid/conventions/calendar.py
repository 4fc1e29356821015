"""Business days: holidays by calendar name, and rolling, counting or stepping over them.

A calendar is an array of holiday dates; Saturdays and Sundays are never business days. The dates are meant to be frozen
into a market snapshot, so that a later edition of the holiday source does not change an old result.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskgrid.conventions.coded import Coded, groups
from riskgrid.conventions.month import Dates, Whole, as_dates, by_day
from riskgrid.errors import InputError, UnknownName

__all__ = ["CALENDARS", "ROLLS", "adjust", "advance", "business_days_between", "holiday_dates", "is_business_day"]

_ROLL = {
    "following": "following",
    "modified_following": "modifiedfollowing",
    "preceding": "preceding",
    "modified_preceding": "modifiedpreceding",
    "unadjusted": "",
}
ROLLS = tuple(sorted(_ROLL))

# name: (market or country code of the `holidays` package, options, names of days on which banks settle all the same)
_SOURCE: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "AU": ("AU", {"subdiv": "NSW", "categories": ("public", "bank")}, ()),
    "CA": ("CA", {"subdiv": "ON", "categories": ("public", "government", "optional")}, ("Easter Monday",)),
    "CH": ("XSWX", {}, ("Christmas Eve", "New Year's Eve")),
    "JP": ("JP", {"categories": ("public", "bank")}, ()),
    "NYSE": ("XNYS", {}, ()),
    "TARGET": ("XECB", {}, ()),
    "UK": ("GB", {"subdiv": "ENG"}, ()),
    "US": ("US", {}, ()),
}
CALENDARS = (*_SOURCE, "weekends")


def holiday_dates(name: str, first_year: int, last_year: int) -> Dates:
    """Weekday holidays of a calendar, or of several joined by ``+``, sorted, in both years and between.

    AU is Sydney, CA Toronto, CH Zurich, UK England, US federal holidays as observed, CA, CH and JP as banks keep them.
    UnknownName for any other calendar.  Source: the `holidays` package.

    >>> holiday_dates("TARGET", 2026, 2026).tolist()[0].isoformat()
    '2026-01-01'
    >>> holiday_dates("weekends", 2026, 2030)
    array([], dtype='datetime64[D]')
    """
    if first_year > last_year:
        raise InputError(f"holidays of {name!r} from {first_year} to {last_year}: the first year is after the last")
    days = [day for part in name.split("+") for day in _listed(part.strip(), first_year, last_year)]
    dates = np.unique(np.array(days, dtype="datetime64[D]"))
    inside = (dates >= np.datetime64(f"{first_year:04}-01-01")) & (dates <= np.datetime64(f"{last_year:04}-12-31"))
    return cast(Dates, dates[inside & np.is_busday(dates)])


def is_business_day(dates: ArrayLike, holidays: Coded[Dates]) -> NDArray[np.bool_]:
    """Whether each date is neither a Saturday or Sunday nor a holiday.

    >>> is_business_day(["2026-01-01", "2026-01-02"], holiday_dates("TARGET", 2026, 2026))
    array([False,  True])
    """
    days = as_dates(dates)
    result = np.empty(days.shape, dtype=np.bool_)
    for (closed,), where in groups(days.size, holidays):
        calendar = _calendar(closed)

        def is_open(some: Dates, calendar: np.busdaycalendar = calendar) -> NDArray[np.bool_]:
            return np.asarray(np.is_busday(some, busdaycal=calendar))

        result[where] = by_day(is_open, days[where])
    return result


def adjust(dates: ArrayLike, roll: Coded[str], holidays: Coded[Dates]) -> Dates:
    """Roll each date that is no business day to one that is; NaT stays.

    roll : one of ROLLS, or one per date as codes and names.  The modified rules turn back at the end of the month.
    UnknownName for any other roll.

    >>> adjust(["2026-01-31", "2026-02-01"], "modified_following", holiday_dates("weekends", 2026, 2026))
    array(['2026-01-30', '2026-02-02'], dtype='datetime64[D]')
    """
    days = as_dates(dates)
    result = days.copy()
    for (rule, closed), where in groups(days.size, roll, holidays):
        if rule not in _ROLL:
            raise UnknownName("roll", rule, ROLLS)
        if rule != "unadjusted":
            result[where] = _offset(days[where], 0, _ROLL[rule], closed)
    return result


def advance(dates: ArrayLike, business_days: int, holidays: Coded[Dates]) -> Dates:
    """The dates so many business days later, earlier if negative; zero rolls to the following business day.

    A date that is no business day counts from the nearest one before (after, if going back).

    >>> advance("2026-01-02", 2, holiday_dates("weekends", 2026, 2026))
    array(['2026-01-06'], dtype='datetime64[D]')
    """
    days = as_dates(dates)
    result = days.copy()
    rule = "preceding" if business_days > 0 else "following"
    for (closed,), where in groups(days.size, holidays):
        result[where] = _offset(days[where], business_days, rule, closed)
    return result


def business_days_between(start: ArrayLike, end: ArrayLike, holidays: Coded[Dates]) -> Whole:
    """Business days from ``start``, counted, to ``end``, not counted; both 1-D and of one length.

    >>> business_days_between("2026-01-02", "2026-01-06", holiday_dates("weekends", 2026, 2026))
    array([2])
    """
    first, last = as_dates(start), as_dates(end)
    result = np.zeros(first.shape, dtype=np.int64)
    for (closed,), where in groups(first.size, holidays):
        calendar, origin = _calendar(closed), first[where].min()

        def since(days: Dates, calendar: np.busdaycalendar = calendar, origin: Any = origin) -> NDArray[Any]:
            return np.asarray(np.busday_count(origin, days, busdaycal=calendar))

        result[where] = by_day(since, last[where]) - by_day(since, first[where])
    return result


def _offset(dates: Dates, count: int, rule: str, closed: Dates) -> NDArray[Any]:
    calendar = _calendar(closed)
    return by_day(lambda days: np.busday_offset(days, count, roll=cast(Any, rule), busdaycal=calendar), dates)


def _calendar(closed: Dates) -> np.busdaycalendar:
    return _calendar_of(np.ascontiguousarray(closed, dtype="datetime64[D]").tobytes())


@functools.lru_cache(maxsize=64)
def _calendar_of(closed: bytes) -> np.busdaycalendar:
    return np.busdaycalendar(holidays=np.frombuffer(closed, "datetime64[D]"))


def _listed(name: str, first_year: int, last_year: int) -> Iterable[Any]:
    if name == "weekends":
        return []
    if name not in _SOURCE:
        raise UnknownName("calendar", name, CALENDARS)
    import holidays  # slow to import, and a snapshot brings its own dates

    code, options, worked = _SOURCE[name]
    years = range(first_year - 1, last_year + 2)  # a New Year's Day is observed in the year before
    listed = (
        holidays.financial_holidays(code, years=years, language="en_US", **options)
        if code.startswith("X")
        else holidays.country_holidays(code, years=years, language="en_US", **options)
    )
    return [day for day, title in listed.items() if title not in worked]
