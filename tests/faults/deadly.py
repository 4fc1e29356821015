"""An instrument whose terms say what it does to the process that prices it, and books of it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskgrid.engine.execute import execute, planned
from riskgrid.engine.outcome import CellSums, Outcome
from riskgrid.engine.plan import Pricing
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import Instrument
from riskgrid.store import Store
from riskgrid.terms import Currency, Equity, Float
from tests.run import made

EXITS, FAULTS, WAITS = 1.0, 2.0, 3.0
SCENARIOS = made.scenarios(count=6)
PRICING = Pricing("USD", cut=16)


@dataclass(frozen=True)
class Terms:
    underlying: Equity
    currency: Currency
    strike: Float
    crash: Float
    seconds: Float


def price(terms: Any, market: Any) -> Any:
    """The strike times the spot; in a worker process it may sleep, wait at a gate, or end the process."""
    worker = multiprocessing.parent_process() is not None or "DEADLY" in os.environ
    if worker and not market.reading.recording:
        time.sleep(float(np.sum(terms.seconds)))
        if (terms.crash == EXITS).any():
            os._exit(3)
        if (terms.crash == FAULTS).any():
            ctypes.string_at(0)
        if (terms.crash == WAITS).any():
            _wait(Path(os.environ["DEADLY_GATE"]))
        if "DEADLY_LOG" in os.environ:  # one short line is written whole, whoever else writes
            with Path(os.environ["DEADLY_LOG"]).open("a") as log:
                log.write(f"{int(np.min(terms.strike))}\n")
    return terms.strike * market.spot(terms.underlying)


def _wait(gate: Path) -> None:
    """Says that this process is at the gate, and stays there while it is shut."""
    if (gate / "shut").exists():
        (gate / str(os.getpid())).touch()
    while (gate / "shut").exists():
        time.sleep(0.005)


DEADLY = Instrument("deadly", Terms, price, "currency", None, None, False, ("strike",))


def book(count: int = 60, *, crash: Any = None, resize: Any = None, seconds: float = 0.0, gone: Any = ()) -> Portfolio:
    """Trades of that instrument. crash, resize : trade number to what it does, or its quantity.   gone : left out."""
    how, quantity = np.zeros(count), np.ones(count)
    for number, what in (crash or {}).items():
        how[number] = what
    for number, what in (resize or {}).items():
        quantity[number] = what
    table = pd.DataFrame(
        {
            "trade_id": [f"d-{number}" for number in range(count)],
            "region": "EMEA",
            "desk": np.where(np.arange(count) % 2, "Flow", "Macro"),
            "book": [f"book {number % 3}" for number in range(count)],
            "trade_date": np.datetime64("2016-06-01"),
            "quantity": quantity,
            "underlying": np.where(np.arange(count) % 2, "SPX", "AAPL"),
            "currency": "USD",
            "strike": 10.0 + np.arange(count),
            "crash": how,
            "seconds": seconds,
        }
    )
    return Portfolio.from_tables({"deadly": table.drop(index=list(gone))})


def executed(
    store: Store, workers: Any, trades: Portfolio, *, cells: int = 3, cut: int = 16, **options: Any
) -> Outcome:
    """Execute a book on workers that are there; trades fall into cells in turn. cut : trades of a block."""
    scenarios = options.pop("scenarios", SCENARIOS)
    pricing = replace(PRICING, cut=cut)
    cell = {name: np.arange(trades.tables[name].num_rows) % cells for name in trades.instruments}
    states = MarketStates(made.market(), scenarios)
    pieces = planned(trades, states, pricing, store, cell)
    return execute(pieces, states, pricing, store=store, workers=workers, cells=cells, **options)


def bits(outcome: Outcome) -> dict[str, bytes]:
    """All sums, bit by bit."""
    return {name: getattr(outcome.sums, name).tobytes() for name in CellSums.__dataclass_fields__}


def when(store: Store, blocks: int, act: Callable[[], None]) -> threading.Thread:
    """Do something once the store has so many blocks."""

    def watch() -> None:
        deadline = time.monotonic() + 60.0
        while len(block_files(store)) < blocks and time.monotonic() < deadline:
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def block_files(store: Store) -> dict[str, int]:
    """The blocks a store has, and the file of each: one that is written again is another."""
    return {entry.key: store.path("blocks", entry.key).stat().st_ino for entry in store.list("blocks")}
