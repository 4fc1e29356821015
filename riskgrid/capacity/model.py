"""What a book, a number of scenarios and a deadline need: workers, memory, traffic of the store, and what binds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from riskgrid.capacity.need import Need
from riskgrid.cluster.sizing import Sizing, sized
from riskgrid.engine.block import cache_bytes
from riskgrid.engine.budget import FILE_BYTES, TILES
from riskgrid.errors import BadSpec

__all__ = ["RESTS", "Capacity", "Figure", "capacity"]

#: What a figure may rest on: it was asked for or assumed; measured in a run of the store; simulated in the rehearsal of
#: ``riskgrid bench rehearsal``, where workers are fake; computed from those; or computed for far more trades than a run
#: had that was measured.
RESTS = ("asked", "assumed", "measured", "simulated", "computed", "extrapolated")

#: So many times the trades of the measured run are far more.
_FAR = 10
#: Bytes of a worker process that has priced, its libraries and kernels in it: 0.31 to 0.36 GB were measured.
_WORKER_BYTES = 400 << 20
#: Requests for a block that its worker waits for.
_WORKER_REQUESTS = 5

#: Processor seconds, simulated (see ``docs/capacity.md``): of the scheduler for a task; for a worker that joins, by
#: those that are there; of the planner for a task, and for a block.
SCHEDULER_SECONDS, JOINING_SECONDS = 2.6e-3, 4.0e-6
PLANNER_TASK_SECONDS, PLANNER_SECONDS = 1.3e-3, 0.3e-3
#: Bytes, simulated: of either process with its libraries; of both for a task on its way; of the planner for a block.
_SCHEDULER_BYTES, _PLANNER_BYTES, _TASK_BYTES, _BLOCK_BYTES = 220 << 20, 320 << 20, 35_000, 1_500
#: How often workers are sized for the time that they take to join, and when that time is near enough.
_ROUNDS, _CLOSE = 20, 0.01
#: Tasks on their way at once, for each thread.
_WINDOW = 4
#: Requests for a block: three ask for it or its sums, both are looked for again and put, its sums are got.
_REQUESTS = 8


@dataclass(frozen=True)
class Figure:
    """One line. rests : one of ``RESTS``.   of : from what, in words."""

    part: str
    name: str
    value: float
    unit: str
    rests: str
    of: str = ""


@dataclass(frozen=True)
class Capacity:
    """Figures, and whether the deadline is met.

    binds : as in :class:`~riskgrid.cluster.sizing.Sizing`; ``planner`` or ``joining`` where these take longer.
    """

    figures: tuple[Figure, ...]
    binds: str
    met: bool

    def __getitem__(self, name: str) -> float:
        return next(figure.value for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"binds": self.binds, "met": self.met, "figures": [asdict(figure) for figure in self.figures]}


def capacity(need: Need) -> Capacity:
    """What the need comes to. BadSpec where nothing is asked."""
    if not need.kinds or need.scenarios < 0:
        raise BadSpec("a capacity is that of a book with a trade or more, under 0 scenarios or more")
    load = _Load.of(need)
    size = _size(need, load)
    times, waits = _times(need, load, size)
    named = {figure.name: figure.value for figure in times}
    binds, met = size.binds, named["all"] <= need.within
    if not met and named["planner"] > named["pricing"]:
        binds = "planner"
    elif not met and size.starting > need.starting:
        binds = "joining"
    figures = (*_work(need, load), *_cluster(need, size, waits), *times, *_memory(need, load, size))
    during = max(named["pricing"], named["planner"])
    return Capacity((*figures, *_store(need, load, during)), binds, met)


@dataclass(frozen=True)
class _Load:
    """costs : on what seconds of a valuation rest, in words.   far : what is computed from them rests on."""

    trades: int
    valuations: int
    busy: float
    blocks: int
    longest: float
    rows: float
    costs: str
    far: str

    @classmethod
    def of(cls, need: Need) -> _Load:
        states, waits = need.scenarios + 1, _WORKER_REQUESTS * need.request
        trades = need.trades
        blocks = sum(math.ceil(kind.trades / kind.rows) for kind in need.kinds)
        return cls(
            trades,
            trades * states,
            sum(kind.trades * states * kind.seconds for kind in need.kinds) + blocks * waits,
            blocks,
            max(kind.rows * states * kind.seconds for kind in need.kinds) + waits,
            max(kind.rows for kind in need.kinds),
            _costs(need),
            "extrapolated" if need.base and trades > _FAR * need.base else "computed",
        )


def _costs(need: Need) -> str:
    guessed = [kind.name for kind in need.kinds if kind.rests != "measured"]
    if len(guessed) == len(need.kinds):
        return "seconds a valuation assumed"
    but = f", of {', '.join(guessed)} assumed" if guessed else ""
    return f"seconds a valuation measured in {need.source}{but}"


def _size(need: Need, load: _Load) -> Sizing:
    """Workers, where many take longer to join than one to start."""
    starting = need.starting
    for _ in range(_ROUNDS):
        size = sized(
            load.busy,
            within=need.within,
            threads=need.threads,
            most=need.most,
            blocks=load.blocks,
            longest=load.longest,
            starting=starting,
        )
        joining = max(need.starting, _joining(size.workers))
        if abs(joining - starting) <= _CLOSE * starting:
            break
        starting = joining
    return size


def _joining(workers: int) -> float:
    """Seconds of the scheduler's processor."""
    return JOINING_SECONDS * workers**2 / 2.0


