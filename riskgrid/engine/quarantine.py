"""What is remembered of blocks that end their worker, so that asking again does not end another."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.plan import Block, Piece, Pricing, make_block
from riskgrid.errors import DamagedObject
from riskgrid.hashing import row_hash
from riskgrid.market.states import MarketStates
from riskgrid.store import Store

__all__ = ["Quarantine", "along", "halves"]

type Kind = tuple[str, str]


@dataclass
class _Known:
    """What the store remembers. splits : keys of blocks that were cut in two.

    trades : instrument and its code to the trades left out, each by a hash of its terms: the key it is remembered
    under, and the sentence.
    """

    splits: set[str] = field(default_factory=set)
    trades: dict[Kind, dict[int, tuple[str, str]]] = field(default_factory=dict)


class Quarantine:
    """Blocks that were cut in two and trades that were left out. used : gets the keys of what is relied on.

    A trade is left out by its terms and its instrument's code, in every market: pricing it where there is no worker
    process to lose would end this one.
    """

    def __init__(self, store: Store, states: MarketStates, pricing: Pricing, used: set[str]) -> None:
        self._store, self._states, self._pricing, self._used = store, states, pricing, used

    @functools.cached_property
    def _known(self) -> _Known:
        known = _Known()
        for entry in list(self._store.list("quarantine")):
            try:
                meta = self._store.get("quarantine", entry.key).meta
            except DamagedObject:
                self._store.discard("quarantine", entry.key)
                continue
            if "split" in meta:
                known.splits.add(entry.key)
            else:
                trades = known.trades.setdefault((meta["instrument"], meta["code"]), {})
                trades[int(meta["trade"])] = entry.key, meta["reason"]
        return known

    def cut(self, piece: Piece, missing: set[str]) -> dict[str, str]:
        """Cut those of the missing blocks as they were cut before; block key of each trade left out to its sentence."""
        known = self._known
        trades = known.trades.get(_kind(piece), {})
        if not trades and known.splits.isdisjoint(missing):
            return {}
        hashes = row_hash(list(piece.terms))
        bad = np.isin(hashes, np.fromiter(trades, np.uint64, len(trades)))
        failed: dict[str, str] = {}
        blocks: list[Block] = []
        for block in piece.blocks:
            parts = list(self._parts(piece, block, bad)) if block.key in missing else [block]
            blocks.extend(parts)
            for part in parts if block.key in missing else []:
                if part.stop - part.start == 1 and bad[part.start]:
                    key, failed[part.key] = trades[int(hashes[part.start])]
                    self._used.add(key)
        piece.blocks = blocks
        return failed

    def _parts(self, piece: Piece, block: Block, bad: NDArray[np.bool_]) -> Iterator[Block]:
        split = block.key in self._known.splits
        if block.stop - block.start == 1 or not (split or bad[block.start : block.stop].any()):
            yield block
            return
        if split:
            self._used.add(block.key)
        for half in halves(piece, block, self._states, self._pricing):
            if self._store.has("blocks", [half.key]):
                yield half
            else:
                yield from self._parts(piece, half, bad)

    def forget(self, piece: Piece) -> None:
        """Remember nothing of these trades any more."""
        known = self._known
        trades = known.trades.get(_kind(piece), {})
        for trade in set(row_hash(list(piece.terms)).tolist()) & trades.keys():
            self._store.discard("quarantine", trades.pop(trade)[0])
        left = list(piece.blocks)
        while left:
            block = left.pop()
            if block.key in known.splits:
                known.splits.discard(block.key)
                self._store.discard("quarantine", block.key)
                left.extend(halves(piece, block, self._states, self._pricing))

    def split(self, piece: Piece, block: Block) -> tuple[Block, Block]:
        """Cut a block in two and remember it."""
        made = halves(piece, block, self._states, self._pricing)
        self._put(block.key, {"split": [made[0].stop - block.start]})
        return made

    def leave_out(self, piece: Piece, block: Block, reason: str) -> None:
        """Remember that the one trade of this block is not to be priced."""
        name, code = _kind(piece)
        (trade,) = row_hash(list(piece.terms[:, block.start : block.stop])).tolist()
        self._put(block.key, {"reason": reason, "instrument": name, "code": code, "trade": str(trade)})

    def _put(self, key: str, meta: dict[str, object]) -> None:
        self._store.put("quarantine", key, meta, {})
        self._used.add(key)


def halves(piece: Piece, block: Block, states: MarketStates, pricing: Pricing) -> tuple[Block, Block]:
    """A block as two blocks."""
    middle = (block.start + block.stop) // 2
    first = make_block(piece, (block.start, middle), block.roles, states, pricing)
    return first, make_block(piece, (middle, block.stop), block.roles, states, pricing)


def along(piece: Piece, number: NDArray[np.int64], states: MarketStates, pricing: Pricing) -> list[Block]:
    """The blocks of a piece as a run has kept them. number : (trade,), the block each trade lies in, -1 for none.

    A block whose trades do not lie in one is cut where they change from one to the next.
    """
    made: list[Block] = []
    for block in piece.blocks:
        here = number[block.start : block.stop]
        cuts = (np.flatnonzero(here[1:] != here[:-1]) + 1 + block.start).tolist()
        if not cuts:
            made.append(block)
            continue
        edges = [block.start, *cuts, block.stop]
        for span in itertools.pairwise(edges):
            made.append(make_block(piece, span, block.roles, states, pricing))
    return made


def _kind(piece: Piece) -> Kind:
    return piece.instrument.name, piece.code.hex()
