"""Day counts: the length in years of the time between two dates.

Sources: 2006 ISDA Definitions, section 4.16 (b), (d)-(h); ICMA Rule 251 for ACT/ACT ICMA; Banco Central do Brasil,
Circular 2,456, for BUS/252.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskgrid.conventions.calendar import business_days_between
from riskgrid.conventions.coded import Coded, groups, take
from riskgrid.conventions.month import Dates, Whole, as_dates, by_day, date_in_month, is_month_end, month_and_day
from riskgrid.errors import InputError, UnknownName

__all__ = ["DAY_COUNTS", "year_fraction", "year_fraction_by_code"]

DAY_COUNTS = ("30/360", "30E/360", "30E/360 ISDA", "ACT/360", "ACT/365F", "ACT/ACT ICMA", "ACT/ACT ISDA", "BUS/252")

type Years = NDArray[np.float64]


def year_fraction(
    day_count: str,
    start: ArrayLike,
    end: ArrayLike,
    *,
    reference_start: ArrayLike | None = None,
    reference_end: ArrayLike | None = None,
    payments_per_year: ArrayLike | None = None,
    is_last: ArrayLike | None = None,
    holidays: Coded[Dates] | None = None,
) -> Years:
    """Years from ``start`` to ``end``, 1-D; negative where start is later, NaN where a date is missing.

    reference_start, reference_end : the regular coupon period that ACT/ACT ICMA needs, unadjusted; of a long stub the
    one next to the regular coupons. Both at a month's end means that the further notional periods end there too.
    payments_per_year : for ACT/ACT ICMA; by default one per reference period.
    is_last : whether ``end`` is the termination date, at which 30E/360 ISDA keeps the end of February (default: not).
    holidays : for BUS/252, which needs them.
    UnknownName for a day count not in DAY_COUNTS; InputError where one of the above is needed and missing.

    >>> float(year_fraction("30/360", "2026-01-15", "2026-07-15")[0])
    0.5
    """
    if day_count not in DAY_COUNTS:
        raise UnknownName("day count", day_count, DAY_COUNTS)
    dates = [as_dates(start), as_dates(end)]
    if day_count == "ACT/ACT ICMA":
        if reference_start is None or reference_end is None:
            raise InputError("ACT/ACT ICMA needs reference_start and reference_end, the regular coupon period")
        dates += [as_dates(reference_start), as_dates(reference_end)]
    dates = [np.ascontiguousarray(d) for d in np.broadcast_arrays(*dates)]
    if any(np.isnat(d.min()) for d in dates if d.size):
        missing = np.logical_or.reduce([np.isnat(d) for d in dates])
        # any valid dates do: the result is thrown away
        valid = np.array(["1970-01-01", "1970-01-01", "1970-01-01", "1970-02-01"], dtype="datetime64[D]")
        dates = [np.where(missing, day, d) for day, d in zip(valid, dates, strict=False)]
    else:
        missing = np.zeros(1, np.bool_)
    backward = dates[1] < dates[0]
    if backward.any():
        dates[:2] = [np.where(backward, dates[1], dates[0]), np.where(backward, dates[0], dates[1])]
    years = _formula(day_count, dates, payments_per_year, is_last, holidays)
    if backward.any():
        years = np.where(backward, -years, years)
    return np.where(missing, np.nan, years) if missing.any() else years


def year_fraction_by_code(  # noqa: PLR0913  the flow's dates and every convention's own data
    codes: NDArray[np.integer],
    names: tuple[str, ...],
    start: ArrayLike,
    end: ArrayLike,
    *,
    reference_start: ArrayLike | None = None,
    reference_end: ArrayLike | None = None,
    payments_per_year: ArrayLike | None = None,
    is_last: ArrayLike | None = None,
    holidays: Coded[Dates] | None = None,
) -> Years:
    """As :func:`year_fraction`, flow ``i`` by the day count ``names[codes[i]]``; everything of shape (flow,) or scalar.

    >>> year_fraction_by_code(np.array([0, 1]), ("30/360", "ACT/360"), "2026-01-01", "2026-12-27").tolist()
    [0.9888888888888889, 1.0]
    """
    codes = np.asarray(codes)
    years = np.empty(codes.shape)
    for (name,), where in groups(codes.size, (codes, names)):

        def at(value: ArrayLike | None, where: slice | NDArray[np.intp] = where) -> NDArray[np.generic] | None:
            return None if value is None else np.broadcast_to(np.asarray(value), codes.shape)[where]

        years[where] = year_fraction(
            name,
            np.broadcast_to(as_dates(start), codes.shape)[where],
            np.broadcast_to(as_dates(end), codes.shape)[where],
            reference_start=at(reference_start),
            reference_end=at(reference_end),
            payments_per_year=at(payments_per_year),
            is_last=at(is_last),
            holidays=None if holidays is None else take(holidays, where),
        )
    return years


def _formula(
    day_count: str,
    dates: list[Dates],
    payments_per_year: ArrayLike | None,
    is_last: ArrayLike | None,
    holidays: Coded[Dates] | None,
) -> Years:
    start, end = dates[:2]
    match day_count:
        case "ACT/365F":
            return _days(start, end) / 365.0
        case "ACT/360":
            return _days(start, end) / 360.0
        case "ACT/ACT ISDA":
            return _actual_isda(start, end)
        case "ACT/ACT ICMA":
            return _actual_icma(start, end, dates[2], dates[3], payments_per_year)
        case "BUS/252":
            if holidays is None:
                raise InputError("BUS/252 needs holidays; without any, an empty array of dates")
            return business_days_between(start, end, holidays) / 252.0
    return _thirty(day_count, start, end, np.False_ if is_last is None else np.asarray(is_last, dtype=np.bool_))


def _days(start: Dates, end: Dates) -> Whole:
    return end.view(np.int64) - start.view(np.int64)


def _thirty(day_count: str, start: Dates, end: Dates, is_last: NDArray[np.bool_] | np.bool_) -> Years:
    """Months of 30 days; the three rules differ in which days become the 30th."""
    if day_count == "30E/360 ISDA":
        (first_month, first_day), (last_month, last_day) = month_and_day(start), month_and_day(end)
        february = (last_month % 12 == 1) & is_last
        first = np.where(is_month_end(start), 30, first_day)
        last = np.where(is_month_end(end) & ~february, 30, last_day)
        return np.asarray((30 * (last_month - first_month) + (last - first)) / 360.0)
    first, last = by_day(_thirtieths, start), by_day(_thirtieths, end)
    days = (last >> 2) - (first >> 2)
    if day_count == "30/360":  # a 31st is the day after the 30th, unless the period starts on one of the two
        days += (last & 1) & ~(first >> 1)
    return np.asarray(days / 360.0)


def _thirtieths(dates: Dates) -> Whole:
    """Days in months of 30 with a 31st as the 30th, times 4; plus 2 on a 30th or 31st; plus 1 on a 31st."""
    month, day = month_and_day(dates)
    packed: Whole = 4 * (30 * month + np.minimum(day, 30)) + 2 * (day >= 30) + (day == 31)
    return packed


def _actual_isda(start: Dates, end: Dates) -> Years:
    """Days in leap years over 366, others over 365."""

    def part(days: Dates) -> Years:
        year = days.astype("datetime64[Y]")
        first, following = year.astype("datetime64[D]"), (year + np.timedelta64(1, "Y")).astype("datetime64[D]")
        return _days(first, days) / _days(first, following)

    def year(days: Dates) -> Whole:
        return days.astype("datetime64[Y]").view(np.int64)

    # years and parts apart: 2026.5 - 2025.5 would lose eleven bits
    years: Years = (by_day(year, end) - by_day(year, start)) + (by_day(part, end) - by_day(part, start))
    return years


def _actual_icma(
    start: Dates, end: Dates, reference_start: Dates, reference_end: Dates, payments_per_year: ArrayLike | None
) -> Years:
    """Days over the days of the notional coupon period they fall in, period by period."""
    if not np.all(reference_start < reference_end):
        raise InputError("ACT/ACT ICMA needs reference periods that end after they start")
    if payments_per_year is None:
        months = (month_and_day(reference_end)[0] - month_and_day(reference_start)[0]).astype(np.float64)
    else:
        with np.errstate(divide="ignore"):
            months = np.broadcast_to(12.0 / np.asarray(payments_per_year, dtype=np.float64), start.shape)
    if not np.all((months >= 1) & (months == np.rint(months)) & np.isfinite(months)):
        raise InputError("ACT/ACT ICMA needs coupon periods of whole months: 1, 2, 3, 4, 6 or 12 payments per year")
    step = months.astype(np.int64)
    from_start = _notional_periods(start, reference_start, reference_end, step)
    return (_notional_periods(end, reference_start, reference_end, step) - from_start) * (months / 12.0)


def _notional_periods(dates: Dates, reference_start: Dates, reference_end: Dates, step: Whole) -> Years:
    """Coupon periods from ``reference_start`` to each date; negative before it."""
    periods: Years = _days(reference_start, dates) / _days(reference_start, reference_end)
    outside = np.flatnonzero((dates < reference_start) | (dates > reference_end))
    if outside.size:
        some = (dates[outside], reference_start[outside], reference_end[outside], step[outside])
        periods[outside] = _periods_outside(*some)
    return periods


def _periods_outside(dates: Dates, reference_start: Dates, reference_end: Dates, step: Whole) -> Years:
    """As :func:`_notional_periods`, by periods of ``step`` months that continue the reference period both ways."""
    (first_month, first_day), (_, last_day) = month_and_day(reference_start), month_and_day(reference_end)
    # 30 April to 31 July says 31; 30 November to 29 February says month's end only because both are
    at_month_end = is_month_end(reference_start) & is_month_end(reference_end)
    roll_day = np.where(at_month_end, 31, np.maximum(first_day, last_day))

    def boundary(number: Whole) -> Dates:
        regular = date_in_month(first_month + number * step, roll_day)
        return np.where(number == 0, reference_start, np.where(number == 1, reference_end, regular))

    number = (month_and_day(dates)[0] - first_month) // step
    number = number - (boundary(number) > dates)
    left = boundary(number)
    periods: Years = number + _days(left, dates) / _days(left, boundary(number + 1))
    return periods
