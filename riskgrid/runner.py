"""A runner: takes queued runs in order of priority and answers them on workers of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from riskgrid.answering import answer
from riskgrid.change import Changes
from riskgrid.cluster import Workers, connect
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, Cancelled, ClusterLost, StoreError
from riskgrid.lease import LEASE_SECONDS, Lease, Released, runner_name
from riskgrid.question import restored
from riskgrid.result import open_run
from riskgrid.store import INTERACTIVE, RunRow, Store
from riskgrid.whatif import answer_what_if

__all__ = ["ATTEMPTS", "Runner"]

_LOG = logging.getLogger(__name__)

#: Runners that may die while they hold a run before it is given up.
ATTEMPTS = 3

#: Seconds between two looks into an empty queue, and at most while a cluster or a database does not answer.
_POLL, _MOST_PATIENCE = 0.1, 30.0


@dataclass
class Runner:
    """Takes queued runs and answers them until it is stopped.

    cluster : as for a run; opened once and kept.   interactive : the same for runs that somebody waits for, by default
    the same workers: with some of their own, as many as there are, they wait for no task of a batch.   lanes : how many
    runs at once, and the least priority that each takes: by default one takes whatever is next, and one only what
    somebody waits for, so that a long batch does not keep it waiting.   told : called with each run as it ended.
    Several runners may share a store: a run is leased by one of them at a time, and one that dies loses its lease and
    no finished block.
    """

    store: Store
    cluster: str | Workers | Any = "threads"
    interactive: str | Workers | Any = None
    lanes: Sequence[int | None] = (None, INTERACTIVE)
    name: str = field(default_factory=runner_name)
    lease_seconds: float = LEASE_SECONDS
    told: Callable[[RunRow], object] | None = None

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._held: dict[str, Lease] = {}
        self._workers: dict[bool, Workers] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for waited in {False, self.interactive is not None}:
            with contextlib.suppress(ClusterLost):  # its scheduler may start later than this
                self._workers[waited] = connect(self._cluster(waited), keep=True, fixed=waited)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for waited in (False, True):
            self._disconnect(waited)

    def stop(self) -> None:
        """Take no more runs, and give back those in hand: another runner goes on from their finished blocks."""
        if not self._stopping.is_set():
            _LOG.info("runner %s is told to stop and gives back what it holds: %d runs", self.name, len(self._held))
        self._stopping.set()
        for lease in list(self._held.values()):
            lease.stop(Released(f"runner {self.name} was stopped"))

    def work(self, *, until_idle: bool = False) -> None:
        """Answer runs in all lanes until :meth:`stop`, or until none waits."""
        threads = [
            threading.Thread(target=self._lane, args=(least, until_idle), name=f"riskgrid-lane-{at}")
            for at, least in enumerate(self.lanes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def step(self, least_priority: int | None = None) -> RunRow | None:
        """Answer the next run, return how it ended; None where none waits."""
        row = self.store.queue.lease(self.name, self.lease_seconds, least_priority=least_priority)
        if row is None:
            return None
        if row.attempts > ATTEMPTS:
            self._give_up(row)
            return self.store.catalogue.get(row.run_id)
        try:
            self._answer(row)
        except ClusterLost:
            self._disconnect(self._waited(row.priority))
            raise
        except Released:  # back in the queue, as whoever stops this runner wants it
            _LOG.info("run %s was given back", row.run_id)
        except Cancelled:
            _LOG.info("run %s was cancelled", row.run_id)
        except Exception:  # the run has it as its reason; the next one is not to suffer
            _LOG.warning("run %s was not answered", row.run_id, exc_info=True)
        return self.store.catalogue.get(row.run_id)

    # -- one lane ----------------------------------------------------------------------------------------------

    def _lane(self, least_priority: int | None, until_idle: bool) -> None:
        patience = _POLL
        while not self._stopping.is_set():
            try:
                found = self.step(least_priority)
                if found is not None and self.told is not None:
                    self.told(found)
                patience = _POLL
            except (ClusterLost, StoreError) as error:  # what is leased was given back, or lapses by itself
                found, patience = None, min(2.0 * patience, _MOST_PATIENCE)
                _LOG.warning("%s; the next look in %.1f s", error, patience)
            if found is None:
                if until_idle and patience == _POLL:
                    return
                self._stopping.wait(patience)

    def _answer(self, row: RunRow) -> None:
        limits = Limits(**row.request["limits"]) if row.request.get("limits") else None
        with Lease(self.store, row, seconds=self.lease_seconds, limits=limits, again=(Released, ClusterLost)) as lease:
            self._held[row.run_id] = lease
            if self._stopping.is_set():
                self.stop()
            try:
                self._answered(row, lease)
            finally:
                del self._held[row.run_id]

    def _answered(self, row: RunRow, lease: Lease) -> None:
        request, workers = row.request, self._connected(row.priority)
        if request["kind"] == "what_if":
            parent = open_run(request["run"], store=self.store)
            answer_what_if(parent, Changes.from_dict(request["changes"], store=self.store), lease, cluster=workers)
        else:
            # whoever resumes a partial run wants its left-out trades tried again
            again = row.attempts > 1 or row.fence > 1
            answer(restored(self.store, request), lease, cluster=workers, retry=again)

    def _give_up(self, row: RunRow) -> None:
        reason = (
            f"{ATTEMPTS} runners ended while they held it; a trade that ends its process is found where workers are "
            "processes: start the runner with --cluster processes:N, then resume the run"
        )
        self.store.catalogue.finish(
            row.run_id, "failed", result_id=None, seconds=0.0, manifest=None, reason=reason, fence=row.fence
        )

    # -- workers -----------------------------------------------------------------------------------------------

    def _connected(self, priority: int) -> Workers:
        """Workers for one run, of the cluster that is kept open for it. ClusterLost where that does not answer."""
        waited = self._waited(priority)
        with self._lock:
            if waited not in self._workers:
                try:
                    self._workers[waited] = connect(self._cluster(waited), keep=True, fixed=waited)
                except BadSpec as error:  # it was right when the runner started
                    raise ClusterLost(str(error)) from error
            return self._workers[waited].lent(priority)

    def _waited(self, priority: int) -> bool:
        """Whether a run goes to the workers of those that somebody waits for."""
        return self.interactive is not None and priority >= INTERACTIVE

    def _cluster(self, waited: bool) -> str | Workers | Any:
        return self.interactive if waited else self.cluster

    def _disconnect(self, waited: bool) -> None:
        with self._lock:
            workers = self._workers.pop(waited, None)
            if workers is not None:
                workers.__exit__(None, None, None)
