"""What does one scheduler cost, when does the first result come, how late the last, with 10 to 3,000 workers?

A rehearsal: the planner and the scheduler are real, in a process each, and so is every message; the workers are fake.
Each stands for a pod of 4 threads on which a task takes as long as its valuations cost at a millisecond each, by the
clock: nothing is priced. The plan is a real one of 32 trades a block under 1,000 scenarios, under other keys as often
as it takes for two tasks a thread (one at 3,000 workers); the sums of a block are read from one file. The ratio is the
time of the run against that of its seconds shared out evenly. All of it shares this machine's cores, and so what a
scheduler of its own would do meanwhile is in the times: processor time a task is what carries over.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from riskgrid.cluster import connect
from riskgrid.cluster.sizing import sized, task_seconds
from riskgrid.engine.execute import execute
from riskgrid.engine.outcome import Progress
from tests.benchmarks.exotic_plan import COST, ExoticStore, exotic_plan
from tests.benchmarks.measure import Figure, cold_store

_THREADS = 4
#: A process of fake workers opens a socket for each, and one more when it is asked for a receipt.
_FLEET = 5000
#: Seconds of watching a scheduler do nothing.
_IDLE = 5.0
_CALL = """
import dataclasses, json
from tests.benchmarks.rehearsal import rehearse
print(json.dumps(dataclasses.asdict(rehearse({arguments}))))
"""


@dataclass(frozen=True)
class Rehearsed:
    """One rehearsal. Seconds of wall clock; of processor for joining and for each task; bytes of memory at the end.

    first : seconds to the first result beyond those of its task.   tasks : each of ``task`` seconds on average.
    idle : processor seconds that the scheduler takes in a second without tasks; those of ``scheduler`` come on top.
    """

    workers: int
    blocks: int
    tasks: int
    task: float
    joined: float
    joining: float
    idle: float
    first: float
    run: float
    even: float
    scheduler: float
    client: float
    scheduler_memory: int
    client_memory: int
    load: float


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    if quick:
        return _lines(_apart(10, 1, COST / 100))
    return [
        line
        for workers, rounds in ((10, 2), (100, 2), (1000, 2), (3000, 1))
        for line in _lines(_apart(workers, rounds, COST))
    ]


def rehearse(workers: int, rounds: int, cost: float = COST) -> Rehearsed:
    """Run so many tasks a thread on so many workers. cost : seconds of a valuation."""
    threads = workers * _THREADS
    plan = exotic_plan(rounds * threads)
    each = plan.block_seconds * cost / COST
    bundled = -(-task_seconds(threads) // each)
    blocks = int(rounds * threads * max(bundled, 1.0))
    with cold_store() as folder, _cluster(workers, cost) as (scheduler, joined):
        store = ExoticStore(folder)
        store.fill()
        with connect(scheduler.address) as lent:
            options: dict[str, Any] = {"store": store, "workers": lent, "cells": 1}
            joining = scheduler.seconds()
            execute(plan.pieces(1, "warm"), plan.states, plan.pricing, **options)  # everybody imports what they need
            idle = _idle(scheduler)
            first: list[float] = []
            before, own, begun = scheduler.seconds(), time.process_time(), time.perf_counter()
            made = execute(
                plan.pieces(blocks),
                plan.states,
                plan.pricing,
                progress=lambda told: _note(first, told, cost),
                **options,
            )
            run, tasks = time.perf_counter() - begun, made.labour.tasks
            busy = made.valuations * cost
            return Rehearsed(
                workers, blocks, tasks, busy / tasks, joined, joining, idle, first[0] - begun, run, busy / threads,
                (scheduler.seconds() - before - idle * run) / tasks, (time.process_time() - own) / tasks,
                scheduler.memory(), psutil.Process().memory_info().rss, os.getloadavg()[0],
            )  # fmt: skip


@dataclass(frozen=True)
class _Process:
    """A process and the processor seconds it had spent when the fleet was there."""

    address: str
    process: psutil.Process

    def seconds(self) -> float:
        """Processor seconds so far."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    def memory(self) -> int:
        """Bytes it has in memory."""
        return int(self.process.memory_info().rss)


