"""The chapters of a risk report: risk by node of a tree, and the scenarios of its tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.page import Column, Front, Row, Section, money, percent, share

__all__ = ["Told", "front", "risk_section", "tail_section"]

_WORST = 10
_MEASURES = ("value_at_risk", "expected_shortfall")


class Told(Protocol):
    """What the chapters need of a report."""

    @property
    def table(self) -> xr.Dataset:
        """Measures (node), parents before children."""
        ...

    @property
    def tail(self) -> xr.Dataset:
        """P&L of the tail of ES and its weights."""
        ...

    @property
    def conventions(self) -> Mapping[str, Any]:
        """What every number means."""
        ...

    @property
    def total(self) -> xr.DataArray:
        """P&L (scenario) of the first node."""
        ...

    def sentences(self) -> list[str]:
        """The conventions for people."""
        ...


def front(told: Told) -> Front:
    """What stands above a report."""
    meaning, node = told.conventions, told.table.isel(node=0)
    currency, total = meaning["currency"], _row(told.table.isel(node=0), _extra(told.table))
    lost = meaning["rejected_rows"]
    facts = [
        (meaning["scenario_set"], False),
        (f"{meaning['value_at_risk']['scenarios']:,} scenarios, {meaning['weights']}", False),
        (currency, False),
        *([(f"{lost:,} input rows left out", True)] if lost else []),
        (f"{int(node['trades']):,} trades", False),
        (f"{percent(float(node['coverage']))} covered{' *' if total.partial else ''}", total.partial),
    ]
    var, es = (f"{short} {meaning[name]['percent']}" for short, name in zip(("VaR", "ES"), _MEASURES, strict=True))
    note = [
        (head, money(float(node[name])), currency)
        for head, name in (
            (var, "value_at_risk"),
            (es, "expected_shortfall"),
            (f"Worst P&L, {node['worst_scenario'].values}", "worst_pnl"),
            ("Base value", "base_value"),
        )
    ]
    where = f", {meaning['where']}" if meaning["where"] else ""
    notices = [sentence for sentence in told.sentences() if sentence.startswith("*")]
    return Front(f"Risk of {meaning['as_of']}{where}", facts, note, notices)


def risk_section(told: Told) -> Section:
    """Value, VaR, ES, contribution, worst scenario and coverage of every node."""
    table, meaning = told.table, told.conventions
    currency, extra = meaning["currency"], _extra(told.table)
    columns = [
        Column("Trades", kind="count"),
        Column("Base value", currency),
        Column(f"VaR {meaning['value_at_risk']['percent']}", currency),
        Column(f"ES {meaning['expected_shortfall']['percent']}", currency),
        Column("Component ES", currency),
        Column("Worst P&L", currency),
        Column("Worst scenario", kind="text"),
        Column("Coverage", kind="share"),
        *(Column(name.capitalize(), kind="count") for name in extra),
    ]
    rows = [_row(table.isel(node=node), extra) for node in range(table.sizes["node"])]
    if saved := _diversification(table, len(columns)):
        rows.append(saved)
    title = ", ".join(
        filter(None, (f"Risk of {meaning['as_of']}", meaning["where"], meaning["scenario_set"], currency))
    )
    names = " / ".join(table.attrs["by"])
    return Section.of_tree(title, names, columns, rows, sentences=told.sentences(), drawings=lambda: _drawings(told))


def tail_section(told: Told) -> Section:
    """The scenarios that make ES: their weight, the loss of the whole and of each of the largest nodes."""
    tail, currency = told.tail, told.conventions["currency"]
    label = tail.attrs["label"]
    columns = [
        Column("Share of ES", kind="count"),
        Column("Whole", currency),
        *(Column(plots.node_name(str(name), label), currency) for name in (tail["node_name"].values if label else ())),
    ]
    rows = []
    for at, scenario in enumerate(tail["scenario"].values):
        cells = [share(float(tail["share"][at])), money(float(tail["total"][at]))]
        cells += [money(float(value)) for value in (tail["pnl"].values[:, at] if label else ())]
        rows.append(Row(str(scenario), cells))
    level = told.conventions["expected_shortfall"]["percent"]
    among = f" by {label}" if label else ""
    said = [f"P&L in the {len(rows)} scenarios of the tail, worst first; share is what each adds to ES {level}."]
    if left := int(tail.attrs["left_out"]):
        said.append(f"{left:,} more nodes by {label} have smaller components and are not shown.")
    return Section.of_tree(f"The tail of ES {level}{among}, {currency}", "scenario", columns, rows, sentences=said)


def _extra(table: xr.Dataset) -> list[str]:
    return [name for name in ("unshocked", "stale") if (table[name].values > 0.0).any()]


def _row(node: xr.Dataset, extra: Sequence[str]) -> Row:
    path = [str(node[label].values) for label in node.attrs["by"]]
    depth = int(node["depth"])
    partial = bool(node["coverage"] < 1.0) or bool(node["unpriced"] > 0)
    measured = ("base_value", *_MEASURES, "component_expected_shortfall", "worst_pnl")
    cells = [f"{int(node['trades']):,}", *(money(float(node[name])) for name in measured)]
    cells += [str(node["worst_scenario"].values)]
    cells += [percent(float(node["coverage"])) + (" *" if partial else "")]
    cells += [percent(float(node[name]), up=True) for name in extra]
    name = plots.node_name(path[depth - 1], node.attrs["by"][depth - 1]) if depth else "Total"
    return Row(name, cells, depth, partial)


def _diversification(table: xr.Dataset, width: int) -> Row | None:
    """The total less its parts, of the first label."""
    depth = table["depth"].values
    if (depth == 1).sum() < 2:
        return None
    cells = [""] * width
    for place, name in zip((2, 3), _MEASURES, strict=True):
        values = table[name].values
        cells[place] = money(float(values[0] - values[depth == 1].sum()))
    return Row("Diversification", cells, 1)


def _branch(told: Told) -> tuple[int, str]:
    """The depth that figures compare: the second label of the tree, else the first, else the total."""
    by = told.table.attrs["by"]
    depth = min(2, len(by))
    return depth, by[depth - 1] if depth else ""


def _covered(told: Told) -> bool:
    """Whether nothing is missing: a sentence says so, and a figure has nothing to show."""
    return not ((told.table["coverage"] < 1.0).any() or (told.table["unpriced"] > 0).any())


def _drawings(told: Told) -> dict[str, Any]:
    depth, label = _branch(told)
    branch = told.table.isel(node=np.flatnonzero(told.table["depth"].values == depth))
    among, nodes = f" by {label}" if depth else "", branch.sizes["node"]
    largest, lowest = (
        f", the {plots.MOST_BARS} {word} of {nodes:,}" if nodes > plots.MOST_BARS else ""
        for word in ("largest", "lowest")
    )
    coverage = {} if _covered(told) else {f"Coverage{among}{lowest}": plots.coverage(branch)}
    if told.total.isnull().any():
        return coverage
    var, es = (told.table[name][0].assign_attrs(level=told.conventions[name]["level"]) for name in _MEASURES)
    var_head, es_head = told.conventions["value_at_risk"]["percent"], told.conventions["expected_shortfall"]["percent"]
    counted = min(_WORST, told.total.sizes["scenario"])
    return {
        "P&L of the portfolio over all scenarios": plots.pnl_distribution(told.total, var, es),
        f"The {counted} worst scenarios of the portfolio": plots.worst_scenarios(told.total, _WORST),
        f"VaR {var_head}{among}{largest}": plots.bar_by_node(branch, "value_at_risk"),
        f"What each adds to ES {es_head}{among}{largest}": plots.bar_by_node(branch, "component_expected_shortfall"),
        **coverage,
    }
