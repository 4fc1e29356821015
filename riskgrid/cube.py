"""Labelled views of a run's P&L: cells in memory, trades over the block files, sums at any node of any labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.block import BASE_BITS, Priced, sum_block
from riskgrid.engine.execute import CellSums
from riskgrid.engine.task import priced_from
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.schema import Status, annotate
from riskgrid.settings import settings
from riskgrid.store import Store, Stored
from riskgrid.terms import Names

__all__ = ["MOST_NODES", "Codes", "Cube", "Placement", "cells_of", "code_labels"]

#: Most cells of a run, and most nodes of one answer.
MOST_NODES = 20_000

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class Codes:
    """Combinations of labels: ``values`` (one tuple each, sorted) and the code of each trade or cell."""

    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    code: Index


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


@dataclass(frozen=True)
class Cube:
    """The numbers of one run. ``labels`` answers a label's names (trade,) in portfolio order.

    attrs : what every answer carries along: currency, scenario set, valuation date, tick bits ...
    """

    store: Store
    cells: CellSums
    cell_labels: Codes
    placement: Placement
    labels: Mapping[str, Names]
    scenarios: NDArray[Any]
    weight: NDArray[np.float64] | None
    bits: int
    attrs: Mapping[str, Any]

    def nodes(self, by: Sequence[str], where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """P&L and counts at the total and at every node below it, in the order of a tree.

        Labels that the run's cells have are answered from memory, any other from the trade blocks.
        UnknownName for a label nothing has, BadSpec beyond ``MOST_NODES``.
        """
        by, where = tuple(by), dict(where or {})
        in_cells = set(by) | set(where) <= set(self.cell_labels.labels)
        for label in () if in_cells else (*by, *where):
            if label not in self.labels:
                raise UnknownName("label", label, self.labels)
        if len(set(by)) < len(by):
            raise BadSpec(f"labels {', '.join(by)} name one twice; each once is right")
        self._check_values(where, in_cells)
        codes, sums = self._from_cells(by, where) if in_cells else self._from_trades(by, where)
        made = self._tree(codes, sums)
        made.attrs["answered_from"] = "cells" if in_cells else "trade blocks"
        return made

    def trades(self) -> xr.Dataset:
        """Every trade: lazy ``pnl (trade, scenario)`` with one chunk a block, base value, status, labels."""
        import dask.array as da

        order, chunks = self._trade_order()
        bases, states_of = [], []
        for block in range(len(self.placement.keys)):
            found = self._block(block)  # copied: a mapped block holds a file handle as long as it is kept
            bases.append(np.array(found.base_value))
            states_of.append(np.array(found.status))
        none = len(order) - sum(chunks)
        parts = [
            da.from_array(_LazyBlock(self.store, key, states, self.bits, (rows, len(self.scenarios))), chunks=(-1, -1))
            for key, states, rows in zip(self.placement.keys, self.placement.states, chunks, strict=True)
        ]
        if none:
            parts.append(da.full((none, len(self.scenarios)), np.nan, chunks=(-1, -1)))
        base = np.concatenate([*bases, np.full(none, np.nan)])
        status = np.concatenate([*states_of, np.full(none, Status.FAILED, np.uint8)])
        coords = {name: ("trade", self.labels[name][order].texts()) for name in self.labels}
        pnl = da.concatenate(parts) if parts else da.zeros((0, len(self.scenarios)))
        data = {"pnl": (("trade", "scenario"), pnl), "base_value": ("trade", base), "status": ("trade", status)}
        made = xr.Dataset(data, {**coords, "scenario": self.scenarios}, attrs=dict(self.attrs))
        return annotate(made, str(self.attrs["currency"]))

    def cell_dataset(self) -> xr.Dataset:
        """Every cell, in memory."""
        columns = zip(*self.cell_labels.values, strict=True)
        coords = {
            name: ("cell", np.array(values, dtype=object))
            for name, values in zip(self.cell_labels.labels, columns, strict=False)
        }
        data = self._money(self.cells, "cell")
        made = xr.Dataset(data, {**coords, "scenario": self.scenarios}, attrs=dict(self.attrs))
        return annotate(made, str(self.attrs["currency"]))

    def status(self) -> tuple[NDArray[np.uint8], NDArray[np.float64], dict[int, str]]:
        """Status and base value of each trade in portfolio order, and the sentences of those without a number."""
        place = self.placement
        status = np.full(len(place.block), Status.FAILED, np.uint8)
        base = np.full(len(place.block), np.nan)
        problems = dict(place.problems)
        for block, (trades, rows) in self._by_block(np.arange(len(place.block))):
            found = self._block(block)
            status[trades], base[trades] = found.status[rows], found.base_value[rows]
            if found.problems:
                problems |= {
                    int(t): found.problems[int(r)]
                    for t, r in zip(trades, rows, strict=True)
                    if int(r) in found.problems
                }
        return status, base, problems

    def trade_pnl(self, trades: Index) -> NDArray[np.float64]:
        """P&L (trade, scenario) of these trades (places in portfolio order); reads only their rows."""
        pnl = np.full((len(trades), len(self.scenarios)), np.nan)
        for block, (at, rows) in self._by_block(np.asarray(trades)):
            states = self.placement.states[block][1:] - 1
            pnl[at] = _rows_of(self._block(block), rows, states, len(self.scenarios), self.bits)
        return pnl

    def _check_values(self, where: Mapping[str, Any], in_cells: bool) -> None:
        for label, wanted in where.items():
            if in_cells:
                column = self.cell_labels.labels.index(label)
                known = {values[column] for values in self.cell_labels.values}
            else:
                known = set(self.labels[label].names)
            for value in [wanted] if isinstance(wanted, str) else wanted:
                if str(value) not in known:
                    raise UnknownName(label, str(value), known)

    # -- sums --------------------------------------------------------------------------------------------------

    def _from_cells(self, by: tuple[str, ...], where: Mapping[str, Any]) -> tuple[Codes, CellSums]:
        columns = {
            label: Names.of([values[at] for values in self.cell_labels.values])[:, 0]
            for at, label in enumerate(self.cell_labels.labels)
        }
        use = _selected(columns, where, len(self.cell_labels.values))
        picked = {label: columns[label][use] for label in by}
        codes = code_labels(by, picked, int(use.sum()))
        _refuse_many(codes)
        total = CellSums.zeros(len(codes.values), len(self.scenarios))
        _add_rows(self.cells.pnl[use], codes.code, total.pnl)
        for name in _COUNTS:
            np.add.at(getattr(total, name), codes.code, getattr(self.cells, name)[use])
        return codes, total

    def _from_trades(self, by: tuple[str, ...], where: Mapping[str, Any]) -> tuple[Codes, CellSums]:
        use = np.flatnonzero(_selected(self.labels, where, len(self.placement.block)))
        codes = code_labels(by, {label: self.labels[label][use] for label in by}, len(use))
        _refuse_many(codes)
        total = CellSums.zeros(len(codes.values), len(self.scenarios))
        np.add.at(total.trades, codes.code, 1)
        placed = self.placement.block[use] >= 0
        np.add.at(total.unpriced, codes.code[~placed], 1)
        np.add.at(total.unshocked, codes.code, self.placement.unshocked[use])
        np.add.at(total.stale, codes.code, self.placement.stale[use])

        def part(item: tuple[int, tuple[Index, Index]]) -> tuple[Index, Index, dict[str, NDArray[Any]]]:
            block, (at, rows) = item
            cell, local = np.unique(codes.code[at], return_inverse=True)
            priced = _only(self._block(block), rows)
            return cell, self.placement.states[block][1:] - 1, sum_block(priced, local.astype(np.int64), len(cell))

        with ThreadPoolExecutor(settings().threads) as pool:
            for cell, states, sums in pool.map(part, self._by_block(use)):
                pnl = sums["pnl"]
                if len(states) < len(self.scenarios):
                    pnl = np.zeros((len(cell), len(self.scenarios)), np.int64)
                    pnl[:, states] = sums["pnl"]
                _add_rows(pnl, cell, total.pnl)
                for name in ("base", "gross", "gross_known", "unpriced"):
                    getattr(total, name)[cell] += sums[name]
        return codes, total

    def _tree(self, codes: Codes, leaves: CellSums) -> xr.Dataset:
        """Every prefix of the leaves' labels is a node; sums of sums are exact, so a parent is added from its parts."""
        depth = len(codes.labels)
        prefixes = {values[:level] for values in codes.values for level in range(depth + 1)} | {()}
        nodes = sorted(prefixes)
        place = {values: at for at, values in enumerate(nodes)}
        total = CellSums.zeros(len(nodes), len(self.scenarios))
        for level in range(depth + 1):
            at = np.array([place[values[:level]] for values in codes.values], np.int64)
            _add_rows(leaves.pnl, at, total.pnl)
            for name in _COUNTS:
                np.add.at(getattr(total, name), at, getattr(leaves, name))
        coords: dict[str, Any] = {"depth": ("node", np.array([len(values) for values in nodes], np.int64))}
        for column, label in enumerate(codes.labels):
            texts = [values[column] if column < len(values) else "" for values in nodes]
            coords[label] = ("node", np.array(texts, dtype=object))
        made = xr.Dataset(self._money(total, "node"), {**coords, "scenario": self.scenarios}, attrs=dict(self.attrs))
        made.attrs["by"] = list(codes.labels)
        return made

    def _money(self, sums: CellSums, dim: str) -> dict[str, Any]:
        scenarios = len(self.scenarios)
        pairs = np.where(sums.trades > 0, sums.trades, 1)
        known = np.where(sums.gross_known > 0, sums.gross_known, 1)
        data: dict[str, Any] = {
            "pnl": ((dim, "scenario"), sums.pnl * 2.0**-self.bits),
            "base_value": (dim, sums.base * 2.0**-BASE_BITS),
            "trades": (dim, sums.trades),
            "unpriced": (dim, sums.unpriced),
            "coverage": (dim, np.where(sums.trades > 0, 1.0 - sums.unpriced / pairs, np.nan)),
            "coverage_value": (dim, np.where(sums.gross_known > 0, sums.gross / known, np.nan)),
            "unshocked": (dim, sums.unshocked / pairs),
            "stale": (dim, sums.stale / (pairs * max(scenarios, 1))),
        }
        if self.weight is not None:
            data["weight"] = ("scenario", self.weight)
        return data

    # -- blocks ------------------------------------------------------------------------------------------------

    def _block(self, block: int) -> Priced:
        return priced_from(self.store.get("blocks", self.placement.keys[block]))

    def _by_block(self, trades: Index) -> Iterator[tuple[int, tuple[Index, Index]]]:
        """For each block that holds some of the trades: their positions in ``trades`` and their rows."""
        block = self.placement.block[trades]
        order = np.argsort(block, kind="stable")
        starts = np.searchsorted(block[order], np.arange(len(self.placement.keys) + 1))
        for which in range(len(self.placement.keys)):
            at = order[starts[which] : starts[which + 1]]
            if len(at):
                yield which, (at, self.placement.row[trades[at]])

    def _trade_order(self) -> tuple[Index, list[int]]:
        place = self.placement
        order = np.lexsort((place.row, np.where(place.block < 0, len(place.keys), place.block)))
        counts = np.bincount(place.block[place.block >= 0], minlength=len(place.keys))
        return order, counts.tolist()