def _work(need: Need, load: _Load) -> Iterator[Figure]:
    times = f"; {load.trades / need.base:,.0f} times the trades of the run" if load.far == "extrapolated" else ""
    taken = ("measured", f"of {need.source}") if need.base else ("computed", "from the book")
    if not need.source:
        taken = ("computed", "valuations by states, in whole trades") if "valuations" in need.given else ("assumed", "")
    for name, value in (("trades", load.trades), ("scenarios", need.scenarios)):
        assumed = taken if name == "trades" or need.source else ("assumed", "")
        rests, of = ("asked", "") if name in need.given else assumed
        yield Figure("work", name, value, "", rests, of)
    yield Figure("work", "valuations", load.valuations, "", "computed", "whole trades in every state, the base too")
    yield Figure("work", "work", load.busy / 3600.0, "thread hours", load.far, load.costs + times)
    yield Figure("work", "blocks", load.blocks, "", load.far, "from trades a block")
    yield Figure("work", "longest block", load.longest, "s", load.far, load.costs)


def _cluster(need: Need, size: Sizing, waits: float) -> Iterator[Figure]:
    rate = size.tasks / max(size.seconds - size.starting, waits, 1e-9)
    yield Figure("cluster", "workers", size.workers, "pods", "computed", size.binds)
    yield Figure("cluster", "threads", size.threads, "", "computed", f"{need.threads} a pod")
    yield Figure("cluster", "tasks", size.tasks, "", "computed", f"{size.task_seconds:.3g} s each")
    yield Figure("cluster", "tasks a second", rate, "1/s", "computed", "on average")
    yield Figure(
        "cluster", "scheduler", rate * SCHEDULER_SECONDS, "of a core", "simulated",
        f"{1e3 * SCHEDULER_SECONDS:.2g} ms a task, hence {1 / SCHEDULER_SECONDS:,.0f} tasks/s at most",
    )  # fmt: skip


def _times(need: Need, load: _Load, size: Sizing) -> tuple[list[Figure], float]:
    """And the seconds that the planner needs at least."""
    planning = need.planning + load.trades * need.planning_each
    waiting = load.blocks * (PLANNER_SECONDS + need.request) + size.tasks * PLANNER_TASK_SECONDS
    planner, pricing = planning + waiting, size.seconds - size.starting
    how = f"{need.planning:.2g} s and {1e6 * need.planning_each:.2g} us a trade"
    how += f", measured in {need.source}" if need.base else ", of a bench"
    whole = size.starting + max(pricing, planner)
    of = f"{1e3 * PLANNER_SECONDS:.2g} ms a block and {1e3 * PLANNER_TASK_SECONDS:.2g} ms a task, while workers work"
    of += f"; a request of {1e3 * need.request:.3g} ms a block assumed" if need.request else ""
    return [
        Figure("time", "start", size.starting, "s", "assumed", "until workers work, no less than joining"),
        Figure(
            "time", "joining", _joining(size.workers), "s", "simulated", "of the scheduler's processor, for all workers"
        ),
        Figure("time", "planning", planning, "s", load.far, f"while workers work; {how}"),
        Figure("time", "reduction", waiting, "s", "simulated", of),
        Figure("time", "planner", planner, "s", "computed", "planning and reduction, one thread"),
        Figure("time", "pricing", pricing, "s", "computed", "no longer than this, where costs hold"),
        Figure("time", "all", whole, "s", "computed", f"asked: {need.within:,.0f} s"),
    ], planner


def _memory(need: Need, load: _Load, size: Sizing) -> Iterator[Figure]:
    states, market = need.scenarios + 1, 8 * need.factors * (need.scenarios + 1)
    scratch = 1.25 * 4 * load.rows * need.scenarios + TILES * cache_bytes()
    worker = _WORKER_BYTES + market + need.threads * scratch
    tasks = min(size.tasks, _WINDOW * size.threads) * _TASK_BYTES
    planner = _PLANNER_BYTES + market + load.blocks * _BLOCK_BYTES + 2 * 8 * need.cells * states + tasks
    scheduler = _SCHEDULER_BYTES + tasks
    yield Figure(
        "memory",
        "worker",
        worker / 1e9,
        "GB",
        "computed",
        "process, market, ticks of its blocks; give it half as much again",
    )
    yield Figure("memory", "all workers", worker * size.workers / 1e9, "GB", "computed")
    yield Figure("memory", "planner's memory", planner / 1e9, "GB", "computed", "market, blocks, cells, tasks")
    yield Figure("memory", "scheduler's memory", scheduler / 1e9, "GB", "simulated", "with tasks on their way")


def _store(need: Need, load: _Load, seconds: float) -> Iterator[Figure]:
    ticks = load.trades * (4 * need.scenarios + 17) + load.blocks * FILE_BYTES
    sums = load.blocks * (8 * min(load.rows, need.cells) * (need.scenarios + 7) + FILE_BYTES)
    requests = _REQUESTS * load.blocks
    yield Figure("store", "blocks written", ticks / 1e9, "GB", "computed", "4 bytes a scenario")
    yield Figure("store", "sums written", sums / 1e9, "GB", "computed", "and read by the planner")
    yield Figure("store", "writing", (ticks + sums) / 1e6 / max(seconds, 1e-9), "MB/s", "computed", "while pricing")
    yield Figure("store", "requests", requests, "", "computed", f"{_REQUESTS} a block at most")
    yield Figure("store", "requests a second", requests / max(seconds, 1e-9), "1/s", "computed", "while pricing")
