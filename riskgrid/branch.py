"""What a what-if keeps beside its parent, and how its cells and trades are put together from both."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskgrid.change import Changes
from riskgrid.delta import Delta
from riskgrid.engine.outcome import CellSums
from riskgrid.errors import MoneyOverflow
from riskgrid.hashing import digest
from riskgrid.placement import Placement
from riskgrid.portfolio import Portfolio
from riskgrid.store import Stored

__all__ = ["Branch", "Cells", "ChildSums", "row_digests"]

type Values = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Cells:
    """Sums of all cells and a digest of each. values : labels of each cell, sorted."""

    values: Values
    sums: CellSums
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, values: Values, sums: CellSums) -> Cells:
        """Cells with their digests."""
        return cls(values, sums, row_digests(values, sums, np.arange(len(values))))

    def result(self, labels: tuple[str, ...]) -> str:
        """Digest of the answer: of what the cells are called and of every number in them."""
        return digest("cells", labels, b"".join(self.digests)).hex()

    def in_order(self) -> tuple[Cells, NDArray[np.int64]]:
        """The cells that hold a trade, sorted, and the new place of each cell, -1 for those left out."""
        kept = np.flatnonzero(self.sums.trades > 0)
        if len(kept) == len(self.values) and all(one < other for one, other in itertools.pairwise(self.values)):
            return self, kept
        order = np.array(sorted(kept.tolist(), key=self.values.__getitem__), np.int64)
        place = np.full(len(self.values), -1, np.int64)
        place[order] = np.arange(len(order))
        return Cells(
            tuple(self.values[at] for at in order.tolist()),
            CellSums(**{name: rows[order] for name, rows in _columns(self.sums).items()}),
            tuple(self.digests[at] for at in order.tolist()),
        ), place


def row_digests(values: Values, sums: CellSums, cells: NDArray[np.int64]) -> tuple[bytes, ...]:
    """Digest of the labels and numbers of each of these cells."""
    counts = np.stack([rows for name, rows in _columns(sums).items() if name != "pnl"], axis=1)
    return tuple(digest("cell", values[at], sums.pnl[at], counts[at]) for at in cells.tolist())


class ChildSums:
    """Cell sums on their way from the parent's to the child's."""

    def __init__(self, parent: Cells, values: tuple[tuple[str, ...], ...]) -> None:
        self.values, self._parent = values, parent
        self._sums = _widened(parent.sums, len(values))
        self._touched = np.zeros(len(values), np.bool_)
        self._touched[len(parent.values) :] = True

    def count(self, name: str, cells: NDArray[np.int64], number: Any) -> None:
        """Add to a count, cell by cell."""
        np.add.at(getattr(self._sums, name), cells, number)
        self._touched[cells] = True

    def subtract(
        self, sums: Mapping[str, NDArray[np.int64]], cells: NDArray[np.int64], states: NDArray[np.intp]
    ) -> None:
        """Take a block's sums out; ``states`` are those it has, the base first."""
        for name, rows in sums.items():
            if name == "pnl" and rows.shape[1] < self._sums.pnl.shape[1]:
                self._sums.pnl[np.ix_(cells, states[1:] - 1)] -= rows
            else:
                getattr(self._sums, name)[cells] -= rows
        self._touched[cells] = True

    def add(self, sums: CellSums, cells: NDArray[np.int64]) -> None:
        """Add sums to distinct cells, a row each. MoneyOverflow where a sum leaves int64."""
        rows = np.flatnonzero(sums.trades > 0)
        here = cells[rows]
        for name in CellSums.__dataclass_fields__:
            total, part = getattr(self._sums, name), getattr(sums, name)[rows]
            before = total[here]
            after = before + part
            if (((before ^ after) & (part ^ after)) < 0).any():
                raise MoneyOverflow("money of a cell")
            total[here] = after
        self._touched[here] = True

    def clear(self, cells: NDArray[np.int64]) -> None:
        """Take all that is in some cells out of them."""
        for name in CellSums.__dataclass_fields__:
            getattr(self._sums, name)[cells] = 0
        self._touched[cells] = True

    def take_out(self, sums: CellSums, cells: NDArray[np.int64]) -> None:
        """Take sums out of cells, one row each."""
        for name in CellSums.__dataclass_fields__:
            getattr(self._sums, name)[cells] -= getattr(sums, name)
        self._touched[cells] = True

    def move(self, sums: CellSums, pairs: NDArray[np.int64], rest: NDArray[np.int64]) -> None:
        """Take each row of ``sums`` from one cell to another, then all that is left of further cells.

        pairs, rest : (2, move), the cell each comes from and the one it goes to; those of ``rest`` come from distinct
        cells. Nothing is added before everything is taken: a cell may give and get. MoneyOverflow as :meth:`add`.
        """
        names = CellSums.__dataclass_fields__
        for name in names:
            np.subtract.at(getattr(self._sums, name), pairs[0], getattr(sums, name))
        left = CellSums(**{name: getattr(self._sums, name)[rest[0]] for name in names})
        for name in names:
            getattr(self._sums, name)[rest[0]] = 0
        self._give(sums, pairs[1])
        self._give(left, rest[1])
        self._touched[np.concatenate([pairs[0], rest[0]])] = True

    def _give(self, sums: CellSums, target: NDArray[np.int64]) -> None:
        for name in CellSums.__dataclass_fields__:
            total, parts = getattr(self._sums, name), getattr(sums, name)
            for at, part in zip(target.tolist(), parts, strict=True):
                after = total[at] + part
                if np.any(((total[at] ^ after) & (part ^ after)) < 0):
                    raise MoneyOverflow("money of a cell")
                total[at] = after
        self._touched[target] = True

    def touched(self) -> NDArray[np.int64]:
        """Cells that are not as in the parent."""
        return np.flatnonzero(self._touched)

    def cells(self) -> Cells:
        """The sums with the digests of what changed."""
        touched = self.touched()
        digests = [*self._parent.digests, *[b""] * (len(self.values) - len(self._parent.values))]
        for at, found in zip(touched.tolist(), row_digests(self.values, self._sums, touched), strict=True):
            digests[at] = found
        return Cells(self.values, self._sums, tuple(digests))


