"""Sums at the deepest nodes of a tree, read from the trade blocks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.block import Priced, sum_block
from riskgrid.engine.outcome import CellSums
from riskgrid.errors import MoneyOverflow
from riskgrid.pivot import Pivot
from riskgrid.placement import Placement
from riskgrid.schema import Status
from riskgrid.settings import settings

__all__ = ["trade_sums"]

#: Memory for the sums of threads that read blocks side by side; each has its own.
_SUMS_BYTES = 1 << 30

type Index = NDArray[np.int64]
type Ticks = NDArray[np.int64]


def trade_sums(tree: Pivot, place: Placement, load: Callable[[int, Index], Priced], scenarios: int) -> CellSums:
    """Sums (leaf, scenario) of the chosen trades at the deepest nodes, and their counts (leaf,).

    load : gives a block by its place, with these rows of it at least.   Threads share the blocks; integers add up the
    same in any order.
    MoneyOverflow where a sum leaves int64.
    """
    leaves, trades = len(tree.node), len(tree.rows)
    blocks = list(place.by_block(tree.rows))
    most = _SUMS_BYTES // (8 * max(leaves, 1) * max(scenarios, 1))
    workers = max(min(settings().threads, len(blocks), most), 1)
    status, value = np.full(trades, Status.FAILED, np.uint8), np.full(trades, np.nan)  # of trades in no block

    def work(first: int) -> Ticks:
        total = np.zeros((leaves, scenarios), np.int64)
        for block, at, rows in blocks[first::workers]:
            priced = load(block, rows)
            status[at], value[at] = priced.status[rows], priced.base_value[rows]
            _check(_add_rows(total, priced, place.states[block][1:] - 1, tree.leaf[at], rows))
        return total

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(work, range(workers))) if workers > 1 else [work(0)]
    total, *others = parts
    for part in others:
        _check(formulas.add_exactly(total, part))
    no_row, no_ticks = np.zeros(0, np.int64), np.zeros((trades, 0), np.int64)
    counts = sum_block(Priced(no_ticks, value, status, no_row, no_ticks[:0]), tree.leaf, leaves)
    for name in ("unshocked", "stale"):
        pairs = getattr(place, name)[tree.rows]
        counts[name] = np.zeros(leaves, np.int64)
        if pairs.any():  # float64 counts to 2^53 exactly
            counts[name] += np.bincount(tree.leaf, pairs, leaves).astype(np.int64)
    return CellSums(**{**counts, "pnl": total})


def _add_rows(total: Ticks, priced: Priced, states: NDArray[np.intp], leaf: Index, rows: Index) -> bool:
    """Adds rows of a block to their leaves, where they lie: none is copied."""
    use, cell = np.zeros(len(priced.status), np.bool_), np.zeros(len(priced.status), np.int64)
    use[rows] = priced.status[rows] <= Status.EXPIRED
    if len(states) == total.shape[1]:
        cell[rows] = leaf
        return _add_ticks(total, priced, cell, use)
    found, cell[rows] = np.unique(leaf, return_inverse=True)
    kept, whole = (np.zeros((len(found), width), np.int64) for width in (len(states), total.shape[1]))
    fits = _add_ticks(kept, priced, cell, use)
    whole[:, states] = kept
    return fits and formulas.sum_cells(whole, found, np.ones(len(found), np.bool_), total)


def _add_ticks(total: Ticks, priced: Priced, cell: Index, use: NDArray[np.bool_]) -> bool:
    narrow = use.copy()
    narrow[priced.wide] = False
    fits = formulas.sum_cells(priced.ticks, cell, narrow, total)
    if not len(priced.wide):
        return fits
    return fits and formulas.sum_cells(priced.wide_ticks, cell[priced.wide], use[priced.wide], total)


def _check(fits: bool) -> None:
    if not fits:
        raise MoneyOverflow("the P&L of a node")
