"""VaR and ES of a run by risk class: under the moves of each class alone, beside all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.analysis.comparing import node_rows
from riskgrid.analysis.counted import coverage_sentences, pnl_of, uncounted
from riskgrid.engine.outcome import Progress
from riskgrid.page import Column, Row, Section, Shown, headed, money
from riskgrid.registry import MEASURES
from riskgrid.reporting import measure_sentences, report
from riskgrid.result import Run
from riskgrid.running import revalue
from riskgrid.scenarios.group import RISK_CLASSES, by_class

__all__ = ["RiskClasses", "risk_classes"]

type Told = Callable[[Progress], None] | Literal["auto"] | None

_MEASURED = {"value_at_risk": "VaR", "expected_shortfall": "ES"}


@dataclass(frozen=True, repr=False)
class RiskClasses(Shown):
    """VaR and ES under the moves of one risk class alone, beside all together.

    table : ``value_at_risk, expected_shortfall`` (risk_class, node), the last class is ``all``, and
    ``..._diversification`` (node), all less the sum of the classes: what offsets between them, and what only shows
    when they move together.   run_id : of the run that revalued the classes.
    """

    table: xr.Dataset
    conventions: Mapping[str, Any]
    run_id: str
    notices: tuple[str, ...] = ()

    def sections(self) -> list[Section]:
        """The classes downwards, of the total; then a column a class, by node."""
        table, currency = self.table, self.conventions["currency"]
        heads = [Column(f"{short} {self.conventions[name]['percent']}", currency) for name, short in _MEASURED.items()]
        rows = []
        for at, name in enumerate(map(str, table["risk_class"].values)):
            cells = [money(float(table[measured][at, 0])) for measured in _MEASURED]
            rows.append(Row("All together" if name == "all" else headed(name), cells))
        saved = [money(float(table[f"{measured}_diversification"][0])) for measured in _MEASURED]
        rows.insert(len(rows) - 1, Row("Diversification", saved))
        title = f"Risk by class, as of {self.conventions['as_of']}, {currency}"
        first = Section.of_tree(title, "risk class", heads, rows, sentences=self.sentences(), drawings=self._drawings)
        return [first] if table.sizes["node"] == 1 else [first, self._by_node()]

    def sentences(self) -> list[str]:
        """What the numbers mean."""
        return [
            *measure_sentences(self.conventions),
            "Of a class: every trade revalued in every scenario with the moves of that class alone, the others still.",
            "Diversification is all together less the sum of the classes; losses are positive, in "
            f"{self.conventions['currency']}.",
            *self.notices,
        ]

    def _by_node(self) -> Section:
        es, currency = "expected_shortfall", self.conventions["currency"]
        names = list(map(str, self.table["risk_class"].values))
        heads = [Column(headed(name), currency) for name in names[:-1]]
        heads += [Column("Diversification", currency), Column("All together", currency)]
        values = self.table[es].values
        columns = [*values[:-1], self.table[f"{es}_diversification"].values, values[-1]]
        title = f"ES {self.conventions[es]['percent']} by class and {' / '.join(self.table.attrs['by'])}, {currency}"
        return Section.of_tree(title, " / ".join(self.table.attrs["by"]), heads, node_rows(self.table, columns))

    def _drawings(self) -> dict[str, Any]:
        total = self.table.isel(node=0, risk_class=slice(None, -1)).rename(risk_class="node")
        names = [headed(str(name)) for name in total["node"].values]
        total = total.assign_coords(node=names).assign_attrs(by=["node"]).drop_vars("depth")
        return {
            f"{short} {self.conventions[name]['percent']} by risk class": plots.bar_by_node(total, name)
            for name, short in _MEASURED.items()
        }


def risk_classes(
    run: Run,
    by: Sequence[str] | str = (),
    *,
    classes: Mapping[str, Sequence[str]] = RISK_CLASSES,
    where: Mapping[str, Any] | None = None,
    cluster: Any = "threads",
    progress: Told = None,
    **measures: Any,
) -> RiskClasses:
    """VaR and ES of a run under the moves of each risk class alone, with what diversification saves between them.

    classes : name to patterns of factors; what none names is ``other``.   measures : levels and methods as
    :func:`riskgrid.reporting.report` has them. Exact: one run of every scenario once a class, in which the engine
    leaves out the states that cannot move a trade. The passing of time to states of a later date is a class of its own.
    A class counts the trades that the run counts. Raises BadScenarios, UnknownName, BadSpec.
    """
    parts = by_class(run.scenarios, classes)
    made = revalue(run, parts, name=f"risk classes of {run.known_as}", cluster=cluster, progress=progress)
    whole = report(run, by, where=where, **measures)
    labels = [by] if isinstance(by, str) else list(by)
    lost = uncounted(run, where)
    nodes = pnl_of(made, labels, where, lost)
    names = list(dict.fromkeys(made.scenarios["risk_class"].values.tolist()))
    weight = run.aggregate((), where).get("weight")
    found: dict[str, Any] = {}
    every = {measured: whole.table[measured].values for measured in _MEASURED}
    for measured in _MEASURED:
        how = {name: whole.conventions[measured][name] for name in ("level", "method")}
        rows = []
        for name in names:
            values = nodes[:, made.scenarios["risk_class"].values == name]
            pnl = xr.DataArray(values, {"scenario": run.scenarios["scenario"].values}, ("node", "scenario"))
            measure = MEASURES[measured](pnl, **how, weight=weight).values
            rows.append(np.where(np.isnan(every[measured]), np.nan, measure))
        found[measured] = (("risk_class", "node"), np.array([*rows, every[measured]]))
        found[f"{measured}_diversification"] = ("node", every[measured] - np.sum(rows, axis=0))
    coords: dict[str, Any] = {label: ("node", whole.table[label].values) for label in (*labels, "depth")}
    coords["risk_class"] = np.array([*names, "all"], dtype=object)
    attrs = {"by": labels, "currency": run.manifest["reporting"]}
    notices = coverage_sentences(run, made, where, lost, "one risk class")
    return RiskClasses(xr.Dataset(found, coords, attrs), whole.conventions, made.run_id, tuple(notices))
