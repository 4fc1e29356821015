"""Run a plan: find what the store lacks, send it out in tasks, add up what comes back."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.cluster import Workers
from riskgrid.engine.numerics import engine_code, numerics_digest
from riskgrid.engine.plan import Block, Piece, Pricing, extend_block, plan_instrument
from riskgrid.engine.task import Receipt, Task, Work, columns_to_store, run_task, sum_key
from riskgrid.errors import DamagedObject, NumericsMismatch, StoreError
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store

__all__ = ["CellSums", "Outcome", "Progress", "execute"]

#: Seconds of work a task bundles: a scheduler needs about a millisecond for each.
_TASK_SECONDS = {True: 0.05, False: 0.5}
#: A first guess of the cost of a valuation, until receipts tell.
_FIRST_GUESS = 40e-9


@dataclass(frozen=True)
class Progress:
    """How far a run has come. Blocks: done = priced + found; seconds since the start."""

    total: int
    priced: int
    found: int
    failed: int
    valuations: int
    seconds: float
    planned: bool

    @property
    def done(self) -> int:
        """Blocks that need nothing more."""
        return self.priced + self.found + self.failed


@dataclass
class CellSums:
    """Exact sums by cell: pnl (cell, scenario) and base values (cell,) in ticks, counts (cell,)."""

    pnl: NDArray[np.int64]
    base: NDArray[np.int64]
    gross: NDArray[np.int64]
    gross_known: NDArray[np.int64]
    trades: NDArray[np.int64]
    unpriced: NDArray[np.int64]
    unshocked: NDArray[np.int64]
    stale: NDArray[np.int64]

    @classmethod
    def zeros(cls, cells: int, scenarios: int) -> CellSums:
        """Nothing added yet."""
        return cls(np.zeros((cells, scenarios), np.int64), *(np.zeros(cells, np.int64) for _ in range(7)))


@dataclass
class Outcome:
    """What a run of the engine gives: sums, where each trade lies, what could not be priced, and where time went.

    unshocked : factors that some trade reads and no scenario moves for want of history.

    pieces : with the blocks of each instrument, in plan order.   failed : block key to the sentence.
    """

    sums: CellSums
    pieces: list[Piece] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unshocked: list[str] = field(default_factory=list)
    found: int = 0
    priced: int = 0
    valuations: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Flight:
    """Tasks on their way."""

    tasks: dict[Any, tuple[Task, Piece]] = field(default_factory=dict)
    done: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)


class _Run:
    """The state of one execution: counts as receipts arrive."""

    def __init__(
        self,
        states: MarketStates,
        pricing: Pricing,
        store: Store,
        workers: Workers,
        sums: CellSums,
        *,
        cell: dict[str, NDArray[np.int64]],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.states, self.pricing, self.store, self.workers = states, pricing, store, workers
        self.cell, self.outcome, self._progress = cell, Outcome(sums), progress
        self.flight = _Flight()
        self.total = 0
        self.begun = time.perf_counter()
        self.cost: dict[str, float] = {}
        self._panels: dict[str, str | None] = {}

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, piece: Piece) -> None:
        """Send the blocks of a piece that the store lacks, count those it has."""
        self._count_piece(piece)
        self.total += len(piece.blocks)
        stored = self.store.has("blocks", [block.key for block in piece.blocks])
        works = [self._work(piece, block, block.key in stored) for block in piece.blocks]
        summed = self.store.has("sums", [work.sum_key for work in works])
        missing = []
        for work in works:
            if work.priced and work.sum_key in summed:
                self.outcome.found += 1
                self._add(work, piece)
            else:
                missing.append(work)
        if missing:
            self._dispatch(piece, missing)
        self.tell(planned=False)

    def _work(self, piece: Piece, block: Block, priced: bool) -> Work:
        cell, local = np.unique(self._cells(piece, block.start, block.stop), return_inverse=True)
        codes = local.astype(np.int64)
        key = sum_key(block.key, codes)
        return Work(block.key, key, block.start, block.stop, block.roles, block.states, codes, len(cell), priced)

    def _dispatch(self, piece: Piece, works: list[Work]) -> None:
        name, own = piece.instrument.name, getattr(piece.instrument.price, "__module__", None)
        shared = not self.workers.in_process
        task = Task(
            self.store,
            name if own is not None and own.startswith("riskgrid.") else piece.instrument,
            columns_to_store(self.store, piece.columns) if shared else piece.columns,
            {role: self._object(role, shared) for work in works for role in work.roles},
            self.states.dates,
            self.pricing,
            self.states.snapshot.numeraire,
            numerics_digest(),
            (engine_code(), piece.instrument.code),
            (),
        )
        bundle: list[Work] = []
        expected = 0.0
        for work in works:
            bundle.append(work)
            size = (work.stop - work.start) * len(work.states)
            expected += size * self.cost.get(name, _FIRST_GUESS) * (0.05 if work.priced else 1.0)
            if expected >= _TASK_SECONDS[self.workers.in_process]:
                self._submit(replace(task, works=tuple(bundle)), piece)
                bundle, expected = [], 0.0
        if bundle:
            self._submit(replace(task, works=tuple(bundle)), piece)

    def _object(self, role: str, shared: bool) -> Any:
        if not shared:
            return self.states[role]
        if role not in self._panels:
            found = self.states[role]
            key = None if found is None else found.digest().hex()
            if found is not None and key is not None:
                self.store.put("panels", key, *found.parts())
            self._panels[role] = key
        return self._panels[role]

    def _submit(self, task: Task, piece: Piece) -> None:
        while len(self.flight.tasks) >= 4 * self.workers.count + 2:  # a window: the scheduler never holds the whole run
            self.receive()
        key = f"riskgrid-{task.works[0].key[:24]}-{len(task.works)}-{time.monotonic_ns()}"
        future = self.workers.submit(run_task, task, key=key, done=self.flight.done)
        self.flight.tasks[future] = (task, piece)

    # -- receiving ---------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Count what has already come back, without waiting."""
        while self.flight.tasks and not self.flight.done.empty():
            self.receive()

    def receive(self) -> None:
        """Wait for one task and count it."""
        future = self.flight.done.get()
        task, piece = self.flight.tasks.pop(future)
        try:
            receipt: Receipt = future.result()
        except (StoreError, NumericsMismatch, OverflowError):
            raise
        except Exception as error:
            self._lost(task, piece, error)
            return
        self._learn(receipt)
        for work in receipt.works:
            if work.key in receipt.unrecorded:
                self._record_again(piece, work, receipt.unrecorded[work.key])
            else:
                self.outcome.found += work.priced
                self._add(work, piece)
        self.outcome.priced += receipt.priced
        self.outcome.valuations += receipt.valuations
        self.tell(planned=False)

    def _lost(self, task: Task, piece: Piece, error: Exception) -> None:
        """A task failed as a whole: try its blocks alone; a block that fails alone fails its trades, and says why."""
        if len(task.works) > 1:
            for work in task.works:
                self._submit(task.only(work), piece)
            return
        work = task.works[0]
        sentence = f"the block could not be priced: {type(error).__name__}: {error}"
        self.outcome.failed[work.key] = sentence
        cells = self._cells(piece, work.start, work.stop)
        np.add.at(self.outcome.sums.trades, cells, 1)
        np.add.at(self.outcome.sums.unpriced, cells, 1)

    def _record_again(self, piece: Piece, work: Work, role: str) -> None:
        place = next(at for at, block in enumerate(piece.blocks) if block.key == work.key)
        old = piece.blocks[place]
        block = extend_block(piece, old, (role,), self.states, self.pricing)
        piece.blocks[place] = block
        self.store.put("reads", old.key, {"roles": [role]}, {})
        stored = bool(self.store.has("blocks", [block.key]))
        self._dispatch(piece, [self._work(piece, block, stored)])

    def _learn(self, receipt: Receipt) -> None:
        if receipt.valuations:
            self.cost[receipt.instrument] = receipt.seconds / receipt.valuations
        spent = self.outcome.seconds
        parts = {"writing": receipt.writing, "summing": receipt.summing}
        parts[f"pricing {receipt.instrument}"] = receipt.seconds - sum(parts.values())
        for name, seconds in parts.items():
            spent[name] = spent.get(name, 0.0) + seconds

    # -- adding up ---------------------------------------------------------------------------------------------

    def _add(self, work: Work, piece: Piece) -> None:
        """Add a block's sums; where they are damaged, the block is summed anew."""
        try:
            found = self.store.get("sums", work.sum_key).arrays
        except DamagedObject:
            self.store.discard("sums", work.sum_key)
            self._dispatch(piece, [replace(work, priced=True)])
            return
        total = self.outcome.sums
        cells = np.unique(self._cells(piece, work.start, work.stop))
        states = work.states[1:] - 1
        every = len(states) == total.pnl.shape[1]
        part = found["pnl"]
        if not every:
            part = np.zeros((len(cells), total.pnl.shape[1]), np.int64)
            part[:, states] = found["pnl"]
        if not formulas.sum_cells(np.ascontiguousarray(part), cells, np.ones(len(cells), np.bool_), total.pnl):
            raise OverflowError("the P&L of a cell leaves the range of 64-bit ticks; run with fewer tick bits")
        for name in ("base", "gross", "gross_known", "trades", "unpriced"):
            part = _spread(found[name], cells, len(total.base))
            if not formulas.add_exactly(getattr(total, name).reshape(1, -1), part):
                raise OverflowError("money of a cell leaves the range of 64-bit ticks; run with fewer tick bits")

    def _count_piece(self, piece: Piece) -> None:
        self.outcome.pieces.append(piece)
        total = self.outcome.sums
        codes = self.cell[piece.instrument.name]
        lost = codes[np.array(sorted(piece.problems), dtype=np.int64)]
        np.add.at(total.trades, lost, 1)
        np.add.at(total.unpriced, lost, 1)
        np.add.at(total.unshocked, codes[piece.rows], piece.unshocked.astype(np.int64))
        np.add.at(total.stale, codes[piece.rows], piece.stale)

    def _cells(self, piece: Piece, start: int, stop: int) -> NDArray[np.int64]:
        return self.cell[piece.instrument.name][piece.rows[start:stop]]

    def tell(self, *, planned: bool) -> None:
        """Report progress to whoever listens."""
        if self._progress is not None:
            made = self.outcome
            seconds = time.perf_counter() - self.begun
            failed = len(made.failed)
            self._progress(Progress(self.total, made.priced, made.found, failed, made.valuations, seconds, planned))


