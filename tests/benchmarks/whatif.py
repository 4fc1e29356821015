"""How long after a question does a changed book have its VaR by desk, durably kept?

What-ifs on a finished run of 100,000 trades under 1,000 scenarios, in the process that made it, each asked once: one
trade resized, 100 of one instrument, 100 of all eight, one factor shifted: an equity, an FX rate, a quote of a curve;
all equities, a book under another desk, a new scenario set. On the clock: checking, planning, pricing, blocks and the
what-if on disk, the catalogue, P&L and VaR of every desk. The limit of a shift and of a scenario set is what the full
run took for so many valuations.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np

import riskgrid as rg
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, cold_store

_FACTORS = {
    "an equity": "equity:S03",
    "all equities": "equity:*",
    "an FX rate": "fx:GBP",
    "a curve's quote": "par:USD:5Y",
}
_SLACK = 0.010


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market("par")
    scenarios = data.scenarios(market, 100 if quick else 1000)
    book = data.mixed(4000 if quick else 100_000)
    draw = np.random.default_rng(7)
    tables = {name: table["trade_id"].to_pylist() for name, table in book.tables.items()}
    every = [trade for ids in tables.values() for trade in ids]
    with cold_store() as folder:
        for _ in range(2):  # the second finds everything compiled
            begun = time.perf_counter()
            run = rg.run(book, market, scenarios, store=folder / str(_), progress=None)
            spent = time.perf_counter() - begun
        cost = spent / (len(book) * (scenarios.sizes["scenario"] + 1))

        def resized(ids: list[str], count: int) -> Iterator[rg.Changes]:
            while True:
                picked = draw.choice(ids, count, replace=False).tolist()
                yield rg.Changes(resize={trade: float(draw.uniform(-9.0, 9.0)) for trade in picked})

        repeats = 5 if quick else 40
        made = [
            _figure("one trade", _asked(run, resized(every, 1), repeats), 15.0, 40.0),
            _figure(
                "100 trades of one instrument", _asked(run, resized(tables["equity_option"], 100), repeats), 40.0, 80.0
            ),
            _figure("100 trades of eight instruments", _asked(run, resized(every, 100), repeats), 40.0, 80.0),
        ]
        books = np.unique(run.cells["book"].values).tolist()
        rules = (
            rg.Changes(rehang=[{"where": {"book": name}, "to": {"desk": f"Desk {at}"}}])
            for at, name in enumerate(books * 50)
        )
        made.append(_figure("a book under another desk", _asked(run, rules, repeats), 15.0, 40.0))
        sets = (rg.Changes(scenarios=rg.scale_shifts(scenarios, 1.0 + 0.01 * step)) for step in range(1, 9))
        made.append(_against("a new scenario set", _asked(run, sets, 1 if quick else 3), cost))
        for what, factor in _FACTORS.items():
            shifts = (rg.Changes(shift={factor: f"x{1.0 + 0.001 * step}"}) for step in range(1, 1000))
            made.append(_against(f"{what} shifted", _asked(run, shifts, 3 if quick else 9), cost))
    return made


def _asked(run: rg.Run, changes: Iterator[rg.Changes], repeats: int) -> list[tuple[float, int]]:
    """Seconds and valuations of each what-if, the first left out: it builds what the run's other ones share."""
    found = []
    for _ in range(repeats + 1):
        asked = next(changes)
        begun = time.perf_counter()
        child = rg.what_if(run, asked)
        rg.value_at_risk(child.pnl("desk"), 0.99)
        found.append((time.perf_counter() - begun, int(child.manifest["valuations"])))
    return found[1:]


def _figure(what: str, spent: list[tuple[float, int]], middle: float, high: float) -> Figure:
    ms = [1e3 * seconds for seconds, _ in spent]
    p95 = float(np.percentile(ms, 95))
    note = f"p95 {p95:.1f} ms, at most {high:g} asked for: {'met' if p95 <= high else 'NOT met'}"
    return Figure("whatif", what, statistics.median(ms), "ms", note=note, at_most=middle, rounds=tuple(ms))


def _against(what: str, spent: list[tuple[float, int]], cost: float) -> Figure:
    ratios = [(seconds - _SLACK) / (valuations * cost) for seconds, valuations in spent]
    ms = statistics.median(1e3 * seconds for seconds, _ in spent)
    return Figure(
        "whatif",
        what,
        ms,
        "ms",
        ratio=statistics.median(ratios),
        against="the full run's cost of its valuations, beyond 10 ms",
        note=f"{spent[0][1]:,} valuations",
        at_most=1.3,
        rounds=tuple(ratios),
        less_is_better=True,
    )
