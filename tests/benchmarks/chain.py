"""One chain of one instrument, asked of riskgrid, of plain NumPy and of QuantLib."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import riskgrid as rg
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from tests.benchmarks.measure import Figure, Medians, Spent, assert_equal, cold_store, in_turns, ratio, timed
from tests.benchmarks.plain_curve import count

type Array = Any


@dataclass(frozen=True)
class Chain:
    """A portfolio of one instrument under scenarios.

    plain : contender to a maker of a function of rows that gives values (trade, state), and how many rows it is asked
    at a time; making it is on the clock, as riskgrid's planning is.
    others : name to a function that gives values (trade, state) of the first trades in the first states.
    unit : of money, what ``tolerance`` is a share of.
    """

    workload: str
    portfolio: Portfolio
    market: MarketSnapshot
    scenarios: xr.Dataset
    plain: dict[str, tuple[Callable[[], Callable[[slice], Array]], int]]
    others: dict[str, Callable[[], Array]]
    unit: float
    tolerance: float = 1e-10

    def figures(self, repeats: int) -> list[Figure]:
        """Checks that all contenders say the same, then lets them take turns."""
        states = self.scenarios.sizes["scenario"] + 1
        bits, cell = self._checked(states)
        pairs = len(self.portfolio) * states
        shape = (len(self.portfolio), states)
        engine: list[float] = []

        def in_all() -> Spent:
            with cold_store(in_memory=True) as folder:
                runs: list[rg.Run] = []
                spent = timed(lambda: runs.append(self._run(folder)))
                engine.append(float(runs[0].manifest["seconds"]["all"]) / spent[0])
                return spent

        def numpy(make: Callable[[], Callable[[slice], Array]], rows: int) -> Spent:
            with cold_store(in_memory=True) as folder:
                return timed(lambda: count(make(), shape, rows, bits, cell, folder / "ticks.npy"))

        contenders: dict[str, Callable[[], Spent]] = {"riskgrid.run, in all": in_all}
        contenders |= {name: functools.partial(numpy, *how) for name, how in self.plain.items()}
        contenders |= {other: functools.partial(timed, value) for other, value in self.others.items()}
        medians = in_turns(contenders, repeats)
        share = float(np.median(engine[1:]))
        sizes = {other: self.others[other]().size for other in self.others}
        return self._table(medians, pairs, share, sizes)

    def _table(self, medians: dict[str, Medians], pairs: int, share: float, sizes: dict[str, int]) -> list[Figure]:
        ours = medians["riskgrid.run, in all"]
        made = []
        for name, spent in medians.items():
            size = sizes.get(name, pairs)
            times = ratio(ours, spent) * pairs / size
            note = f"wall {size / spent.wall / 1e6:.3g} M/s"
            note += f"; on {size:,} pairs, scaled" if name in sizes else ""
            against = "" if spent is ours else "riskgrid's time"
            rate, how = size / spent.cpu / 1e6, None if spent is ours else times
            made.append(Figure(self.workload, name, rate, "M values/s", how, against, note))
        note = "planning, pricing, ticks on disk, cells; without saving inputs and the catalogue"
        rate = pairs / ours.cpu / share / 1e6
        made.insert(1, Figure(self.workload, "of it riskgrid.engine", rate, "M values/s", note=note))
        return made

    def _run(self, folder: Path) -> rg.Run:
        return rg.run(self.portfolio, self.market, self.scenarios, store=folder, cluster="threads:1")

    def _checked(self, states: int) -> tuple[int, Array]:
        with cold_store() as folder:
            run = self._run(folder)
            trades = run.trades
            order = np.argsort(trades["trade_id"].values)
            ids = self.portfolio.to_pandas()["trade_id"].to_numpy()
            ours = np.empty((len(order), states - 1))
            ours[np.argsort(ids)] = trades["pnl"].values[order]
            bits = int(run.manifest["bits"])
            cells = run.cells["pnl"].values
        (make, rows), *others = self.plain.values()
        values = make()(slice(0, len(order)))
        for other, _ in others:
            assert_equal("two ways of NumPy", other()(slice(0, len(order))) / self.unit, values / self.unit, 1e-12)
        expected = values[:, 1:] - values[:, :1]
        assert_equal("riskgrid and NumPy, in ticks", ours * 2.0**bits, expected * 2.0**bits, 0.51)
        for name, value in self.others.items():
            theirs = value()
            mine = values[: theirs.shape[0], : theirs.shape[1]]
            assert_equal(f"NumPy and {name}", mine / self.unit, theirs / self.unit, self.tolerance)
        frame = self.portfolio.to_pandas()
        cell = frame.groupby(["region", "desk", "book", "currency"], sort=True).ngroup().to_numpy()
        with cold_store(in_memory=True) as folder:
            sums = count(make(), (len(ours), states), rows, bits, cell, folder / "ticks.npy")
        assert_equal("cells", cells, sums * 2.0**-bits, np.bincount(cell).max() * 2.0**-bits)
        return bits, cell
