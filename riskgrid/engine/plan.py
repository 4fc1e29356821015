"""Planning: what each trade reads, which blocks that makes, and the key of each block."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.cut import cut, pieces
from riskgrid.engine.eager import EagerMarket
from riskgrid.engine.isolate import isolate, spoken
from riskgrid.engine.numerics import engine_code, numerics_digest
from riskgrid.hashing import digest, name_hash, row_hash
from riskgrid.market.states import MarketStates
from riskgrid.market.view import Market
from riskgrid.registry import Instrument
from riskgrid.terms import COMMON_TERMS, Names

__all__ = ["PIECE", "Block", "Piece", "Pricing", "currency_column", "extend_block", "plan_instrument", "terms_of"]

#: Most trades of a piece: what planning holds at once.
PIECE = 50_000

type Columns = dict[str, NDArray[Any] | Names]


@dataclass(frozen=True)
class Pricing:
    """How values become ticks. reporting : currency.   bits : a tick is 2^-bits of it.   cut : trades a block."""

    reporting: str
    bits: int = 10
    cut: int = 4096
    wide: bool = False


@dataclass(frozen=True)
class Block:
    """Rows ``start`` to ``stop`` of a piece.   roles : what they read.   states : kept ones, the base first."""

    key: str
    start: int
    stop: int
    roles: tuple[str, ...]
    states: NDArray[np.intp]


@dataclass
class Piece:
    """Trades of one instrument in block order. rows : (trade,), their places in the instrument's table.

    problems : place in the table to the sentence that says why the trade has no value; such trades are in no block.
    code : digest of what the instrument does, of nothing else where that cannot be told: such blocks are not reused.
    hashing : seconds of planning that went into hashes and keys.
    terms : (column, trade), what identifies each trade, as 64-bit numbers.   unshocked : (trade,), reads a factor
    without history.   stale : (trade,), scenarios in which a factor it reads stood still because a quote was filled.
    cell : (trade,), the cell of each trade, -1 for one that has gone.   lost : cells of the trades with problems. No
    key knows of either.   reads : keys of what the store knows of further reads of its blocks.
    """

    instrument: Instrument
    columns: Columns
    rows: NDArray[np.int64]
    blocks: list[Block] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    code: bytes = b""
    terms: NDArray[Any] = field(default_factory=lambda: np.empty((0, 0)))
    unshocked: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    stale: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    hashing: float = 0.0
    cell: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    lost: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    reads: set[str] = field(default_factory=set)


def plan_instrument(
    instrument: Instrument, columns: Columns, states: MarketStates, pricing: Pricing
) -> Iterator[Piece]:
    """Pieces of at most ``PIECE`` trades with their blocks, in order of a hash of the trades' terms."""
    begun = time.perf_counter()
    bits = _canonical(instrument, columns)
    code = instrument.code or uuid.uuid4().bytes
    hashes = row_hash(bits)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    hashing = time.perf_counter() - begun
    for start, stop in pieces(hashes, PIECE):
        table = _Table(columns, bits, order[start:stop], hashes[start:stop], code)
        piece = _plan_piece(instrument, table, states, pricing)
        piece.hashing, hashing = piece.hashing + hashing, 0.0
        yield piece


def currency_column(instrument: Instrument, terms: Any) -> Names:
    """The column that names the currency of each trade's value."""
    column: Names = getattr(terms, instrument.value_in)
    return column


def terms_of(instrument: Instrument, columns: Columns, rows: Any = slice(None)) -> Any:
    """The terms dataclass over ``(trade, 1)`` columns; ``trade_date`` and ``quantity`` are not among them."""
    made: dict[str, Any] = {}
    for term in instrument.columns:
        column = columns[term.name]
        if isinstance(column, Names):
            made[term.name] = Names(_frozen(column.codes[rows]), column.names, term.kind.family)
        else:
            made[term.name] = _frozen(column[rows])
    return instrument.terms(**made)


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    """A (trade, 1) view that a pricer cannot write to: the same column prices every date and tile."""
    view = column.reshape(-1, 1)
    view.flags.writeable = False
    return view


def record(instrument: Instrument, columns: Columns, rows: Any, states: MarketStates, pricing: Pricing) -> Market:
    """Run the pricer on symbols (an eager one on the numbers of the base) and return the market it asked."""
    terms = terms_of(instrument, columns, rows)
    trades = len(columns["quantity"][rows])
    market = Market(states, trades, base_date=states.dates[0], numeraire=states.snapshot.numeraire, recording=True)
    if instrument.eager:
        base = Market(states, trades, base_date=states.dates[0], numeraire=states.snapshot.numeraire)
        instrument.price(terms, EagerMarket(base, 1, recorder=market))
    else:
        instrument.price(terms, market)
    market.fx(currency_column(instrument, terms), Names(np.zeros((1, 1), np.int32), (pricing.reporting,)))
    return market


@dataclass(frozen=True)
class _Table:
    """An instrument's table, its canonical columns, and the ``rows`` in hand with their ``hashes``."""

    columns: Columns
    bits: list[NDArray[Any]]
    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    code: bytes


