"""One table of discount factors for a block: its distinct dates and its distinct periods, read by all its legs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.conventions import Dates
from riskgrid.market.objects import Curve, Level, MarketObject
from riskgrid.market.stack import Clock, Rows, Stack, distinct
from riskgrid.quantity import Quantity
from riskgrid.terms import Values

__all__ = ["DiscountTable"]

type Index = NDArray[np.int64]

_HUGE_PAGE = 1 << 21  # bytes; a table of small pages misses the address cache at every row
_WORTH_A_HUGE_PAGE = 1 << 19


@dataclass(frozen=True)
class _Periods:
    """Rows of the table at a period's start and end, and at its payment date. All (period,)."""

    start: Index
    end: Index
    paid: Index


class DiscountTable:
    """Discount factors of (curve, spread, date), and the paid growths between them, each stored once.

    Legs add rows while a pricer is recorded. A row keeps its number, and its bits whatever else the table holds.
    ``quantity`` : the table, (row, state).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._curves: list[Curve] = []
        self._levels: list[Level] = []
        self._parts: list[tuple[slice, Rows | _Periods]] = []
        self._pairs, self._row = np.empty((0, 3), np.int64), np.empty(0, np.int64)
        self._memory = np.empty(0)
        self.quantity = Quantity(self._evaluate, (), extent="once", rows=0)

    def dates(
        self,
        curves: Sequence[Curve],
        curve: Index,
        day: Dates,
        *,
        levels: tuple[Sequence[Level], Index] | None = None,
        owner: NDArray[np.integer] | None = None,
    ) -> Index:
        """Rows of the discount factors of ``curves[curve]`` on these days, (n,).

        curve : (n,), or one of each ``owner`` (n,) where many days belong to one trade.   levels : spreads and the one
        of each curve, -1 for none.   Curves of equal content are one, so that a leg discounted on the curve that
        projects it reads the same rows.
        """
        codes = np.array([*(_place(self._curves, found) for found in curves), -1])[curve]
        spreads = np.full(len(codes), -1)
        if levels is not None:
            spreads = np.array([*(_place(self._levels, found) for found in levels[0]), -1])[levels[1]]
        pairs, pair = distinct(codes, spreads)
        if len(pairs) == 1:
            pair = np.zeros(len(day), np.int64)
        elif owner is not None:
            pair = pair[owner]
        found, place = distinct(pair, day.view(np.int64))
        return self._rows(np.column_stack([pairs[found[:, 0]], found[:, 1]]))[place]

    def periods(self, start: Index, end: Index, paid: Index) -> Index:
        """Rows of the growth from row ``start`` to row ``end``, discounted from row ``paid``. All (n,)."""
        return self._append(_Periods(start, end, paid), len(start))

    def _rows(self, asked: Index) -> Index:
        known = len(self._pairs)
        row = np.full(len(asked), -1)
        if known:
            _, place = distinct(*np.ascontiguousarray(np.concatenate([self._pairs, asked]).T))
            first = np.full(int(place.max()) + 1, -1)
            first[place[:known]] = self._row
            row = first[place[known:]]
        new = np.flatnonzero(row < 0)
        row[new] = self._append(Stack(self._clock, self._curves, self._levels).discount(asked[new]), len(new))
        self._pairs = np.concatenate([self._pairs, asked[new]])
        self._row = np.concatenate([self._row, row[new]])
        return row

    def _append(self, part: Rows | _Periods, count: int) -> Index:
        first = self.quantity.rows
        if count:
            self._parts.append((slice(first, first + count), part))
            self.quantity.rows = first + count
            self.quantity.inputs = tuple(part.panel for _, part in self._parts if isinstance(part, Rows))
        return np.arange(first, first + count)

    def _evaluate(self, *panels: Values, out: Any = None) -> Values:
        table: Values = self._buffer(panels[0].shape[1] if panels else 0) if out is None else out
        rest = iter(panels)
        for rows, part in self._parts:
            if isinstance(part, Rows):
                part.function(next(rest), part.index, part.weight, out=table[rows])
            else:
                formulas.paid_growth(table, part.start, part.end, part.paid, out=table[rows])
        return table

    def _buffer(self, states: int) -> Values:
        """Memory of the table, the same in every range of states: fresh pages cost as much as filling them."""
        size = self.quantity.rows * states
        if len(self._memory) < size:
            large = size >= _WORTH_A_HUGE_PAGE // 8
            memory = np.empty(size if not large else max(size, 2 * _HUGE_PAGE // 8) + _HUGE_PAGE // 8)
            self._memory = memory[-memory.ctypes.data % _HUGE_PAGE // 8 if large else 0 :]
        return self._memory[:size].reshape(self.quantity.rows, states)


def _place[T: MarketObject](known: list[T], wanted: T) -> int:
    for place, found in enumerate(known):
        if found is wanted or _equal(found, wanted):
            return place
    known.append(wanted)
    return len(known) - 1


def _equal(one: MarketObject, other: MarketObject) -> bool:
    fields = [field.name for field in dataclasses.fields(one)]
    return all(_same_bits(getattr(one, name), getattr(other, name)) for name in fields)


def _same_bits(one: Any, other: Any) -> bool:
    if not isinstance(one, np.ndarray):
        return bool(one == other)
    same = one is other or (one.shape == other.shape and one.dtype == other.dtype)
    return one is other or (same and np.array_equal(one.view(np.int64), other.view(np.int64)))
