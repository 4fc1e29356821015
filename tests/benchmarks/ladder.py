"""What do all sensitivities of a book cost, in multiples of one base valuation, with and without pruning?

10,000 sample trades; every factor of the market up and down, some 2,000 of them, and the next day. A base valuation is
a run of one scenario that moves nothing, into a cold store as the ladder is, on one thread. Without pruning every block
keeps every state: the same ticks come out, which is checked before anything is timed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid.market.states import MarketStates
from tests.benchmarks.measure import Figure, Spent, cold_store, in_turns, ratio, ratios, timed

DATE = "2016-07-01"


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    book, market = rg.sample.portfolio(1000 if quick else 10_000), rg.sample.market(DATE)
    still = rg.ladder(market, patterns=["fx:EUR"], kind="up").isel(scenario=[0])
    still = still.assign(scale=still["scale"] * 0.0 + 1.0)
    ladder = rg.ladder(market, next_day=True)
    counts: dict[str, int] = {}

    def valued(scenarios: Any) -> rg.Run:
        with cold_store() as folder:
            return rg.run(book, market, scenarios, store=folder, cluster="threads:1", progress=None)

    def unpruned() -> rg.Run:
        with _without_pruning():
            return valued(ladder)

    for name, found in (("pruned", valued(ladder)), ("unpruned", unpruned())):
        counts[name] = found.manifest["valuations"]
        counts.setdefault("answer", hash(found.result_id))
        assert counts["answer"] == hash(found.result_id)

    contenders = {
        "base valuation": lambda: timed(lambda: valued(still)),
        "full ladder": lambda: timed(lambda: valued(ladder)),
        "sensitivities by desk, from a run": lambda: _sensitivities(book, market, again=False),
        "the same asked again": lambda: _sensitivities(book, market, again=True),
        "full ladder without pruning": lambda: timed(unpruned),
    }
    medians = in_turns(contenders, 1 if quick else 3)
    base = medians["base valuation"]
    share = f"{ladder.sizes['scenario']:,} states; {counts['pruned']:,} of {counts['unpruned']:,} valuations"
    notes = {"full ladder": share, "full ladder without pruning": f"{counts['unpruned']:,} valuations"}
    return [
        Figure(
            "ladder",
            name,
            spent.wall,
            "s",
            None if spent is base else ratio(base, spent),
            "" if spent is base else "a base valuation",
            notes.get(name, f"{len(book):,} trades"),
            rounds=spent.rounds if spent is base else ratios(base, spent),
            less_is_better=True,
        )
        for name, spent in medians.items()
    ]


def _sensitivities(book: Any, market: Any, *, again: bool) -> Spent:
    """From a run that is there: the ladder's set, its run, delta, gamma and theta by desk."""
    with cold_store() as folder:
        run = rg.run(book, market, rg.sample.scenarios(DATE, count=10), store=folder, progress=None)
        if again:
            rg.sensitivities(run, by="region", cluster="threads:1")
        return timed(lambda: rg.sensitivities(run, by="desk", cluster="threads:1"))


@contextmanager
def _without_pruning() -> Iterator[None]:
    """Every object moves in every state, as far as planning asks."""
    pruned = MarketStates.moves
    MarketStates.moves = lambda self, role: np.ones(self.count, np.bool_)  # type: ignore[method-assign]
    try:
        yield
    finally:
        MarketStates.moves = pruned  # type: ignore[method-assign]
