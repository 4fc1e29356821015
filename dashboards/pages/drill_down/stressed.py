"""P&L of a node under stress: by scenario and class, and of each node below in the scenario that is chosen."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from riskgrid.analysis.stressing import StressReport, stress_report
from riskgrid.dashboards.card import Card, Table
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import Node
from riskgrid.page import Column, Row, Section, headed, money, percent, share
from riskgrid.plots import node_name

__all__ = ["stress"]

_SAID = "Revaluing every trade under each stress."


def stress(node: Node) -> Content:
    """The scenarios, worst first; a click on one shows who loses in it."""
    by = [node.split] if node.split else []
    asked = ("stress", [node.run], (by, node.where))
    make = functools.partial(stress_report, node.run, None, by, where=node.where)
    currency = node.currency
    shown = {
        "stress": node.look.later(f"Stress, {currency}", _SAID, asked, make, functools.partial(_scenarios, node)),
    }
    if by:
        title = f"Who loses, by {node.split.replace('_', ' ')}"
        shown["stress_nodes"] = node.look.later(title, _SAID, asked, make, functools.partial(_nodes, node))
    return shown


def _chosen(node: Node, made: StressReport) -> int:
    """Place of the scenario that is looked at, the worst by default."""
    names = [str(name) for name in made.table["scenario"].values]
    return names.index(node.state.scenario) if node.state.scenario in names else 0


def _scenarios(node: Node, made: StressReport) -> Card:
    section = replace(made.sections()[0], title=f"Stress{node.whose}, {node.currency}")
    links = [node.state.but(scenario=str(name)) for name in made.table["scenario"].values]
    pnl = made.table["pnl"].values[:, 0]
    largest = float(np.nanmax(np.abs(pnl))) if not np.isnan(pnl).all() else 0.0
    bars = [float(value) / largest if largest and not np.isnan(value) else 0.0 for value in pnl]
    body = Table(section, links, {1: bars}, chosen=_chosen(node, made) if node.split else None)
    note = "Exact revaluation, a loss is negative. Of a class: its moves alone; cross is what the classes do together."
    return Card(section.title, body, note, data=lambda: made.table.drop_attrs(deep=False))


def _nodes(node: Node, made: StressReport) -> Card:
    """Each node below in the scenario that is chosen, the worst first."""
    at, table = _chosen(node, made), made.table
    one = table.isel(scenario=at)
    classes = [headed(str(name)) for name in table["risk_class"].values]
    # a share of a loss is above zero where it loses too: the P&L beside it tells gains from losses
    heads = [Column("P&L", node.currency), Column("Share", "of the P&L", "count")]
    heads += [Column(name, f"{node.currency}, alone") for name in classes]
    heads += [Column("Cross", node.currency), Column("Coverage", kind="share")]
    pnl, whole = one["pnl"].values, float(one["pnl"].values[0])
    order = [0, *(1 + np.argsort(np.where(np.isnan(pnl[1:]), np.inf, pnl[1:]), kind="stable")).tolist()]
    rows, links, bars = [], [], []
    for place in order:
        value, part = str(table[node.split].values[place]), float(pnl[place])
        cells = [money(part), share(part, whole) if place else ""]
        cells += [money(float(part)) for part in one["class_pnl"].values[:, place]]
        cells += [money(float(one["cross"].values[place])), percent(float(table["coverage"].values[place]))]
        partial = float(table["coverage"].values[place]) < 1.0
        name = node_name(value, node.split) if place else "Total"
        rows.append(Row(name, cells, int(place > 0), partial, parent=not place))
        links.append(node.down(value, node.split) if place else None)
        bars.append(part / abs(whole) if whole and place and not np.isnan(part) else 0.0)
    title = f"Who loses under {one['scenario'].values}, by {node.split.replace('_', ' ')}"
    section = Section(title, node.split.replace("_", " ").capitalize(), heads, rows)
    data = one.isel(node=order).drop_attrs(deep=False)
    return Card(title, Table(section, links, {0: bars}), "Worst first; a row leads into it.", data=lambda: data)
