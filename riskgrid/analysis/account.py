"""The sections of a P&L explain: its pieces by node, the market objects that moved it, the trades that lost most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.analysis.attribution import Attribution
from riskgrid.analysis.comparing import node_rows
from riskgrid.charts import waterfall
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.explain import UNEXPLAINED
from riskgrid.page import Column, Row, Section, headed, money
from riskgrid.scenarios.ladder import BUMPS, UNITS

__all__ = ["objects", "tree", "worst"]

_MOST = 12


def tree(title: str, parts: Attribution, labels: Sequence[str], sentences: Sequence[str]) -> Section:
    """A row a node, or of the total alone a row a piece; a piece that is nowhere is left out."""
    table, pieces = parts.by(labels), np.array(parts.pieces)
    here = table["pnl"].values.any(axis=0) | (pieces == UNEXPLAINED)
    values = np.column_stack([table["pnl"].values[:, here], table["total"].values])
    names = [*pieces[here].tolist(), "total"]
    rest = {"sentences": sentences, "drawings": lambda: _drawings(table.isel(piece=here))}
    if not labels:
        rows = [Row(headed(name), [money(float(value))]) for name, value in zip(names, values[0], strict=True)]
        return Section.of_tree(title, "piece", [Column("P&L", parts.currency)], rows, **rest)
    heads = [Column(headed(name), parts.currency) for name in names]
    return Section.of_tree(title, " / ".join(labels), heads, node_rows(table, [*values.T]), **rest)


def worst(parts: Attribution, count: int = 10) -> Section:
    """The trades that lost most, and the piece that cost each of them most; a trade that lost nothing is none."""
    table, rows = parts.trades(count), []
    table = table.isel(trade=np.flatnonzero(table["total"].values < 0.0))
    for at, trade in enumerate(table["trade_id"].values):
        pieces = table["pnl"].values[at]
        first = int(np.argmin(pieces))
        cells = [str(table["instrument"].values[at]), str(table["book"].values[at])]
        cells += [money(float(table["total"][at])), headed(table["piece"].values[first]), money(float(pieces[first]))]
        rows.append(Row(str(trade), cells))
    heads = [Column("Instrument", kind="text"), Column("Book", kind="text"), Column("P&L", parts.currency)]
    heads += [Column("Most of it", kind="text"), Column("of which", parts.currency)]
    said = () if rows else ("No trade has a loss.",)
    return Section("The trades that lost most", "Trade", heads, rows, said)


def objects(table: xr.Dataset, before: MarketSnapshot, after: MarketSnapshot) -> Section:
    """The market objects that moved P&L most, each alone, with how far they moved.

    table : ``pnl (node, piece)`` of the whole, a piece an object, then two that belong to none.
    """
    values = table["pnl"].values[0]
    names = [str(name) for name in table["piece"].values]
    order = sorted(range(len(names) - 2), key=lambda at: (-abs(values[at]), names[at]))
    rows = [Row(names[at], [move(names[at], before, after), money(float(values[at]))]) for at in order[:_MOST]]
    rest = float(values[order[_MOST:]].sum())
    rows += [Row(f"{len(order) - _MOST:,} more", ["", money(rest)])] if len(order) > _MOST else []
    rows += [Row(headed(names[at]), ["", money(float(values[at]))]) for at in (-2, -1)]
    rows.append(Row("All moves", ["", money(float(table["total"][0]))]))
    heads = [Column("Move", kind="text"), Column("P&L", str(table.attrs["currency"]))]
    said = ["Each market object moved alone, as of the later date; of several nodes the mean move is shown."]
    return Section("What moved the P&L", "Market object", heads, rows, sentences=said)


def move(name: str, before: MarketSnapshot, after: MarketSnapshot) -> str:
    """How far the levels of a market object moved, in the unit of its bumps.

    >>> first, last = (MarketSnapshot(np.datetime64("2016-06-23"), "USD", ("fx:EUR",), [x]) for x in (1.25, 1.0))
    >>> move("fx:EUR", first, last)
    '1.25 to 1, -20.0 %'
    """
    later = dict(zip(after.factors, after.levels.tolist(), strict=True))
    inside = [factor for factor in before.factors if f"{factor}:".startswith(f"{name}:") and factor in later]
    pairs = [(before.level(factor), later[factor]) for factor in inside]
    unit = BUMPS[name.partition(":")[0]][1]
    if unit == "%" and all(old > 0.0 for old, _ in pairs):
        far = f"{100.0 * float(np.mean([new / old - 1.0 for old, new in pairs])):+.1f} %"
    else:
        mean = float(np.mean([new - old for old, new in pairs]))
        far = f"{mean:+.6g}" if unit == "%" else f"{mean / UNITS[unit]:+.1f} {'points' if unit == 'vol' else unit}"
    if len(pairs) == 1:
        return f"{pairs[0][0]:.6g} to {pairs[0][1]:.6g}, {far}"
    return f"{far}, {len(pairs)} nodes"


def _drawings(table: xr.Dataset) -> Mapping[str, Any]:
    """The pieces of the total, and the P&L of the nodes below it."""
    by = table.attrs["by"]
    made = {"P&L by piece": waterfall(list(map(headed, table["piece"].values)), table["pnl"].values[0])}
    depth = min(2, len(by))
    deep = np.flatnonzero(table["depth"].values == depth)
    if len(deep) > 1:
        made[f"P&L by {by[depth - 1]}"] = plots.bar_by_node(table.isel(node=deep), "total", losses=True)
    return made
