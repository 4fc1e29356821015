"""Do listing, opening and pivoting stay fast in a store of 1,000 runs, and does gc free exactly what nobody refers to?

A store of 1,000 runs and 1 GB of blocks (10 GB with ``python -m tests.benchmarks.many_runs --full``), made here and
thrown away: books of options and forwards under 1,000 scenarios, neighbours of which share the blocks of their
forwards; every tenth run is a what-if. Half of those without what-ifs are then removed. Runs are opened in random
order, each once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid.keeping import gc, remove, verify
from riskgrid.store import Store
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, cold_store

_SCENARIOS = 1000
_MOST_MS = 100.0

#: Of a run's blocks those that no run before it had, what-ifs counted: half of the forwards are shared.
_OWN = 0.675


def figures(*, quick: bool = False, gigabytes: float = 1.0) -> list[Figure]:
    """Lines of the table."""
    runs = 100 if quick else 1000
    trades = max(round((0.1 if quick else gigabytes) * 1e9 / (4.0 * _SCENARIOS * runs * _OWN)), 16)
    draw = np.random.default_rng(11)
    with cold_store() as folder:
        store = Store(folder)
        begun = time.perf_counter()
        made = list(_made(store, runs, trades))
        spent = time.perf_counter() - begun
        blocks = [entry.size for entry in store.list("blocks")]
        note = f"{runs:,} runs, {len(blocks):,} blocks, {sum(blocks) / 1e9:.2f} GB, made in {spent:.0f} s"
        picked = [made[at] for at in draw.permutation(runs)[:50].tolist()]
        opened = {run: rg.open_run(run, store=store) for run in picked}
        lines = [
            _line("list all runs", [_ms(lambda: store.catalogue.list(runs)) for _ in range(20)], note),
            _line("list 20 runs", [_ms(lambda: store.catalogue.list(20)) for _ in range(20)], ""),
            _line("open a run", _each(picked, lambda run: rg.open_run(run, store=store)), ""),
            _line("first pivot by desk", _each(picked, lambda run: opened[run].aggregate(("region", "desk"))), ""),
            _line("next pivot by book", _each(picked, lambda run: opened[run].aggregate("book")), ""),
            _line(
                "pivot by counterparty", _each(picked, lambda run: opened[run].aggregate("counterparty")), "of blocks"
            ),
        ]
        return [*lines, *_collected(store, made, draw)]


def _made(store: Store, runs: int, trades: int) -> Iterator[str]:
    """Ids of so many runs, as they are made."""
    market = data.market()
    scenarios = data.scenarios(market, _SCENARIOS)
    base = data.portfolio({"equity_option": trades - trades // 2, "fx_forward": trades // 2})
    tables = {name: table.to_pandas() for name, table in base.tables.items()}
    run: rg.Run | None = None
    for number in range(runs):
        if number % 10 == 9 and run is not None:
            changes = rg.Changes(drop=[f"equity_option-{number % (trades // 2)}"])
            yield rg.what_if(run, changes).run_id
            continue
        changed = {
            "equity_option": tables["equity_option"].assign(quantity=1.0 + number),
            "fx_forward": tables["fx_forward"].assign(quantity=1.0 + number // 2),
        }
        run = rg.run(rg.Portfolio.from_tables(changed), market, scenarios, store=store, progress=None)
        yield run.run_id


def _collected(store: Store, made: Sequence[str], draw: np.random.Generator) -> list[Figure]:
    """Time of gc, after a check that it removes the blocks that only removed runs had, and no others."""
    parents = {row.parent for row in store.catalogue.list(len(made))}
    free = [run for run in made if run not in parents]
    gone = set(draw.permutation(free)[: len(free) // 2].tolist())
    keys = {run: set(rg.open_run(run, store=store).cube.placement.keys) for run in made}
    needed = set().union(*(found for run, found in keys.items() if run not in gone))
    before = {entry.key: entry.size for entry in store.list("blocks")}
    for run in gone:
        remove(store, run)
    planned = gc(store, grace=timedelta(0), dry_run=True)
    begun = time.perf_counter()
    freed = gc(store, grace=timedelta(0))
    spent = time.perf_counter() - begun
    after = {entry.key for entry in store.list("blocks")}
    _check(after == needed & set(before), "gc left exactly the blocks that runs refer to")
    _check(freed.objects["blocks"] == len(before) - len(after) == planned.objects["blocks"], "gc told what it freed")
    _check(freed.bytes["blocks"] == sum(size for key, size in before.items() if key not in after), "and its bytes")
    begun = time.perf_counter()
    _check(verify(store).whole, "every run that is left is whole")
    read = sum(size for key, size in before.items() if key in after) / 1e9
    return [
        Figure("many_runs", "gc", spent, "s", note=f"{len(gone):,} runs removed; {freed}".partition(":")[0]),
        Figure("many_runs", "verify all", time.perf_counter() - begun, "s", note=f"{read:.2f} GB of blocks read"),
    ]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"many_runs: it does not hold that {what}")


def _each(runs: Sequence[str], action: Callable[[str], Any]) -> list[float]:
    return [_ms(lambda run=run: action(run)) for run in runs]  # type: ignore[misc]


def _ms(action: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1e3


def _line(what: str, spent: list[float], note: str) -> Figure:
    slow = f"slowest {max(spent):.1f} ms" + (f"; {note}" if note else "")
    limit = None if "trades" in what else _MOST_MS
    return Figure("many_runs", what, statistics.median(spent), "ms", note=slow, at_most=limit, rounds=tuple(spent))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10 GB of blocks instead of 1")
    for line in figures(gigabytes=10.0 if parser.parse_args().full else 1.0):
        print(f"{line.what:24} {line.value:10.2f} {line.unit:3} {line.note}")
