"""How long does it take until riskgrid is imported, and until its demo has answered?

``python -X importtime`` in fresh processes, with the ten modules that cost most themselves; and ``riskgrid demo`` of
10,000 trades on three dates into a new store, in a process that finds compiled kernels on disk.
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
    rounds = tuple(_demo(trades) for _ in range(2 if quick else 4))[1:]  # the first one compiles what is missing
    note = f"{trades:,} trades, three dates, three reports"
    wall = statistics.median(rounds)
    made.append(Figure("startup", "riskgrid demo, warm", wall, "s", note=note, at_most=6.0, rounds=rounds))
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


def _demo(trades: int) -> float:
    with cold_store() as folder:
        command = [sys.executable, "-m", "riskgrid", "demo", "--trades", str(trades), "--store", str(folder)]
        begun = time.perf_counter()
        subprocess.run(command, env=_environment(), capture_output=True, check=True)
        return time.perf_counter() - begun


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root}
