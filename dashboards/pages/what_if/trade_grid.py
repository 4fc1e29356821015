"""Trades of a run as a grid in which they are dropped and resized, sheet by sheet."""

from __future__ import annotations

from html import escape
from typing import Any

from riskgrid.dashboards.markup import anchor, signed
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.pages.what_if.trade_form import written
from riskgrid.dashboards.state import State
from riskgrid.detail import trades
from riskgrid.page import money
from riskgrid.plots import node_name
from riskgrid.result import Run

__all__ = ["trade_grid"]

#: Trades of one sheet.
_ROWS = 10


def trade_grid(state: State, run: Run) -> str:
    """Trades that the state narrows to and finds, as they are or as the draft has them; each cell acts at once."""
    table = trades(run, state.narrowed, containing=state.trade, start=state.start, count=_ROWS)
    draft = Draft.of(state.draft)
    matching = int(table.attrs["matching"])
    finding = (
        '<form class="asks line" data-act="find"><label>Trades with '
        f'<input type="text" name="find" value="{escape(state.trade)}" placeholder="part of an id" spellcheck="false">'
        '</label><button type="button" class="second">Find</button>'
        f'{_narrowed(state)}<span class="said" data-said role="alert"></span></form>'
    )
    rows = "".join(_row(run, draft, str(trade), table, at) for at, trade in enumerate(table["trade_id"].values))
    heads = "".join(
        f'<th scope="col" class="{kind}">{head}<small>{unit}</small></th>'
        for head, unit, kind in (
            ("Drop", "", "count"),
            ("Quantity", "units", "count"),
            ("Value", str(table.attrs["currency"]), "count"),
            ("Book", "", "text"),
            ("Instrument", "", "text"),
        )
    )
    body = (
        '<form data-act="trades" data-now autocomplete="off"><p class="said" data-said role="alert"></p>'
        '<div class="scroll" role="region" tabindex="0" aria-label="Trades"><table><thead><tr>'
        f'<th scope="col" class="name">Trade</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></form>'
    )
    return finding + (body if matching else '<div class="empty">No trade is called so.</div>') + _pager(state, matching)


def _narrowed(state: State) -> str:
    """The labels that trades are narrowed to, and the way out."""
    if not state.where:
        return ""
    told = ", ".join(f"{label} {value}" if value else node_name(value, label) for label, value in state.where)
    return f"<span>of {escape(told)}</span>{anchor('All', state.but(where=(), start=0), 'quiet')}"


def _row(run: Run, draft: Draft, trade: str, table: Any, at: int) -> str:
    gone = trade in draft.form.get("drop", [])
    size = draft.form.get("resize", {}).get(trade, run.portfolio.trade(trade)["quantity"])
    told = escape(trade)
    marks = (' class="gone"', " checked", " disabled") if gone else ("", "", "")
    return (
        f'<tr{marks[0]}><th scope="row" class="name">{told}</th>'
        f'<td><input type="checkbox" name="drop:{told}" aria-label="Drop {told}"{marks[1]}></td>'
        f'<td><input type="text" inputmode="decimal" name="quantity:{told}" value="{written(size)}" '
        f'aria-label="Quantity of {told}"{marks[2]}></td>'
        f"<td>{signed(money(float(table['base_value'].values[at])))}</td>"
        f'<td class="text">{escape(str(table["book"].values[at]))}</td>'
        f'<td class="text">{escape(str(table["instrument"].values[at]).replace("_", " "))}</td></tr>'
    )


def _pager(state: State, matching: int) -> str:
    last = min(state.start + _ROWS, matching)
    words = [f"<span>{state.start + 1:,} to {last:,} of {matching:,}</span>"] if matching else []
    if state.start:
        words.append(anchor("Previous", state.but(start=max(state.start - _ROWS, 0))))
    if last < matching:
        words.append(anchor("Next", state.but(start=last)))
    return f'<p class="facts">{"".join(words)}</p>'
