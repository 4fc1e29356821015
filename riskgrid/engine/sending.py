"""Send blocks out: bundle them into tasks by what they cost, and keep so many of these on their way."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from riskgrid import log
from riskgrid.cluster import Workers
from riskgrid.cluster.sizing import task_seconds
from riskgrid.engine.adding import distinct_cells
from riskgrid.engine.cost import cost_of, learned
from riskgrid.engine.numerics import engine_code, numerics_digest
from riskgrid.engine.outcome import Outcome
from riskgrid.engine.outlook import Outlook
from riskgrid.engine.plan import Block, Piece, Pricing
from riskgrid.engine.task import Task, Work, columns_to_store, run_task, sum_key
from riskgrid.engine.timing import Arrivals, spending
from riskgrid.market.states import MarketStates
from riskgrid.store import Store

__all__ = ["Flight", "Sender", "Sent", "work_of"]

#: Seconds of work that a task of this process bundles.
_TASK_SECONDS = 0.05
#: Tasks that each worker is to get of a piece whose cost is a guess: if that is wrong, they still share the work.
_ROUNDS = 4
#: Seconds of a valuation of which only the sums are wanted, in proportion to one that is priced.
_SUMMED = 0.05


@dataclass(frozen=True)
class Sent:
    """A task on its way. at : when it was sent.   alone : nothing else of this run was on its way."""

    task: Task
    piece: Piece
    at: float
    alone: bool = False


@dataclass
class Flight:
    """Tasks on their way, and when each that came back was sent and answered."""

    tasks: dict[Any, Sent] = field(default_factory=dict)
    done: Arrivals = field(default_factory=Arrivals)
    spans: list[tuple[float, float]] = field(default_factory=list)


class Sender:
    """Makes tasks of blocks and starts them. receive : what to call where there are enough on their way."""

    receive: Callable[[], None]

    def __init__(
        self,
        states: MarketStates,
        pricing: Pricing,
        store: Store,
        workers: Workers,
        outcome: Outcome,
        *,
        ahead: Outlook,
    ) -> None:
        self.states, self.pricing, self.store, self.workers, self.outcome = states, pricing, store, workers, outcome
        self.ahead = ahead
        self.flight = Flight()
        self._panels: dict[str, str | None] = {}
        self._halt = threading.Event()

    def dispatch(self, piece: Piece, works: list[Work]) -> None:
        """Send blocks of a piece."""
        name, own = piece.instrument.name, getattr(piece.instrument.price, "__module__", None)
        shared = not self.workers.in_process
        with spending(self.outcome.seconds, "panels"):
            columns = columns_to_store(self.store, piece.columns) if shared else piece.columns
        if isinstance(columns, str):
            self.outcome.used["pieces"].add(columns)
        task = Task(
            self.store.for_workers() if shared else self.store,
            name if own is not None and own.startswith("riskgrid.") else piece.instrument,
            columns,
            {},
            self.states.dates,
            self.pricing,
            self.states.snapshot.numeraire,
            numerics_digest(),
            (engine_code(), piece.instrument.code),
            (),
            None if shared else self._halt,
            log.carried(),
        )
        bundle: list[Work] = []
        expected, enough = 0.0, task_seconds(self.workers.count) if shared else _TASK_SECONDS
        sure = len(works) == 1 or self._known(name)  # asking the catalogue costs more than a small block
        most = len(works) if sure else math.ceil(len(works) / (_ROUNDS * self.workers.count))
        for work in works:
            bundle.append(work)
            if len(works) > 1:
                expected += self._seconds(name, work)
            if expected >= enough or len(bundle) >= most:
                self.submit(self._bundled(task, bundle), piece)
                bundle, expected = [], 0.0
        if bundle:
            self.submit(self._bundled(task, bundle), piece)

    def expect(self, piece: Piece, works: list[Work]) -> None:
        """Tell workers of other processes what is coming: some of them may have to be started first."""
        if self.workers.in_process or not hasattr(self.workers, "expect"):  # a user's own may not want to know
            return
        name = piece.instrument.name
        seconds = [self._seconds(name, work) for work in works]
        self.workers.expect(self.ahead.add(name, len(piece.rows), self._cost, seconds))

    def submit(self, task: Task, piece: Piece, *, alone: bool = False) -> None:
        """Start a task."""
        while len(self.flight.tasks) >= 4 * self.workers.count + 2:  # a window: the scheduler never holds the whole run
            self.receive()
        key = f"riskgrid-{task.works[0].key[:24]}-{len(task.works)}-{time.monotonic_ns()}"
        at = time.perf_counter()
        with spending(self.outcome.seconds, "submitting"):
            future = self.workers.submit(run_task, task, key=key, done=self.flight.done)
        self.flight.tasks[future] = Sent(task, piece, at, alone)

    def cancel(self) -> None:
        """Take back what is on its way; in this process, it has ended when this returns."""
        self._halt.set()
        self.workers.cancel(list(self.flight.tasks))

    def _bundled(self, task: Task, works: list[Work]) -> Task:
        """The task with these blocks and what they read: workers start while later panels are still being made."""
        with spending(self.outcome.seconds, "panels"):
            roles = {role for work in works for role in work.roles}
            objects = {role: self._object(role, not self.workers.in_process) for role in sorted(roles)}
        return replace(task, works=tuple(works), objects=objects)

    def _seconds(self, instrument: str, work: Work) -> float:
        return (work.stop - work.start) * len(work.states) * self._cost(instrument) * (_SUMMED if work.priced else 1.0)

    def _known(self, instrument: str) -> bool:
        """Whether anybody has measured what a valuation takes."""
        return self.outcome.labour.cost(instrument) is not None or instrument in self._learned

    def _cost(self, instrument: str) -> float:
        """Seconds a valuation takes: of this run, else of the store's latest one, else a guess."""
        return self.outcome.labour.cost(instrument) or cost_of(instrument, self._learned)

    @functools.cached_property
    def _learned(self) -> dict[str, float]:
        return learned(self.store)

    def _object(self, role: str, shared: bool) -> Any:
        if not shared:
            return self.states[role]
        if role not in self._panels:
            found = self.states[role]
            key = None if found is None else found.digest().hex()
            if found is not None and key is not None:
                self.store.put("panels", key, *found.parts(), durable=False)
                self.outcome.used["panels"].add(key)
            self._panels[role] = key
        return self._panels[role]


def work_of(piece: Piece, block: Block, priced: bool) -> Work:
    """What is to be done about a block. priced : it is stored already."""
    cell, codes = distinct_cells(piece.cell[block.start : block.stop])
    key = sum_key(block.key, codes)
    return Work(block.key, key, block.start, block.stop, block.roles, block.states, codes, len(cell), priced)
