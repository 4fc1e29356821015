"""What a cluster is like now: its workers, what waits, and whether they all compute alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from riskgrid.cluster.connecting import connect
from riskgrid.cluster.grid import Grid
from riskgrid.cluster.kubernetes import scheduler_of
from riskgrid.errors import BadSpec
from riskgrid.settings import settings

__all__ = ["ClusterStatus", "WorkerStatus", "look_at"]


@dataclass(frozen=True)
class WorkerStatus:
    """One worker. memory : bytes its process has taken.   tasks : with it, at work or waiting.   like : whether it
    computes as this process does, None where it did not answer."""

    name: str
    address: str
    threads: int
    tasks: int
    memory: int
    like: bool | None


@dataclass(frozen=True)
class ClusterStatus:
    """A scheduler and its workers. queued : tasks that no worker has yet.   clients : connected, this one left out.

    wanted : workers that are asked for, None where their number is fixed.   least, most : between which it may be.
    """

    address: str
    workers: tuple[WorkerStatus, ...]
    queued: int
    clients: int
    wanted: int | None
    least: int | None
    most: int | None

    @property
    def threads(self) -> int:
        """Tasks that run at once."""
        return sum(worker.threads for worker in self.workers)


def look_at(where: Any, probe: Callable[[], Any]) -> ClusterStatus:
    """The cluster that a word names, see :func:`~riskgrid.cluster.connect`; nothing of it is changed.

    probe : called here and on each worker, which is ``like`` this process where it gives the same.
    BadSpec for threads of this process, ClusterLost where nobody answers.
    """
    with connect(where, fixed=True) as workers:
        if not isinstance(workers, Grid):
            raise BadSpec(f"cluster '{where}' is this process; a scheduler's address or 'kubernetes' has a status")
        client, elastic = workers.client, workers.elastic
        kind, _, rest = where.partition(":") if isinstance(where, str) else ("", "", "")
        info = client.sync(client.scheduler.identity, n_workers=-1)
        clients, queued = client.run_on_scheduler(_counts)
        answers = client.run(probe, on_error="return", wait=True) if info["workers"] else {}
        mine = probe()
        found = [
            WorkerStatus(
                str(one["name"]),
                address,
                one["nthreads"],
                sum(one["metrics"]["task_counts"].values()),
                one["metrics"]["memory"],
                None if isinstance(answers.get(address), Exception) else answers.get(address) == mine,
            )
            for address, one in info["workers"].items()
        ]
        group: tuple[int | None, int | None, int | None] = (None, None, None)
        if elastic is not None:
            group = (elastic.group.size(), elastic.bounds.least, elastic.bounds.most)
        elif kind == "kubernetes":
            bounds = settings().workers
            group = (scheduler_of(rest)[1].size(), bounds.least, bounds.most)
        return ClusterStatus(
            workers.address, tuple(sorted(found, key=lambda one: one.name)), queued, clients - 1, *group
        )


def _counts(dask_scheduler: Any) -> tuple[int, int]:
    waiting = sum(1 for task in dask_scheduler.tasks.values() if task.state in ("queued", "no-worker", "waiting"))
    return sum(1 for name in dask_scheduler.clients if name != "fire-and-forget"), waiting