def _spread(values: NDArray[np.int64], cells: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    row = np.zeros((1, count), np.int64)
    row[0, cells] = values
    return row


def execute(
    portfolio: Portfolio,
    states: MarketStates,
    pricing: Pricing,
    *,
    store: Store,
    workers: Workers,
    cell: dict[str, NDArray[np.int64]],
    cells: int,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Price what the store lacks and add up all cells.

    cell : instrument to the cell of each trade (trade,).   Planning goes on while tasks run. A task that fails is
    tried again block by block; a store that refuses stops the run at once, with what is finished kept.
    """
    sums = CellSums.zeros(cells, states.count - 1)
    run = _Run(states, pricing, store, workers, sums, cell=cell, progress=progress)
    try:
        for piece in _timed(_pieces(portfolio, states, pricing, store), run.outcome.seconds, "planning"):
            run.send(piece)
            run.drain()
        while run.flight.tasks:
            run.receive()
    except BaseException:
        workers.cancel(list(run.flight.tasks))
        raise
    read = {role for piece in run.outcome.pieces for block in piece.blocks for role in block.roles}
    run.outcome.unshocked = sorted({factor for role in read for factor in states.unshocked_factors(role)})
    run.outcome.seconds["all"] = time.perf_counter() - run.begun
    run.tell(planned=True)
    return run.outcome


def _pieces(portfolio: Portfolio, states: MarketStates, pricing: Pricing, store: Store) -> Iterator[Piece]:
    for name in portfolio.instruments:
        for piece in plan_instrument(INSTRUMENTS[name], portfolio.columns(name), states, pricing):
            known = store.has("reads", [block.key for block in piece.blocks])
            for place, block in enumerate(piece.blocks):
                if block.key in known:
                    roles = tuple(store.get("reads", block.key).meta["roles"])
                    piece.blocks[place] = extend_block(piece, block, roles, states, pricing)
            yield piece


def _timed[Item](items: Iterator[Item], spent: dict[str, float], name: str) -> Iterator[Item]:
    while True:
        begun = time.perf_counter()
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun
        yield item
