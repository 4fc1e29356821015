"""How much a node can lose, which of the nodes below it add to that, and over which scenarios."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import plots
from riskgrid.analysis.comparing import since
from riskgrid.analysis.contributing import contribution, contributions
from riskgrid.dashboards.card import Card, Table, Word
from riskgrid.dashboards.markup import figure_html, figures_html
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import TRADE, Node
from riskgrid.dashboards.pages.drill_down.ordering import PAGE, now_sorted, ordered, pages, sorts
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section, money, percent, share
from riskgrid.registry import MEASURES
from riskgrid.reporting import Report

__all__ = ["distribution", "diversification", "figures", "moved", "risk"]

_USUAL = "-component_expected_shortfall"
_RISK = ("value_at_risk", "expected_shortfall")


def risk(node: Node) -> Content:
    """Figures of note, the nodes below, what each adds, and the distribution."""
    if node.by == TRADE:
        node.note_detail("report", by=[TRADE])
    shown = {"figures": figures(node, node.told, node.then)}
    table = _table(node)
    order = 1 + ordered(_columns(table), node.state.sort, _USUAL)
    shown["below"] = _below(node, table, order)
    if (more := pages(node.state, len(order), f"{_words(node.by)}s")) is not None:
        shown["pages"] = more
    if table.sizes["node"] > 2:
        shown["components"] = _components(node, table)
    shown["distribution"] = distribution(node, node.told)
    return shown


def figures(node: Node, told: Report, then: Report | None) -> Card:
    """PV, VaR, ES, each with its change; what it adds to the whole firm; how much of it has numbers."""
    table, meaning, whose = told.table.isel(node=0), told.conventions, node.whose
    changes = since(told, then).isel(node=0)
    shown = [figure_html(f"Present value{whose}", float(table["base_value"]), float(changes["base_value"]))]
    for name, short in zip(_RISK, ("VaR", "ES"), strict=True):
        head = f"{short} {meaning[name]['percent']}{whose}"
        sure = _sure(meaning["interval"], name)
        shown.append(figure_html(head, float(table[name]), float(changes[name]), adverse=True, beside=sure))
    if node.where:
        shown += _within(node)
    worst = str(table["worst_scenario"].values)
    beside = f"{node.currency}{_since(node) if then is not None else ''}"
    shown.append(
        figure_html(f"Worst scenario, {worst}" if worst else "Worst scenario", float(table["worst_pnl"]), beside=beside)
    )
    lost = int(table["unpriced"])
    covered = f"{percent(float(table['coverage']))} covered" + f", {lost:,} without a number" * bool(lost)
    shown.append(figure_html("Trades", f"{node.trades:,}", beside=covered))
    return Card("", Word(figures_html(shown)))


def _sure(interval: Mapping[str, Any], name: str) -> str:
    """Between what a measure of drawn scenarios lies; empty where they are not drawn."""
    if name not in interval:
        return ""
    low, high = map(plots.short_number, interval[name])
    return f"{percent(float(interval['confidence']))} sure: {low} to {high}".replace(".00 %", " %")


def _since(node: Node) -> str:
    """What changes are told against."""
    before = node.before
    if before is None:
        return ""
    same = before.row.as_of == node.run.row.as_of
    return f", changes against run {before.called}" if same else f", changes since {before.row.as_of}"


def _within(node: Node) -> list[str]:
    """What the node adds to the risk of all trades."""
    made = contribution(node.summed, node.where or {}, **node.how)
    whole = f"{node.whose.removeprefix(' of ') or 'the firm'}"
    name = "expected_shortfall"
    part, every = float(made[f"component_{name}"]), float(made[f"whole_{name}"])
    return [figure_html(f"Adds to ES of {whole}", part, beside=f"{share(part, every)} of {money(every)}")]


def _table(node: Node) -> xr.Dataset:
    """Everything that is told of each node: its report, what it adds, and what has changed."""
    made, table = contributions(node.summed, node.by, where=node.where, **node.how).table, node.told.table
    more = {name: made[name].variable for name in made.data_vars if name not in table}
    changes = {f"{name}_change": held.variable for name, held in since(node.told, node.then).data_vars.items()}
    return table.assign({**more, **changes})


_SHOWN = (
    "base_value",
    "base_value_change",
    "value_at_risk",
    "component_value_at_risk",
    "expected_shortfall",
    "component_expected_shortfall",
    "share",
    "component_expected_shortfall_change",
    "incremental_expected_shortfall",
    "worst_scenario",
    "worst_pnl",
)


def _columns(table: xr.Dataset) -> Mapping[str, NDArray[Any]]:
    """By which the nodes below can be ordered."""
    below = table.isel(node=slice(1, None))
    names = {name: below[name].values for name in _SHOWN if name in below}
    return {**names, "share": names["component_expected_shortfall"]}


def _below(node: Node, table: xr.Dataset, order: NDArray[np.intp]) -> Card:
    """A row a node, between the total and what diversification takes off."""
    meaning, currency = node.told.conventions, node.currency
    var, es = (meaning[name]["percent"] for name in _RISK)
    heads = [
        Column("Present value", currency),
        Column("Change", "present value", "change"),
        Column(f"VaR {var}", f"{currency}, alone"),
        Column("Component VaR", f"{currency}, adds up"),
        Column(f"ES {es}", f"{currency}, alone"),
        Column("Component ES", f"{currency}, adds up"),
        Column("Share", "of ES", "number"),
        Column("Change", "component ES", "change"),
        Column("Incremental ES", "the whole less without it"),
        Column("Worst scenario", "alone", "text"),
        Column("P&L in it", currency),
    ]
    first = min(node.state.start, max(len(order) - 1, 0)) // PAGE * PAGE
    chosen = order[first : first + PAGE]
    whole = float(table["expected_shortfall"][0])
    rows, bars = [_row(table, 0, "Total", whole)], [0.0]
    links: list[State | None] = [None]
    for at in chosen.tolist():
        value = str(table[node.by].values[at])
        rows.append(_row(table, at, plots.node_name(value, node.by), whole))
        links.append(node.down(value))
        part = float(table["component_expected_shortfall"][at])
        bars.append(part / whole if whole and not np.isnan(part) else 0.0)
    if len(order) > 1:
        rows.append(diversification(node, len(heads), (2, 4)))
        links.append(None)
        bars.append(0.0)
    title = f"{node.called[:1].upper()}{node.called[1:]} by {_words(node.by)}"
    section = Section(title, _words(node.by).capitalize(), heads, rows, node.told.sentences())
    note = "Components add up to the total; what each loses alone does not, and the difference is diversification."
    body = Table(
        section,
        links,
        {6: bars},
        adverse=(7,),
        sorts=sorts(node.state, _SHOWN, _USUAL),
        sorted=now_sorted(node.state, _SHOWN, _USUAL),
    )
    return Card(title, body, note, data=lambda: _as_shown(table, order))


def _as_shown(table: xr.Dataset, order: NDArray[np.intp]) -> xr.Dataset:
    """Every row, those of other pages too, in the order of the table, and the share that stands in it."""
    part, whole = table["component_expected_shortfall"], float(table["expected_shortfall"][0])
    parts = table.assign(share=part / (whole or np.nan))
    return parts.isel(node=[0, *order.tolist()]).drop_attrs(deep=False)


def _row(table: xr.Dataset, at: int, name: str, whole: float) -> Row:
    one = {key: table[key].values[at] for key in _SHOWN if key in table}
    cells = []
    for key in _SHOWN:
        if key == "share":
            cells.append(share(float(one["component_expected_shortfall"]), whole))
        elif key == "worst_scenario":
            cells.append(str(one[key]))
        elif key.endswith("_change"):
            cells.append(moved(float(one[key])))
        else:
            cells.append(money(float(one[key])))
    return Row(name, cells, int(at > 0), float(table["coverage"][at]) < 1.0, parent=not at)


def moved(value: float) -> str:
    """A change as it stands in a cell, empty for none."""
    return "" if np.isnan(value) else f"{'+' if value >= 0.5 else ''}{money(value)}"


def diversification(node: Node, width: int, places: tuple[int, int]) -> Row:
    """What is saved by holding the nodes together, of VaR and of ES in two of the cells of a row."""
    nodes = node.summed.aggregate([node.by], node.where)
    pnl = nodes["pnl"].isel(node=slice(1, None)).where(nodes["coverage"].isel(node=slice(1, None)) > 0.0)
    cells = [""] * width
    for place, name in zip(places, _RISK, strict=True):
        how = {key: node.told.conventions[name][key] for key in ("level", "method")} | {"weight": nodes.get("weight")}
        cells[place] = money(float(MEASURES["diversification"](pnl, None, name, **how)))
    return Row("Diversification", cells, 1)


def _components(node: Node, table: xr.Dataset) -> Card:
    """What each node adds to ES; a click leads into it."""
    deep = table.isel(node=slice(1, None)).assign_attrs(by=[node.by])
    figure = plots.bar_by_node(deep, "component_expected_shortfall")
    values = map(str, deep[node.by].values)
    links = {name: node.down(value) for name, value in zip(plots.node_names(deep), values, strict=True)}
    es = node.told.conventions["expected_shortfall"]["percent"]
    more = deep.sizes["node"] - plots.MOST_BARS
    note = f"The {plots.MOST_BARS} largest of {deep.sizes['node']:,}." if more > 0 else "Click a bar for what is in it."
    return Card(f"What adds to ES {es}, {node.currency}", figure, note, links)


def distribution(node: Node, told: Report, title: str = "P&L over all scenarios") -> Card:
    """How often it makes or loses how much; the bars of the tail lead to its scenarios."""
    whose, total = node.whose, told.total
    if not total.size or bool(total.isnull().any()):
        return Card(title, Word('<div class="empty">No trade here has a number in every scenario.</div>'))
    at = told.table.isel(node=0)
    var, es = (at[name].assign_attrs(level=float(told.conventions[name]["level"])) for name in _RISK)
    figure = plots.pnl_distribution(total, var, es)
    links = {} if node.state.trade else {"tail": node.state.but(page="drill-down", part="tail", start=0, sort="")}
    note = "" if node.state.trade else "Click the tail for the scenarios in it."
    return Card(f"{title}{whose}", figure, note, links, functools.partial(_in_full, total))


def _in_full(total: xr.DataArray) -> xr.Dataset:
    return total.to_dataset(name="pnl").drop_attrs(deep=False)


def _words(label: str) -> str:
    return "trade" if label == TRADE else label.replace("_", " ")
