"""Price one block: run the pricer once, replay its steps tile by tile, count the money."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.counting import Range, Sheet, count_inside, count_values
from riskgrid.engine.eager import EagerMarket
from riskgrid.engine.isolate import isolate, spoken
from riskgrid.engine.plan import Columns, Pricing, currency_column, terms_of
from riskgrid.errors import MoneyOverflow
from riskgrid.market.objects import MarketObject
from riskgrid.market.view import Market
from riskgrid.program import Program, tile_shape
from riskgrid.quantity import real_numbers
from riskgrid.registry import Instrument
from riskgrid.schema import Status
from riskgrid.terms import Names, Values

__all__ = ["BASE_BITS", "Priced", "only_rows", "price_block", "sum_block"]

#: Base values are summed in ticks of 2^-10 of the reporting currency.
BASE_BITS = 10
_EAGER_ROWS = 256

#: Ticks that a value beyond the range of ticks counts as among those known: less than it is, so that coverage by value
#: is an upper bound, far above what else is in a book, and 2,047 of them still have a sum.
_BEYOND = 2.0**52


@dataclass
class Priced:
    """Result of a block, rows in block order; P&L of the kept scenarios (the base is left out).

    ticks : (trade, scenario) int32, or int64 where asked for; the least number marks a missing pair.
    wide : (row,) rows whose P&L does not fit; theirs are ``wide_ticks`` (row, scenario) int64.
    base_value : (trade,) reporting currency.   status : (trade,), see ``schema.Status``.   problems : row to sentence.
    checksums : (trade,), of the rows of ticks, where the block has just been priced.
    """

    ticks: NDArray[Any]
    base_value: Values
    status: NDArray[np.uint8]
    wide: NDArray[np.int64]
    wide_ticks: NDArray[np.int64]
    problems: dict[int, str] = field(default_factory=dict)
    checksums: NDArray[np.uint64] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Priced]) -> Priced:
        """Rows of several blocks with the same scenarios and width of ticks, below each other."""
        starts = np.cumsum([0, *(len(part.status) for part in parts)])
        wide = [part.wide + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([part.ticks for part in parts]),
            np.concatenate([part.base_value for part in parts]),
            np.concatenate([part.status for part in parts]),
            np.concatenate(wide),
            np.concatenate([part.wide_ticks for part in parts]),
        )


@dataclass(frozen=True)
class _Part:
    """Trades of a block, their terms and the market at one state date."""

    instrument: Instrument
    columns: Columns
    market: Market
    pricing: Pricing


def price_block(  # noqa: PLR0917, each is a thing of its own, and a block has all of them
    instrument: Instrument,
    columns: Columns,
    objects: Mapping[str, MarketObject | None],
    dates: NDArray[np.datetime64],
    pricing: Pricing,
    numeraire: str,
    *,
    ticks: Callable[[tuple[int, int], Any], NDArray[Any]] = np.empty,
) -> Priced:
    """Price a block's trades in all its states.

    columns : terms, ``quantity`` and ``trade_date``, (trade,) each.   objects : every role the plan recorded, in the
    block's states.   dates : (state,), the base first.   ticks : gives the array of shape and dtype to count into.
    Raises UnrecordedRead for a role outside ``objects``.
    """
    trades, states = len(columns["quantity"]), len(dates)
    kind = np.int64 if pricing.wide else np.int32
    sheet = Sheet.blank(ticks((trades, states - 1), kind))

    def attempt(rows: NDArray[np.int64]) -> None:
        whole = len(rows) == trades
        part: Columns = columns if whole else {name: column[rows] for name, column in columns.items()}
        for date in [dates[0], *np.unique(dates[dates != dates[0]])]:
            at = np.flatnonzero(dates == date)
            at = at if date == dates[0] else np.append(0, at)
            source = objects if len(at) == states else {r: o and o.take(at) for r, o in objects.items()}
            market = Market(source, len(rows), base_date=dates[0], date=date, numeraire=numeraire)
            _fill(sheet, rows, at, _Part(instrument, part, market, pricing))

    for row, error in isolate(attempt, np.arange(trades)):
        sheet.problems[row] = spoken(error)
    return _finished(sheet, instrument, columns, dates[0])


def _fill(sheet: Sheet, rows: NDArray[np.int64], at: NDArray[np.intp], part: _Part) -> None:
    """Price ``rows`` in the states ``at`` of which the first is the base, at one date."""
    base_date = part.market.date == part.market.base_date
    target = slice(int(at[1]) - 1, int(at[-1])) if len(at) > 1 else slice(0, 0)
    contiguous = target.stop - target.start == len(at) - 1
    ticks = sheet.ticks[:, target] if contiguous else np.empty((len(sheet.ticks), len(at) - 1), sheet.ticks.dtype)
    top = int(rows[0])
    mine = slice(top, top + len(rows))  # what is tried at once are neighbours
    flags = np.zeros(len(rows), np.uint8)
    of_trades = sheet.base_value[mine], flags, sheet.checksums[mine]
    columns = Range(ticks[mine], at[1:] - 1, 2.0**part.pricing.bits, *of_trades, base_date)
    if part.instrument.eager:
        for tile, states, values in _eager_tiles(part, len(at)):
            count_values(sheet, columns, (top, tile, states), values)
    else:
        _price(sheet, columns, Program(_value(part, part.market), len(rows)), top)
    if not contiguous:
        sheet.ticks[np.ix_(rows, at[1:] - 1)] = ticks[rows]
    for row, sentence in part.market.reading.problems.items():
        sheet.problems.setdefault(int(rows[row]), sentence)


def _price(sheet: Sheet, columns: Range, program: Program, top: int) -> None:
    """Price and count tile by tile. top : the block's row of the program's first trade."""
    states = columns.ticks.shape[1] + 1
    narrow = columns.ticks.dtype == np.int32
    height, width = tile_shape(program, states, cache_bytes(), counting=narrow)
    rows, sums = slice(top, top + program.trades), columns.ticks.shape[1] == sheet.ticks.shape[1]
    columns.checksums[:] = formulas.checksum_of_length(columns.ticks.shape[1])
    for first in range(0, states, width):
        across = slice(first, min(first + width, states))
        inside = narrow and program.counts(across)
        for start in range(0, program.trades, height):
            tile = slice(start, min(start + height, program.trades))
            if inside:
                count_inside(sheet, columns, (top, tile, across), program)
            else:
                count_values(sheet, columns, (top, tile, across), program.replay(across, tile))
        sums &= inside
    sheet.checked[rows] = sums


def _eager_tiles(part: _Part, states: int) -> Iterator[tuple[slice, slice, Values]]:
    market = part.market
    for top in range(0, market.trades, _EAGER_ROWS):
        down = slice(top, min(top + _EAGER_ROWS, market.trades))
        rows = down.stop - down.start
        inner = Market(
            market.reading.objects, rows, base_date=market.base_date, date=market.date, numeraire=market.numeraire
        )
        columns: Columns = {name: column[down] for name, column in part.columns.items()}
        value = _value(replace(part, columns=columns, market=inner), EagerMarket(inner, states))
        yield down, slice(0, states), np.broadcast_to(real_numbers(value), (rows, states))
        market.reading.problems.update({top + row: text for row, text in inner.reading.problems.items()})


def _value(part: _Part, asked: Market | EagerMarket) -> Any:
    terms = terms_of(part.instrument, part.columns)
    value = part.instrument.price(terms, asked)
    reporting = Names(np.zeros((1, 1), np.int32), (part.pricing.reporting,))
    rate = asked.fx(currency_column(part.instrument, terms), reporting)
    quantity = np.asarray(part.columns["quantity"]).reshape(-1, 1)
    return value * quantity if isinstance(rate, float) else value * quantity * rate


def _finished(sheet: Sheet, instrument: Instrument, columns: Columns, base_date: np.datetime64) -> Priced:
    least, none = np.iinfo(sheet.ticks.dtype).min, np.iinfo(np.int64).min
    # a trade that failed at one date has no P&L, however much it had at another
    wide = np.array(sorted(sheet.wide.keys() - sheet.problems.keys()), dtype=np.int64)
    wide_ticks = sheet.ticks[wide].astype(np.int64)
    wide_ticks[wide_ticks == least] = none  # where the row is narrow, a missing pair is missing all the same
    for position, row in enumerate(wide.tolist()):
        for places, part in sheet.wide[row]:
            wide_ticks[position, places] = part
        sheet.ticks[row] = least
        sheet.missing[row] = (wide_ticks[position] == none).any()
    status = np.where(sheet.missing, Status.NO_NUMBER, Status.PRICED).astype(np.uint8)
    status[list(sheet.beyond)] = Status.OUT_OF_RANGE
    status[np.abs(sheet.base_value) * 2.0**BASE_BITS >= 2.0**63] = Status.OUT_OF_RANGE
    if instrument.ends is not None:
        ended = np.asarray(columns[instrument.ends]) <= base_date
        status[ended & (status == Status.PRICED)] = Status.EXPIRED
    for row in sheet.problems:
        sheet.ticks[row], sheet.base_value[row], status[row] = least, np.nan, Status.FAILED
    checksums = sheet.finished({*sheet.wide, *sheet.problems})
    return Priced(sheet.ticks, sheet.base_value, status, wide, wide_ticks, sheet.problems, checksums)


def only_rows(priced: Priced, rows: NDArray[np.int64]) -> Priced:
    """Rows of a block, in that order."""
    where = np.searchsorted(priced.wide, rows)
    wide = np.flatnonzero(np.append(priced.wide, -1)[where] == rows)
    wide_ticks = priced.wide_ticks[where[wide]]
    return Priced(priced.ticks[rows], priced.base_value[rows], priced.status[rows], wide, wide_ticks)


def sum_block(priced: Priced, cell: NDArray[np.int64], cells: int) -> dict[str, NDArray[Any]]:
    """Sums of a block by cell, exact: a trade with a missing pair is left out whole and counted as unpriced.

    cell : (trade,), row of the sums, -1 for a trade that is left out.   Gives pnl (cell, scenario), base and gross
    base value (cell,) in ticks of 2^-10, trades and unpriced (cell,); gross_known has that of unpriced trades too, of
    each whose value is beyond the range 2^42.   MoneyOverflow where a sum leaves int64.
    """
    every, cell = cell >= 0, np.maximum(cell, 0)
    use = every & (priced.status <= Status.EXPIRED)
    pnl = np.zeros((cells, priced.ticks.shape[1]), np.int64)
    narrow = use.copy()
    narrow[priced.wide] = False
    fits = formulas.sum_cells(priced.ticks, cell, narrow, pnl)
    if len(priced.wide):
        fits &= formulas.sum_cells(priced.wide_ticks, cell[priced.wide], use[priced.wide], pnl)
    base = np.rint(np.where(use, np.nan_to_num(priced.base_value), 0.0) * 2.0**BASE_BITS).astype(np.int64)
    counted = np.abs(priced.base_value) * 2.0**BASE_BITS
    beyond = np.where(np.isnan(counted), 0.0, _BEYOND)
    known = np.rint(np.where(counted < 2.0**63, counted, beyond)).astype(np.int64)
    values = np.zeros((cells, 3), np.int64)
    fits &= formulas.sum_cells(np.stack([base, np.abs(base), known], axis=1), cell, every, values)
    if not fits:
        raise MoneyOverflow("money of a cell")
    return {
        "pnl": pnl,
        "base": values[:, 0].copy(),
        "gross": values[:, 1].copy(),
        "gross_known": values[:, 2].copy(),
        "trades": np.bincount(cell[every], minlength=cells).astype(np.int64),
        "unpriced": np.bincount(cell[every & ~use], minlength=cells).astype(np.int64),
    }


@functools.cache
def cache_bytes() -> int:
    """Size of a core's second-level cache; only the shape of tiles follows from it, never a result."""
    path = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    try:
        text = path.read_text().strip()
        return int(text.rstrip("KM")) * {"K": 1 << 10, "M": 1 << 20}.get(text[-1], 1)
    except (OSError, ValueError):
        return 1 << 20
