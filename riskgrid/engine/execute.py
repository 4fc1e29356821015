"""Run a plan: find what the store lacks, send it out in tasks, add up what comes back."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.cluster import Workers
from riskgrid.engine.numerics import engine_code, numerics_digest
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.plan import Block, Piece, Pricing, extend_block, plan_instrument
from riskgrid.engine.task import Receipt, Task, Work, columns_to_store, run_task, sum_key
from riskgrid.engine.timing import Arrivals, Labour, shortage, spending
from riskgrid.errors import DamagedObject, MoneyOverflow, NumericsMismatch, StoreError
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store

__all__ = ["distinct_cells", "execute", "planned"]

#: Seconds of work a task bundles: a scheduler needs about a millisecond for each.
_TASK_SECONDS = {True: 0.05, False: 0.1}
#: The same by worker: one scheduler sends out 1,500 tasks a second at most, a quarter of which is enough.
_SCHEDULING = 2.6e-3
#: A first guess of the cost of a valuation, until receipts tell.
_FIRST_GUESS = 40e-9
#: Runs of the store that tell what a valuation costs.
_LATEST = 8


@dataclass
class _Flight:
    """Tasks on their way, and when each that came back was sent and answered."""

    tasks: dict[Any, tuple[Task, Piece, float]] = field(default_factory=dict)
    done: Arrivals = field(default_factory=Arrivals)
    spans: list[tuple[float, float]] = field(default_factory=list)


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
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.states, self.pricing, self.store, self.workers = states, pricing, store, workers
        self.outcome, self._progress = Outcome(sums), progress
        self.flight = _Flight()
        self.total = 0
        self.begun = time.perf_counter()
        self.outcome.labour.workers = workers.count
        self._panels: dict[str, str | None] = {}

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, piece: Piece) -> None:
        """Send the blocks of a piece that the store lacks, count those it has."""
        with spending(self.outcome.seconds, "looking up"):
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
        cell, codes = distinct_cells(piece.cell[block.start : block.stop])
        key = sum_key(block.key, codes)
        return Work(block.key, key, block.start, block.stop, block.roles, block.states, codes, len(cell), priced)

    def _dispatch(self, piece: Piece, works: list[Work]) -> None:
        name, own = piece.instrument.name, getattr(piece.instrument.price, "__module__", None)
        shared = not self.workers.in_process
        with spending(self.outcome.seconds, "panels"):
            columns = columns_to_store(self.store, piece.columns) if shared else piece.columns
        task = Task(
            self.store,
            name if own is not None and own.startswith("riskgrid.") else piece.instrument,
            columns,
            {},
            self.states.dates,
            self.pricing,
            self.states.snapshot.numeraire,
            numerics_digest(),
            (engine_code(), piece.instrument.code),
            (),
        )
        bundle: list[Work] = []
        expected, enough = 0.0, _TASK_SECONDS[self.workers.in_process]
        if shared:
            enough = max(enough, _SCHEDULING * self.workers.count)
        for work in works:
            bundle.append(work)
            size = (work.stop - work.start) * len(work.states)
            if len(works) > 1:
                expected += size * self._cost(name) * (0.05 if work.priced else 1.0)
            if expected >= enough:
                self._submit(self._bundled(task, bundle), piece)
                bundle, expected = [], 0.0
        if bundle:
            self._submit(self._bundled(task, bundle), piece)

    def _bundled(self, task: Task, works: list[Work]) -> Task:
        """The task with these blocks and what they read: workers start while later panels are still being made."""
        with spending(self.outcome.seconds, "panels"):
            roles = {role for work in works for role in work.roles}
            objects = {role: self._object(role, not self.workers.in_process) for role in sorted(roles)}
        return replace(task, works=tuple(works), objects=objects)

    def _cost(self, instrument: str) -> float:
        """Seconds a valuation takes: of this run, else of the store's latest one, else a guess."""
        return self.outcome.labour.cost(instrument) or self._learned.get(instrument, _FIRST_GUESS)

    @functools.cached_property
    def _learned(self) -> dict[str, float]:
        try:
            rows = self.store.catalogue.list(_LATEST)
        except StoreError:  # a guess does
            return {}
        known: dict[str, float] = {}
        for row in reversed(rows):
            known |= Labour.of(row.manifest).costs()
        return known

    def _object(self, role: str, shared: bool) -> Any:
        if not shared:
            return self.states[role]
        if role not in self._panels:
            found = self.states[role]
            key = None if found is None else found.digest().hex()
            if found is not None and key is not None:
                self.store.put("panels", key, *found.parts(), durable=False)
            self._panels[role] = key
        return self._panels[role]

    def _submit(self, task: Task, piece: Piece) -> None:
        while len(self.flight.tasks) >= 4 * self.workers.count + 2:  # a window: the scheduler never holds the whole run
            self.receive()
        key = f"riskgrid-{task.works[0].key[:24]}-{len(task.works)}-{time.monotonic_ns()}"
        at = time.perf_counter()
        with spending(self.outcome.seconds, "submitting"):
            future = self.workers.submit(run_task, task, key=key, done=self.flight.done)
        self.flight.tasks[future] = (task, piece, at)

    # -- receiving ---------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Count what has already come back, without waiting."""
        while self.flight.tasks and not self.flight.done.empty():
            self.receive()

    def receive(self) -> None:
        """Wait for one task and count it."""
        with spending(self.outcome.seconds, "waiting"):
            future, answered = self.flight.done.get()
        task, piece, sent = self.flight.tasks.pop(future)
        self.flight.spans.append((sent, answered))
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
                self._add(work, piece, receipt.sums.get(work.key))
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
        cells = piece.cell[work.start : work.stop]
        cells = cells[cells >= 0]
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
        spent = self.outcome.seconds
        parts = {name: getattr(receipt, name) for name in ("reading", "compiling", "writing", "summing")}
        parts[f"pricing {receipt.instrument}"] = receipt.pricing
        for name, seconds in parts.items():
            spent[name] = spent.get(name, 0.0) + seconds
        busy = receipt.seconds - receipt.compiling
        self.outcome.labour.add(receipt.instrument, receipt.valuations, busy, receipt.blocks, receipt.bytes_written)

    def close(self, planned: float) -> None:
        """Take stock of time. planned : when planning was over."""
        ended, flight, workers = time.perf_counter(), self.flight, self.workers.count
        spent, self.outcome.labour.workers = self.outcome.seconds, max(workers, self.outcome.labour.workers)
        spent["all"] = ended - self.begun
        spent["short while planning"] = shortage(flight.spans, workers, self.begun, planned)
        spent["short at the end"] = shortage(flight.spans, workers, planned, ended)

    # -- adding up ---------------------------------------------------------------------------------------------

    def _add(self, work: Work, piece: Piece, sums: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Add a block's sums, by default those in the store; where these are damaged, the block is summed anew."""
        try:
            with spending(self.outcome.seconds, "reducing"):
                self._reduce(sums or self.store.get("sums", work.sum_key).arrays, work, piece)
        except DamagedObject:
            self.store.discard("sums", work.sum_key)
            self._dispatch(piece, [replace(work, priced=True)])

    def _reduce(self, found: Mapping[str, NDArray[Any]], work: Work, piece: Piece) -> None:
        total = self.outcome.sums
        cells, _ = distinct_cells(piece.cell[work.start : work.stop])
        states = work.states[1:] - 1
        every = len(states) == total.pnl.shape[1]
        part = found["pnl"]
        if not every:
            part = np.zeros((len(cells), total.pnl.shape[1]), np.int64)
            part[:, states] = found["pnl"]
        if not formulas.sum_cells(np.ascontiguousarray(part), cells, np.ones(len(cells), np.bool_), total.pnl):
            raise MoneyOverflow("the P&L of a cell")
        for name in ("base", "gross", "gross_known", "trades", "unpriced"):
            part = _spread(found[name], cells, len(total.base))
            if not formulas.add_exactly(getattr(total, name).reshape(1, -1), part):
                raise MoneyOverflow("money of a cell")

    def _count_piece(self, piece: Piece) -> None:
        self.outcome.pieces.append(piece)
        total = self.outcome.sums
        np.add.at(total.trades, piece.lost, 1)
        np.add.at(total.unpriced, piece.lost, 1)
        there = piece.cell >= 0
        np.add.at(total.unshocked, piece.cell[there], piece.unshocked[there].astype(np.int64))
        np.add.at(total.stale, piece.cell[there], piece.stale[there])

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
    pieces: Iterable[Piece],
    states: MarketStates,
    pricing: Pricing,
    *,
    store: Store,
    workers: Workers,
    cells: int,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Price what the store lacks and add up all cells.

    pieces : with the cell of each trade, see :func:`planned`; planning goes on while tasks run. A task that fails is
    tried again block by block; a store that refuses stops the run at once, with what is finished kept.
    """
    sums = CellSums.zeros(cells, states.count - 1)
    run = _Run(states, pricing, store, workers, sums, progress=progress)
    try:
        for piece in _timed(iter(pieces), run.outcome.seconds, "planning"):
            run.outcome.seconds["hashing"] = run.outcome.seconds.get("hashing", 0.0) + piece.hashing
            run.send(piece)
            run.drain()
        planned = time.perf_counter()
        while run.flight.tasks:
            run.receive()
    except BaseException:
        workers.cancel(list(run.flight.tasks))
        raise
    read = {role for piece in run.outcome.pieces for block in piece.blocks for role in block.roles}
    run.outcome.unshocked = sorted({factor for role in read for factor in states.unshocked_factors(role)})
    run.close(planned)
    run.tell(planned=True)
    return run.outcome


def planned(
    portfolio: Portfolio, states: MarketStates, pricing: Pricing, store: Store, cell: Mapping[str, NDArray[np.int64]]
) -> Iterator[Piece]:
    """Plan a portfolio piece by piece. cell : instrument to the cell of each of its trades (trade,)."""
    for name in portfolio.instruments:
        for piece in plan_instrument(INSTRUMENTS[name], portfolio.columns(name), states, pricing):
            piece.cell, piece.lost = cell[name][piece.rows], cell[name][sorted(piece.problems)]
            known = store.has("reads", [block.key for block in piece.blocks])
            for place in range(len(piece.blocks)):
                while piece.blocks[place].key in known:  # a pricer may find out what it reads bit by bit
                    roles = tuple(store.get("reads", piece.blocks[place].key).meta["roles"])
                    piece.blocks[place] = extend_block(piece, piece.blocks[place], roles, states, pricing)
                    known |= store.has("reads", [piece.blocks[place].key])
            yield piece


def distinct_cells(cell: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells that occur, and each row's place among them; -1 stays -1: that trade has gone."""
    cells, code = np.unique(cell, return_inverse=True)
    gone = int(len(cells) > 0 and cells[0] < 0)
    return cells[gone:], code.astype(np.int64) - gone


def _timed[Item](items: Iterator[Item], spent: dict[str, float], name: str) -> Iterator[Item]:
    while True:
        begun, busy = time.perf_counter(), time.thread_time()
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            # what workers take of the interpreter meanwhile is in the one and not in the other
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun
            processor = f"{name}, processor"
            spent[processor] = spent.get(processor, 0.0) + time.thread_time() - busy
        yield item
