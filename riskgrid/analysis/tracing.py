"""What makes VaR or ES of a run: the scenarios, market objects and trades of its tail, each with its component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import plots
from riskgrid.analysis.counted import coverage_sentences, pnl_of, uncounted
from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadSpec
from riskgrid.measures.convention import Level
from riskgrid.page import Column, Row, Section, Shown, money, share
from riskgrid.registry import MEASURES
from riskgrid.result import Run
from riskgrid.running import revalue
from riskgrid.scenarios import set as scenario_set
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.group import by_class
from riskgrid.schema import Status

__all__ = ["Tail", "TailView", "Told", "alone", "tail_of", "tail_view"]

type Told = Callable[[Progress], None] | Literal["auto"] | None

_SHORT = {"value_at_risk": "VaR", "expected_shortfall": "ES"}
_LABELS = ("desk", "book", "instrument")
_MOST = 20


@dataclass(frozen=True, repr=False)
class TailView(Shown):
    """What makes ES or VaR of a run.

    scenarios : ``weight, pnl`` (scenario) of the tail, worst first.   trades : ``component`` (trade) of those that add
    most and of those that hedge most, with labels.   factors : ``component`` (group), of each market object alone,
    largest first; ``cross`` in its attrs is what they do together.   measured : the measure itself.
    """

    scenarios: xr.Dataset
    trades: xr.Dataset
    factors: xr.Dataset
    measured: xr.DataArray
    notices: tuple[str, ...] = ()

    def sections(self) -> list[Section]:
        """Scenarios, market objects and trades."""
        return [self._by_scenario(), self._by_factor(), self._by_trade()]

    @property
    def _whole(self) -> str:
        level = float(self.measured.attrs["level"]) * 100
        return f"{_SHORT[self.measured.attrs['measure']]} {level:g} %"

    @property
    def _heads(self) -> list[Column]:
        return [Column("Component", str(self.measured.attrs["currency"])), Column("Share", kind="number")]

    def _cells(self, part: float) -> list[str]:
        return [money(part), share(part, float(self.measured))]

    def _by_scenario(self) -> Section:
        currency, table = str(self.measured.attrs["currency"]), self.scenarios
        columns = zip(table["scenario"].values, table["weight"].values, table["pnl"].values, strict=True)
        rows = [
            Row(str(name), [share(weight), money(pnl), *self._cells(-weight * pnl)]) for name, weight, pnl in columns
        ]
        said = [
            f"{self._whole} of {money(float(self.measured))} {currency} is minus the weighted P&L of these scenarios.",
            "A component is a part's own loss in them under the same weights: all parts add up to the measure.",
            *self.notices,
        ]
        heads = [Column("Weight", kind="count"), Column("P&L", currency), *self._heads]
        return Section.of_tree(f"Scenarios that make {self._whole}", "scenario", heads, rows, sentences=said)

    def _by_factor(self) -> Section:
        names, parts = self.factors["group"].values, self.factors["component"].values
        rows = [Row(str(name), self._cells(part)) for name, part in zip(names[:_MOST], parts[:_MOST], strict=True)]
        if len(names) > _MOST:
            rows.append(Row(f"{len(names) - _MOST:,} more", self._cells(float(parts[_MOST:].sum()))))
        rows.append(Row("Together (cross)", self._cells(float(self.factors.attrs["cross"]))))
        rows.append(Row(self._whole, self._cells(float(self.measured))))
        said = ["A market object moves alone from the base in each scenario of the tail; cross is what is left."]
        title = f"Factors that make {self._whole}"
        return Section.of_tree(title, "market object", self._heads, rows, sentences=said, drawings=self._drawings)

    def _by_trade(self) -> Section:
        table, parts = self.trades, self.trades["component"].values
        labels = [label for label in _LABELS if label in table.coords]
        rows = [
            Row(str(trade), [*(str(table[label].values[at]) for label in labels), *self._cells(float(parts[at]))])
            for at, trade in enumerate(table["trade_id"].values)
        ]
        heads = [*(Column(label.capitalize(), kind="text") for label in labels), *self._heads]
        left = int(table.attrs["left_out"])
        said = [f"{left:,} more trades lie between these."] if left else []
        title = f"Trades that make {self._whole}, and that hedge it"
        return Section.of_tree(title, "trade", heads, rows, sentences=said)

    def _drawings(self) -> dict[str, Any]:
        table = self.factors.rename(group="node").assign_attrs(by=["node"])
        return {"What each market object adds": plots.bar_by_node(table, "component", _MOST)}


def tail_view(
    run: Run,
    measure: str = "expected_shortfall",
    *,
    where: Mapping[str, Any] | None = None,
    count: int = 10,
    cluster: Any = "threads",
    progress: Told = None,
    level: Level | None = None,
    method: str | None = None,
) -> TailView:
    """Which scenarios, trades and factors make VaR or ES of a run, each with its Euler component.

    where : of the part of the run whose measure it is.   count : of trades that add most, and of those that hedge most.
    level, method : as of the measure; weights are the run's. Factors are told by market object (``equity:AAPL``,
    ``par:USD-TREASURY``): the scenarios of the tail are revalued with each moving alone.
    """
    tail = tail_of(run, measure, where=where, level=level, method=method)
    trades = tail.trades(count)
    factors, notices = tail.factors(cluster=cluster, progress=progress)
    return TailView(tail.scenarios.drop_vars("component"), trades, factors, tail.measured, tuple(notices))


@dataclass(frozen=True)
class Tail:
    """The scenarios that make VaR or ES of some trades of a run, from which everything else of it follows.

    scenarios : ``weight, pnl, component`` (scenario), worst first.   measured : the measure itself.   weights :
    (scenario,), of every scenario of the run, in its order.   where : of the trades.
    """

    run: Run
    where: Mapping[str, Any] | None
    scenarios: xr.Dataset
    measured: xr.DataArray
    weights: NDArray[np.float64]

    def trades(self, count: int = 10) -> xr.Dataset:
        """``component`` (trade) of the ``count`` trades that add most, and of those that hedge most, with labels."""
        if count < 1:
            raise BadSpec(f"count {count} asks for no trade; at least 1 is right")
        return _trades(self.run, self.weights, self.where, count)

    def factors(self, *, cluster: Any = "threads", progress: Told = None) -> tuple[xr.Dataset, list[str]]:
        """``component`` (group) of each market object alone, largest first, and what keeps it from being whole.

        attrs: ``cross``, what they do together. The scenarios are revalued with each object moving alone.
        """
        labels = [str(label) for label in self.scenarios["scenario"].values]
        chosen = select(self.run.scenarios.drop_vars("weight", errors="ignore"), labels)
        weights = self.scenarios["weight"].values
        found, notices = alone(self.run, chosen, weights, self.where, (cluster, progress))
        found.attrs["cross"] = float(self.measured) - float(found["component"].sum())
        return found, notices


def tail_of(
    run: Run,
    measure: str = "expected_shortfall",
    *,
    where: Mapping[str, Any] | None = None,
    level: Level | None = None,
    method: str | None = None,
) -> Tail:
    """The tail of VaR or ES of some trades of a run; nothing is priced.   level, method : as of the measure."""
    whole = run.pnl(where=where)
    weights = MEASURES["tail_weights"](whole, measure, level, method=method)
    at = np.flatnonzero(weights.values)
    at = at[np.argsort(whole.values[at], kind="stable")]
    measured = MEASURES[measure](whole, **{name: weights.attrs[name] for name in ("level", "method")})
    scenarios = xr.Dataset(
        {
            "weight": ("scenario", weights.values[at]),
            "pnl": ("scenario", whole.values[at]),
            "component": ("scenario", 0.0 - weights.values[at] * whole.values[at]),
        },
        {"scenario": whole["scenario"].values[at]},
    )
    told = measured.assign_attrs(currency=run.manifest["reporting"])
    return Tail(run, where, scenarios, told, weights.values)


def _trades(run: Run, weights: NDArray[np.float64], where: Any, count: int) -> xr.Dataset:
    places = run.trade_places(where)
    places = places[run.cube.status(places)[0] <= Status.EXPIRED]  # no other is in the measure
    parts = 0.0 - run.cube.weighted_pnl(places, weights)
    order = np.argsort(-parts, kind="stable")
    ends = np.unique(np.concatenate([np.arange(len(order))[:count], np.arange(len(order))[-count:]])).astype(np.int64)
    made = run.trade_rows(places[order[ends]])
    made["component"] = ("trade", parts[order[ends]])
    made.attrs["left_out"] = len(order) - len(ends)
    return made


def alone(
    run: Run, tail: xr.Dataset, weights: NDArray[np.float64], where: Any, how: tuple[Any, Any]
) -> tuple[xr.Dataset, list[str]]:
    """``component`` (group) of each market object alone in some scenarios under their weights, largest first, and what
    keeps the numbers from being whole.   tail : those scenarios, without weights.   how : cluster, progress."""
    moves = scenario_set.moved(tail).any(axis=0)
    factors = tail["factor"].values.astype(str)[moves].tolist()
    objects = dict.fromkeys(":".join(factor.split(":")[:2]) for factor in factors)
    if not objects and "date" not in tail:
        return xr.Dataset({"component": ("group", np.zeros(0))}, {"group": np.empty(0, object)}), []
    parts = by_class(tail, {name: (name, f"{name}:*") for name in objects})
    made = revalue(run, parts, name=f"tail of {run.known_as}", cluster=how[0], progress=how[1])
    lost = uncounted(run, where)
    names = np.array(list(dict.fromkeys(made.scenarios["risk_class"].values.tolist())), dtype=object)
    pnl = pnl_of(made, (), where, lost)[0].reshape(len(names), len(weights))
    component = 0.0 - (pnl * weights).sum(axis=1)
    order = np.argsort(-np.abs(component), kind="stable")
    found = xr.Dataset({"component": ("group", component[order])}, {"group": names[order]})
    return found, coverage_sentences(run, made, where, lost, "one market object")
