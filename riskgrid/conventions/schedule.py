"""Schedules: the accrual periods of many trades as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskgrid.conventions.calendar import adjust
from riskgrid.conventions.coded import Coded, groups, take
from riskgrid.conventions.month import Dates, Whole, as_dates, date_in_month, is_month_end, month_and_day, tabulated
from riskgrid.errors import InputError, UnknownName

__all__ = ["STUBS", "Schedule", "make_schedule"]

STUBS = ("long_back", "long_front", "short_back", "short_front")


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
    single: NDArray[np.bool_]

    def regular(self, number: Whole) -> Dates:
        return date_in_month(self.anchor_month + (number - self.shift) * self.step, self.roll_day)

    def boundary(self, number: Whole) -> Dates:
        inner = np.where(number == 0, self.start, self.regular(number))
        return np.where(number == self.count, self.end, inner)


@dataclass(frozen=True)
class Schedule:
    """Accrual periods of all trades, one after another; those of trade t are ``offset[t]`` to ``offset[t + 1]``.

    offset : (trade + 1,).   All else : (flow,); ``trade`` is the position of the flow's trade.
    start, end : rolled to business days; equal where a short stub lies between two business days.
    unadjusted_start, unadjusted_end : before rolling.
    reference_start, reference_end : the regular period, unadjusted; of a long stub the one next to the regular periods.
    is_first, is_last : whether the period is the first, or the last, of the trade's whole life.
    What rolled dates do not need is worked out when it is asked for.
    """

    offset: Whole
    trade: NDArray[np.int32]
    start: Dates
    end: Dates
    _grid: _Grid = field(repr=False)
    _first: Whole = field(repr=False)  # number of the first period kept, (trade,)
    _key: Whole = field(repr=False)  # regular date a period ends on: 32 months + day to roll to

    @cached_property
    def unadjusted_start(self) -> Dates:
        """First days of the periods, before rolling."""
        return _preceded(self.unadjusted_end, self._grid.boundary(self._first), self.offset)

    @cached_property
    def unadjusted_end(self) -> Dates:
        """Last days of the periods, before rolling."""
        dates = tabulated(_regular_date, self._key).view("datetime64[D]")
        some = self.offset[1:] > self.offset[:-1]
        dates[self.offset[1:][some] - 1] = self._grid.end[some]
        return dates

    @cached_property
    def reference_start(self) -> Dates:
        """First days of the regular periods."""
        regular = tabulated(_regular_date, self._key).view("datetime64[D]")
        dates = _preceded(regular, self._grid.regular(self._first), self.offset)
        return self._of_single(dates, self.unadjusted_start)

    @cached_property
    def reference_end(self) -> Dates:
        """Last days of the regular periods."""
        return self._of_single(tabulated(_regular_date, self._key).view("datetime64[D]"), self.unadjusted_end)

    @cached_property
    def is_first(self) -> NDArray[np.bool_]:
        """Whether each is its trade's first."""
        flags = np.zeros(self.trade.size, dtype=np.bool_)
        flags[self.offset[:-1][(self.offset[1:] > self.offset[:-1]) & (self._first == 0)]] = True
        return flags

    @cached_property
    def is_last(self) -> NDArray[np.bool_]:
        """Whether each is its trade's last."""
        flags = np.zeros(self.trade.size, dtype=np.bool_)
        flags[self.offset[1:][self.offset[1:] > self.offset[:-1]] - 1] = True
        return flags

    def _of_single(self, dates: Dates, alone: Dates) -> Dates:
        single = np.flatnonzero(self._grid.single[self.trade]) if self._grid.single.any() else np.zeros(0, np.intp)
        dates[single] = alone[single]
        return dates


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
    return _flows(grid, first, roll, holidays)


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
    return _Grid(start, end, anchor_month, roll_day, step, np.where(back, 0, count), count, months == 0)


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
    # the month of flow f is linear in f within a trade, so no number of the period is ever stored
    origin = grid.anchor_month + (first + 1 - grid.shift - offset[:-1]) * grid.step
    key = (32 * origin + grid.roll_day)[trade]
    steps = 32 * grid.step
    key += np.arange(trade.size) * (steps[:1] if (steps == steps[:1]).all() else steps[trade])
    end = np.empty(trade.size, "datetime64[D]")
    for (rule, closed), where in groups(trade.size, take(roll, trade), take(holidays, trade)):

        def rolled(keys: Whole, rule: str = rule, closed: Dates = closed) -> Whole:
            return adjust(_regular_date(keys).view("datetime64[D]"), rule, closed).view(np.int64)

        end[where] = tabulated(rolled, key[where]).view("datetime64[D]")
    some = np.flatnonzero(kept)
    end[offset[1:][some] - 1] = adjust(grid.end[some], take(roll, some), take(holidays, some))
    start = _preceded(end, adjust(grid.boundary(first), roll, holidays), offset)
    return Schedule(offset, trade, start, end, grid, first, key)


def _regular_date(key: Whole) -> Whole:
    return date_in_month(key >> 5, key & 31).view(np.int64)


def _preceded(ends: Dates, begin: Dates, offset: Whole) -> Dates:
    """Each period starts where the one before ended, the first of a trade at ``begin``."""
    some = np.flatnonzero(offset[1:] > offset[:-1])
    starts = np.empty_like(ends)
    starts[1:] = ends[:-1]
    starts[offset[:-1][some]] = begin[some]
    return starts
