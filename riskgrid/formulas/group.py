"""Exact sums of rows of ticks: by group, and over a tree of groups."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Indices, Mask, Ticks
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop
from riskgrid.formulas.lane import line

STRIP = 256  # states of all nodes of a tree at a time, so that a few hundred nodes stay in cache


@loop("first", "order")
def order_loop(cell, use, first, order):  # type: ignore[no-untyped-def]
    """Counts, then places: rows of cell c are order[first[c] : first[c + 1]], ascending."""
    for t in range(cell.shape[0]):
        if use[t]:
            first[cell[t] + 2] += 1
    for c in range(2, first.shape[0]):
        first[c] += first[c - 1]
    for t in range(cell.shape[0]):
        if use[t]:
            at = first[cell[t] + 1]
            order[at] = t
            first[cell[t] + 1] = at + 1


@loop("out")
def sum_narrow_loop(ticks, order, first, begin, end, out):  # type: ignore[no-untyped-def]
    """Rows in the order of their cells, four at a time: a total then passes through the cache once for four rows.

    Four int32 fit in int64, so only the total can leave it: its sign then differs from that of both terms.
    """
    overflow = np.int64(0)
    for c in range(first.shape[0] - 1):
        t, last = max(first[c], begin), min(first[c + 1], end)
        while t < last:
            total, p = line(out, c), line(ticks, order[t])
            if t + 4 <= last:
                q, r, s = line(ticks, order[t + 1]), line(ticks, order[t + 2]), line(ticks, order[t + 3])
                for j in range(total.shape[0]):
                    before = total[j]
                    added = (np.int64(p[j]) + np.int64(q[j])) + (np.int64(r[j]) + np.int64(s[j]))
                    after = before + added
                    overflow |= (before ^ after) & (added ^ after)
                    total[j] = after
                t += 4
            else:
                for j in range(total.shape[0]):
                    before, added = total[j], np.int64(p[j])
                    after = before + added
                    overflow |= (before ^ after) & (added ^ after)
                    total[j] = after
                t += 1
    return overflow >= 0


@loop("out")
def sum_cells_loop(ticks, cell, use, out):  # type: ignore[no-untyped-def]
    """Adds rows where they belong; a sum overflowed where its sign differs from that of both its terms."""
    overflow = np.int64(0)
    for t in range(ticks.shape[0]):
        if use[t]:
            total, part = line(out, cell[t]), line(ticks, t)
            for j in range(total.shape[0]):
                before, added = total[j], np.int64(part[j])
                after = before + added
                overflow |= (before ^ after) & (added ^ after)
                total[j] = after
    return overflow >= 0


@loop("out")
def sum_tree_loop(ticks, rows, node, parent, scale, strip, out):  # type: ignore[no-untyped-def]
    """Strip by strip of states: rows into their nodes, then nodes into their parents, the last node first."""
    overflow = np.int64(0)
    total = np.empty((out.shape[0], strip), np.int64)
    for begin in range(0, out.shape[1], strip):
        width = min(strip, out.shape[1] - begin)
        total[:, :] = 0
        for i in range(rows.shape[0]):
            part, sums = line(ticks, rows[i])[begin : begin + width], line(total, node[i])
            for j in range(width):
                before, added = sums[j], np.int64(part[j])
                after = before + added
                overflow |= (before ^ after) & (added ^ after)
                sums[j] = after
        for k in range(out.shape[0] - 1, 0, -1):
            part, sums = line(total, k), line(total, parent[k])
            for j in range(width):
                before, added = sums[j], part[j]
                after = before + added
                overflow |= (before ^ after) & (added ^ after)
                sums[j] = after
        for k in range(out.shape[0]):
            sums, money = line(total, k), line(out, k)[begin : begin + width]
            for j in range(width):
                money[j] = sums[j] * scale
    return overflow >= 0


def sum_cells_numpy(ticks: Ticks, cell: Indices, use: Mask, out: Ticks) -> bool:
    """Specification of `sum_cells`."""
    fits = True
    for t in np.flatnonzero(use):
        before = out[cell[t]].copy()
        out[cell[t]] += ticks[t]
        fits &= not np.any((before ^ out[cell[t]]) & (ticks[t] ^ out[cell[t]]) < 0)
    return fits


def sum_tree_numpy(ticks: Ticks, rows: Indices, node: Indices, parent: Indices, scale: float, out: Any) -> bool:
    """Specification of `sum_tree`."""
    total = np.zeros(out.shape, np.int64)
    fits = sum_cells_numpy(ticks[rows], node, np.ones(len(rows), np.bool_), total)
    for k in range(len(total) - 1, 0, -1):
        fits &= sum_cells_numpy(total[k : k + 1], parent[k : k + 1], np.ones(1, np.bool_), total)
    out[...] = total * scale
    return fits


def sum_cells(ticks: Ticks, cell: Indices, use: Mask, out: Any) -> bool:
    """Adds rows of ticks to the rows of `out` that `cell` names, exactly; False says that a sum left int64.

    ticks : (trade, state), int32 or int64.   cell : (trade,), int64 rows of `out`.   use : (trade,), rows to add.
    out : (cell, state), int64, changed in place.   Raises IndexError where a cell is not a row, ValueError for other
    shapes or types.

    >>> total = np.zeros((1, 2), np.int64)
    >>> sum_cells(np.array([[1, 2], [3, 4]]), np.array([0, 0]), np.array([True, True]), total), total.tolist()
    (True, [[4, 6]])
    """
    if out.dtype != np.int64 or out.shape[1:] != ticks.shape[1:] or cell.shape != use.shape or len(cell) != len(ticks):
        raise ValueError(
            f"out is {out.dtype} {out.shape}, cell {cell.shape}, use {use.shape}; "
            f"they must be int64 (cell, {ticks.shape[1]}) and ({len(ticks)},)"
        )
    _check_rows("cell", cell if use.all() else cell[use], len(out))
    with np.errstate(over="ignore"):
        if BACKEND == "numpy":
            return sum_cells_numpy(ticks, cell, use, out)
        if ticks.dtype != np.int32:
            return bool(sum_cells_loop(ticks, cell, use, out))
        first, order = _ordered(cell, use, len(out))
        return bool(sum_narrow_loop(ticks, order, first, 0, len(order), out))


def group_rows(code: Indices, groups: int) -> tuple[Any, Any]:
    """Rows sorted by group, each group's in their order, and where each group begins.

    code : (row,), int64, 0 to groups - 1.   Returns (row,) and (groups + 1,): those of group g are
    ``order[first[g] : first[g + 1]]``.   Raises IndexError where a code is no group.

    >>> group_rows(np.array([1, 0, 1]), 2)
    (array([1, 0, 2]), array([0, 1, 3]))
    """
    _check_rows("code", code, groups)
    if BACKEND == "numpy":
        return np.argsort(code, kind="stable"), np.append(0, np.cumsum(np.bincount(code, minlength=groups)))
    first, order = _ordered(code, np.ones(len(code), np.bool_), groups)
    return order, first


def sum_groups(ticks: Ticks, code: Indices, groups: int, *, threads: int = 1) -> Ticks:
    """Exact sums by group of a table of ticks, read once by `threads` threads.

    ticks : (trade, state), int32.   code : (trade,), int64, the group of each row, 0 to groups - 1.
    Returns (group, state), int64, the same for any number of threads.   Raises IndexError where a code is no group.

    >>> sum_groups(np.array([[1, 2], [3, 4], [5, 6]], np.int32), np.array([1, 0, 1]), 2).tolist()
    [[3, 4], [6, 8]]
    """
    total = np.zeros((groups, ticks.shape[1]), np.int64)
    use = np.ones(len(code), np.bool_)
    if threads < 2 or BACKEND == "numpy":
        sum_cells(ticks, code, use, total)  # sums of int32 leave int64 only beyond 2^32 rows
        return total
    order, first = group_rows(code, groups)
    ends = np.linspace(0, len(order), threads + 1).astype(np.int64).tolist()

    def part(begin: int, end: int) -> tuple[int, Any]:
        # a thread's rows are those of neighbouring groups, of which it shares the outermost two at most
        low, high = (int(np.searchsorted(first, place, side="right")) - 1 for place in (begin, max(begin, end - 1)))
        low, high = min(low, groups - 1), min(high, groups - 1)
        sums = np.zeros((high + 1 - low, ticks.shape[1]), np.int64)
        sum_narrow_loop(ticks, order, first[low : high + 2], begin, end, sums)
        return low, sums

    if groups:
        with ThreadPoolExecutor(threads) as pool:
            for low, sums in pool.map(part, ends[:-1], ends[1:]):
                total[low : low + len(sums)] += sums
    return total


def sum_tree(ticks: Ticks, rows: Indices, node: Indices, parent: Indices, scale: float, *, out: Any) -> bool:
    """Sums of rows of ticks at every node of a tree, times `scale`; False says that a sum left int64.

    ticks : (cell, state), int64.   rows : (row,), those to add.   node : (row,), the node each is part of.
    parent : (node,), before its children; the first node is the root.   out : (node, state), float64, written; or
    int64 with a whole `scale`.   Raises IndexError for rows or nodes that are none, ValueError for other shapes.

    >>> money = np.empty((3, 1))
    >>> fits = sum_tree(np.array([[1], [2]]), np.arange(2), np.array([1, 2]), np.array([0, 0, 0]), 0.5, out=money)
    >>> fits, money.tolist()
    (True, [[1.5], [0.5], [1.0]])
    """
    if out.shape != (len(parent), ticks.shape[1]) or rows.shape != node.shape:
        raise ValueError(
            f"out is {out.shape}, rows {rows.shape}, node {node.shape}; "
            f"they must be ({len(parent)}, {ticks.shape[1]}) and of one length"
        )
    _check_rows("rows", rows, len(ticks))
    _check_rows("node", node, len(parent))
    if np.any(parent[1:] >= np.arange(1, len(parent))) or np.any(parent < 0):
        raise IndexError("parent: a node stands before its parent; parents come first")
    with np.errstate(over="ignore"):
        if BACKEND == "numpy":
            return sum_tree_numpy(ticks, rows, node, parent, scale, out)
        return bool(sum_tree_loop(ticks, rows, node, parent, scale, min(STRIP, max(ticks.shape[1], 1)), out))


def add_exactly(total: Any, part: Any) -> bool:
    """Adds one matrix of ticks to another in place; False says that a sum left int64.

    total, part : (cell, state), int64.

    >>> add_exactly(np.array([[2**62]]), np.array([[2**62]]))
    False
    """
    return sum_cells(part, np.arange(len(part)), np.ones(len(part), np.bool_), total)


def _ordered(cell: Indices, use: Mask, cells: int) -> tuple[Any, Any]:
    first, order = np.zeros(cells + 2, np.int64), np.empty(int(np.count_nonzero(use)), np.int64)
    order_loop(cell, use, first, order)
    return first[:-1], order


def _check_rows(what: str, rows: Indices, count: int) -> None:
    if rows.size and not (rows.min() >= 0 and rows.max() < count):
        raise IndexError(f"{what}: rows {rows.min()} to {rows.max()} are asked for; known: 0 to {count - 1}")
