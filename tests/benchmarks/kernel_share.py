"""What share of a chain's processor time is spent in compiled kernels, and where does the rest go?

One thread, a cold store in memory, warm compilation. Kernels are the compiled loops themselves; NumPy steps are the
ufuncs and gathers between them, with the cost of calling either; the store is writing blocks and sums.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import riskgrid as rg
from riskgrid.formulas.compiled import Loop
from riskgrid.portfolio import Portfolio
from riskgrid.quantity import Program
from riskgrid.store import Store
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, cold_store

SIZES = {"equity_option": 10_000, "fx_option": 10_000, "fixed_rate_bond": 5_000, "interest_rate_swap": 2_000}
_PARTS = {"kernels": (Loop, "__call__"), "steps": (Program, "_evaluate"), "store": (Store, "put")}


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 100 if quick else 1000)
    made = []
    for instrument, size in SIZES.items():
        portfolio = data.portfolio({instrument: size // 10 if quick else size})
        rounds = [_shares(portfolio, market, scenarios) for _ in range(3 if quick else 6)][1:]
        middle = {part: statistics.median(one[part] for one in rounds) for part in rounds[0]}
        note = f"NumPy steps {middle['steps']:.0%}, store {middle['store']:.0%}, all else {middle['rest']:.0%}"
        note += f"; of {middle['seconds']:.2f} s for {len(portfolio):,} trades"
        what = f"{instrument}: compiled kernels"
        made.append(Figure("kernel_share", what, 100 * middle["kernels"], "% of engine", note=note))
    return made


def _shares(portfolio: Portfolio, market: Any, scenarios: Any) -> dict[str, float]:
    spent: Counter[str] = Counter()
    with ExitStack() as stack, cold_store(in_memory=True) as folder:
        for part, (owner, name) in _PARTS.items():
            stack.enter_context(_watched(owner, name, part, spent))
        cpu = time.process_time()
        run = rg.run(portfolio, market, scenarios, store=folder, cluster="threads:1")
        cpu = time.process_time() - cpu
        wall = sum(seconds for part, seconds in run.manifest["seconds"].items() if part != "all")
    # the engine's own clock is a wall clock: on a busy machine it exceeds all processor time there was
    seconds = min(wall, cpu)
    shares = {
        "kernels": spent["kernels"] / seconds,
        "steps": (spent["steps"] - spent["kernels inside steps"]) / seconds,
        "store": spent["store"] / seconds,
    }
    return {**shares, "rest": 1.0 - sum(shares.values()), "seconds": seconds}


@contextmanager
def _watched(owner: type, name: str, part: str, spent: Counter[str]) -> Iterator[None]:
    """Add up the processor seconds that calls of a method take in their thread."""
    method = getattr(owner, name)

    def timed(*args: Any, **options: Any) -> Any:
        begun, inside = time.thread_time(), spent["kernels"]
        try:
            return method(*args, **options)
        finally:
            spent[part] += time.thread_time() - begun
            if part == "steps":
                spent["kernels inside steps"] += spent["kernels"] - inside

    with patch.object(owner, name, timed):
        yield
