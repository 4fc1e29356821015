"""What share of a chain's processor time is spent in compiled kernels, and where does the rest go?

One thread, a cold store in memory, warm compilation. Kernels are the compiled loops themselves; steps between them are
ufuncs and gathers, with the cost of calling either; the store is writing blocks and sums. A task prices,
writes and sums; the run in all plans and keeps its inputs too.
"""

from __future__ import annotations

import pkgutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import riskgrid as rg
from riskgrid.portfolio import Portfolio
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, cold_store

SIZES = {"equity_option": 10_000, "fx_option": 10_000, "fixed_rate_bond": 5_000, "interest_rate_swap": 2_000}
PARTS = {
    "tasks": "riskgrid.engine.sending.run_task",
    "kernels": "riskgrid.formulas.compiled.Loop.__call__",
    "steps": "riskgrid.program.Program._run",
    "store": "riskgrid.store.Store.put",
}


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 100 if quick else 1000)
    made = []
    for instrument, size in SIZES.items():
        portfolio = data.portfolio({instrument: size // 10 if quick else size})
        rounds = [_shares(portfolio, market, scenarios) for _ in range(3 if quick else 6)][1:]
        middle = {part: statistics.median(one[part] for one in rounds) for part in rounds[0]}
        note = f"steps between {middle['steps']:.0%}, store {middle['store']:.0%}, all else {middle['rest']:.0%}"
        note += f"; tasks {middle['tasks']:.2f} of {middle['run']:.2f} s in all, {len(portfolio):,} trades"
        what = f"{instrument}: compiled kernels"
        made.append(Figure("kernel_share", what, 100 * middle["kernels"], "% of tasks", note=note))
    return made


def _shares(portfolio: Portfolio, market: Any, scenarios: Any) -> dict[str, float]:
    spent: Counter[str] = Counter()
    with ExitStack() as stack, cold_store(in_memory=True) as folder:
        for part, path in PARTS.items():
            stack.enter_context(_watched(path, part, spent))
        cpu = time.process_time()
        rg.run(portfolio, market, scenarios, store=folder, cluster="threads:1")
        cpu = time.process_time() - cpu
    tasks = spent["tasks"]
    inside = {"kernels": spent["kernels"], "steps": spent["steps"] - spent["both"], "store": spent["store"]}
    shares = {part: seconds / tasks for part, seconds in inside.items()}
    return {**shares, "rest": 1.0 - sum(shares.values()), "tasks": tasks, "run": cpu}


@contextmanager
def _watched(path: str, part: str, spent: Counter[str]) -> Iterator[None]:
    """Add up the processor seconds that calls of a function take in worker threads."""
    function = pkgutil.resolve_name(path)

    def timed(*args: Any, **options: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            return function(*args, **options)
        begun, kernels = time.thread_time(), spent["kernels"]
        try:
            return function(*args, **options)
        finally:
            spent[part] += time.thread_time() - begun
            if part == "steps":
                spent["both"] += spent["kernels"] - kernels

    with patch(path, timed):
        yield
