"""Where one is: the steps from the firm down, what it can be split by, and the parts of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.pages.drill_down.node import TRADE, Node
from riskgrid.dashboards.state import Path, State
from riskgrid.plots import node_name

__all__ = ["PARTS", "place"]

#: Parts of the page, with their words.
PARTS = {
    "risk": "Risk",
    "tail": "Tail",
    "classes": "Classes",
    "sensitivities": "Sensitivities",
    "explain": "Explain",
    "stress": "Stress",
    "trades": "Trades",
}

#: Parts that can be split by a label; of the first alone by single trades.
_SPLIT = ("risk", "explain", "sensitivities", "stress", "classes")

#: Parts whose scenarios are those of the run.
_OF_THE_RUN = {"tail", "trades"}


def place(node: Node, path: Path, trade: str = "") -> Card:
    """Steps, pivot and parts. path : label and value of each step; of a trade those it hangs under."""
    state = node.state.but(trade="")
    part = state.part or "risk"
    steps = [("Firm", _at(state, ()))]
    steps += [(node_name(value, label), _at(state, path[: at + 1])) for at, (label, value) in enumerate(path)]
    here = trade or steps.pop()[0]
    links = [_step(words, to, last=at == len(steps) - 1) for at, (words, to) in enumerate(steps)]
    trail = ' <span aria-hidden="true">/</span> '.join([*links, f'<b aria-current="page">{escape(here)}</b>'])
    split = _pivot(node, part) if not trade and part in _SPLIT else ""
    parts = "" if trade else _parts(state, part)
    return Card(
        "", Word(f'<div class="place"><nav class="crumbs" aria-label="Where">{trail}</nav>{split}</div>{parts}')
    )


def _at(state: State, path: Path) -> State:
    return state.but(where=path, by="", start=0, sort="")


def _step(words: str, to: State, *, last: bool) -> str:
    up = " data-up" if last else ""
    return f'<a href="{escape(to.query)}"{up}>{escape(words)}</a>'


def _pivot(node: Node, part: str) -> str:
    now = node.by if part == "risk" else node.split
    labels = [label for label in node.labels if label != TRADE or part == "risk"]
    options = "".join(
        f'<option value="{escape(node.state.but(by=label, start=0, sort="").query)}"{" selected" * (label == now)}>'
        f"{escape(_spoken(label))}</option>"
        for label in labels
    )
    return f"<label>Split by <select data-go>{options}</select></label>" if options else ""


def _spoken(label: str) -> str:
    return "trade" if label == TRADE else label.replace("_", " ")


def _parts(state: State, part: str) -> str:
    kept = state.but(start=0, sort="", factor="")
    alike = {key: kept if {key, part} <= _OF_THE_RUN else kept.but(scenario="") for key in PARTS}
    links: Sequence[str] = [
        f'<a href="{escape(alike[key].but(part="" if key == "risk" else key).query)}"'
        f"{' aria-current="page"' if key == part else ''}>{words}</a>"
        for key, words in PARTS.items()
    ]
    return f'<nav class="parts" aria-label="Parts">{"".join(links)}</nav>'