def _plan_piece(instrument: Instrument, table: _Table, states: MarketStates, pricing: Pricing) -> Piece:
    columns, rows, hashes = table.columns, table.rows, table.hashes
    recorded: list[tuple[NDArray[np.int64], Market]] = []
    problems: dict[int, str] = {}

    def attempt(part: NDArray[np.int64]) -> None:
        market = record(instrument, columns, rows[part], states, pricing)
        recorded.append((part, market))
        problems.update({int(rows[part[at]]): text for at, text in market.reading.problems.items()})

    for at, error in isolate(attempt, np.arange(len(rows))):
        problems[int(rows[at])] = spoken(error)
    group, roles = _groups(recorded, len(rows))
    usable = ~np.isin(rows, np.fromiter(problems, np.int64, len(problems)))
    order = np.lexsort((hashes, group))
    order = order[usable[order]]
    group, hashes, rows = group[order], hashes[order], rows[order]
    ordered: Columns = {name: column[rows] for name, column in columns.items()}
    terms = np.stack([column[rows] for column in table.bits])
    piece = Piece(instrument, ordered, rows, problems=problems, code=table.code, terms=terms)
    _flag(piece, group, roles, states)
    flows = any(role.startswith("calendar:") for found in roles.values() for role in found)
    begun = time.perf_counter()
    for start, stop in cut(group, hashes, pricing.cut, flows=flows):
        read = sorted({role for one in np.unique(group[start:stop]).tolist() for role in roles[one]})
        piece.blocks.append(make_block(piece, (start, stop), tuple(read), states, pricing))
    piece.hashing = time.perf_counter() - begun
    return piece


def extend_block(piece: Piece, block: Block, roles: tuple[str, ...], states: MarketStates, pricing: Pricing) -> Block:
    """The same trades with further recorded reads, hence another key."""
    return make_block(piece, (block.start, block.stop), tuple(sorted({*block.roles, *roles})), states, pricing)


def make_block(
    piece: Piece, span: tuple[int, int], roles: tuple[str, ...], states: MarketStates, pricing: Pricing
) -> Block:
    """A block with its key: the digest of every byte that decides its result."""
    instrument, terms = piece.instrument, np.ascontiguousarray(piece.terms[:, slice(*span)])
    moved = states.dates != states.dates[0]
    for role in roles:
        moved = moved | states.moves(role)
    moved[0] = True
    kept = states.kept(moved)
    how = (pricing.reporting, pricing.bits, pricing.wide, states.snapshot.numeraire)
    read = [states.digest(role, kept) for role in roles]
    dates = states.dates[kept] if moved.any() else states.dates[:1]
    key = digest(instrument.name, piece.code, engine_code(), numerics_digest(), how, terms, read, dates)
    return Block(key.hex(), *span, roles, kept)


def _flag(piece: Piece, group: NDArray[np.uint64], roles: dict[int, set[str]], states: MarketStates) -> None:
    distinct, code = np.unique(group, return_inverse=True)
    unshocked = [any(states.unshocked_factors(role) for role in roles[one]) for one in distinct.tolist()]
    stale = [sum(states.stale(role) for role in roles[one]) for one in distinct.tolist()]
    counts = np.array([int(np.count_nonzero(found)) for found in stale], np.int64)
    piece.unshocked, piece.stale = np.array(unshocked, np.bool_)[code], counts[code]


def _canonical(instrument: Instrument, columns: Columns) -> list[NDArray[Any]]:
    """Every column as 64-bit numbers that mean the same in any portfolio: names as hashes, dates as days."""
    made: list[NDArray[Any]] = []
    for term in (*COMMON_TERMS, *instrument.columns):
        column = columns[term.name]
        if isinstance(column, Names):
            hashed = np.array([name_hash(name) for name in column.names], dtype=np.uint64)
            made.append(hashed[column.codes.reshape(-1)] if len(hashed) else np.zeros(len(column), np.uint64))
        elif column.dtype.kind == "M":
            made.append(column.astype("datetime64[D]").astype(np.int64).view(np.uint64))
        elif column.dtype.kind == "f":
            made.append((np.asarray(column, dtype=np.float64) + 0.0).view(np.uint64))
        else:
            made.append(column.astype(np.int64).view(np.uint64))
    return made


def _groups(
    recorded: list[tuple[NDArray[np.int64], Market]], trades: int
) -> tuple[NDArray[np.uint64], dict[int, set[str]]]:
    """A hash of what each trade reads, and the roles behind each hash."""
    group = np.zeros(trades, np.uint64)
    roles: dict[int, set[str]] = {}
    for part, market in recorded:
        columns = []
        for names, codes in market.reading.reads:
            hashed = np.array([*(name_hash(name) for name in names), 0], dtype=np.uint64)
            columns.append(hashed[codes])
        group[part] = row_hash(columns) if columns else 0
        _, first = np.unique(group[part], return_index=True)
        for at in first.tolist():
            read = {names[codes[at]] for names, codes in market.reading.reads if codes[at] >= 0}
            roles.setdefault(int(group[part[at]]), set()).update(read)
    return group, roles
