"""A run's trades under stress: P&L by scenario, by node and by risk class, worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadSpec
from riskgrid.page import Column, Row, Section, Shown, headed, money, percent, share
from riskgrid.result import Run
from riskgrid.running import revalue
from riskgrid.scenarios.compose import concatenate
from riskgrid.scenarios.episode import episodes, library
from riskgrid.scenarios.generic import generic
from riskgrid.scenarios.group import RISK_CLASSES, by_class
from riskgrid.scenarios.returns import Rules
from riskgrid.scenarios.set import check
from riskgrid.scenarios.stress import stress

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["StressReport", "stress_report"]

type Told = Callable[[Progress], None] | Literal["auto"] | None

_MOST = 8  # nodes beside each other
_COPIED = ("base_value", "coverage", "trades", "unpriced")
_SPOKEN = {"generic": "hypothetical", "stress": "hypothetical", "episodes": "historical", "episode": "historical"}


@dataclass(frozen=True, repr=False)
class StressReport(Shown):
    """P&L of every scenario at every node, in all and under the moves of each risk class alone.

    table : ``pnl, cross`` (scenario, node), ``class_pnl`` (risk_class, scenario, node), scenarios worst first, nodes in
    tree order, the total first; pnl is the sum of its classes and cross, what the classes do together. Coordinates of
    scenario: ``source``, and ``note``, what was not shocked.   run_id : of the run that revalued the trades.
    """

    table: xr.Dataset
    run_id: str
    notices: tuple[str, ...]

    def sections(self) -> list[Section]:
        """Scenarios by class with the worst node; then by node."""
        return [self._by_class()] if self.table.sizes["node"] == 1 else [self._by_class(), self._by_node()]

    def sentences(self) -> list[str]:
        """What the numbers mean, and what keeps them from being whole."""
        said = [
            "A scenario moves the market at once; P&L is exact revaluation, a loss is negative, in "
            f"{self.table.attrs['currency']}.",
            "Of a class: with the moves of that class alone; cross is what the classes do together.",
        ]
        names, notes = self.table["scenario"].values, self.table["note"].values
        told = [f"* {name}: {note}." for name, note in zip(names, notes, strict=True) if note]
        return [*said, *told, *self.notices]

    def _rows(self, columns: Sequence[Sequence[str]]) -> list[Row]:
        """columns : cells (scenario,)."""
        names = zip(self.table["scenario"].values, self.table["note"].values, strict=True)
        marked = [f"{name} *" if note else str(name) for name, note in names]
        return [Row(name, [column[at] for column in columns]) for at, name in enumerate(marked)]

    def _by_class(self) -> Section:
        table, currency = self.table, self.table.attrs["currency"]
        classes = list(map(str, table["risk_class"].values))
        heads = [Column("P&L", currency), *(Column(headed(name), currency) for name in classes)]
        heads.append(Column("Cross", currency))
        total = table.isel(node=0)
        columns = [list(map(money, values)) for values in (total["pnl"], *total["class_pnl"], total["cross"])]
        columns.insert(0, [_SPOKEN.get(str(kind), str(kind)) for kind in table["source"].values])
        heads.insert(0, Column("Source", kind="text"))
        if len(nodes := self._nodes()):
            heads += [Column(f"Worst {table.attrs['by'][0]}", kind="text"), Column("Its P&L", currency)]
            heads.append(Column("Of the loss", kind="number"))
            columns += self._worst(nodes)
        title = f"Stress, as of {table.attrs['as_of']}, {currency}"
        rows = self._rows(columns)
        return Section.of_tree(title, "scenario", heads, rows, sentences=self.sentences(), drawings=self._drawings)

    def _nodes(self) -> Any:
        """Places of the nodes of the first label."""
        return np.flatnonzero(self.table["depth"].values == 1)

    def _worst(self, nodes: Any) -> list[list[str]]:
        """Name, P&L and share of the loss of the node that loses most in each scenario; empty where none loses."""
        table, label = self.table, self.table.attrs["by"][0]
        names, pnl = table[label].values[nodes], table["pnl"].values
        known = np.where(np.isnan(pnl[:, nodes]), np.inf, pnl[:, nodes])
        worst = np.argmin(known, axis=1)
        cells = [
            (plots.node_name(str(names[at]), label), money(lost), share(lost, whole) if whole < 0 else "")
            if lost < 0
            else [""] * 3
            for at, lost, whole in zip(worst, known.min(axis=1), pnl[:, 0], strict=True)
        ]
        return [list(column) for column in zip(*cells, strict=True)]

    def _by_node(self) -> Section:
        table, nodes, label = self.table, self._nodes(), self.table.attrs["by"][0]
        pnl, currency = table["pnl"].values, table.attrs["currency"]
        size = np.nan_to_num(np.abs(pnl[:, nodes])).max(axis=0, initial=0.0)
        chosen = np.sort(nodes[np.argsort(-size, kind="stable")[:_MOST]])
        rest = np.setdiff1d(nodes, chosen)
        heads = [Column(plots.node_name(str(table[label].values[node]), label), currency) for node in chosen]
        columns = [list(map(money, pnl[:, node])) for node in chosen]
        if len(rest):
            heads.append(Column(f"{len(rest):,} more", currency))
            columns.append(list(map(money, pnl[:, rest].sum(axis=1))))
        heads.append(Column("P&L", currency))
        columns.append(list(map(money, pnl[:, 0])))
        return Section.of_tree(f"Stress by {label}, {currency}", "scenario", heads, self._rows(columns))

    def _drawings(self) -> dict[str, Any]:
        total = self.table["pnl"].isel(node=0)
        if bool(total.isnull().any()):
            return {"P&L by scenario": "The trades have no number under stress."}
        return {"P&L by scenario": plots.worst_scenarios(total, plots.MOST_BARS)}


class Asked(Rules, total=False):
    """How a history becomes episodes: :class:`riskgrid.scenarios.returns.Rules`, and the ``names`` of those wanted."""

    names: Sequence[str]


def stress_report(
    run: Run,
    shocks: xr.Dataset | Path | str | Mapping[str, Any] | None = None,
    by: Sequence[str] | str = "desk",
    *,
    history: MarketHistory | None = None,
    classes: Mapping[str, Sequence[str]] = RISK_CLASSES,
    where: Mapping[str, Any] | None = None,
    cluster: Any = "threads",
    progress: Told = None,
    **rules: Unpack[Asked],
) -> StressReport:
    """P&L of a run's trades under stress, by scenario, node and risk class, by exact revaluation.

    shocks : a scenario set, or lines as :func:`riskgrid.scenarios.stress.stress` takes them (a file, a text, a
    mapping); by default the round shocks of :func:`riskgrid.scenarios.generic.generic`.   history : adds its
    documented episodes, see :func:`riskgrid.scenarios.episode.episodes`, which ``rules`` are options of.
    classes : name to patterns of factors.   One run answers for scenarios and classes alike, so that a trade without
    a number in one of them is in no sum and the parts add up.   Raises BadScenarios, UnknownName, BadSpec.

    >>> import tempfile
    >>> from riskgrid import run, sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     base = run(sample.portfolio(200), sample.market(), sample.scenarios(count=20), store=folder, progress=None)
    ...     table = stress_report(base, {"crash": {"equity:*": "-20%", "vol:*": "x1.5"}}).table
    >>> table["class_pnl"].dims, table["risk_class"].values.tolist()
    (('risk_class', 'scenario', 'node'), ['equity', 'volatility'])
    """
    asked = _asked(shocks, history, run.market, rules)
    every = concatenate([asked, by_class(asked, classes)])
    made = revalue(run, every, name=f"stress of {run.known_as}", cluster=cluster, progress=progress)
    labels = [by] if isinstance(by, str) else list(by)
    nodes, before = made.aggregate(labels, where), run.aggregate(labels, where)
    if int(nodes["trades"][0]) and not float(nodes["coverage"][0]) > 0.0:
        raise BadSpec(f"no trade of run '{run.known_as}' has a number under stress; run.trade_table() says why")
    count, names = asked.sizes["scenario"], list(dict.fromkeys(every["risk_class"].values[asked.sizes["scenario"] :]))
    pnl = np.moveaxis(nodes["pnl"].values.reshape(nodes.sizes["node"], 1 + len(names), count), 0, 2)
    order = np.argsort(pnl[0, :, 0], kind="stable")
    data: dict[str, Any] = {
        "pnl": (("scenario", "node"), pnl[0, order]),
        "class_pnl": (("risk_class", "scenario", "node"), pnl[1:, order]),
        "cross": (("scenario", "node"), (pnl[0] - pnl[1:].sum(axis=0))[order]),
    }
    data |= {name: ("node", nodes[name].values) for name in _COPIED}
    coords: dict[str, Any] = {label: ("node", nodes[label].values) for label in (*labels, "depth")}
    coords |= {name: ("scenario", asked[name].values[order].astype(object)) for name in ("scenario", "source", "note")}
    coords["risk_class"] = np.array(names, dtype=object)
    attrs = {"by": labels, "currency": run.manifest["reporting"], "as_of": run.row.as_of}
    notices = _notices(nodes, before, made, asked, history)
    return StressReport(xr.Dataset(data, coords, attrs), made.run_id, tuple(notices))


def _asked(shocks: Any, history: MarketHistory | None, market: MarketSnapshot, rules: Mapping[str, Any]) -> xr.Dataset:
    """All scenarios with their ``source`` and ``note``, weights left out: stresses are not drawn from anything."""
    if history is None and rules:
        raise BadSpec(f"'{next(iter(rules))}' says how a history becomes episodes; with history= it has a use")
    if shocks is None:
        given = generic(market)
    else:
        given = check(shocks) if isinstance(shocks, xr.Dataset) else stress(shocks, market)
    sets = [given] if history is None else [given, episodes(history, market, **rules)]
    told = []
    for one in sets:
        count = one.sizes["scenario"]
        notes = one["note"].values if "note" in one.coords else np.full(count, "")
        sources = one["source"].values if "source" in one.coords else np.full(count, one.attrs["kind"])
        own = {"note": ("scenario", notes), "source": ("scenario", sources)}
        told.append(one.drop_vars("weight", errors="ignore").assign_coords(own))
    return concatenate(told)


def _notices(nodes: xr.Dataset, before: xr.Dataset, made: Run, asked: xr.Dataset, history: Any) -> list[str]:
    said = []
    if history is None and asked.attrs["name"] == "generic stress":
        said.append("Hypothetical scenarios alone: history= adds the documented episodes it covers.")
    elif history is not None and (left := sorted(library().keys() - set(asked["scenario"].values.tolist()))):
        said.append(f"Episodes left out: {', '.join(left)}.")
    lost, known = int(nodes["unpriced"][0]), int(before["unpriced"][0])
    if lost:
        said.append(f"* {percent(float(nodes['coverage'][0]))} of the pairs are priced; {_trades(lost)} in no sum.")
    if lost > known:
        table = made.trade_table()
        names = table["trade_id"].values[table["status"].values > 1].tolist()
        said.append(f"* {_trades(lost - known)} priced in the run, and not under stress; see {', '.join(names[:3])}.")
    if "unshocked" in asked.coords and len(still := asked["factor"].values[asked["unshocked"].values].tolist()):
        named = ", ".join(still[:3]) + (f" and {len(still) - 3:,} more" if len(still) > 3 else "")
        said.append(f"* Without history in a scenario or more, and still there (unshocked): {named}.")
    return said


def _trades(count: int) -> str:
    return "1 trade is" if count == 1 else f"{count:,} trades are"
