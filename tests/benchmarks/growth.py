"""How do time, memory and disk grow with trades and with scenarios, and is there a cliff?

The mixed portfolio from 10,000 to 1,000,000 trades under 250 scenarios, and 10,000 and 30,000 trades under 250, 1,000
and 4,000 scenarios; two threads, a cold store on disk, a fresh process each. The ratio is the processor time of each
valuation beyond the next smaller run, against the average of all of this one: 1 where growth is linear, below 1 while
something fixed is being spread over more, 2 where it is quadratic.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from typing import Any

from tests.benchmarks.measure import Figure
from tests.benchmarks.mixed_100k import one_run, told

_TRADES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
_SCENARIOS = (250, 1000, 4000)
_AT_MOST = 1.25  # a cliff is more than that


def figures(*, quick: bool = False, largest: int = _TRADES[-1]) -> list[Figure]:
    """Lines of the table, up to ``largest`` trades."""
    if quick:
        return [*_row([(1000, 50), (4000, 50)]), *_row([(1000, 50), (1000, 200)])[1:]]
    made = _row([(trades, _SCENARIOS[0]) for trades in _TRADES if trades <= largest])
    for trades in (10_000, 30_000):
        made += _row([(trades, count) for count in _SCENARIOS])[1:]
    return made


def _row(sizes: list[tuple[int, int]]) -> list[Figure]:
    made: list[Figure] = []
    before: tuple[float, int] | None = None
    for trades, scenarios in sizes:
        valuations = trades * (scenarios + 1)
        if shutil.disk_usage(tempfile.gettempdir()).free < 8 * valuations:  # ticks are 4 bytes
            print(f"growth: no room for {trades:,} x {scenarios:,}: {valuations / 1e9:.1f} G ticks", file=sys.stderr)
            continue
        run = one_run(trades, scenarios, "threads:2")
        ratio = None
        if before is not None:
            ratio = (run["cpu"] - before[0]) / (valuations - before[1]) / (run["cpu"] / valuations)
        made.append(_figure(trades, scenarios, run, ratio))
        before = run["cpu"], valuations
    return made


def _figure(trades: int, scenarios: int, run: dict[str, Any], ratio: float | None) -> Figure:
    wall, cpu, peak = run["run"], run["cpu"], run["peak"] / 1e9
    note = (
        f"processor {cpu:.2f} s, {1e9 * cpu / (trades * (scenarios + 1)):.1f} ns a valuation; peak {peak:.2f} GB, "
        f"{run['peak_before'] / 1e9:.2f} before the run; store {run['store_bytes'] / 1e9:.2f} GB, {run['blocks']} "
        f"blocks; {told(run, 4)}"
    )
    return Figure(
        "growth",
        f"{trades:,} trades x {scenarios:,} scenarios",
        wall,
        "s",
        ratio,
        "" if ratio is None else "average cost of a valuation",
        note,
        at_most=None if ratio is None else _AT_MOST,
        less_is_better=True,
    )
