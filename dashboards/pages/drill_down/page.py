"""From the firm down to a trade: how much each part can lose, in which scenarios, and by which trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from riskgrid.dashboards.look import Look
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.pages.drill_down.bumps import bumps
from riskgrid.dashboards.pages.drill_down.classes import classes
from riskgrid.dashboards.pages.drill_down.explained import explained
from riskgrid.dashboards.pages.drill_down.node import Node
from riskgrid.dashboards.pages.drill_down.place import place
from riskgrid.dashboards.pages.drill_down.risk import risk
from riskgrid.dashboards.pages.drill_down.single import path_of, single
from riskgrid.dashboards.pages.drill_down.stressed import stress
from riskgrid.dashboards.pages.drill_down.tail import empty, tail
from riskgrid.dashboards.pages.drill_down.trades import trades
from riskgrid.dashboards.state import State

__all__ = ["DRILL_DOWN"]

_PARTS: Mapping[str, Callable[[Node], Content]] = {
    "risk": risk,
    "tail": tail,
    "classes": classes,
    "sensitivities": bumps,
    "explain": explained,
    "stress": stress,
    "trades": trades,
}


def show(state: State, look: Look) -> Content:
    """One part of one node."""
    node = Node.of(state, look)
    if state.trade:
        return {"place": place(node, path_of(node), state.trade), **single(node)}
    if not node.trades:
        words = "No trade has all of these labels, or none that you may see. Go back up, or find one by its name."
        return {"place": place(node, state.where), "figures": empty("No trade here", words)}
    part = _PARTS.get(state.part, risk)
    return {"place": place(node, state.where), **part(node)}


DRILL_DOWN = Page(
    "drill-down",
    "Drill-down",
    (
        ("place",),
        ("figures",),
        ("below",),
        ("trades",),
        ("pages",),
        ("components", "terms", "distribution"),
        ("scenarios", "worst", "bumps"),
        ("pieces", "moved"),
        ("explained",),
        ("losers",),
        ("makers", "objects"),
        ("moves",),
        ("classes", "class_bars"),
        ("class_nodes",),
        ("greeks",),
        ("rho", "vega"),
        ("market", "closer"),
        ("stress",),
        ("stress_nodes",),
    ),
    show,
)
