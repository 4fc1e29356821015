"""What makes ES of a node: the scenarios of its tail, the trades that lose in one of them, and what moved there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.analysis.moving import moves_of
from riskgrid.analysis.tracing import Tail, tail_of
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import Node, label_text
from riskgrid.dashboards.state import State
from riskgrid.page import Column, Row, Section, money, share

__all__ = ["empty", "tail", "tail_here", "trade_rows"]

_WORST = 15
_ENDS = 10
_MOVED = 20
_LABELS = ("desk", "book", "instrument")

#: Trades of which a row each is read while a view waits.
_FEW = 20_000


def tail(node: Node) -> Content:
    """The tail of ES and the scenario that is chosen in it, the worst one by default."""
    found = tail_here(node)
    if found is None:
        return {"scenarios": empty("Tail", "No trade here has a number in every scenario, so there is no tail.")}
    known = [str(name) for name in found.scenarios["scenario"].values]
    scenario = node.scenario or known[0]
    node.note_detail("tail", scenario=scenario, count=_ENDS)
    return {
        "scenarios": _scenarios(node, found, scenario),
        "worst": _worst(node, scenario),
        "makers": _makers(node, found),
        "objects": _objects(node, found),
        "moves": _moves(node, scenario),
    }


def tail_here(node: Node) -> Tail | None:
    """The tail of ES of the node; None where it has no measure."""
    if not node.alone.total.size or bool(node.alone.total.isnull().any()):
        return None
    es = node.alone.conventions["expected_shortfall"]
    return tail_of(node.run, where=node.where, level=es["level"], method=es["method"])


def empty(title: str, words: str) -> Card:
    """A card that says why there is nothing."""
    return Card(title, Word(f'<div class="empty">{words}</div>'))


def _es(node: Node) -> str:
    return f"ES {node.alone.conventions['expected_shortfall']['percent']}"


def _scenarios(node: Node, found: Tail, scenario: str) -> Card:
    """A row a scenario of the tail, worst first; a click chooses it."""
    table, whole, currency = found.scenarios, float(found.measured), node.currency
    rows, links, bars = [], [], []
    names = [str(name) for name in table["scenario"].values]
    for name, weight, pnl, part in zip(
        names, table["weight"].values, table["pnl"].values, table["component"].values, strict=True
    ):
        rows.append(Row(name, [money(float(pnl)), share(float(weight)), money(float(part)), share(part, whole)]))
        links.append(node.state.but(scenario=name))
        bars.append(float(part) / whole if whole else 0.0)
    if scenario not in names:
        pnl = float(node.alone.total.sel(scenario=scenario))
        rows.append(Row(scenario, [money(pnl), "not in the tail", "", ""]))
        links.append(node.state.but(scenario=scenario))
        bars.append(0.0)
        names.append(scenario)
    heads = [Column("P&L", currency), Column("Weight", "in ES", "count"), Column("Component", currency)]
    heads.append(Column("Share", "of ES", "number"))
    section = Section(f"The scenarios that make {_es(node)}", "Scenario", heads, rows)
    note = f"{_es(node)} of {money(whole)} {currency} is minus their weighted P&L. Choose one for what lost in it."
    body = Table(section, links, {3: bars}, chosen=names.index(scenario))
    return Card(section.title, body, note, data=lambda: table.drop_attrs(deep=False))


def _read(
    node: Node, title: str, asked: tuple[str, Any], make: Callable[[], xr.Dataset], card: Callable[[xr.Dataset], Card]
) -> Card | Later:
    """A card that reads a row of every trade: at once where they are few."""
    if node.trades <= _FEW:
        return card(make())
    said = f"Reading {node.trades:,} trades."
    return node.look.later(title, said, (asked[0], (node.run,), (node.where, asked[1])), make, card)


def _worst(node: Node, scenario: str) -> Card | Later:
    """The trades that lose most in the scenario."""
    title = f"What loses most on {scenario}"

    def make() -> xr.Dataset:
        return node.run.worst_trades(scenario, _WORST, node.where)

    return _read(node, title, ("worst", scenario), make, functools.partial(_losing, node, scenario, title))


def _losing(node: Node, scenario: str, title: str, table: xr.Dataset) -> Card:
    heads = [*_label_heads(node, table), Column("P&L", node.currency), Column("Present value", node.currency)]
    numbers = [table["scenario_pnl"].values, table["base_value"].values]
    section = Section(title, "Trade", heads, trade_rows(node, table, numbers))
    note = f"Of {node.called}, worst first; a trade leads to its terms."
    if node.state.scenario not in ("", scenario):
        note = f"This run has no scenario '{node.state.scenario}', so this is its worst one."
    return Card(section.title, Table(section, _links(node, table)), note, data=lambda: table.drop_attrs(deep=False))


def _makers(node: Node, found: Tail) -> Card | Later:
    """The trades that add most to ES, and those that take most off."""
    title = f"The trades that make {_es(node)}, and that hedge it"
    make, card = functools.partial(found.trades, _ENDS), functools.partial(_making, node, found, title)
    return _read(node, title, ("makers", dict(node.how)), make, card)


def _making(node: Node, found: Tail, title: str, table: xr.Dataset) -> Card:
    parts, whole = table["component"].values, float(found.measured)
    heads = [*_label_heads(node, table), Column("Component", node.currency), Column("Share", "of ES", "number")]
    rows = trade_rows(node, table, [parts])
    rows = [Row(row.name, [*row.cells, share(float(part), whole)]) for row, part in zip(rows, parts, strict=True)]
    bars = [float(part) / whole if whole else 0.0 for part in parts]
    left = int(table.attrs["left_out"])
    note = "Those at the top make it, those at the bottom hedge it" + (f"; {left:,} lie between." if left else ".")
    section = Section(title, "Trade", heads, rows)
    body = Table(section, _links(node, table), {len(heads) - 1: bars})
    return Card(section.title, body, note, data=lambda: table.drop_attrs(deep=False))


def _objects(node: Node, found: Tail) -> Card | Later:
    """What each market object adds to ES, moving alone."""
    title = f"The market objects that make {_es(node)}, {node.currency}"
    asked = ("tail objects", [node.run], (node.where, sorted(node.how.items())))
    said = "Revaluing the scenarios of the tail with each market object moving alone."
    return node.look.later(title, said, asked, found.factors, functools.partial(_drawn, node, title))


def _drawn(node: Node, title: str, made: tuple[xr.Dataset, list[str]]) -> Card:
    table, notices = made
    if not table.sizes["group"]:
        return empty(title, "No market object moves in the tail.")
    figure = plots.bar_by_node(table.rename(group="node").assign_attrs(by=["node"]), "component", 2 * _ENDS)
    cross = money(float(table.attrs["cross"])).replace("-", "\N{MINUS SIGN}")
    note = " ".join([f"Each moves alone; moving together adds {cross}.", *notices])
    links = {str(name): _closer(node, str(name)) for name in table["group"].values}
    return Card(title, figure, note, links, data=lambda: table.drop_attrs(deep=False))


def _moves(node: Node, scenario: str) -> Later | Card:
    """What moved in the scenario, and what each move alone does."""
    title = f"What moved on {scenario}"
    asked = ("moves", [node.run], (node.where, scenario))
    make = functools.partial(moves_of, node.run, scenario, where=node.where)
    said = "Revaluing the scenario with each market object moving alone."
    return node.look.later(title, said, asked, make, functools.partial(_moved, node, title))


def _moved(node: Node, title: str, table: xr.Dataset) -> Card:
    rows = []
    links: list[State | None] = []
    for at in range(min(table.sizes["group"], _MOVED)):
        one = table.isel(group=at)
        level, shifted = float(one["level"]), float(one["shifted"])
        levels = ["", ""] if np.isnan(shifted) else [f"{level:.6g}", f"{shifted:.6g}"]
        nodes = int(one["nodes"])
        moved = f"{float(one['move']):+.2f}" if nodes else ""
        rows.append(Row(str(one["group"].values), [*levels, moved, _unit(one), f"{nodes:,}", money(float(one["pnl"]))]))
        links.append(_closer(node, str(one["group"].values)))
    if (left := table.sizes["group"] - _MOVED) > 0:
        rest = float(table["pnl"].isel(group=slice(_MOVED, None)).sum())
        rows.append(Row(f"{left:,} more", ["", "", "", "", "", money(rest)]))
    blank = [""] * 5
    rows.append(Row("Together (cross)", [*blank, money(float(table.attrs["cross"]))]))
    rows.append(Row("All moves", [*blank, money(float(table.attrs["whole"]))], parent=True))
    heads = [Column("Base", kind="number"), Column("Moved to", kind="number"), Column("Move", kind="number")]
    heads += [Column("", kind="text"), Column("Nodes", kind="count"), Column("P&L", f"{node.currency}, alone")]
    note = "Each market object moves alone; of several nodes the mean move is told."
    said = " ".join([note, *table.attrs["notices"]])
    section = Section(title, "Market object", heads, rows)
    return Card(title, Table(section, links), said, data=lambda: table.drop_attrs(deep=False))


def _closer(node: Node, factor: str) -> State:
    """Where a market object is looked at closer."""
    return node.state.but(part="sensitivities", factor=factor, scenario="", start=0, sort="")


def _unit(one: xr.Dataset) -> str:
    return {"vol": "vol points"}.get(str(one["unit"].values), str(one["unit"].values))


def _label_heads(node: Node, table: xr.Dataset) -> list[Column]:
    return [Column(label.capitalize(), kind="text") for label in _shown(node, table)]


def _shown(node: Node, table: xr.Dataset) -> list[str]:
    """Labels that differ between the trades here."""
    asked = {label for label, _ in node.state.where}
    return [label for label in _LABELS if label in table.coords and label not in asked]


def trade_rows(node: Node, table: xr.Dataset, numbers: list[Any]) -> list[Row]:
    """A row a trade: labels, then amounts (trade,)."""
    labels = {label: table[label].values for label in _shown(node, table)}
    rows = []
    for at, trade in enumerate(table["trade_id"].values):
        cells = [label_text(label, values[at]) for label, values in labels.items()]
        rows.append(Row(str(trade), [*cells, *(money(float(number[at])) for number in numbers)]))
    return rows


def _links(node: Node, table: xr.Dataset) -> list[State | None]:
    return [node.state.but(trade=str(trade)) for trade in table["trade_id"].values]
