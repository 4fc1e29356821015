"""Labelled views of a run's P&L: cells in memory, trades over the block files, sums at any node of any labels."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.block import BASE_BITS, Priced
from riskgrid.engine.kept import in_place, priced_from
from riskgrid.engine.outcome import CellSums
from riskgrid.errors import MoneyOverflow, StoreError
from riskgrid.pivot import MOST_NODES, Codes, Pivot, cells_of, chosen, code_labels
from riskgrid.placement import Placement
from riskgrid.rows import LazyBlock, damaged_detail, rows_of
from riskgrid.schema import Status, annotate
from riskgrid.store import Store, Stored
from riskgrid.summing import trade_sums
from riskgrid.terms import Names

__all__ = ["MOST_NODES", "Codes", "Cube", "Placement", "cells_of", "code_labels"]

#: Questions whose tree is remembered.
_MOST_PLANS = 64

#: Most trades or cells of a tree that is remembered; beyond, making it anew is a small part of reading them.
_MOST_REMEMBERED = 200_000

_COUNTS = ("base", "gross", "gross_known", "trades", "unpriced", "unshocked", "stale")

type Index = NDArray[np.int64]
type Where = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Plan:
    """What a question needs beside numbers. empty : its answer with every number 0."""

    tree: Pivot
    empty: xr.Dataset


@dataclass(frozen=True)
class Cube:
    """The numbers of one run. ``labels`` answers a label's names (trade,) in portfolio order.

    placed : gives where each trade lies, asked for when a trade is first read.
    attrs : what every answer carries along: currency, scenario set, valuation date, tick bits ...
    """

    store: Store
    cells: CellSums
    cell_labels: Codes
    placed: Callable[[], Placement]
    labels: Mapping[str, Names]
    scenarios: NDArray[Any]
    weight: NDArray[np.float64] | None
    bits: int
    attrs: Mapping[str, Any]
    _cell_plans: dict[Any, _Plan] = field(default_factory=dict, repr=False, compare=False)
    _trade_plans: dict[Any, _Plan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def with_numbers(self, cell_labels: Codes, **numbers: Any) -> Cube:
        """The cube of a what-if; trees over the same cells are shared."""
        same = cell_labels.values == self.cell_labels.values
        labels, plans = (self.cell_labels, self._cell_plans) if same else (cell_labels, {})
        return replace(self, cell_labels=labels, _cell_plans=plans, **numbers)

    @functools.cached_property
    def placement(self) -> Placement:
        """Where each trade lies."""
        return self.placed()

    def nodes(self, by: Sequence[str], where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """P&L and counts at the total and at every node below it, in the order of a tree.

        Labels that the run's cells have are answered from memory, any other from the trade blocks.
        UnknownName for a label nothing has, BadSpec beyond ``MOST_NODES``.
        """
        by = tuple(by)
        chosen = _spelled(where)
        return self._answer(by, chosen, in_cells=set(by) | set(chosen) <= set(self.cell_labels.labels))

    def size(self, by: Sequence[str], where: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """How many nodes and scenarios an answer of :meth:`nodes` has; its P&L is not summed."""
        chosen, labels = _spelled(where), set(self.cell_labels.labels)
        plan = self._plan(tuple(by), chosen, in_cells=set(by) | set(chosen) <= labels)
        return len(plan.tree.parent), len(self.scenarios)

    def trades(self) -> xr.Dataset:
        """Every trade: lazy ``pnl (trade, scenario)`` with one chunk a block, base value, status, labels."""
        import dask.array as da

        place = self.placement
        order, chunks = place.trade_order()
        none = len(order) - sum(chunks)
        rows_by_block = np.split(place.row[order], np.cumsum(chunks))[: len(chunks)]
        bases, states_of, parts = [], [], []
        for block, rows in enumerate(rows_by_block):
            found = self.opened(block).arrays
            bases.append(found["base_value"][rows])
            states_of.append(found["status"][rows])
            key, states, run = place.keys[block], place.states[block], str(self.attrs["run_id"])
            lazy = LazyBlock(self.store, key, states, self.bits, rows, len(self.scenarios), run)
            parts.append(da.from_array(lazy, chunks=(-1, -1)))
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
        coords = {label: ("cell", column.texts()) for label, column in self.cell_labels.columns.items()}
        numbers = self._numbers(self.cells.pnl * 2.0**-self.bits, self._cell_counts)
        made = xr.Dataset(_dims(numbers, "cell"), {**coords, "scenario": self.scenarios}, attrs=dict(self.attrs))
        return annotate(made, str(self.attrs["currency"]))

    def status(self, trades: Index | None = None) -> tuple[NDArray[np.uint8], NDArray[np.float64], dict[int, str]]:
        """Status and base value of each trade in portfolio order, and the sentences of those without a number.

        trades : places of those asked for, by default all; the sentences are by their order here.
        """
        place = self.placement
        asked = np.arange(len(place.block)) if trades is None else np.asarray(trades)
        status = np.full(len(asked), Status.FAILED, np.uint8)
        base = np.full(len(asked), np.nan)
        problems = {at: place.problems[t] for at, t in enumerate(asked.tolist()) if t in place.problems}
        for block, at, rows in place.by_block(asked):
            found = self.opened(block)
            status[at], base[at] = found.arrays["status"][rows], found.arrays["base_value"][rows]
            if found.meta["problems"]:
                told = {int(row): str(text) for row, text in found.meta["problems"]}
                problems |= {int(t): told[int(r)] for t, r in zip(at, rows, strict=True) if int(r) in told}
        return status, base, problems

    def trade_pnl(self, trades: Index) -> NDArray[np.float64]:
        """P&L (trade, scenario) of these trades (places in portfolio order); reads only their rows."""
        pnl = np.full((len(trades), len(self.scenarios)), np.nan)
        for block, at, rows in self.placement.by_block(np.asarray(trades)):
            states = self.placement.states[block][1:] - 1
            with self._detail():
                pnl[at] = rows_of(self.opened(block), rows, states, len(self.scenarios), self.bits)
        return pnl

    def weighted_pnl(self, trades: Index, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of P&L over scenarios by their weights (scenario), of each of these trades; NaN where one lacks."""
        found, chosen = np.full(len(trades), np.nan), np.flatnonzero(weights)
        for block, at, rows in self.placement.by_block(np.asarray(trades)):
            states = self.placement.states[block][1:] - 1
            with self._detail():
                pnl = rows_of(self.opened(block), rows, states, len(self.scenarios), self.bits, chosen=chosen)
            found[at] = np.cumsum(pnl * weights[chosen], axis=1)[:, -1]
        return found

    def tree(self, by: Sequence[str], where: Mapping[str, Any] | None = None, *, in_cells: bool = True) -> Pivot:
        """The tree of the labels ``by`` over cells, or over trades in portfolio order. UnknownName, BadSpec."""
        columns: Mapping[str, Names] = self.cell_labels.columns if in_cells else self.labels
        count = len(self.cell_labels.values) if in_cells else len(self.placement.block)
        return Pivot.of(tuple(by), columns, chosen(columns, where, count))

    def block(self, place: int, rows: Index | None = None) -> Priced:
        """A block by its place in the placement, its ticks mapped into memory; StoreError where it is gone.

        rows : those whose ticks are verified, by default all.   DamagedObject where one is not what was written.
        """
        stored = self.opened(place)
        with self._detail():
            return priced_from(stored) if rows is None else in_place(stored, rows)

    def opened(self, place: int) -> Stored:
        """A block by its place, verified but for its ticks. StoreError where it is gone, DamagedObject."""
        with self._detail():
            return self.store.get("blocks", self.placement.keys[place])

    @contextlib.contextmanager
    def _detail(self) -> Iterator[None]:
        """Names the run whose block is damaged."""
        try:
            yield
        except StoreError as error:
            if error.transient:
                raise
            raise damaged_detail(str(self.attrs["run_id"]), error) from error

    # -- sums --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _cell_counts(self) -> NDArray[np.int64]:
        return np.stack([getattr(self.cells, name) for name in _COUNTS], axis=1)

    def _answer(self, by: tuple[str, ...], where: Where, *, in_cells: bool) -> xr.Dataset:
        plan = self._plan(by, where, in_cells=in_cells)
        tree = plan.tree
        if in_cells:
            ticks, counts, rows, node = self.cells.pnl, self._cell_counts, tree.rows, tree.node[tree.leaf]
        else:
            sums = trade_sums(tree, self.placement, self.block, len(self.scenarios))
            ticks, counts = sums.pnl, np.stack([getattr(sums, name) for name in _COUNTS], axis=1)
            rows, node = np.arange(len(tree.node)), tree.node
        nodes = len(tree.parent)
        pnl, counted = np.empty((nodes, len(self.scenarios))), np.empty((nodes, len(_COUNTS)), np.int64)
        fits = formulas.sum_tree(ticks, rows, node, tree.parent, 2.0**-self.bits, out=pnl)
        fits &= formulas.sum_tree(counts, rows, node, tree.parent, 1, out=counted)
        if not fits:
            raise MoneyOverflow("the P&L of a node")
        made = plan.empty.copy(data=self._numbers(pnl, counted))
        made.attrs = {**self.attrs, "by": list(by), "answered_from": "cells" if in_cells else "trade blocks"}
        return made

    def _plan(self, by: tuple[str, ...], where: Where, *, in_cells: bool) -> _Plan:
        key, plans = (by, tuple(where.items())), self._cell_plans if in_cells else self._trade_plans
        remembered = plans.get(key)  # at once: another thread may clear them
        if remembered is not None:
            return remembered
        tree = self.tree(by, where, in_cells=in_cells)
        nodes = len(tree.parent)
        nothing = self._numbers(np.broadcast_to(0.0, (nodes, len(self.scenarios))), np.zeros((nodes, 7), np.int64))
        coords = {"depth": ("node", tree.depth), **{label: ("node", texts) for label, texts in tree.names.items()}}
        empty = xr.Dataset(_dims(nothing, "node"), {**coords, "scenario": self.scenarios}, attrs=dict(self.attrs))
        for name in coords:
            empty[name].values.flags.writeable = False  # answers share them
        plan = _Plan(tree, annotate(empty, str(self.attrs["currency"])))
        if len(plans) >= _MOST_PLANS:
            plans.clear()
        if len(tree.rows) <= _MOST_REMEMBERED:
            plans[key] = plan
        return plan

    def _numbers(self, pnl: NDArray[Any], counts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Every variable of an answer. pnl : (node, scenario), currency.   counts : (node, count), ``_COUNTS``."""
        base, gross, gross_known, trades, unpriced, unshocked, stale = np.ascontiguousarray(counts.T)
        pairs = np.where(trades > 0, trades, 1)
        known = np.where(gross_known > 0, gross_known, 1)
        numbers = {
            "pnl": pnl,
            "base_value": base * 2.0**-BASE_BITS,
            "trades": trades,
            "unpriced": unpriced,
            "coverage": np.where(trades > 0, 1.0 - unpriced / pairs, np.nan),
            "coverage_value": np.where(gross_known > 0, gross / known, np.nan),
            "unshocked": unshocked / pairs,
            "stale": stale / (pairs * max(len(self.scenarios), 1)),
        }
        return numbers if self.weight is None else {**numbers, "weight": self.weight}


def _spelled(where: Mapping[str, Any] | None) -> Where:
    return {
        label: (wanted,) if isinstance(wanted, str) else tuple(map(str, wanted))
        for label, wanted in (where or {}).items()
    }


def _dims(numbers: Mapping[str, NDArray[Any]], dim: str) -> dict[str, Any]:
    dims = {"pnl": (dim, "scenario"), "weight": ("scenario",)}
    return {name: (dims.get(name, (dim,)), array) for name, array in numbers.items()}
