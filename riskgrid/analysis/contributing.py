"""What each node of a tree adds to VaR and ES of a run: alone, as a component, per unit of value, and when left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.page import Column, Row, Section, Shown, money, share
from riskgrid.registry import MEASURES
from riskgrid.reporting import Aggregates, measure_sentences, report

__all__ = ["Contributions", "contribution", "contributions"]

_MEASURED = {"value_at_risk": "VaR", "expected_shortfall": "ES"}
_DIGITS = 1e4  # a marginal measure is told per ten thousand of value


@dataclass(frozen=True, repr=False)
class Contributions(Shown):
    """Measures of every node against the total.

    table : (node), parents before children; of ``value_at_risk`` and ``expected_shortfall`` each itself (stand-alone),
    ``component_...``, ``marginal_...`` per unit of |PV| and ``incremental_...``.
    """

    table: xr.Dataset
    conventions: Mapping[str, Any]

    def to_dataset(self) -> xr.Dataset:
        """The table; labels are coordinates of the nodes."""
        return self.table.copy()

    def sections(self) -> list[Section]:
        """A table for ES and one for VaR."""
        return [self._of(name) for name in ("expected_shortfall", "value_at_risk")]

    def sentences(self) -> list[str]:
        """What the numbers mean."""
        return [
            *measure_sentences(self.conventions),
            "A component is the node's own loss in the scenarios of the total's tail, by Euler: components of nodes "
            "beside each other add up to their parent's.",
            "Incremental is the total's measure less that without the node; marginal is the component per 10,000 of "
            f"|PV|. Losses are positive, in {self.conventions['currency']}.",
        ]

    def _of(self, name: str) -> Section:
        table, currency = self.table, self.conventions["currency"]
        by, percent = table.attrs["by"], self.conventions[name]["percent"]
        heads = [Column(f"{_MEASURED[name]} {percent}, alone", currency), Column("Component", currency)]
        heads += [Column("Share", kind="number"), Column("Incremental", currency), Column("Marginal", kind="number")]
        whole, rows = float(table[name][0]), []
        for node, depth in enumerate(table["depth"].values.tolist()):
            part = float(table[f"component_{name}"][node])
            cells = [money(float(table[name][node])), money(part), share(part, whole)]
            cells += [money(float(table[f"incremental_{name}"][node])), _rate(float(table[f"marginal_{name}"][node]))]
            called = plots.node_name(str(table[by[depth - 1]].values[node]), by[depth - 1]) if depth else "Total"
            rows.append(Row(called, cells, depth))
        title = f"What adds to {_MEASURED[name]} {percent}, as of {self.conventions['as_of']}, {currency}"
        said = self.sentences() if name == "expected_shortfall" else ()
        return Section.of_tree(
            title, " / ".join(by), heads, rows, sentences=said, drawings=lambda: self._drawings(name)
        )

    def _drawings(self, name: str) -> dict[str, Any]:
        depth = min(2, len(self.table.attrs["by"]))
        deep = self.table.isel(node=np.flatnonzero(self.table["depth"].values == depth))
        if deep.sizes["node"] < 2:
            return {}
        label = self.table.attrs["by"][depth - 1]
        return {
            f"Component {_MEASURED[name]} by {label}": plots.bar_by_node(deep, f"component_{name}"),
            f"Incremental {_MEASURED[name]} by {label}": plots.bar_by_node(deep, f"incremental_{name}"),
        }


def contributions(
    run: Aggregates,
    by: Sequence[str] | str = ("region", "desk"),
    *,
    where: Mapping[str, Any] | None = None,
    **measures: Any,
) -> Contributions:
    """Stand-alone, component, marginal and incremental VaR and ES of every node of the tree ``by``, exact.

    measures : levels and methods as :func:`riskgrid.reporting.report` has them; weights are the run's.
    A node of which no trade has a number has none (NaN). UnknownName, BadSpec.

    >>> import tempfile
    >>> from riskgrid import run, sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = run(sample.portfolio(200), sample.market(), sample.scenarios(count=60), store=folder, progress=None)
    ...     table = contributions(made, "desk").to_dataset()
    >>> parts = table["component_expected_shortfall"].values
    >>> bool(np.isclose(parts[1:].sum(), parts[0]))
    True
    """
    told = report(run, by, where=where, **measures)
    labels = told.table.attrs["by"]
    nodes = run.aggregate(labels, where)
    pnl = nodes["pnl"].where(~np.isnan(told.table["value_at_risk"]))
    whole = pnl.isel(node=0).reset_coords(drop=True)
    known = not bool(whole.isnull().any())
    found: dict[str, Any] = {"base_value": ("node", nodes["base_value"].values)}
    for name in _MEASURED:
        how = {key: told.conventions[name][key] for key in ("level", "method")} | {"weight": nodes.get("weight")}
        component = told.table[f"component_{name}"].values
        size = np.abs(nodes["base_value"].values)
        found[name] = ("node", told.table[name].values)
        found[f"component_{name}"] = ("node", component)
        found[f"marginal_{name}"] = ("node", component / np.where(size > 0.0, size, np.nan))
        found[f"incremental_{name}"] = ("node", _incremental(pnl, whole, name, how) if known else component)
    coords = {label: ("node", told.table[label].values) for label in (*labels, "depth")}
    table = xr.Dataset(found, coords, {"by": labels, "currency": told.conventions["currency"]})
    return Contributions(table, told.conventions)


def contribution(run: Aggregates, where: Mapping[str, Any], **measures: Any) -> xr.Dataset:
    """What the trades of a run with these labels add to VaR and ES of all its trades: as a node of a tree would.

    ``value_at_risk, expected_shortfall`` of the part alone, ``component_...``, ``incremental_...`` and ``whole_...`` of
    all trades, scalars; NaN where the part or the whole has no number.   measures : as of :func:`contributions`.
    """
    whole, part = (run.aggregate([], chosen) for chosen in (None, where))
    meaning = report(run, [], **measures).conventions
    known = [one["pnl"].isel(node=0, drop=True).where(float(one["coverage"][0]) > 0.0) for one in (whole, part)]
    found: dict[str, Any] = {}
    for name in _MEASURED:
        how = {key: meaning[name][key] for key in ("level", "method")} | {"weight": whole.get("weight")}
        every, alone = (float(MEASURES[name](pnl, **how)) for pnl in known)
        both = not np.isnan([every, alone]).any()
        found |= {f"whole_{name}": every, name: alone}
        for added in ("component", "incremental"):
            made = MEASURES[added](known[1], known[0], name, **how) if both else np.nan
            found[f"{added}_{name}"] = float(made)
    return xr.Dataset(found, attrs={"currency": meaning["currency"]})


def _incremental(pnl: xr.DataArray, whole: xr.DataArray, name: str, how: Mapping[str, Any]) -> Any:
    made: xr.DataArray = MEASURES["incremental"](pnl, whole, name, **how)
    return made.values


def _rate(value: float) -> str:
    return "" if np.isnan(value) else f"{value * _DIGITS:,.1f}"
