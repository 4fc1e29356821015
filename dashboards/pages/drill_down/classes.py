"""VaR and ES of a node under the moves of each risk class alone."""

from __future__ import annotations

import functools
from dataclasses import replace

from riskgrid import plots
from riskgrid.analysis.decomposing import RiskClasses, risk_classes
from riskgrid.dashboards.card import Card, Table
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import Node
from riskgrid.page import headed

__all__ = ["classes"]

_SAID = "Revaluing every trade in every scenario, a risk class at a time."


def classes(node: Node) -> Content:
    """The classes, what diversifies between them, and each node below under each class."""
    by = [node.split] if node.split else []
    asked = ("classes", [node.run], (by, node.where, sorted(node.how.items())))
    make = functools.partial(risk_classes, node.run, by, where=node.where, **node.how)
    shown = {
        "classes": node.look.later("Risk by class", _SAID, asked, make, functools.partial(_table, node)),
        "class_bars": node.look.later("ES by class", _SAID, asked, make, functools.partial(_bars, node)),
    }
    if by:
        title = f"ES by class and {node.split.replace('_', ' ')}"
        shown["class_nodes"] = node.look.later(title, _SAID, asked, make, functools.partial(_nodes, node, title))
    return shown


def _table(node: Node, made: RiskClasses) -> Card:
    section = made.sections()[0]
    title = f"Risk by class{node.whose}, {node.currency}"
    note = "Each class moves alone, the others stay; diversification is all together less their sum."
    note = " ".join([note, *made.notices])
    return Card(title, Table(replace(section, title=title)), note, data=lambda: made.table.drop_attrs(deep=False))


def _bars(node: Node, made: RiskClasses) -> Card:
    title = f"ES {made.conventions['expected_shortfall']['percent']} by class, {node.currency}"
    total = made.table.isel(node=0, risk_class=slice(None, -1)).rename(risk_class="node")
    names = [headed(str(name)) for name in total["node"].values]
    shown = total.assign_coords(node=names).assign_attrs(by=["node"]).drop_vars("depth")
    links = {name: node.state.but(part="sensitivities", start=0, sort="") for name in names}
    return Card(title, plots.bar_by_node(shown, "expected_shortfall"), "Click a bar for what moves it.", links)


def _nodes(node: Node, title: str, made: RiskClasses) -> Card:
    section = replace(made.sections()[1], title=title)
    values = made.table[node.split].values.astype(str).tolist()
    links = [None if not at else node.down(value, node.split) for at, value in enumerate(values)]
    return Card(title, Table(section, links), "Each alone; a row leads into it.")
