"""What a node gains or loses by small moves: by node, tenor, volatility and market object, and one of them closer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import charts
from riskgrid.analysis.bumped import Sensitivities, SpotVol
from riskgrid.analysis.bumping import VOLS, sensitivities, spot_vol_ladder
from riskgrid.dashboards.card import Card, Later, Table
from riskgrid.dashboards.page import Content
from riskgrid.dashboards.pages.drill_down.node import Node
from riskgrid.dashboards.pages.drill_down.tail import empty
from riskgrid.dashboards.state import State
from riskgrid.measures.bucket import bucket
from riskgrid.page import Column, Row, Section, headed, money

__all__ = ["bumps"]

_SAID = "Bumping every factor up and down; each trade is revalued only where it reads the factor."
_MOST = 8
_LADDERS = ("equity", "fx", "commodity")
_KINDS = {"par": "rates, quotes", "zero": "zero rates", "vol": "volatility"}


def bumps(node: Node) -> Content:
    """Greeks by node, rho by tenor, vega by expiry and moneyness, every market object, and the one that is chosen."""
    shown = {
        "greeks": _card(node, f"Sensitivities{node.whose}", functools.partial(_greeks, node)),
        "rho": _card(node, "Rho by tenor, all curves", functools.partial(_drawn, "Rates by")),
        "vega": _card(node, "Vega by expiry and moneyness", functools.partial(_drawn, "Vega by")),
        "market": _card(node, "By market object", functools.partial(_market, node)),
    }
    words = (
        "Choose a market object: a spot against its volatility, a curve by tenor, a surface by expiry and moneyness."
    )
    shown["closer"] = _closer(node, node.state.factor) if node.state.factor else empty("Closer", words)
    return shown


def _card(node: Node, title: str, card: Callable[[str, Sensitivities], Card]) -> Card | Later:
    by = [node.split] if node.split else []
    asked = ("sensitivities", [node.run], (by, node.where))
    make = functools.partial(sensitivities, node.run, by, node.where)
    return node.look.later(title, _SAID, asked, make, functools.partial(card, title))


def _greeks(node: Node, title: str, made: Sensitivities) -> Card:
    section = replace(made.sections()[0], title=title)
    links: list[State | None] = [None]
    if node.split:
        values = made.table[node.split].values.astype(str).tolist()
        links = [None if not at else node.down(value, node.split) for at, value in enumerate(values)]
    note = "P&L of one bump of every factor of a kind; theta is a calendar day in which no level moves."
    data = made.table.drop_attrs(deep=False)
    return Card(title, Table(section, links[: len(section.rows)]), note, data=lambda: data)


def _drawn(starts: str, title: str, made: Sensitivities) -> Card:
    """The figure of one of the sections of sensitivities."""
    for section in made.sections()[1:]:
        if section.title.startswith(starts):
            figure = next(iter(section.drawings().values()))
            unit = section.columns[0].unit or section.title.rpartition(", ")[2]
            note = "" if isinstance(figure, str) else f"{unit}, all together."
            return empty(title, figure) if isinstance(figure, str) else Card(title, figure, note)
    return empty(title, "Nothing here moves with these.")


def _market(node: Node, title: str, made: Sensitivities) -> Card:
    """A row a market object under its kind, the largest first; a click looks closer."""
    total = made.table.isel(node=0)
    delta, gamma = (bucket(total[greek], ("kind", "name")) for greek in ("delta", "gamma"))
    kinds, names = delta["kind"].values.astype(str), delta["name"].values.astype(str)
    rows: list[Row] = []
    links: list[State | None] = []
    chosen = None
    for kind in dict.fromkeys(kinds.tolist()):
        own = np.flatnonzero((kinds == kind) & ((delta.values != 0.0) | (gamma.values != 0.0)))
        if not len(own):
            continue
        size = _size(total, kind)
        rows.append(Row(headed(_KINDS.get(kind, kind)), [size, *_summed(delta, gamma, own)], parent=True))
        links.append(None)
        order = own[np.argsort(-np.abs(delta.values[own]), kind="stable")]
        for at in order[:_MOST].tolist():
            factor = f"{kind}:{names[at]}"
            chosen = len(rows) if factor == node.state.factor else chosen
            rows.append(Row(names[at], ["", money(float(delta.values[at])), money(float(gamma.values[at]))], 1))
            links.append(node.state.but(factor=factor))
        if (left := len(order) - _MOST) > 0:
            rows.append(Row(f"{left:,} smaller", ["", *_summed(delta, gamma, order[_MOST:])], 1))
            links.append(None)
    heads = [Column("Bump", kind="text"), Column("Delta", f"{node.currency} per bump"), Column("Gamma", "per bump")]
    section = Section(title, "Market object", heads, rows)
    note = "A curve or a surface is the sum of its nodes, a kind that of its objects. Choose one to look closer."
    return Card(title, Table(section, links, chosen=chosen), note, data=lambda: total.drop_attrs(deep=False))


def _summed(delta: xr.DataArray, gamma: xr.DataArray, places: NDArray[np.intp]) -> list[str]:
    """Of objects of one kind, each bumped by as much: what they gain together if all are."""
    return [money(float(each.values[places].sum())) for each in (delta, gamma)]


def _size(total: xr.Dataset, kind: str) -> str:
    at = int(np.flatnonzero(total["kind"].values == kind)[0])
    return f"+{float(total['bump'].values[at]):g} {total['unit'].values[at]}"


def _closer(node: Node, factor: str) -> Card | Later:
    """One curve by tenor, one surface by expiry and moneyness, or one spot against its volatility."""
    kind, _, name = factor.partition(":")
    if kind in _LADDERS:
        title = f"{factor} by spot and volatility, {node.currency}"
        asked = ("spot vol", [node.run], (factor, node.where))
        make = functools.partial(_ladder, node, factor)
        said = "Revaluing every move of the spot with every move of its volatility."
        return node.look.later(title, said, asked, make, functools.partial(_grid, title))
    return _card(node, f"{factor}, {node.currency} per bump", functools.partial(_nodes, kind, name))


def _ladder(node: Node, factor: str) -> SpotVol:
    moving = any(each.startswith(f"vol:{factor.partition(':')[2]}") for each in node.run.market.factors)
    return spot_vol_ladder(node.run, factor, where=node.where, vols=VOLS if moving else (0.0,))


def _grid(title: str, made: SpotVol) -> Card:
    section = made.sections()[0]
    figure = section.drawings()["P&L"]
    pnl = made.pnl.isel(node=0).drop_attrs()
    return Card(title, figure, section.sentences[0], data=lambda: pnl.to_dataset(name="pnl"))


def _nodes(kind: str, name: str, title: str, made: Sensitivities) -> Card:
    """The nodes of one curve or surface."""
    total = made.table.isel(node=0)
    own = total.isel(factor=np.flatnonzero((total["kind"].values == kind) & (total["name"].values == name)))
    if not own.sizes["factor"]:
        return empty(title, f"Nothing here moves with {kind}:{name}.")
    size, data = _size(own, kind), own.drop_attrs(deep=False)
    if kind == "vol":
        found = bucket(own["delta"], ("tenor", "moneyness")).set_index(bucket=["tenor", "moneyness"]).unstack("bucket")
        tenors = list(dict.fromkeys(bucket(own["delta"], ("tenor",))["tenor"].values.tolist()))
        across = sorted(set(own["moneyness"].values.tolist()), key=float)
        values = found.sel(tenor=tenors, moneyness=across).transpose("tenor", "moneyness").values
        figure = charts.heat_map(tenors, across, values, row_name="expiry", column_name="moneyness K/F")
    else:
        along = bucket(own["delta"], ("tenor",))
        figure = charts.bars_along(along["tenor"].values.tolist(), along.values, f"per {size}")
    return Card(title, figure, f"Delta of each node, per {size}.", data=lambda: data)
