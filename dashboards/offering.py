"""The ways to put a change into a draft: trades to drop or resize, and forms for trades, market and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.draft import Draft
from riskgrid.dashboards.form import Field, fields_html, form_html
from riskgrid.dashboards.look import HIERARCHY, Look
from riskgrid.dashboards.markup import anchor, signed
from riskgrid.dashboards.state import State
from riskgrid.dashboards.trade_form import trade_fields
from riskgrid.detail import trades
from riskgrid.page import money
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run

__all__ = ["offered"]

_ROWS = 10

_WAYS = {
    "": "Resize or drop",
    "add": "Add a trade",
    "market": "Move the market",
    "labels": "Re-hang",
}


def offered(state: State, look: Look, run: Run) -> Card:
    """The way that ``state.part`` names, with links to the others."""
    way, _, of = state.part.partition(".")
    way = way if way in _WAYS else ""
    made = {"": lambda: _grid(state, run), "add": lambda: _adding(state, look, run, of)}
    made |= {"market": lambda: _moving(run), "labels": lambda: _hanging(look, run)}
    inside = made[way]()
    links = "".join(_way_link(key, words, state, current=key == way) for key, words in _WAYS.items())
    return Card("", Word(f'<nav class="parts" aria-label="Ways to change">{links}</nav>{inside}'))


def _way_link(key: str, words: str, state: State, *, current: bool) -> str:
    mark = ' aria-current="true"' if current else ""
    return f'<a href="{escape(state.but(part=key, start=0).query)}"{mark}>{escape(words)}</a>'


# -- trades --------------------------------------------------------------------------------------------------------


def _grid(state: State, run: Run) -> str:
    table = trades(run, state.narrowed, containing=state.trade, start=state.start, count=_ROWS)
    draft = Draft.of(state.draft)
    matching = int(table.attrs["matching"])
    find = fields_html([Field("find", "Trade", state.trade, unit="part of its id")])
    finding = form_html("find", find, "Find")
    rows = "".join(_row(run, draft, str(trade), table, at) for at, trade in enumerate(table["trade_id"].values))
    heads = "".join(
        f'<th scope="col" class="{kind}">{head}<small>{unit}</small></th>'
        for head, unit, kind in (
            ("Book", "", "text"),
            ("Instrument", "", "text"),
            ("Value", str(table.attrs["currency"]), "count"),
            ("Quantity", "units", "count"),
            ("Drop", "", "count"),
        )
    )
    body = (
        '<form data-act="trades" data-now autocomplete="off"><p class="said" data-said role="alert"></p>'
        '<div class="scroll" role="region" tabindex="0" aria-label="Trades"><table><thead><tr>'
        f'<th scope="col" class="name">Trade</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></form>'
    )
    return finding + (body if matching else '<div class="empty">No trade is called so.</div>') + _pager(state, matching)


def _row(run: Run, draft: Draft, trade: str, table: Any, at: int) -> str:
    gone = trade in draft.form.get("drop", [])
    size = draft.form.get("resize", {}).get(trade, run.portfolio.trade(trade)["quantity"])
    told = escape(trade)
    return (
        f'<tr{" class=" + chr(34) + "gone" + chr(34) if gone else ""}><th scope="row" class="name">{told}</th>'
        f'<td class="text">{escape(str(table["book"].values[at]))}</td>'
        f'<td class="text">{escape(str(table["instrument"].values[at]).replace("_", " "))}</td>'
        f"<td>{signed(money(float(table['base_value'].values[at])))}</td>"
        f'<td><input type="text" inputmode="decimal" name="quantity:{told}" value="{size:,.12g}" '
        f'aria-label="Quantity of {told}"{" disabled" if gone else ""}></td>'
        f'<td class="drop"><input type="checkbox" name="drop:{told}"{" checked" if gone else ""} '
        f'aria-label="Drop {told}"></td></tr>'
    )


def _pager(state: State, matching: int) -> str:
    last = min(state.start + _ROWS, matching)
    words = [f"<span>{state.start + 1:,} to {last:,} of {matching:,}</span>"] if matching else []
    if state.start:
        words.append(anchor("Earlier", state.but(start=max(state.start - _ROWS, 0))))
    if last < matching:
        words.append(anchor("Later", state.but(start=last)))
    return f'<p class="facts">{"".join(words)}</p>'


def _adding(state: State, look: Look, run: Run, of: str) -> str:
    """The form of an instrument, labels as where one looks."""
    known = list(INSTRUMENTS)
    instrument = of if of in known else known[0]
    options = "".join(
        f'<option value="{escape(state.but(part=f"add.{name}").query)}"{" selected" if name == instrument else ""}>'
        f"{escape(name.replace('_', ' '))}</option>"
        for name in known
    )
    choice = f'<label class="choice">Instrument <select data-go>{options}</select></label>'
    labels = run.cube.labels
    names = {label: [str(name) for name in labels[label].names] for label in look.labels(run)}
    given = {label: names[label][0] for label in HIERARCHY if len(names.get(label, ())) == 1}
    given |= dict(state.where) | {"trade_id": _free(run, Draft.of(state.draft))}
    fields = trade_fields(instrument, run.market, given, names)
    hidden = f'<input type="hidden" name="instrument" value="{escape(instrument)}">'
    return f'{choice}<p class="note">{escape(INSTRUMENTS[instrument].summary)}</p>' + form_html(
        "add", hidden + fields, "Put into the draft"
    )


def _free(run: Run, draft: Draft) -> str:
    """An id that no trade has."""
    taken = {row.get("trade_id") for rows in draft.form.get("add", {}).values() for row in rows}
    there = set(run.portfolio.places()) | taken
    return next(name for at in range(1, len(there) + 2) if (name := f"NEW-{at}") not in there)


# -- market and labels ---------------------------------------------------------------------------------------------


def _moving(run: Run) -> str:
    pattern = Field("pattern", "Factors", unit="* for any", known=_patterns(run), required=True, span=2)
    shock = Field("shock", "By", unit="-5%, +10bp, x1.5, =0.02", required=True)
    note = "Every scenario is taken again from the market so moved. A later line replaces an earlier one."
    return f'<p class="note">{note}</p>' + form_html("shift", fields_html([pattern, shock]), "Put into the draft")


def _patterns(run: Run) -> Sequence[str]:
    """Kinds of factors, then names: what a shift may be of."""
    kinds: dict[str, None] = {}
    names: dict[str, None] = {}
    for factor in sorted(run.market.factors):
        kind, name, *rest = factor.split(":")
        kinds[f"{kind}:*"] = None
        names[f"{kind}:{name}:*" if rest else factor] = None
    return [*kinds, *names]


def _hanging(look: Look, run: Run) -> str:
    labels = [label for label in look.labels(run) if label not in ("instrument", "currency")]
    known: Mapping[str, Any] = run.cube.labels
    values = sorted({str(name) for label in labels[:3] for name in known[label].names if str(name)})
    fields = [
        Field("where_label", "Trades whose", labels[-1] if "book" not in labels else "book", choices=labels),
        Field("where_value", "is", known=values, required=True),
        Field("to_label", "get as", "desk" if "desk" in labels else labels[0], choices=labels),
        Field("to_value", "the value", known=values, required=True),
    ]
    note = "No label is in a price: trades are summed elsewhere, nothing is priced."
    return f'<p class="note">{note}</p>' + form_html("rehang", fields_html(fields), "Put into the draft")
