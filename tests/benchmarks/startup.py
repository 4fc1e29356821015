"""How long does it take until riskgrid is imported, and until its demo has answered?

``python -X importtime`` in fresh processes, with the ten modules that cost most themselves; and ``riskgrid demo`` of
10,000 trades on three dates into a new store and asked again, in processes that find compiled kernels on disk.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.measure import Figure, cold_store

_STATEMENTS = {
    "import riskgrid": "import riskgrid",
    "import riskgrid, and its verb run": "import riskgrid; riskgrid.run",
}
_DEMOS = ("riskgrid demo, compiled, into an empty store", "riskgrid demo, asked again")


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    made = []
    for what, statement in _STATEMENTS.items():
        found = [_imports(statement) for _ in range(2 if quick else 7)]
        rounds = tuple(sum(one.values()) for one in found)
        dearest = sorted(found[-1].items(), key=lambda item: -item[1])[:10]
        note = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in dearest)
        target = 0.7 if statement == "import riskgrid" else None
        made.append(Figure("startup", what, statistics.median(rounds), "s", note=note, at_most=target, rounds=rounds))
    trades = 300 if quick else 10_000
    pairs = [_demo(trades) for _ in range(2 if quick else 4)][1:]  # the first one compiles what is missing
    note = f"{trades:,} trades, three dates, three reports, one day explained"
    for what, rounds, most in zip(_DEMOS, zip(*pairs, strict=True), (None, 6.0), strict=True):
        wall = statistics.median(rounds)
        made.append(Figure("startup", what, wall, "s", note=note, at_most=most, rounds=rounds))
    return made


def _imports(statement: str) -> dict[str, float]:
    """Module to its own seconds."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True).stderr.splitlines()
    own: dict[str, float] = {}
    for line in lines:
        parts = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and parts[0].strip().isdecimal():
            own[parts[2].strip()] = own.get(parts[2].strip(), 0.0) + int(parts[0]) / 1e6
    return own


def _demo(trades: int) -> tuple[float, float]:
    """Seconds of a demo into an empty store, and of the next one."""
    with cold_store() as folder:
        command = [sys.executable, "-m", "riskgrid", "demo", "--trades", str(trades), "--store", str(folder)]
        times = [time.perf_counter()]
        for _ in range(2):
            subprocess.run(command, env=_environment(), capture_output=True, check=True)
            times.append(time.perf_counter())
        return times[1] - times[0], times[2] - times[1]


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root}
