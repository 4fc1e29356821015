"""Where each trade of a run lies in the blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.outcome import Outcome
from riskgrid.label import starts
from riskgrid.portfolio import Portfolio
from riskgrid.store import Stored

__all__ = ["Placement", "placement_of"]

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class Placement:
    """Where each trade lies, in portfolio order. block, row : (trade,), -1 where a trade is in no block.

    keys : of the blocks.   states : of each block, kept ones with the base first.   problems : trade to sentence.
    unshocked, stale : (trade,), as the plan counted them.
    """

    block: Index
    row: Index
    keys: tuple[str, ...]
    states: tuple[NDArray[np.intp], ...]
    problems: Mapping[int, str]
    unshocked: Index
    stale: Index

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What :meth:`of` reads."""
        distinct: dict[bytes, int] = {}
        which = [distinct.setdefault(states.tobytes(), len(distinct)) for states in self.states]
        lists = [np.frombuffer(raw, np.intp) for raw in distinct]
        meta = {"keys": list(self.keys), "problems": sorted([trade, text] for trade, text in self.problems.items())}
        return meta, {
            "block": self.block,
            "row": self.row,
            "unshocked": self.unshocked,
            "stale": self.stale,
            "which": np.array(which, np.int64),
            "states": np.concatenate([*lists, np.zeros(0, np.intp)]),
            "offset": np.cumsum([0, *map(len, lists)]),
        }

    @classmethod
    def of(cls, stored: Stored) -> Placement:
        """The placement that was stored."""
        arrays, offset = stored.arrays, stored.arrays["offset"]
        lists = [arrays["states"][low:high] for low, high in itertools.pairwise(offset)]
        states = tuple(lists[which] for which in arrays["which"])
        problems = {int(trade): str(text) for trade, text in stored.meta["problems"]}
        return cls(
            arrays["block"],
            arrays["row"],
            tuple(stored.meta["keys"]),
            states,
            problems,
            arrays["unshocked"],
            arrays["stale"],
        )

    def by_block(self, trades: Index) -> Iterator[tuple[int, Index, Index]]:
        """Each block that holds some of the trades: its place, theirs in ``trades``, and their rows."""
        order, first = formulas.group_rows(self.block[trades] + 1, len(self.keys) + 1)
        for which, (low, high) in enumerate(itertools.pairwise(first[1:].tolist())):
            if low < high:
                at = order[low:high]
                yield which, at, self.row[trades[at]]

    def trade_order(self) -> tuple[Index, list[int]]:
        """Trades block by block, row by row, those in no block last; and how many each block has."""
        order = np.lexsort((self.row, np.where(self.block < 0, len(self.keys), self.block)))
        counts = np.bincount(self.block[self.block >= 0], minlength=len(self.keys))
        return order, counts.tolist()


def placement_of(portfolio: Portfolio, outcome: Outcome) -> Placement:
    """Where each trade lies, in portfolio order."""
    first = starts(portfolio)
    block = np.full(len(portfolio), -1, np.int64)
    row = np.full(len(portfolio), -1, np.int64)
    unshocked, stale = np.zeros((2, len(portfolio)), np.int64)
    keys: list[str] = []
    states: list[NDArray[np.intp]] = []
    problems: dict[int, str] = {}
    for piece in outcome.pieces:
        start = first[piece.instrument.name]
        problems |= {start + place: text for place, text in piece.problems.items()}
        unshocked[start + piece.rows], stale[start + piece.rows] = piece.unshocked, piece.stale
        for part in piece.blocks:
            trades = start + piece.rows[part.start : part.stop]
            if part.key in outcome.failed:
                problems |= dict.fromkeys(trades.tolist(), outcome.failed[part.key])
                continue
            block[trades], row[trades] = len(keys), np.arange(len(trades))
            keys.append(part.key)
            states.append(part.states)
    return Placement(block, row, tuple(keys), tuple(states), problems, unshocked, stale)
