"""How long does a run of 100,000 trades under 1,000 scenarios take, how much memory, and what do questions cost after?

All eight instruments, a cold store on disk, each run in a fresh process, as a user starts it: threads on all cores,
one thread, and two worker processes, which must give the same bits. Seconds are wall clock; the note has the
processor's, which a busy machine does not stretch as much.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from tests.benchmarks.measure import Figure

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
    trades, scenarios = (10_000, 100) if quick else (100_000, 1000)
    clusters = (f"threads:{os.cpu_count()}", "threads:1", "processes:2")
    rounds: dict[str, list[dict[str, Any]]] = {cluster: [] for cluster in clusters}
    for _ in range(1 if quick else 3):
        for cluster in clusters:
            rounds[cluster].append(_child(trades, scenarios, cluster))
    answers = {one["result"] for runs in rounds.values() for one in runs}
    if len(answers) != 1:
        raise AssertionError(f"{len(answers)} different answers to one question")
    made = []
    for cluster, runs in rounds.items():
        middle = {name: _median([one[name] for one in runs]) for name in runs[0] if name != "result"}
        made += _in_all(cluster, middle, best=min(one["run"] for one in runs))
    threads = rounds[clusters[0]]
    made += [Figure("mixed_100k", name, 1e3 * _median([one[name] for one in threads]), "ms") for name in _AFTER]
    return made


def _in_all(cluster: str, middle: dict[str, Any], best: float) -> list[Figure]:
    parts = middle["parts"]
    spent = sum(seconds for name, seconds in parts.items() if name != "all")
    told = ", ".join(f"{name.removeprefix('pricing ')} {parts[name]:.2f}" for name in sorted(parts) if name != "all")
    workers = f"; largest worker {middle['peak_workers'] / 1e9:.2f} GB" if middle["peak_workers"] else ""
    processor = f"best {best:.2f} s; processor {middle['cpu']:.2f} s, all processes"
    before = f"{middle['peak_before'] / 1e9:.2f} GB before the run{workers}"
    return [
        Figure("mixed_100k", f"{cluster}, run", middle["run"], "s", note=processor),
        Figure("mixed_100k", f"{cluster}, import and run", middle["run"] + middle["imported"], "s"),
        Figure("mixed_100k", f"{cluster}, peak memory", middle["peak"] / 1e9, "GB", note=before),
        Figure("mixed_100k", f"{cluster}, planning", 100 * parts["planning"] / spent, "% of work", note=told),
    ]


def _child(trades: int, scenarios: int, cluster: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.one_run", str(trades), str(scenarios), cluster]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    made: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return made


def _median(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return {name: statistics.median(one[name] for one in values) for name in values[0]}
    return statistics.median(values)
