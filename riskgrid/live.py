"""A run's plan in memory: what its what-ifs need so that they price only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.branch import Cells
from riskgrid.engine.block import Priced, sum_block
from riskgrid.engine.execute import distinct_cells
from riskgrid.engine.kept import priced_from, rows_from
from riskgrid.engine.outcome import CellSums, Outcome
from riskgrid.engine.plan import Block, Piece, Pricing, make_block, record
from riskgrid.engine.task import sum_key
from riskgrid.errors import DamagedObject
from riskgrid.label import starts
from riskgrid.ledger import Ledger
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.store import Store, Stored

__all__ = ["Live", "Part"]

#: Blocks that stay open: each keeps its file mapped.
_MOST_OPEN = 1024

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """A piece of the plan. at : (trade,), the place in the ledger of each of its rows."""

    piece: Piece
    at: Index


@dataclass(frozen=True)
class Live:
    """Everything by the places of a :class:`~riskgrid.ledger.Ledger`: cell, block, row, unshocked, stale (place,).

    cell : -1 where the trade has gone.   block : into ``blocks``, -1 where the trade is in none.
    blocks : of each, its part and its place there.   failed : block key to the sentence.   opened : blocks that were
    read from, which what-ifs share.
    """

    states: MarketStates
    pricing: Pricing
    ledger: Ledger
    parts: tuple[Part, ...]
    blocks: tuple[tuple[int, int], ...]
    cell: Index
    block: NDArray[np.int32]  # narrow: every what-if copies them
    row: NDArray[np.int32]
    unshocked: NDArray[np.int8]
    stale: NDArray[np.int32]
    cells: Cells
    failed: Mapping[str, str]
    opened: dict[str, Stored] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(  # noqa: PLR0917, the parts of a finished run
        cls, states: MarketStates, pricing: Pricing, portfolio: Portfolio, outcome: Outcome, cells: Cells, code: Index
    ) -> Live:
        """Of a run that has been executed. code : (trade,), the cell of each trade in portfolio order."""
        none = np.zeros(0, np.int32)
        ledger, flags = Ledger(portfolio), np.zeros(0, np.int8)
        empty = cls(states, pricing, ledger, (), (), none.astype(np.int64), none, none, flags, none, cells, {})
        return empty.grown(portfolio, outcome, code)

    def grown(self, portfolio: Portfolio, outcome: Outcome, code: Index) -> Live:
        """With the trades of a further portfolio, as they were executed, after those there are."""
        first, begin, count = starts(portfolio), len(self.cell), len(portfolio)
        parts = tuple(Part(piece, begin + first[piece.instrument.name] + piece.rows) for piece in outcome.pieces)
        block, row = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
        unshocked, stale = np.zeros((2, count), np.int64)
        blocks = list(self.blocks)
        for number, part in enumerate(parts, len(self.parts)):
            unshocked[part.at - begin], stale[part.at - begin] = part.piece.unshocked, part.piece.stale
            for place, one in enumerate(part.piece.blocks):
                at = part.at[one.start : one.stop] - begin
                block[at], row[at] = len(blocks), np.arange(len(at))
                blocks.append((number, place))
        return replace(
            self,
            parts=(*self.parts, *parts),
            blocks=tuple(blocks),
            failed={**self.failed, **outcome.failed},
            cell=np.concatenate([self.cell, code]),
            block=np.concatenate([self.block, block.astype(np.int32)]),
            row=np.concatenate([self.row, row.astype(np.int32)]),
            unshocked=np.concatenate([self.unshocked, unshocked.astype(np.int8)]),
            stale=np.concatenate([self.stale, stale.astype(np.int32)]),
        )

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instruments of all parts, sorted."""
        return tuple(sorted({part.piece.instrument.name for part in self.parts}))

    def depends_on_levels(self) -> bool:
        """Whether other levels may change more than numbers: what an eager pricer reads, and whether a block fails."""
        return bool(self.failed) or any(part.piece.instrument.eager for part in self.parts)

    def failing(self) -> dict[str, str]:
        """Blocks that could not be priced and hold a trade that is there, with the sentences."""
        if not self.failed:
            return {}
        there = np.unique(self.block[(self.cell >= 0) & (self.block >= 0)])
        keys = {self.found(number)[1].key for number in there.tolist()}
        return {key: text for key, text in self.failed.items() if key in keys}

    def found(self, number: int) -> tuple[Part, Block]:
        """A block and the part that holds it."""
        part, place = self.blocks[number]
        return self.parts[part], self.parts[part].piece.blocks[place]

    def unshocked_factors(self) -> list[str]:
        """Factors that a trade that is there reads and no scenario moves for want of history."""
        if not self.unshocked.any():
            return []
        found: set[str] = set()
        partial = []
        for number, part in enumerate(self.parts):
            for block in part.piece.blocks:
                told = {factor for role in block.roles for factor in self.states.unshocked_factors(role)}
                if told <= found:
                    continue
                there = self.cell[part.at[block.start : block.stop]] >= 0
                if there.any():
                    if there.all():
                        found |= told
                    else:
                        partial.append((told, number, block.start + np.flatnonzero(there)))
        for told, number, rows in partial:
            if not told <= found and self.unshocked[self.parts[number].at[rows]].any():
                found |= told & self._unshocked_of(self.parts[number].piece, rows)
        return sorted(found)

    def _unshocked_of(self, piece: Piece, rows: Index) -> set[str]:
        """Of these rows alone: what a block reads is known of all its rows together."""
        market = record(piece.instrument, piece.columns, rows, self.states, self.pricing)
        roles = {role for names, codes in market.reading.reads for role in np.array(names, object)[codes[codes >= 0]]}
        return {factor for role in roles for factor in self.states.unshocked_factors(role)}

    def reading(self, roles: set[str]) -> Iterator[tuple[int, Piece]]:
        """The blocks that read one of these roles and hold a trade that is there, by part."""
        for number, part in enumerate(self.parts):
            blocks = [
                block
                for block in part.piece.blocks
                if not roles.isdisjoint(block.roles)
                and block.key not in self.failed  # what could not be priced is not tried again
                and (self.cell[part.at[block.start : block.stop]] >= 0).any()
            ]
            if blocks:
                yield (
                    number,
                    replace(
                        part.piece,
                        blocks=blocks,
                        problems={},
                        cell=self.cell[part.at],
                        lost=part.piece.lost[:0],
                        # which factors lack history does not depend on levels
                        unshocked=np.zeros(len(part.at), np.bool_),
                        stale=np.zeros(len(part.at), np.int64),
                    ),
                )

    def moved(self, states: MarketStates, reached: set[str]) -> dict[int, Piece]:
        """What must be priced in other states, by part: blocks that read what differs, with their new keys."""
        made = {}
        for number, piece in self.reading(reached):
            piece.blocks = [
                make_block(piece, (block.start, block.stop), block.roles, states, self.pricing)
                for block in piece.blocks
            ]
            made[number] = piece
        return made

    def sums_of(self, store: Store, at: Index, code: Index, count: int) -> CellSums:
        """Exact sums of the trades at some places. code : (place,), the row of the ``count`` sums each is added to."""
        sums = CellSums.zeros(count, self.states.count - 1)
        if not len(at):
            return sums
        block = self.block[at]
        sums.trades += np.bincount(code, minlength=count)
        sums.unpriced += np.bincount(code[block < 0], minlength=count)
        for name in ("unshocked", "stale"):
            np.add.at(getattr(sums, name), code, getattr(self, name)[at])
        order = np.argsort(block, kind="stable")
        numbers, first = np.unique(block[order], return_index=True)
        few: dict[tuple[bytes, Any], list[tuple[Priced, Index]]] = {}
        for number, here in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
            if number < 0:
                continue
            _, one = self.found(number)
            if _few(len(here), one.stop - one.start) and one.key not in self.failed:
                part = self._rows(store, one.key, self.row[at[here]].astype(np.int64))
                few.setdefault((one.states.tobytes(), part.ticks.dtype), []).append((part, code[here]))
                continue
            cells, local = distinct_cells(code[here])
            rows = np.full(one.stop - one.start, -1, np.int64)
            rows[self.row[at[here]]] = local
            _add(sums, dict(self.contribution(store, number, rows)), cells, one.states)
        for (states, _), parts in few.items():  # a sum of its own for each of many blocks costs more than their rows
            cells, local = distinct_cells(np.concatenate([codes for _, codes in parts]))
            found = sum_block(Priced.joined([part for part, _ in parts]), local, len(cells))
            _add(sums, found, cells, np.frombuffer(states, np.intp))
        return sums

    def contribution(self, store: Store, number: int, code: Index) -> Mapping[str, NDArray[np.int64]]:
        """What a block adds to cells. code : (row,) of the block, the row of the sums, -1 for rows left out."""
        _, block = self.found(number)
        count = int(code.max(initial=-1)) + 1
        if block.key in self.failed:
            lost = np.bincount(code[code >= 0], minlength=count).astype(np.int64)
            none = np.zeros(count, np.int64)
            pnl = np.zeros((count, len(block.states) - 1), np.int64)
            return {"pnl": pnl, "base": none, "gross": none, "gross_known": none, "trades": lost, "unpriced": lost}
        rows = np.flatnonzero(code >= 0)
        if _few(len(rows), len(code)):  # they are read, not the block's sums
            return sum_block(self._rows(store, block.key, rows), code[rows], count)
        key = sum_key(block.key, code)
        try:
            if store.has("sums", [key]):
                return store.get("sums", key).arrays
        except DamagedObject:
            store.discard("sums", key)
        return sum_block(priced_from(store.get("blocks", block.key)), code, count)

    def _rows(self, store: Store, key: str, rows: Index) -> Priced:
        """Rows of a block, which stays open for the what-ifs to come. DamagedObject."""
        stored = self.opened.get(key)
        if stored is None:
            stored = store.get("blocks", key)
            if len(self.opened) < _MOST_OPEN:
                self.opened[key] = stored = stored.held()
        try:
            return rows_from(stored, rows)
        except DamagedObject:
            self.opened.pop(key, None)
            raise


def _few(rows: int, of: int) -> bool:
    return 8 * rows < of


def _add(sums: CellSums, found: dict[str, NDArray[np.int64]], cells: Index, states: NDArray[np.intp]) -> None:
    """Add what a block gives to cells; its trades were counted before. states : of the block, the base first."""
    found.pop("trades")
    pnl = found.pop("pnl")
    if pnl.shape[1] == sums.pnl.shape[1]:
        sums.pnl[cells] += pnl
    else:
        sums.pnl[np.ix_(cells, states[1:] - 1)] += pnl
    for name, part in found.items():
        getattr(sums, name)[cells] += part
