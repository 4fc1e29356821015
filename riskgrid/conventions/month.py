"""Calendar months: taking dates apart and putting them together, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Dates",
    "Whole",
    "add_months",
    "as_dates",
    "by_day",
    "date_in_month",
    "is_month_end",
    "month_and_day",
    "tabulated",
]

#: Up to so many numbers their range is not worth looking for.
_FEW = 64

type Dates = NDArray[np.datetime64]
type Whole = NDArray[np.int64]


def as_dates(dates: ArrayLike) -> Dates:
    """The same dates as contiguous ``datetime64[D]``, at least one-dimensional.

    >>> as_dates("2024-02-29")
    array(['2024-02-29'], dtype='datetime64[D]')
    """
    return np.atleast_1d(np.ascontiguousarray(np.asarray(dates, dtype="datetime64[D]")))


def by_day(function: Callable[[Dates], NDArray[Any]], dates: Dates) -> NDArray[Any]:
    """``function(dates)`` for an elementwise function, evaluated once per day of their range if that is less work.

    >>> by_day(np.isnat, as_dates(["2024-01-01", "2024-01-02"]))
    array([False, False])
    """
    return tabulated(lambda days: function(days.view("datetime64[D]")), dates.view(np.int64))


def month_and_day(dates: Dates) -> tuple[Whole, Whole]:
    """Months since January 1970 and the day of the month, 1 to 31, each shaped as ``dates``.

    >>> month_and_day(as_dates("1971-03-31"))
    (array([14]), array([31]))
    """
    month = by_day(lambda days: days.astype("datetime64[M]").astype(np.int64), dates)
    return month, dates.view(np.int64) - _first_day(month) + 1


def date_in_month(month: Whole, day: NDArray[np.integer]) -> Dates:
    """The given day of months counted from January 1970, or the month's last day where it is shorter.

    >>> date_in_month(np.array([1, 2]), np.array([31, 31]))
    array(['1970-02-28', '1970-03-31'], dtype='datetime64[D]')
    """
    first = _first_day(month)
    return (np.minimum(first + day, _first_day(month + 1)) - 1).view("datetime64[D]")


def is_month_end(dates: Dates) -> NDArray[np.bool_]:
    """Whether each date is the last day of its calendar month, business day or not.

    >>> is_month_end(as_dates(["2023-02-28", "2024-02-28"]))
    array([ True, False])
    """
    month, _ = month_and_day(dates)
    ends: NDArray[np.bool_] = dates.view(np.int64) + 1 == _first_day(month + 1)
    return ends


def add_months(dates: Dates, months: ArrayLike) -> Dates:
    """The dates so many months later (earlier if negative), cut to the month's last day.

    >>> add_months(as_dates("2024-01-31"), [1, 2, -2])
    array(['2024-02-29', '2024-03-31', '2023-11-30'], dtype='datetime64[D]')
    """
    month, day = month_and_day(dates)
    return np.where(np.isnat(dates), np.datetime64("NaT", "D"), date_in_month(month + np.asarray(months), day))


def _first_day(month: Whole) -> Whole:
    """Days from 1 January 1970 to the first of each month."""
    return tabulated(lambda m: m.astype("datetime64[M]").astype("datetime64[D]").view(np.int64), month)


def tabulated(function: Callable[[Whole], NDArray[Any]], values: Whole) -> NDArray[Any]:
    """``function(values)`` for an elementwise function, evaluated once per number of their range if that is less work.

    >>> tabulated(np.negative, np.array([5, 4, 5]))
    array([-5, -4, -5])
    """
    if values.size <= _FEW:
        return function(values)
    low, high = int(values.min()), int(values.max())
    # one table entry costs ten times a look-up; a missing date is the lowest int64 and makes the table too long
    if high - low >= values.size:
        return function(values)
    return function(np.arange(low, high + 1, dtype=np.int64))[values - low]
