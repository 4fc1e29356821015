"""The trades of a run revalued, step by step, into the market of a later run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadSpec, MoneyOverflow
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.result import Run
from riskgrid.running import revalue
from riskgrid.scenarios import steps
from riskgrid.schema import Status
from riskgrid.terms import Values

__all__ = ["Frames", "Worth", "worth"]

type Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class Worth:
    """What trades are worth in a run. value : (trade,), NaN where there is no number or no such trade.

    held : (trade,), whether the run has the trade.   problems : trade_id to the sentence on why it has no number.
    """

    value: Values
    held: NDArray[np.bool_]
    problems: Mapping[str, str]


def worth(run: Run, ids: NDArray[Any]) -> Worth:
    """What these trades are worth in the base state of a run. ids : (trade,).

    A trade that lacks a number in any scenario has none here: a run leaves it out of all its sums.
    """
    status, base, problems = run.cube.status()
    places = _places(run, ids)
    held = places >= 0
    value = np.where(held & (status[places] <= Status.EXPIRED), base[places], np.nan)
    lost = np.flatnonzero(held & np.isnan(value))
    told = {str(ids[at]): problems.get(int(places[at]), "no number in at least one scenario") for at in lost}
    return Worth(value, held, told)


@dataclass(frozen=True)
class Frames:
    """The trades of ``a`` as of its own date and as of that of ``b``, at its own levels and at those of b.

    Each is a run that is kept in the store of ``a``: ``rolled`` has a's fixings and one state, the later date;
    ``moved`` the fixings of both and the states of :func:`riskgrid.scenarios.steps.steps`; ``restated`` is of the
    later date itself, with b's fixings, and has one state, b's levels; ``objects`` a state a market object, too.
    """

    a: Run
    b: Run
    groups: Mapping[str, Sequence[str]]
    order: steps.Order
    cluster: Any = "threads"
    progress: Callable[[Progress], None] | None = None
    ids: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        _refuse(self.a, self.b)
        object.__setattr__(self, "ids", self.a.cube.labels["trade_id"].texts())

    @property
    def bits(self) -> int:
        """Tick bits of all money."""
        return int(self.a.manifest["bits"])

    @functools.cached_property
    def moved(self) -> Run:
        """As of a's date, every step in turn."""
        before, after = self.a.market, self.b.market
        fixings = steps.joined_fixings(before.fixings, after.fixings)
        market = steps.restated(before, before.date, fixings)
        return self.run("steps", market, steps.steps(before, after, self.groups, order=self.order))

    @functools.cached_property
    def rolled(self) -> Run:
        """As of a's date, the date alone moves, and no fixing is known that a did not know."""
        before, after = self.a.market, self.b.market
        market = steps.restated(before, before.date, before.fixings)
        if market.digest == self.moved.market.digest:
            return self.moved
        return self.run("time", market, steps.steps(before, after, self.groups).isel(scenario=[0]))

    @functools.cached_property
    def restated(self) -> Run:
        """As of b's date, at a's levels: the base has no cash that is settled by then."""
        before, after = self.a.market, self.b.market
        market = steps.restated(before, after.date, after.fixings)
        return self.run("levels", market, steps.object_steps(before, after).isel(scenario=[-1]))

    @functools.cached_property
    def objects(self) -> Run:
        """As of b's date, every market object alone; states that a trade does not read are not priced."""
        before, after = self.a.market, self.b.market
        return self.run("objects", self.restated.market, steps.object_steps(before, after))

    def run(self, what: str, market: MarketSnapshot, scenarios: xr.Dataset, *, bits: int | None = None) -> Run:
        """A run of a's trades, kept beside it."""
        name = f"explain {self.a.known_as} {self.b.known_as}: {what}"
        how = {"bits": bits, "cluster": self.cluster, "progress": self.progress}
        made = revalue(self.a, scenarios, name=name, market=market, **how)
        # what was handed in need not be read again
        made.__dict__.update(portfolio=self._portfolio, market=market, scenarios=scenarios)
        return made

    @functools.cached_property
    def _portfolio(self) -> Portfolio:
        return self.a.portfolio.in_order()

    def ticks(self, run: Run, trades: NDArray[np.int64]) -> Ticks:
        """P&L (trade, scenario) in ticks of trades of ``a``, by their places in it."""
        return self.counted(self.pnl(run, trades))

    def pnl(self, run: Run, trades: NDArray[np.int64]) -> Values:
        """P&L (trade, scenario) in currency of trades of ``a``, by their places in it."""
        return run.cube.trade_pnl(_places(run, self.ids[trades]))

    def counted(self, money: NDArray[Any]) -> Ticks:
        """Money in ticks, rounded half to even. MoneyOverflow."""
        ticks = np.rint(money * 2.0**self.bits)
        if not (np.abs(ticks) < 2.0**62).all():
            raise MoneyOverflow("the P&L explain of a trade")
        return np.asarray(ticks.astype(np.int64))


def _places(run: Run, ids: NDArray[Any]) -> NDArray[np.int64]:
    """Places of trades in portfolio order, -1 for one that the run does not have."""
    known = run.cube.labels["trade_id"].texts()
    if len(known) == len(ids) and (known == ids).all():
        return np.arange(len(ids))
    return np.asarray(pd.Index(known).get_indexer(pd.Index(ids)), np.int64)


def _refuse(a: Run, b: Run) -> None:
    """What keeps one run from being explained by another."""
    if a.manifest["reporting"] != b.manifest["reporting"]:
        raise BadSpec(
            f"run '{a.known_as}' reports in {a.manifest['reporting']}, run '{b.known_as}' in "
            f"{b.manifest['reporting']}; P&L is explained between two runs in one currency"
        )
    if a.market.numeraire != b.market.numeraire:
        raise BadSpec(
            f"the market of run '{a.known_as}' counts in {a.market.numeraire}, that of run '{b.known_as}' in "
            f"{b.market.numeraire}; P&L is explained between two markets with one numeraire"
        )
    if b.market.date < a.market.date:
        raise BadSpec(
            f"run '{b.known_as}' is as of {b.market.date}, before run '{a.known_as}' as of {a.market.date}; "
            "explain(earlier, later) is right"
        )
