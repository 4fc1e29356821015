"""Schedules: the accrual periods of many trades as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskgrid.conventions.calendar import adjust
from riskgrid.conventions.coded import Coded, groups, take
from riskgrid.conventions.month import Dates, Whole, as_dates, date_in_month, is_month_end, month_and_day
from riskgrid.errors import InputError, UnknownName

__all__ = ["STUBS", "Schedule", "make_schedule"]

STUBS = ("long_back", "long_front", "short_back", "short_front")


@dataclass(frozen=True)
class Schedule:
    """Accrual periods of all trades, one after another; those of trade t are ``offset[t]`` to ``offset[t + 1]``.

    offset : (trade + 1,).   All else : (flow,); ``trade`` is the position of the flow's trade.
    start, end : rolled to business days; equal where a short stub lies between two business days.
    unadjusted_start, unadjusted_end : before rolling.
    reference_start, reference_end : the regular period, unadjusted; of a long stub the one next to the regular periods.
    is_first, is_last : whether the period is the first, or the last, of the trade's whole life.
    """

    offset: Whole
    trade: NDArray[np.int32]
    start: Dates
    end: Dates
    unadjusted_start: Dates
    unadjusted_end: Dates
    reference_start: Dates
    reference_end: Dates
    is_first: NDArray[np.bool_]
    is_last: NDArray[np.bool_]


@dataclass(frozen=True)
class _Grid:
    """Regular dates of each trade, (trade,) all: the ``number``-th lies ``number - shift`` steps from the anchor."""

    start: Dates
    end: Dates
    anchor_month: Whole
    roll_day: Whole
    step: Whole
    shift: Whole
    count: Whole

    def regular(self, number: Whole) -> Dates:
        return date_in_month(self.anchor_month + (number - self.shift) * self.step, self.roll_day)

    def boundary(self, number: Whole) -> Dates:
        inner = np.where(number == 0, self.start, self.regular(number))
        return np.where(number == self.count, self.end, inner)


def make_schedule(
    start: ArrayLike,
    end: ArrayLike,
    months: ArrayLike,
    *,
    holidays: Coded[Dates],
    stub: Coded[str] = "short_front",
    roll: Coded[str] = "modified_following",
    end_of_month: ArrayLike = False,
    after: np.datetime64 | None = None,
) -> Schedule:
    """Cut the time from ``start`` to ``end`` of each trade into periods of ``months``; no periods where start >= end.

    start, end, months, end_of_month : (trade,) or scalar; 0 months is one period.
    stub : one of STUBS, the place of the irregular period; with a front stub dates count back from ``end``, with a back
    stub forward from ``start``, always from that anchor. A lone period is left as it is.
    end_of_month : an anchor at a calendar month's end puts all regular dates there.
    after : leave out periods whose rolled end lies before this date.
    InputError for negative months, UnknownName for an unknown stub or roll.

    >>> bond = make_schedule("2024-02-29", "2025-08-31", 6, roll="unadjusted", holidays=as_dates([]))
    >>> bond.end
    array(['2024-08-31', '2025-02-28', '2025-08-31'], dtype='datetime64[D]')
    """
    first_day, last_day, step, at_month_end = np.broadcast_arrays(
        as_dates(start), as_dates(end), np.asarray(months, dtype=np.int64), np.asarray(end_of_month, dtype=np.bool_)
    )
    if (step < 0).any():
        where = int(np.flatnonzero(step < 0)[0])
        raise InputError(f"{step[where]} months a period of trade {where}; at least 1, or 0 for a single period")
    grid = _grid(first_day, last_day, step, at_month_end, stub)
    first = np.zeros_like(grid.count) if after is None else _first_kept(grid, after, roll, holidays)
    schedule = _flows(grid, first, roll, holidays)
    single = np.flatnonzero(step[schedule.trade] == 0)
    schedule.reference_start[single] = schedule.unadjusted_start[single]
    schedule.reference_end[single] = schedule.unadjusted_end[single]
    return schedule


def _grid(start: Dates, end: Dates, months: Whole, end_of_month: NDArray[np.bool_], stub: Coded[str]) -> _Grid:
    live = start < end
    epoch = np.datetime64("1970-01-01", "D")
    start, end = np.where(live, start, epoch), np.where(live, end, epoch)
    back, long = np.zeros(live.shape, dtype=np.bool_), np.zeros(live.shape, dtype=np.bool_)
    for (name,), where in groups(live.size, stub):
        if name not in STUBS:
            raise UnknownName("stub", name, STUBS)
        back[where], long[where] = name.endswith("back"), name.startswith("long")

    anchor = np.where(back, start, end)
    anchor_month, day = month_and_day(anchor)
    roll_day = np.where(end_of_month & is_month_end(anchor), 31, day)
    step = np.maximum(months, 1)

    # whole steps by the month alone; the last one may still overshoot within its month
    whole = (month_and_day(end)[0] - month_and_day(start)[0]) // step
    edge = date_in_month(anchor_month + np.where(back, whole, -whole) * step, roll_day)
    remains = np.where(back, edge < end, edge > start)
    irregular = edge != np.where(back, end, start)
    count = whole + remains
    count = np.where(long & irregular & (count > 1), count - 1, count)
    count = np.where(live, np.where(months == 0, 1, count), 0)
    return _Grid(start, end, anchor_month, roll_day, step, np.where(back, 0, count), count)


def _first_kept(grid: _Grid, after: np.datetime64, roll: Coded[str], holidays: Coded[Dates]) -> Whole:
    """The number of the first period of each trade that ends, rolled, on or after ``after``."""
    limit = np.datetime64(after, "D")
    month = np.datetime64(limit, "M").astype(np.int64)
    first: Whole = np.clip((month - grid.anchor_month) // grid.step + grid.shift - 1, 0, grid.count)

    def ends_before(number: Whole) -> NDArray[np.bool_]:
        return adjust(grid.boundary(number + 1), roll, holidays) < limit

    # the month alone is at most two periods off, so each loop takes a few turns, whatever the number of trades
    while (back := (first > 0) & ~ends_before(np.maximum(first - 1, 0))).any():
        first = first - back
    while (on := (first < grid.count) & ends_before(np.minimum(first, grid.count - 1))).any():
        first = first + on
    return first


def _flows(grid: _Grid, first: Whole, roll: Coded[str], holidays: Coded[Dates]) -> Schedule:
    kept = grid.count - first
    offset = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])
    trade = np.repeat(np.arange(kept.size, dtype=np.int32), kept)
    some = kept > 0
    heads, tails = offset[:-1][some], offset[1:][some] - 1

    def preceded(ends: Dates, begin: Dates) -> Dates:
        """Each period starts where the one before ended, the first of a trade at ``begin``."""
        starts = np.empty_like(ends)
        starts[1:] = ends[:-1]
        starts[heads] = begin[some]
        return starts

    # the month of flow f is linear in f within a trade, so no number of the period is ever stored
    origin = grid.anchor_month + (first + 1 - grid.shift - offset[:-1]) * grid.step
    month = origin[trade] + np.arange(trade.size) * grid.step[trade]
    reference_end = date_in_month(month, grid.roll_day[trade])
    unadjusted_end = reference_end.copy()
    unadjusted_end[tails] = grid.end[some]
    end = adjust(unadjusted_end, take(roll, trade), take(holidays, trade))
    begin = grid.boundary(first)
    is_first, is_last = np.zeros((2, trade.size), dtype=np.bool_)
    is_first[heads], is_last[tails] = first[some] == 0, True
    return Schedule(
        offset=offset,
        trade=trade,
        start=preceded(end, adjust(begin, roll, holidays)),
        end=end,
        unadjusted_start=preceded(unadjusted_end, begin),
        unadjusted_end=unadjusted_end,
        reference_start=preceded(reference_end, grid.regular(first)),
        reference_end=reference_end,
        is_first=is_first,
        is_last=is_last,
    )