@contextlib.contextmanager
def _cluster(workers: int, cost: float) -> Iterator[tuple[_Process, float]]:
    """A scheduler with so many fake workers, and the seconds that it took these to join."""
    port = _free_port()
    line = [sys.executable, "-m", "riskgrid", "scheduler", "--host=127.0.0.1", f"--port={port}", "--http-port=0"]
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(_started(line, dict(os.environ)))
        address = f"tcp://127.0.0.1:{port}"
        _await(port)
        scheduler = _Process(address, psutil.Process(started.pid))
        fleets = []
        for first in range(0, workers, _FLEET):
            told = {"first": first, "count": min(_FLEET, workers - first), "threads": _THREADS, "cost": cost}
            line = [sys.executable, "-m", "tests.benchmarks.fleet", address]
            line += [word for name, value in told.items() for word in (f"--{name}", str(value))]
            fleets.append(stack.enter_context(_started(line, dict(os.environ))))
        yield scheduler, max(float(fleet.stdout.readline()) for fleet in fleets if fleet.stdout)


@contextlib.contextmanager
def _started(line: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as made:
        try:
            yield made
        finally:
            made.kill()


def _await(port: int) -> None:
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.1)
    raise ConnectionError("the scheduler does not start")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _idle(scheduler: _Process) -> float:
    """Processor seconds a second that a scheduler takes for workers that have nothing to do."""
    before, begun = scheduler.seconds(), time.perf_counter()
    time.sleep(_IDLE)
    return (scheduler.seconds() - before) / (time.perf_counter() - begun)


def _note(first: list[float], told: Progress, cost: float) -> None:
    if told.priced and not first:
        first.append(time.perf_counter() - cost * told.valuations)


def _apart(workers: int, rounds: int, cost: float) -> Rehearsed:
    """The same in a process of its own, whose memory is that of this run."""
    line = [sys.executable, "-c", _CALL.format(arguments=f"{workers}, {rounds}, {cost}")]
    said = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    print(said.stdout, end="", file=sys.stderr)
    return Rehearsed(**json.loads(said.stdout.splitlines()[-1]))


def _lines(made: Rehearsed) -> list[Figure]:
    name = f"{made.workers:,} workers"
    asked = sized(
        made.tasks * made.task, within=300.0, threads=_THREADS, most=made.workers, blocks=made.blocks,
        longest=made.tasks * made.task / made.blocks, starting=0.0,
    )  # fmt: skip
    run = (
        f"{made.tasks:,} tasks of {made.task:.3g} s, {made.blocks:,} blocks; {made.tasks / made.run:,.0f} tasks/s; "
        f"load {made.load:.1f}; {asked.workers:,} workers would do it in 300 s"
    )
    memory = f"{made.idle:.3f} of a core without any; {made.scheduler_memory / 1e6:,.0f} MB at the end"
    client = (
        f"{1e3 * made.client * made.tasks / made.blocks:.2f} ms a block; {made.client_memory / 1e6:,.0f} MB at the end"
    )
    each = {"less_is_better": True}
    return [
        Figure(
            "rehearsal", f"{name} join", made.joined, "s", note=f"{made.joining:.1f} s of the scheduler's processor"
        ),
        Figure("rehearsal", f"{name}, scheduler", 1e3 * made.scheduler, "ms", note=f"of processor a task; {memory}"),
        Figure("rehearsal", f"{name}, planner", 1e3 * made.client, "ms", note=f"of processor a task; {client}"),
        Figure("rehearsal", f"{name}, first result", made.first, "s", note="the first task's own seconds apart"),
        Figure("rehearsal", f"{name}, run", made.run, "s", made.run / made.even, "even shares", run, **each),
    ]
