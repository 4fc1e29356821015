"""Counting the P&L of a block's tiles in ticks: inside the machine, or from values that were replayed."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.formulas.tick import MISSING, WIDE
from riskgrid.program import Program
from riskgrid.segment import Count
from riskgrid.terms import Values

__all__ = ["Range", "Sheet", "Tile", "count_inside", "count_values"]

#: Rows around one that does not fit that are replayed at once.
_AT_ONCE = 256


@dataclass
class Sheet:
    """What the trades of a block fill in, range by range of states and trades.

    checksums : (trade,), of the rows of ticks that are in ``checked``; of others they are not known yet.
    """

    ticks: NDArray[Any]
    base_value: Values
    missing: NDArray[np.bool_]
    checksums: NDArray[np.uint64]
    checked: NDArray[np.bool_]
    beyond: set[int] = field(default_factory=set)
    wide: dict[int, list[tuple[NDArray[np.intp], NDArray[np.int64]]]] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)

    @classmethod
    def blank(cls, ticks: NDArray[Any]) -> Sheet:
        """Nothing filled in yet. ticks : (trade, scenario)."""
        trades = len(ticks)
        none = np.zeros(trades, np.bool_)
        return cls(ticks, np.full(trades, np.nan), none, np.zeros(trades, np.uint64), none.copy())

    def finished(self, changed: Collection[int]) -> NDArray[np.uint64]:
        """The checksums of all rows, some of which have been changed since."""
        self.checked[list(changed)] = False
        lacking = np.flatnonzero(~self.checked)
        self.checksums[lacking] = formulas.row_checksums(self.ticks, lacking)
        return self.checksums


@dataclass(frozen=True)
class Range:
    """Scenarios of one date, and the trades tried at once. ticks : (trade, scenario).   base : (trade,).

    places : (scenario,) in the block.   scale : ticks a unit.   flags : (trade,), room for those of a tile.
    checksums : (trade,), added to by what is counted inside.   is_base : whether the base values are those of this
    date.
    """

    ticks: NDArray[Any]
    places: NDArray[np.intp]
    scale: float
    base: Values
    flags: NDArray[np.uint8]
    checksums: NDArray[np.uint64]
    is_base: bool


#: The block's row of the first trade tried, and the trades and states of a tile.
type Tile = tuple[int, slice, slice]


def count_inside(sheet: Sheet, columns: Range, where: Tile, program: Program) -> None:
    """Price and count a tile in one go."""
    top, tile, states = where
    skip = int(states.start == 0)
    here = slice(max(states.start - 1, 0), states.stop - 1)
    columns.flags[tile] = 0
    sets = int(skip and columns.is_base)
    sums = columns.checksums, formulas.checksum_multipliers(columns.ticks.shape[1])[here]
    inside = Count(columns.ticks[tile, here], columns.base, columns.flags, *sums, columns.scale, skip, sets)
    program.count(states, tile, inside)
    flags, missing = columns.flags[tile], sheet.missing[top + tile.start : top + tile.stop]
    if sets or not columns.is_base:  # the base values of these trades are known from here on
        missing |= ~np.isfinite(columns.base[tile])
    if not flags.any():
        return
    missing |= (flags & MISSING) != 0
    wide = (tile.start + np.flatnonzero(flags & WIDE)).tolist()
    for _, near in itertools.groupby(wide, lambda row: row // _AT_ONCE):
        rows = list(near)
        again = program.replay(states, slice(rows[0], rows[-1] + 1))
        for row in rows:
            at = row - rows[0]
            _count_wide(sheet, columns, (top, slice(row, row + 1), states), again[at : at + 1])


def count_values(sheet: Sheet, columns: Range, where: Tile, values: Values) -> None:
    """Count the P&L of a tile."""
    top, tile, states = where
    if states.start == 0 and columns.is_base:
        columns.base[tile] = values[:, 0] + 0.0  # minus nothing is nothing
    base, out = columns.base[tile], columns.ticks[tile, max(states.start - 1, 0) : states.stop - 1]
    shown = values[:, 1:] if states.start == 0 else values
    wide, missing = formulas.to_ticks(shown, base, columns.scale, out)
    sheet.missing[top + tile.start : top + tile.stop] |= missing | ~np.isfinite(base)
    if out.dtype == np.int64:
        beyond = (out[missing] == np.iinfo(np.int64).min) & np.isfinite(shown[missing])
        sheet.beyond.update((top + tile.start + np.flatnonzero(missing)[beyond.any(axis=1)]).tolist())
    for row in np.flatnonzero(wide).tolist():
        at = tile.start + row
        _count_wide(sheet, columns, (top, slice(at, at + 1), states), values[row : row + 1])


def _count_wide(sheet: Sheet, columns: Range, where: Tile, values: Values) -> None:
    """Count the P&L of a trade that does not fit. values : (1, state)."""
    top, tile, states = where
    shown = np.ascontiguousarray(values[:, 1:] if states.start == 0 else values)
    exact = np.empty(shown.shape, np.int64)
    formulas.to_ticks(shown, columns.base[tile], columns.scale, exact)
    row, places = top + tile.start, columns.places[max(states.start - 1, 0) : states.stop - 1]
    sheet.wide.setdefault(row, []).append((places, exact[0]))
    if (np.isfinite(shown) & (exact == np.iinfo(np.int64).min)).any():
        sheet.beyond.add(row)
