"""riskgrid on its plain NumPy and SciPy formulas, in a process of its own that waits for its turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid import formulas
from tests.benchmarks import data
from tests.benchmarks.measure import Spent, cold_store, timed


class OtherBackend:
    """The process, asked for one run at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def maybe(cls, what: tuple[str, int, int] | None) -> Iterator[OtherBackend | None]:
        """The process for (instrument, trades, scenarios) while it is needed; None for None."""
        if what is None:
            yield None
            return
        command = [sys.executable, "-m", "tests.benchmarks.numpy_backend", *map(str, what)]
        where = {**os.environ, "RISKGRID_BACKEND": "numpy"}
        with subprocess.Popen(command, env=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)

    def ask(self) -> Spent:
        """Wall and processor seconds of the engine in a fresh run."""
        wall, cpu = self._answer()["spent"]
        return wall, cpu

    def total(self) -> Any:
        """P&L of the whole portfolio (scenario,)."""
        return np.array(self._answer()["total"])

    def _answer(self) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main(instrument: str, trades: int, scenarios: int) -> None:
    """Answer a line of JSON to each line that comes in."""
    assert formulas.BACKEND == "numpy"
    market = data.market()
    days, portfolio = data.scenarios(market, scenarios), data.portfolio({instrument: trades})
    for _ in sys.stdin:
        with cold_store(in_memory=True) as folder:
            runs: list[rg.Run] = []
            wall, cpu = timed(lambda: runs.append(_run(portfolio, market, days, folder)))  # noqa: B023, called at once
            share = float(runs[0].manifest["seconds"]["all"]) / wall
            total = runs[0].cells["pnl"].values.sum(axis=0).tolist()
        print(json.dumps({"spent": [wall * share, cpu * share], "total": total}), flush=True)


def _run(portfolio: Any, market: Any, days: Any, folder: Any) -> rg.Run:
    return rg.run(portfolio, market, days, store=folder, cluster="threads:1", progress=None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