_COUNTS = ("base", "gross", "gross_known", "trades", "unpriced", "unshocked", "stale")


@dataclass(frozen=True)
class _LazyBlock:
    """A block as an array that reads its rows when they are sliced, for Dask."""

    store: Store
    key: str
    states: NDArray[np.intp]
    bits: int
    shape: tuple[int, int]
    dtype = np.dtype(np.float64)
    ndim = 2

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        picked = np.arange(self.shape[0])[rows]
        priced = priced_from(self.store.get("blocks", self.key))
        whole = _rows_of(priced, np.atleast_1d(picked), self.states[1:] - 1, self.shape[1], self.bits)
        return np.asarray(whole[:, columns])


def code_labels(labels: tuple[str, ...], columns: Mapping[str, Names], count: int) -> Codes:
    """The combinations of labels that occur, sorted, and the code of each of ``count`` elements.

    >>> desk = Names(np.array([1, 0, 1], np.int32), ("FX", "Rates"))
    >>> code_labels(("desk",), {"desk": desk}, 3).values
    (('FX',), ('Rates',))
    """
    code = np.zeros(count, np.int64)
    values: list[tuple[str, ...]] = [()] if count else []
    for label in labels:
        names = np.array(columns[label].names, dtype=object)
        order = np.argsort(names.astype(str), kind="stable")
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        if count:
            # label by label, because the product of all their counts may leave int64
            found, code = np.unique(code * len(names) + rank[columns[label].codes], return_inverse=True)
            values = [(*values[pair // len(names)], str(names[order[pair % len(names)]])) for pair in found.tolist()]
    return Codes(labels, tuple(values), code.astype(np.int64))


def cells_of(labels: Mapping[str, Names], names: tuple[str, ...], count: int) -> Codes:
    """The run's cells. BadSpec beyond ``MOST_NODES``: such labels are better asked of the trades."""
    codes = code_labels(names, labels, count)
    if len(codes.values) > MOST_NODES:
        raise BadSpec(
            f"cell labels {', '.join(names)} make {len(codes.values):,} cells; at most {MOST_NODES:,} are kept in "
            "memory: leave the finest label out, it is answered from the trade blocks"
        )
    return codes


def _add_rows(ticks: NDArray[np.int64], cell: Index, total: NDArray[np.int64]) -> None:
    if not formulas.sum_cells(ticks, cell, np.ones(len(cell), np.bool_), total):
        raise OverflowError("the P&L of a node leaves the range of 64-bit ticks; run with fewer tick bits")


def _selected(columns: Mapping[str, Names], where: Mapping[str, Any], count: int) -> NDArray[np.bool_]:
    use = np.ones(count, np.bool_)
    for label, wanted in where.items():
        values = {wanted} if isinstance(wanted, str) else {str(value) for value in wanted}
        held = np.array([name in values for name in columns[label].names], np.bool_)
        use &= held[columns[label].codes] if len(held) else False
    return use


def _refuse_many(codes: Codes) -> None:
    if len(codes.values) > MOST_NODES:
        raise BadSpec(
            f"{len(codes.values):,} nodes by {', '.join(codes.labels)}; at most {MOST_NODES:,} are answered at once: "
            "narrow the question with where="
        )


def _rows_of(priced: Priced, rows: Index, states: NDArray[np.intp], scenarios: int, bits: int) -> NDArray[np.float64]:
    """P&L of rows of a block in currency, pruned scenarios 0, missing pairs NaN."""
    part = _only(priced, rows)
    money = part.ticks * 2.0**-bits
    money[part.ticks == np.iinfo(part.ticks.dtype).min] = np.nan
    money[part.wide] = np.where(part.wide_ticks == np.iinfo(np.int64).min, np.nan, part.wide_ticks * 2.0**-bits)
    if len(states) == scenarios:
        return money
    full = np.where(np.isnan(part.base_value)[:, None], np.nan, np.zeros((len(rows), scenarios)))
    full[:, states] = money
    return full


def _only(priced: Priced, rows: Index) -> Priced:
    """Rows of a block, in that order."""
    place = {int(row): at for at, row in enumerate(priced.wide)}
    at = [(new, place[int(old)]) for new, old in enumerate(rows) if int(old) in place] if place else []
    wide = np.array([new for new, _ in at], np.int64)
    wide_ticks = priced.wide_ticks[[old for _, old in at]]
    return Priced(
        np.ascontiguousarray(priced.ticks[rows]), priced.base_value[rows], priced.status[rows], wide, wide_ticks
    )
