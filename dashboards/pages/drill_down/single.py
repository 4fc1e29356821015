"""One trade: its terms, what it is worth, what it can lose, what it adds, and what moves it."""

from __future__ import annotations

import functools
from html import escape
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import detail
from riskgrid.analysis.bumping import Sensitivities, sensitivities
from riskgrid.analysis.comparing import since
from riskgrid.analysis.contributing import contribution
from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.look import HIERARCHY
from riskgrid.dashboards.markup import anchor, figure_html, figures_html, minus
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import TRADE, Node
from riskgrid.dashboards.pages.drill_down.risk import distribution
from riskgrid.dashboards.pages.drill_down.tail import empty
from riskgrid.dashboards.pages.drill_down.trades import STATUS
from riskgrid.dashboards.state import Path, State
from riskgrid.errors import UnknownName
from riskgrid.page import Column, Row, Section, money, share
from riskgrid.plots import short_number
from riskgrid.reporting import Report, report

__all__ = ["path_of", "single"]

_MOST = 30
_WORST = 10


def single(node: Node) -> Content:
    """Everything of the trade that a state names. UnknownName."""
    trade = node.state.trade
    table = detail.trade(node.run, trade)
    node.look.desk.door.note_read(node.run, node.look.who, "trade", trade=trade)
    told = report(node.summed, [], where={TRADE: trade}, **node.how)
    return {
        "figures": _figures(node, table, told),
        "terms": _terms(table),
        "distribution": distribution(node, told, f"P&L of {trade} over all scenarios"),
        "bumps": _bumps(node, trade),
        "scenarios": _scenarios(node, told),
    }


def path_of(node: Node) -> Path:
    """The labels of the hierarchy that the trade hangs under."""
    table = node.run.trade_rows(np.array([node.run.portfolio.places([node.state.trade])[node.state.trade]]))
    return tuple((label, str(table[label].values[0])) for label in HIERARCHY if label in table.coords)


def _figures(node: Node, table: xr.Dataset, told: Report) -> Card:
    trade, one, meaning = node.state.trade, told.table.isel(node=0), told.conventions
    moved = since(told, _then(node)).isel(node=0)
    shown = [figure_html(f"Present value, {node.currency}", float(table["base_value"][0]), float(moved["base_value"]))]
    for name, short in (("value_at_risk", "VaR"), ("expected_shortfall", "ES")):
        head = f"{short} {meaning[name]['percent']}, alone"
        shown.append(figure_html(head, float(one[name]), float(moved[name]), adverse=True))
    made = contribution(node.summed, {TRADE: trade}, **node.how)
    part, whole = float(made["component_expected_shortfall"]), float(made["whole_expected_shortfall"])
    every = node.whose.removeprefix(" of ") or "the firm"
    shown.append(figure_html(f"Adds to ES of {every}", part, beside=f"{share(part, whole)} of {money(whole)}"))
    without = float(made["incremental_expected_shortfall"])
    shown.append(figure_html("Incremental ES", without, beside="the whole less the whole without it"))
    shown.append(figure_html("Status", STATUS.get(int(table["status"][0]), "")))
    problem = str(table["problem"].values[0])
    said = f'<p class="gap" role="alert">{escape(problem)}</p>' if problem else ""
    less = anchor(f"What if without {trade}", State(page="what-if", run=node.run.known_as, trade=trade), "go")
    return Card("", Word(f'{figures_html(shown)}{said}<p class="facts pages"><span>{less}</span></p>'))


def _then(node: Node) -> Report | None:
    """The trade in the run that this one is held against."""
    if node.before is None:
        return None
    try:
        return report(node.before, [], where={TRADE: node.state.trade}, **node.how)
    except UnknownName:
        return None


def _terms(table: xr.Dataset) -> Card:
    """What was agreed, with units, then the labels."""
    left = ("base_value", "status", "problem")
    rows = [
        Row(_spoken(str(name)), [_value(held.values[0]), str(held.attrs.get("units", ""))])
        for name, held in table.data_vars.items()
        if name not in left
    ]
    rows += [
        Row(_spoken(str(name)), [_value(held.values[0]), "label"])
        for name, held in table.coords.items()
        if held.dims == ("trade",) and name not in ("trade_id", "instrument")
    ]
    heads = [Column("Value", kind="text"), Column("Unit", kind="text")]
    kind = str(table.attrs["instrument"]).replace("_", " ")
    section = Section(f"Terms, {kind}", "Term", heads, rows)
    return Card(
        section.title,
        Table(section),
        str(table.attrs.get("summary", "")).partition(". ")[0].rstrip(".") + ".",
        data=lambda: table.drop_attrs(deep=False),
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]"))
    if isinstance(value, float | np.floating):
        return minus(f"{float(value):,.10g}")
    return minus(f"{value:,}") if isinstance(value, int | np.integer) else str(value)


def _scenarios(node: Node, told: Report) -> Card:
    """The scenarios in which it loses most; a click shows what else lost in each."""
    pnl, title = told.total, "Where it loses most"
    if not pnl.size or bool(pnl.isnull().any()):
        return empty(title, "It has no number in some scenario.")
    order = np.argsort(pnl.values, kind="stable")[:_WORST]
    names = [str(pnl["scenario"].values[at]) for at in order]
    rows = [Row(name, [money(float(pnl.values[at]))]) for name, at in zip(names, order, strict=True)]
    links = [node.state.but(trade="", part="tail", scenario=name, start=0, sort="") for name in names]
    section = Section(title, "Scenario", [Column("P&L", node.currency)], rows)
    return Card(title, Table(section, links), "A scenario leads to what else lost in it.")


def _bumps(node: Node, trade: str) -> Card | Later:
    """What it gains or loses by a bump of each factor that it reads."""
    title = f"What moves it, {node.currency} per bump"
    asked = ("trade bumps", [node.run], trade)
    make = functools.partial(sensitivities, node.run, TRADE, {TRADE: trade})
    said = "Bumping every factor that it reads, up and down."
    return node.look.later(title, said, asked, make, functools.partial(_bumped, title))


def _plain(value: float) -> str:
    """With a minus of the keyboard, as cells have it."""
    return short_number(value).replace("\N{MINUS SIGN}", "-")


def _bumped(title: str, made: Sensitivities) -> Card:
    one = made.table.isel(node=0)
    moving = np.flatnonzero((one["delta"].values != 0.0) | (one["gamma"].values != 0.0))
    order = moving[np.argsort(-np.abs(one["delta"].values[moving]), kind="stable")]
    rows = []
    for at in order[:_MOST].tolist():
        own = one.isel(factor=at)
        size = f"+{float(own['bump']):g} {own['unit'].values}"
        cells = [size, *(_plain(float(own[name])) for name in ("delta", "gamma"))]
        rows.append(Row(str(own["factor"].values), cells))
    rows.append(Row("Theta", ["1 day", _plain(float(one["theta"])), ""]))
    heads = [Column("Bump", kind="text"), Column("Delta"), Column("Gamma")]
    more = len(order) - _MOST
    note = f"{len(order):,} factors move it" + (f"; the {_MOST} that do most." if more > 0 else ".")
    table = one.isel(factor=order).drop_attrs(deep=False)
    return Card(title, Table(Section(title, "Factor", heads, rows)), note, data=lambda: table)
