"""How far from the speed of memory are VaR and ES at every node of region, desk and book, from single trades?

225 nodes of a 100,000 x 1,000 cube of 4 bytes a value, in blocks as a run left them: on one thread and on all, blocks
in memory and mapped from the store's files (in the page cache). The bound is what a compiled sum over the same bytes
takes, by one thread and by as many as riskgrid uses; NumPy's reduceat is handed the rows sorted by book.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numba
import numpy as np

import riskgrid as rg
from riskgrid import formulas
from riskgrid.settings import settings
from riskgrid.summing import trade_sums
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, Medians, assert_equal, cold_store, in_turns, timed

TREE = ["region", "desk", "book"]


@numba.njit(nogil=True)
def plain_sum(ticks: Any) -> int:
    """Reads every value once."""
    total = np.int64(0)
    for row in range(ticks.shape[0]):
        for column in range(ticks.shape[1]):
            total += ticks[row, column]
    return total


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 1000)
    with cold_store() as folder:
        run = rg.run(data.mixed(10_000 if quick else 100_000), market, scenarios, store=folder, progress=None)
        cube, place = run.cube, run.cube.placement
        mapped = [cube.block(at) for at in range(len(place.keys))]
        blocks = [replace(block, ticks=np.array(block.ticks)) for block in mapped]
        ticks = [block.ticks for block in blocks]

        def in_memory(at: int, _: Any) -> Any:
            return blocks[at]

        def mapped_once(at: int, _: Any) -> Any:
            return mapped[at]

        def ours(load: Callable[[int, Any], Any]) -> tuple[Any, Any]:
            tree = cube.tree(TREE, in_cells=False)
            sums = trade_sums(tree, place, load, 1000)
            nodes = np.empty((len(tree.parent), 1000))
            formulas.sum_tree(sums.pnl, np.arange(len(tree.node)), tree.node, tree.parent, 2.0**-cube.bits, out=nodes)
            worst, _ = formulas.lowest_values(nodes, 25)
            return -worst[:, 9], -worst.mean(axis=1)

        tree = cube.tree(TREE, in_cells=False)
        order, first = formulas.group_rows(tree.leaf, len(tree.node))
        rows = np.concatenate(ticks)[_stacked(place, order)]

        def numpy() -> Any:
            return np.add.reduceat(rows, first[:-1], axis=0, dtype=np.int64)

        assert_equal("sums", numpy(), trade_sums(tree, place, in_memory, 1000).pnl, 0)
        for one, other in zip(ours(in_memory), ours(cube.block), strict=True):
            assert_equal("measures", one, other, 0)
        threads = settings().threads
        contenders: dict[str, Callable[[], Any]] = {
            "plain sum, 1 thread": _with(1, lambda: [plain_sum(part) for part in ticks]),
            "blocks in memory, 1 thread": _with(1, lambda: ours(in_memory)),
            "blocks mapped once, 1 thread": _with(1, lambda: ours(mapped_once)),
            "blocks in files, 1 thread": _with(1, lambda: ours(cube.block)),
            "NumPy: reduceat of sorted rows, sums alone": _with(1, numpy),
            f"plain sum, {threads} threads": _with(threads, lambda: _side_by_side(ticks, threads)),
            f"blocks in memory, {threads} threads": _with(threads, lambda: ours(in_memory)),
            f"blocks in files, {threads} threads": _with(threads, lambda: ours(cube.block)),
        }
        medians = in_turns(contenders, 3 if quick else 9)
    size = sum(part.nbytes for part in ticks)
    return [_line(name, spent, medians, size) for name, spent in medians.items()]


def _line(name: str, spent: Medians, medians: dict[str, Medians], size: int) -> Figure:
    alone = name.endswith(" threads")
    bound = next(found for what, found in medians.items() if what.startswith("plain") and what.endswith("s") is alone)
    note = f"{size / 1e6:.0f} MB at {size / spent.wall / 1e9:.1f} GB/s of wall clock"
    times = None if spent is bound else spent.wall / bound.wall
    return Figure("trade_nodes", name, 1e3 * spent.wall, "ms", times, "" if spent is bound else "a plain sum", note)


def _stacked(place: Any, trades: Any) -> Any:
    """Where trades lie if the blocks are put one below the other."""
    sizes = np.bincount(place.block, minlength=len(place.keys))
    return (np.cumsum(sizes) - sizes)[place.block[trades]] + place.row[trades]


def _side_by_side(ticks: list[Any], threads: int) -> list[int]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(plain_sum, ticks))


def _with(threads: int, action: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with _threads(threads):
            return timed(action)

    return call


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = os.environ.get("RISKGRID_THREADS")
    os.environ["RISKGRID_THREADS"] = str(count)
    try:
        yield
    finally:
        del os.environ["RISKGRID_THREADS"]
        if before is not None:
            os.environ["RISKGRID_THREADS"] = before
