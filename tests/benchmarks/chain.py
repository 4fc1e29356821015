"""One chain of one instrument, asked of riskgrid, of plain NumPy and of QuantLib."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import riskgrid as rg
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from tests.benchmarks.measure import Figure, Medians, Spent, assert_equal, cold_store, in_turns, ratio, ratios, timed
from tests.benchmarks.numpy_backend import OtherBackend
from tests.benchmarks.plain_curve import count

type Array = Any
IN_ALL, ENGINE = "riskgrid.run, in all", "riskgrid's engine"
_OURS = {
    ENGINE: "planning, keys, pricing, ticks on disk, cells",
    IN_ALL: "with saving inputs and the catalogue",
}


@dataclass(frozen=True)
class Chain:
    """A portfolio of one instrument under scenarios.

    plain : contender to a maker of a function of rows that gives values (trade, state), and how many rows it is asked
    at a time; making it is on the clock, as riskgrid's planning is.
    others : name to a function that gives values (trade, state) of the first trades in the first states.
    whole : name to a function of (tick bits, cell of each trade, file) that does it all and returns the sums by cell.
    backend : what ``numpy_backend`` needs to ask the same of riskgrid on its plain NumPy formulas.
    unit : of money, what ``tolerance`` is a share of.   at_least : targets of ratios by name.
    """

    workload: str
    portfolio: Portfolio
    market: MarketSnapshot
    scenarios: xr.Dataset
    plain: dict[str, tuple[Callable[[], Callable[[slice], Array]], int]]
    others: dict[str, Callable[[], Array]]
    unit: float
    tolerance: float = 1e-10
    whole: dict[str, Callable[[int, Array, Path], Array]] = field(default_factory=dict)
    backend: tuple[str, int, int] | None = None
    at_least: dict[str, float] = field(default_factory=dict)

    def figures(self, repeats: int) -> list[Figure]:
        """Checks that all contenders say the same, then lets them take turns."""
        states = self.scenarios.sizes["scenario"] + 1
        bits, cell = self._checked(states)
        shape = (len(self.portfolio), states)
        shares: list[float] = []

        def in_all() -> Spent:
            with cold_store(in_memory=True) as folder:
                runs: list[rg.Run] = []
                spent = timed(lambda: runs.append(self._run(folder)))
                shares.append(float(runs[0].manifest["seconds"]["all"]) / spent[0])
                return spent

        def on_file(action: Callable[[Path], Any]) -> Spent:
            with cold_store(in_memory=True) as folder:
                return timed(lambda: action(folder / "ticks.npy"))

        def numpy(make: Callable[[], Callable[[slice], Array]], rows: int) -> Callable[[Path], Any]:
            return lambda file: count(make(), shape, rows, bits, cell, file)

        def whole(ask: Callable[[int, Array, Path], Array]) -> Callable[[Path], Any]:
            return lambda file: ask(bits, cell, file)

        contenders: dict[str, Callable[[], Spent]] = {IN_ALL: in_all}
        contenders |= {name: functools.partial(on_file, whole(ask)) for name, ask in self.whole.items()}
        contenders |= {name: functools.partial(on_file, numpy(*how)) for name, how in self.plain.items()}
        with OtherBackend.maybe(self.backend) as other:
            if other is not None:
                contenders["riskgrid on NumPy and SciPy formulas"] = other.ask
            contenders |= {name: functools.partial(timed, value) for name, value in self.others.items()}
            medians = in_turns(contenders, repeats)
        engine = medians[IN_ALL].times(shares[1:])
        sizes = {name: value().size for name, value in self.others.items()}
        return self._table({ENGINE: engine, **medians}, shape[0] * shape[1], sizes)

    def _table(self, medians: dict[str, Medians], pairs: int, sizes: dict[str, int]) -> list[Figure]:
        ours = medians[ENGINE]
        made = []
        for name, spent in medians.items():
            size = sizes.get(name, pairs)
            note = f"wall {size / spent.wall / 1e6:.3g} M/s"
            note += f"; on {size:,} pairs, scaled" if name in sizes else ""
            note = _OURS.get(name, note)
            rate, scale = size / spent.cpu / 1e6, pairs / size
            rounds = tuple(one * scale for one in ratios(ours, spent))
            how = (None, "") if spent is ours else (ratio(ours, spent) * scale, "the engine's time")
            judged = spent.rounds if spent is ours else rounds
            target = self.at_least.get(name)
            made.append(Figure(self.workload, name, rate, "M values/s", *how, note, at_least=target, rounds=judged))
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
            file = folder / "ticks.npy"
            sums = {"NumPy": count(make(), (len(ours), states), rows, bits, cell, file)}
            sums |= {name: ask(bits, cell, file) for name, ask in self.whole.items()}
        for name, sum_by_cell in sums.items():
            assert_equal(f"cells of {name}", cells, sum_by_cell * 2.0**-bits, np.bincount(cell).max() * 2.0**-bits)
        with OtherBackend.maybe(self.backend) as other:
            if other is not None:
                assert_equal("backends", cells.sum(axis=0), other.total(), len(ours) * 2.0**-bits)
        return bits, cell