@dataclass(frozen=True)
class Branch:
    """What a what-if keeps. values : of all its cells.   touched : (cell,), those that are not as the parent's.

    sums : of the touched cells.   placement : of the new trades.   rekeyed : block of the parent to the block that
    stands for it now and its states.   failed : of those, the blocks that could not be priced, and why.
    """

    changes: Changes
    values: Values
    touched: NDArray[np.int64]
    sums: CellSums
    placement: Placement
    rekeyed: Mapping[str, tuple[str, NDArray[np.intp]]]
    failed: Mapping[str, str]

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What :meth:`of` reads."""
        meta, arrays = self.placement.parts()
        states = [states for _, states in self.rekeyed.values()]
        head = {
            "changes": json.dumps(self.changes.to_dict()),  # a text: of shifts the order counts
            "values": self.values,
            "placement": meta,
            "rekeyed": [[old, new] for old, (new, _) in self.rekeyed.items()],
            "failed": dict(self.failed),
        }
        return head, {
            "touched": self.touched,
            **{f"sums.{name}": rows for name, rows in _columns(self.sums).items()},
            **{f"placement.{name}": array for name, array in arrays.items()},
            "states": np.concatenate([*states, np.zeros(0, np.intp)]).astype(np.intp),
            "states_offset": np.cumsum([0, *map(len, states)]),
        }

    @classmethod
    def of(cls, stored: Stored) -> Branch:
        """The branch that was stored."""
        meta, arrays = stored.meta, stored.arrays
        placed = {name.removeprefix("placement."): a for name, a in arrays.items() if name.startswith("placement.")}
        sums = CellSums(**{name: arrays[f"sums.{name}"] for name in _NAMES})
        offset = arrays["states_offset"]
        rekeyed = {
            old: (new, arrays["states"][offset[at] : offset[at + 1]]) for at, (old, new) in enumerate(meta["rekeyed"])
        }
        return cls(
            Changes.from_dict(json.loads(meta["changes"])),
            tuple(tuple(cell) for cell in meta["values"]),
            arrays["touched"],
            sums,
            Placement.of(Stored(meta["placement"], placed)),
            rekeyed,
            meta["failed"],
        )

    def cells(self, values: Values, sums: CellSums) -> CellSums:
        """Sums of all cells, from those of the parent with its ``values``."""
        place = {cell: at for at, cell in enumerate(values)}
        origin = np.array([place.get(cell, -1) for cell in self.values], np.int64)
        untouched = np.ones(len(origin), np.bool_)
        untouched[self.touched] = False
        made = CellSums.zeros(len(self.values), sums.pnl.shape[1])
        for name in _NAMES:
            getattr(made, name)[untouched] = getattr(sums, name)[origin[untouched]]
            getattr(made, name)[self.touched] = getattr(self.sums, name)
        return made

    def placed(self, parent: Placement, before: Portfolio, delta: Delta, after: Portfolio) -> Placement:
        """Where each trade lies after the changes."""
        old, new, ids = (pd.Index(list(portfolio.places())) for portfolio in (before, delta.new, after))
        own = new.get_indexer(ids)
        order = np.where(own >= 0, own + len(old), old.get_indexer(ids))
        return _taken(_joined(self._rekeyed(parent), self.placement), order.astype(np.int64))

    def _rekeyed(self, parent: Placement) -> Placement:
        """With other blocks in place of some."""
        pairs = zip(parent.keys, parent.states, strict=True)
        new = [self.rekeyed.get(key, (key, states)) for key, states in pairs]
        lost = np.array([key in self.failed for key, _ in new], np.bool_)
        out = (parent.block >= 0) & lost[parent.block] if lost.any() else np.zeros(len(parent.block), np.bool_)
        told = {at: self.failed[new[parent.block[at]][0]] for at in np.flatnonzero(out).tolist()}
        return replace(
            parent,
            keys=tuple(key for key, _ in new),
            states=tuple(states for _, states in new),
            block=np.where(out, -1, parent.block),
            problems={**parent.problems, **told},
        )


def _joined(first: Placement, second: Placement) -> Placement:
    """The trades of the first, then those of the second."""
    block = np.where(second.block >= 0, second.block + len(first.keys), -1)
    problems = {len(first.block) + trade: text for trade, text in second.problems.items()}
    return Placement(
        np.concatenate([first.block, block]),
        np.concatenate([first.row, second.row]),
        (*first.keys, *second.keys),
        (*first.states, *second.states),
        {**first.problems, **problems},
        np.concatenate([first.unshocked, second.unshocked]),
        np.concatenate([first.stale, second.stale]),
    )


def _taken(placement: Placement, trades: NDArray[np.int64]) -> Placement:
    """These trades alone, in this order; blocks that hold none of them are left out."""
    block = placement.block[trades]
    used = np.unique(block[block >= 0])
    code = np.where(block >= 0, np.searchsorted(used, block), -1)
    place = {old: at for at, old in enumerate(trades.tolist())} if placement.problems else {}
    return Placement(
        code,
        placement.row[trades],
        tuple(placement.keys[at] for at in used.tolist()),
        tuple(placement.states[at] for at in used.tolist()),
        {place[old]: text for old, text in placement.problems.items() if old in place},
        placement.unshocked[trades],
        placement.stale[trades],
    )


def _widened(sums: CellSums, count: int) -> CellSums:
    """A copy with empty cells behind the others, ``count`` in all."""

    def longer(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), np.int64)])

    return CellSums(**{name: longer(rows) for name, rows in _columns(sums).items()})


def _columns(sums: CellSums) -> dict[str, NDArray[np.int64]]:
    return {name: getattr(sums, name) for name in _NAMES}


_NAMES = tuple(field.name for field in fields(CellSums))
