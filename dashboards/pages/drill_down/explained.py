"""Why a node is worth more or less than before: its P&L in pieces, by node, by market object and by trade."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from riskgrid import charts
from riskgrid.analysis import account
from riskgrid.analysis.explaining import Explained, explain
from riskgrid.dashboards.card import Card, Later, Table
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import TRADE, Node, label_text
from riskgrid.dashboards.pages.drill_down.tail import empty
from riskgrid.errors import UnknownName
from riskgrid.measures.explain import UNEXPLAINED
from riskgrid.page import Column, Row, Section, headed, money
from riskgrid.plots import node_name
from riskgrid.result import Run

__all__ = ["explained"]

_WORST = 15


def explained(node: Node) -> Content:
    """The pieces, who made them, what moved, and the trades that lost most."""
    before = node.before
    if before is None:
        words = "There is no earlier run to explain the P&L from. Choose one under Compare with."
        return {"pieces": empty("P&L explain", words)}
    node.note_detail("explain", since=before.known_as, by=[node.split])
    since = f"P&L from {before.row.as_of} to {node.run.row.as_of}, {node.currency}"
    shown = {
        "pieces": _card(node, before, since, functools.partial(_pieces, node, since)),
        "losers": _card(node, before, "The trades that lost most", functools.partial(_losers, node)),
        "moved": _card(node, before, "What moved the P&L", functools.partial(_objects, node, before)),
    }
    if node.split:
        title = f"{since}, by {node.split.replace('_', ' ')}"
        shown["explained"] = _card(node, before, title, functools.partial(_nodes, node, title))
    return shown


def _card(node: Node, before: Run, title: str, card: Callable[[Explained], Card]) -> Card | Later:
    asked = ("explain", [before, node.run], ())
    said = "Revaluing the earlier trades step by step: time, fixings, and each kind of factor."

    def shown(made: Explained) -> Card:
        try:
            return card(made)
        except UnknownName:
            return empty(title, "No trade that is explained hangs here: each keeps the labels of the earlier run.")

    return node.look.later(title, said, asked, functools.partial(explain, before, node.run), shown)


def _pieces(node: Node, title: str, made: Explained) -> Card:
    """A waterfall; a click on a piece shows the trades that lost most by it."""
    table = made.by((), node.where).isel(node=0)
    here = (table["pnl"].values != 0.0) | (table["piece"].values == UNEXPLAINED)
    pieces = [str(piece) for piece in table["piece"].values[here]]
    figure = charts.waterfall(list(map(headed, pieces)), table["pnl"].values[here], "P&L")
    links = {headed(piece): node.state.but(factor=piece) for piece in pieces}
    links["P&L"] = node.state.but(factor="")
    note = f"{_bridge(node, made)} The pieces add up exactly. Click one for the trades that lost most by it."
    lost = len(made.left_out)
    note += f" {lost:,} trade{'s' * (lost != 1)} of the run left out, without a number on the way." if lost else ""
    return Card(title, figure, note, links, lambda: made.by((), node.where).drop_attrs(deep=False))


def _bridge(node: Node, made: Explained) -> str:
    """From the change of value, which is the difference of two present values, to the P&L."""
    table = made.bridge((), node.where).isel(node=0)
    parts = zip(table["piece"].values, table["pnl"].values, strict=True)
    told = " + ".join(f"{name} {money(float(part))}" for name, part in parts)
    return f"P&L {money(float(table['total']))} = {told}."


def _nodes(node: Node, title: str, made: Explained) -> Card:
    """The pieces of each node below, what lost most first."""
    table = made.by((node.split,), node.where)
    total, pieces = table["total"].values, [str(piece) for piece in table["piece"].values]
    here = np.flatnonzero(table["pnl"].values.any(axis=0) | (np.array(pieces) == UNEXPLAINED)).tolist()
    heads = [Column("P&L", node.currency), *(Column(headed(pieces[at]), node.currency) for at in here)]
    rows, links = [], []
    for place in [0, *(1 + np.argsort(total[1:], kind="stable")).tolist()]:
        value = str(table[node.split].values[place])
        cells = [money(float(total[place])), *(money(float(table["pnl"].values[place, at])) for at in here)]
        rows.append(Row(node_name(value, node.split) if place else "Total", cells, int(place > 0), parent=not place))
        links.append(node.down(value, node.split) if place else None)
    section = Section(title, node.split.replace("_", " ").capitalize(), heads, rows)
    note = "Worst first; a row leads into it. Trades hang where the earlier run has them."
    return Card(title, Table(section, links), note, data=lambda: table.drop_attrs(deep=False))


def _objects(node: Node, before: Run, made: Explained) -> Card:
    """What each market object did, moved alone, and how far it moved."""
    table = made.factors((), node.where)
    section = account.objects(table, before.market, node.run.market)
    objects = set(map(str, table["piece"].values[:-2]))  # the last two are of none
    ways = node.state.but(part="sensitivities", start=0, sort="")
    links = [ways.but(factor=row.name) if row.name in objects else None for row in section.rows]
    rows = [replace(row, cells=[row.cells[0].replace("-", "\N{MINUS SIGN}"), *row.cells[1:]]) for row in section.rows]
    section = replace(section, rows=rows)
    note = (
        "The market alone: each object moved by itself, as of the later date. Time, fixings and carry are not in it, "
        "so its total is not the P&L. Of several nodes the mean move is told."
    )
    return Card(section.title, Table(section, links), note, data=lambda: table.drop_attrs(deep=False))


def _losers(node: Node, made: Explained) -> Card:
    """The trades that lost most, in all or by the piece that is chosen."""
    piece = node.state.factor if node.state.factor in made.pieces else None
    table = made.trades(_WORST, piece=piece, where=node.where)
    pieces = list(made.pieces)
    lost = table["total"].values if piece is None else table["pnl"].values[:, pieces.index(piece)]
    title = "The trades that lost most" + (f" by {piece}" if piece is not None else "")
    rows, links = [], []
    for at in np.flatnonzero(lost < 0.0).tolist():
        one = table["pnl"].values[at]
        most = int(np.argmin(one))
        cells = [label_text(label, table[label].values[at]) for label in ("desk", "book", "instrument")]
        cells.append(money(float(table["total"].values[at])))
        cells += [money(float(lost[at]))] if piece is not None else [headed(pieces[most]), money(float(one[most]))]
        rows.append(Row(str(table[TRADE].values[at]), cells))
        links.append(node.state.but(trade=str(table[TRADE].values[at])))
    if not rows:
        return empty(title, "No trade has a loss.")
    heads = [Column(name, kind="text") for name in ("Desk", "Book", "Instrument")] + [Column("P&L", node.currency)]
    most_of = [Column("Most of it", kind="text"), Column("Of which", node.currency)]
    heads += [Column(headed(piece), node.currency)] if piece is not None else most_of
    return Card(title, Table(Section(title, "Trade", heads, rows), links), "A trade leads to its terms.")
