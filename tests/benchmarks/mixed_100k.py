"""How long does a run of 100,000 trades under 1,000 scenarios take, how much memory, and what do questions cost after?

All eight instruments, a cold store on disk, each run in a fresh process, as a user starts it: threads on two cores, one
thread, and two worker processes; and in a process that has answered a small run before: threads, and worker processes
that stand already. All must give the same bits. Seconds are wall clock. The limit of the threads is the time spent
inside pricing, shared by two workers without any rest; that of the processes is the threads.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

from tests.benchmarks.measure import Figure

type Runs = list[dict[str, Any]]

_THREADS, _STARTING = "threads:2", "processes:2"  # as they are started
_WARM, _STANDING = "warm:2", "standing:2"  # after a small run
_WHERE = {
    _THREADS: "2 threads",
    "threads:1": "1 thread",
    _STARTING: "2 processes, from nothing",
    _WARM: "2 threads, after a small run",
    _STANDING: "2 processes, after a small run",
}
_AFTER = (
    "first report by cell label",
    "report by cell label",
    "report by another label",
    "225 nodes, report",
    "same question again",
    "other cell labels",
)


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    trades, scenarios = (4000, 100) if quick else (100_000, 1000)
    rounds: dict[str, Runs] = {where: [] for where in _WHERE}
    for _ in range(1 if quick else 3):
        for where in _WHERE:
            rounds[where].append(one_run(trades, scenarios, where))
    answers = {one["result"] for runs in rounds.values() for one in runs}
    if len(answers) != 1:
        raise AssertionError(f"{len(answers)} different answers to one question")
    threads = rounds[_THREADS]
    made = [*_of_threads(threads)]
    made.append(_figure(f"{_WHERE[_WARM]}", rounds[_WARM], "run", "s", note=told(rounds[_WARM][-1])))
    made += _of_processes(_STANDING, rounds[_STANDING], rounds[_WARM])
    made += _of_processes(_STARTING, rounds[_STARTING], threads)
    alone = rounds["threads:1"]
    speedup = [one["run"] / two["run"] for one, two in zip(alone, threads, strict=True)]
    what = f"{_WHERE['threads:1']}, run"
    made.append(_figure(what, alone, "run", "s", ratio=speedup, against="the run of 2 threads"))
    made += [_figure(name, threads, name, "ms", scale=1e3) for name in _AFTER]
    return made


def one_run(trades: int, scenarios: int, where: str) -> dict[str, Any]:
    """Figures of a run in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.one_run", str(trades), str(scenarios), where]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    made: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return made


def told(run: dict[str, Any], most: int = 12) -> str:
    """The dearest parts of a run's time, in worker-seconds and seconds of the caller."""
    parts = sorted(run["parts"].items(), key=lambda item: -item[1])[:most]
    return ", ".join(f"{name.removeprefix('pricing ')} {seconds:.2f}" for name, seconds in parts)


def _of_threads(runs: Runs) -> list[Figure]:
    name = _WHERE[_THREADS]
    bound = [2.0 * one["run"] / one["pricing"] for one in runs]
    note = f"processor {_median(runs, 'cpu'):.2f} s; {runs[-1]['blocks']} blocks; {told(runs[-1])}"
    against = "seconds in pricing / 2"
    planning = [{"share": 100.0 * one["planning"] / one["run"]} for one in runs]
    before = f"{_median(runs, 'peak_before') / 1e9:.2f} GB before the run"
    return [
        _figure(f"{name}, run", runs, "run", "s", ratio=bound, against=against, note=note, at_most=1.5),
        _figure(
            f"{name}, planning and hashing",
            planning,
            "share",
            "% of the run",
            note="processor time of the planning thread, which shares the cores with two busy workers",
            at_most=10.0,
            less_is_better=True,
        ),
        _figure(f"{name}, peak memory", runs, "peak", "GB", scale=1e-9, note=before, at_most=1.0),
        _figure(f"{name}, every block cached", runs, "every block cached", "s", at_most=0.3),
    ]


def _of_processes(where: str, runs: Runs, threads: Runs) -> list[Figure]:
    name = _WHERE[where]
    against = f"the run of {_WHERE[_WARM if where == _STANDING else _THREADS]}"
    longer = [one["run"] / two["run"] for one, two in zip(runs, threads, strict=True)]
    target = {"at_most": 1.35} if where == _STANDING else {}
    note = f"largest worker {_median(runs, 'peak_workers') / 1e9:.2f} GB; {told(runs[-1])}"
    made = [_figure(f"{name}, run", runs, "run", "s", ratio=longer, against=against, note=note, **target)]
    if where == _STANDING:
        per_task = f"{runs[-1]['tasks']} tasks; worker-seconds in which a task is on its way and none is run"
        per_block = f"{runs[-1]['blocks']} blocks; looking up, panels, submitting, reading, adding up"
        made += [
            _figure(f"{name}, overhead per task", runs, "per_task", "ms", scale=1e3, note=per_task),
            _figure(f"{name}, overhead per block", runs, "per_block", "ms", scale=1e3, note=per_block),
        ]
    return made


def _figure(
    what: str, runs: Runs, key: str, unit: str, *, scale: float = 1.0, ratio: list[float] | None = None, **options: Any
) -> Figure:
    rounds = tuple(ratio) if ratio else tuple(scale * one[key] for one in runs)
    value, middle = scale * _median(runs, key), statistics.median(ratio) if ratio else None
    options.setdefault("less_is_better", ratio is not None)
    return Figure("mixed_100k", what, value, unit, middle, rounds=rounds, **options)


def _median(runs: Runs, key: str) -> float:
    return statistics.median(one[key] for one in runs)
