"""The trades of a node: what each is worth, whether it has a number and why not, what it makes and what it adds."""

from __future__ import annotations

import numpy as np
import xarray as xr

from riskgrid.analysis.ranking import ranked_trades
from riskgrid.dashboards.card import Card, Table
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import TRADE, Node, label_text
from riskgrid.dashboards.pages.drill_down.ordering import PAGE, now_sorted, pages, sorts
from riskgrid.dashboards.pages.drill_down.tail import tail_here
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section, money
from riskgrid.schema import Status

__all__ = ["STATUS", "trades"]

#: What a status is called.
STATUS = {each.value: each.name.lower() for each in Status}

_LABELS = ("region", "desk", "book", "instrument", "counterparty", "currency")


def trades(node: Node) -> Content:
    """A page of them, in the order asked for."""
    state, found = node.state, tail_here(node)
    start = min(state.start, max(node.trades - 1, 0)) // PAGE * PAGE
    sort = state.sort if _known(node, state.sort, measured=found is not None) else ""
    table = ranked_trades(node.run, node.where, sort=sort, scenario=node.scenario, tail=found, start=start, count=PAGE)
    node.note_detail("trades", start=start, limit=PAGE, sort=sort)
    shown = {"trades": _listed(node, table, sort)}
    if (more := pages(state, node.trades, "trades")) is not None:
        shown["pages"] = more
    return shown


def _names(node: Node, *, measured: bool) -> list[str]:
    """What stands in the columns."""
    asked = {label for label, _ in node.state.where}
    labels = [label for label in _LABELS if label in node.run.cube.labels and label not in asked]
    return [
        *labels,
        "base_value",
        *(["component"] if measured else []),
        *(["scenario_pnl"] if node.scenario else []),
        "status",
        "problem",
    ]


def _known(node: Node, sort: str, *, measured: bool) -> bool:
    return sort.removeprefix("-") in _names(node, measured=measured) and "problem" not in sort


def _listed(node: Node, table: xr.Dataset, sort: str) -> Card:
    names = [name for name in _names(node, measured="component" in table) if name != "problem" or _troubled(table)]
    es = f"ES {node.alone.conventions['expected_shortfall']['percent']}"
    known = {
        "base_value": Column("Present value", node.currency),
        "component": Column(f"Adds to {es}", f"{node.currency}, of {node.called}"),
        "scenario_pnl": Column(f"P&L {node.scenario}", node.currency),
        "status": Column("Status", kind="text"),
        "problem": Column("Problem", kind="text"),
    }
    heads = [known.get(name) or Column(name.replace("_", " ").capitalize(), kind="text") for name in names]
    rows, links = [], []
    for at, trade in enumerate(table[TRADE].values.tolist()):
        cells = [_cell(name, table[name].values[at]) for name in names]
        rows.append(Row(trade, cells, partial=int(table["status"].values[at]) > Status.EXPIRED))
        links.append(_to(node.state, trade))
    title = f"Trades of {node.called}{node.whose}"
    ways = sorts(node.state, [name if name != "problem" else "" for name in names], "")
    body = Table(
        Section(title, "Trade", heads, rows), links, sorts=ways, sorted=now_sorted(node.state.but(sort=sort), names, "")
    )
    note = f"{node.trades:,} trades; a column's head orders all of them."
    return Card(title, body, note, data=lambda: table.drop_attrs(deep=False))


def _to(state: State, trade: str) -> State:
    return state.but(trade=trade)


def _troubled(table: xr.Dataset) -> bool:
    return bool((table["problem"].values.astype(str) != "").any())


def _cell(name: str, value: object) -> str:
    if name == "status":
        return STATUS.get(int(value), str(value))  # type: ignore[call-overload]
    if isinstance(value, float | np.floating):
        return money(float(value))
    return label_text(name, value)
