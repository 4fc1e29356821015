"""Cards as HTML: tables whose rows lead somewhere, heads with what can be taken along."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape

from riskgrid.dashboards.card import Card, Later, Table, Word
from riskgrid.dashboards.state import State
from riskgrid.page import Column, money, share

__all__ = ["anchor", "card_html", "figure_html", "figures_html", "minus", "signed", "table_html", "waiting_html"]

_MINUS = "\N{MINUS SIGN}"
_NEGATIVE = re.compile(r"(?<!\w)-(?=\d)")
_SIGNED = ("money", "number", "change")
_WORDED = ("text", "status", "sentence")

#: What can be taken along, with the words on its button and those that explain it.
_TAKEN = {
    "png": ("PNG", "Save the picture"),
    "tsv": ("Copy", "Copy the numbers in full, tab-separated"),
    "csv": ("CSV", "Save the numbers in full as CSV"),
    "parquet": ("Parquet", "Save the numbers in full as Parquet"),
}


def anchor(text: str, state: State, kind: str = "") -> str:
    """A link that leads to a state; text is escaped here."""
    named = f' class="{kind}"' if kind else ""
    return f'<a href="{escape(state.query)}"{named}>{escape(text)}</a>'


def minus(text: str) -> str:
    """A text with a true minus sign before the numbers below zero that it tells of.

    >>> minus("shift of -5% since 2016-06-23") == "shift of \N{MINUS SIGN}5% since 2016-06-23"
    True
    """
    return _NEGATIVE.sub(_MINUS, text)


def signed(text: str, kind: str = "money", *, adverse: bool = False) -> str:
    """A number as it stands in a cell: a true minus sign, and the colour of a loss where it is one.

    adverse : it is what rises that hurts.

    >>> signed("+12", "change", adverse=True), signed("+12", "change")
    ('<span class="loss">+12</span>', '+12')
    >>> signed("-4.3 %", "count") == "\N{MINUS SIGN}4.3 %"
    True
    """
    shown = escape(text)
    if kind in _WORDED:
        return shown
    falls = text.startswith(("-", ">-"))
    shown = shown.replace("-", _MINUS, 1) if falls else shown
    if kind not in _SIGNED:
        return shown
    hurts = (text.startswith("+") if adverse else falls) if kind == "change" else falls
    return f'<span class="loss">{shown}</span>' if hurts else shown


def figure_html(
    head: str, value: float | str, moved: float = math.nan, *, beside: str = "", adverse: bool = False
) -> str:
    """A figure of note.   moved : its change, NaN for none.   beside : said below it.   adverse : rises hurt.

    >>> figure_html("Trades", "12", beside="all covered")
    '<div><dt>Trades</dt><dd>12</dd><dd class="change">all covered</dd></div>'
    >>> "\N{MINUS SIGN}4.3 % since 2016-06-23" in figure_html("Adds", "12", beside="-4.3 % since 2016-06-23")
    True
    """
    text = value if isinstance(value, str) else money(value)
    kind = "text" if isinstance(value, str) else "money"
    lines = [f"<dt>{escape(head)}</dt>", f"<dd>{signed(text, kind)}</dd>"]
    if not math.isnan(moved) and not isinstance(value, str):
        sign = "+" if moved >= 0.5 else ""
        rate = share(moved, abs(value - moved))
        told = f" ({'+' if rate and moved > 0 else ''}{rate})".replace("-", _MINUS) if rate else ""
        lines.append(f'<dd class="change">{signed(f"{sign}{money(moved)}", "change", adverse=adverse)}{told}</dd>')
    if beside:
        lines.append(f'<dd class="change">{minus(escape(beside))}</dd>')
    return f"<div>{''.join(lines)}</div>"


def figures_html(figures: Sequence[str]) -> str:
    """Figures of note beside each other."""
    return f'<dl class="figures">{"".join(figures)}</dl>'


def table_html(table: Table) -> str:
    """A table for people and for screen readers; a row that leads somewhere is a link that the arrow keys reach."""
    section = table.section
    heads = "".join(_head(column, table.sorts.get(at), _sorted(table, at)) for at, column in enumerate(section.columns))
    rows = "".join(_row(table, at) for at in range(len(section.rows)))
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(section.title)}"><table>'
        f'<thead><tr><th scope="col" class="name">{escape(section.names)}</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def card_html(card: Card, slot: str) -> str:
    """A card of words or of a table; of a figure its head alone."""
    drawn = not isinstance(card.body, Table | Word)
    forms = [*(["png"] if drawn else []), *(["tsv", "csv", "parquet"] if card.data is not None else [])]
    head = _card_head(card, slot, forms) if card.title else ""
    if isinstance(card.body, Table):
        return head + table_html(card.body) + _sentences(card.body)
    return head + (card.body.html if isinstance(card.body, Word) else "")


def _card_head(card: Card, slot: str, forms: Sequence[str]) -> str:
    """The title of a card, its note, and buttons for what can be taken along."""
    tools = "".join(
        f'<button type="button" data-take="{form}" data-slot="{escape(slot)}" title="{_TAKEN[form][1]}">'
        f"{_TAKEN[form][0]}</button>"
        for form in forms
    )
    note = f'<p class="note">{minus(escape(card.note))}</p>' if card.note else ""
    return f'<header><h2>{escape(card.title)}</h2><div class="tools">{tools}</div></header>{note}'


def waiting_html(later: Later) -> str:
    """What stands where a card will be."""
    return (
        f'<header><h2>{escape(later.title)}</h2></header><p class="note" role="status">{escape(later.said)}</p>'
        '<div class="waiting"></div>'
    )


def _sentences(table: Table) -> str:
    marked = [said for said in table.section.sentences if said.startswith("*")]
    return "".join(f'<p class="gap">{escape(said)}</p>' for said in marked)


def _sorted(table: Table, at: int) -> str:
    """Whether the rows are in the order of a column, as screen readers are told."""
    if table.sorted is None or table.sorted[0] != at:
        return ""
    return f' aria-sort="{"descending" if table.sorted[1] else "ascending"}"'


def _head(column: Column, sort: State | None, order: str) -> str:
    kind = "text" if column.kind in _WORDED else "count"
    unit = f"<small>{escape(column.unit)}</small>" if column.unit else ""
    name = escape(column.head) if sort is None else anchor(column.head, sort, "sort")
    return f'<th scope="col" class="{kind}"{order}>{name}{unit}</th>'


def _row(table: Table, at: int) -> str:
    row = table.section.rows[at]
    link = table.links[at] if at < len(table.links) else None
    name = escape(row.name) if link is None else anchor(row.name, link, "row")
    kinds = [f"depth-{min(row.depth, 5)}", *(["parent"] if row.parent else []), *(["goes"] if link else [])]
    current = ' aria-current="true"' if table.chosen == at else ""
    cells = "".join(_cell(table, at, place) for place in range(len(row.cells)))
    return f'<tr class="{" ".join(kinds)}"{current}><th scope="row" class="name">{name}</th>{cells}</tr>'


def _cell(table: Table, at: int, place: int) -> str:
    row, column = table.section.rows[at], table.section.columns[place]
    shown = signed(row.cells[place], column.kind, adverse=place in table.adverse)
    if column.kind in ("share", "status") and row.partial:
        shown = f'<span class="gap">{shown}</span>'
    bar = _bar(table.bars[place][at]) if place in table.bars else ""
    worded = {"text": "text", "status": "text", "sentence": "text sentence"}.get(column.kind, "")
    kind = f' class="{worded}"' if worded else ' class="bar"' if bar else ""
    return f"<td{kind}>{bar}{shown}</td>"


def _bar(share: float) -> str:
    """A bar as wide as a share, of the colour of losses where it is below zero."""
    if not share:
        return ""
    side = ' class="below"' if share < 0.0 else ""
    return f'<i{side} style="width:{min(abs(share), 1.0) * 100:.1f}%"></i>'
