"""The ways to put a change into a draft: trades to drop or resize, and forms for trades, market and labels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from riskgrid.dashboards.card import Card, Later, Word
from riskgrid.dashboards.form import Field, fields_html, form_html
from riskgrid.dashboards.look import HIERARCHY, Look
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.pages.what_if.stresses import Stress, is_of_sample, stresses
from riskgrid.dashboards.pages.what_if.trade_form import trade_fields
from riskgrid.dashboards.pages.what_if.trade_grid import trade_grid
from riskgrid.dashboards.state import State
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run

__all__ = ["offered"]

#: Names that a field offers.
_OFFERED = 500

_WAYS = {
    "": "Resize or drop",
    "add": "Add a trade",
    "market": "Move the market",
    "stress": "Stress library",
    "labels": "Re-hang",
    "inputs": "Other inputs",
}


def offered(state: State, look: Look, run: Run) -> Card | Later:
    """The way that ``state.part`` names, with links to the others."""
    way, _, of = state.part.partition(".")
    way = way if way in _WAYS else ""
    links = "".join(_way_link(key, words, state, current=key == way) for key, words in _WAYS.items())
    nav = f'<nav class="parts" aria-label="Ways to change">{links}</nav>'
    if way == "stress":
        asked = ("stresses", [run], None)
        said = "Looking for those that fit this market and these scenarios."
        return look.later(
            _WAYS[way], said, asked, lambda: stresses(run), lambda found: Card("", Word(nav + _stressing(found)))
        )
    made = {"": lambda: trade_grid(state, run), "add": lambda: _adding(state, look, run, of)}
    made |= {"market": lambda: _moving(run), "labels": lambda: _hanging(look, run)}
    made |= {"inputs": lambda: _replacing(look, run)}
    return Card("", Word(nav + made[way]()))


def _way_link(key: str, words: str, state: State, *, current: bool) -> str:
    mark = ' aria-current="true"' if current else ""
    return f'<a href="{escape(state.but(part=key, start=0).query)}"{mark}>{escape(words)}</a>'


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
    names = {label: _few(labels[label].names) for label in look.labels(run)}
    given = {label: names[label][0] for label in HIERARCHY if len(names.get(label, ())) == 1}
    given |= dict(state.where) | {"trade_id": _free(run, Draft.of(state.draft))}
    fields = trade_fields(instrument, run.market, given, names)
    said = INSTRUMENTS[instrument].summary.partition(". ")[0].rstrip(".") + "."
    hidden = f'<input type="hidden" name="instrument" value="{escape(instrument)}">'
    return f'{choice}<p class="note">{escape(said)}</p>' + form_html("add", hidden + fields, "Put into the draft")


def _few(names: Sequence[str]) -> list[str]:
    """What a field offers: none of more than anybody would look through."""
    return [str(name) for name in names if name] if len(names) <= _OFFERED else []


def _free(run: Run, draft: Draft) -> str:
    """An id that no trade has."""
    taken = {row.get("trade_id") for rows in draft.form.get("add", {}).values() for row in rows}
    names = (f"NEW-{at}" for at in itertools.count(1))
    return next(name for name in names if name not in taken and not run.portfolio.known([name]))


# -- market and labels ---------------------------------------------------------------------------------------------


def _moving(run: Run) -> str:
    pattern = Field("pattern", "Factors", unit="* for any", known=_patterns(run), required=True, span=2)
    shock = Field("shock", "By", unit="-5%, +10bp, x1.5, =0.02", required=True)
    note = "Every scenario is taken again from the market so moved. A later line replaces an earlier one."
    return f'<p class="note">{note}</p>' + form_html("shift", fields_html([pattern, shock]), "Put into the draft")


def _stressing(found: Sequence[Stress]) -> str:
    rows = "".join(map(_stress_row, found))
    note = (
        "A shift moves today's market, and every scenario is taken from there; on top, it comes after every scenario."
    )
    return (
        f'<p class="note">{note}</p><form data-act="stress"><p class="said" data-said role="alert"></p>'
        '<div class="scroll tall" role="region" tabindex="0" aria-label="Stress library"><table><thead><tr>'
        '<th scope="col" class="name">Stress</th><th scope="col" class="count">Factors</th>'
        '<th scope="col" class="text">Use it as</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></form>"
    )


def _stress_row(each: Stress) -> str:
    name = escape(each.name)
    shift = f'<button type="button" class="plain" name="shift" value="{name}">Shift</button>' if each.shifts else ""
    over = f'<button type="button" class="plain" name="over" value="{name}">On top</button>' if each.over else ""
    return (
        f'<tr title="{escape(each.told)}"><th scope="row" class="name">{name}</th><td>{each.factors:,}</td>'
        f'<td class="text"><span class="tools">{shift}{over}</span></td></tr>'
    )


def _replacing(look: Look, run: Run) -> str:
    """Markets and scenario sets by name; of the sample, its other dates."""
    door, who = look.desk.door, look.who
    fields = []
    for part, kind, label in (("snapshot", "market", "Market"), ("scenarios", "scenarios", "Scenarios")):
        names = list(door.inputs.names(kind, who))
        if names:
            fields.append(Field(part, label, unit="kept under a name", choices=["", *names], span=2))
    if is_of_sample(run.market):
        fields.append(Field("date", "The sample's market of", unit="a date", kind="date"))
    if not fields:
        return '<div class="empty">No market and no scenarios are kept under a name; riskgrid.keep gives one.</div>'
    note = "Everything is priced anew that differs; what is left empty stays as it is."
    return f'<p class="note">{note}</p>' + form_html("inputs", fields_html(fields), "Put into the draft")


def _patterns(run: Run) -> Sequence[str]:
    """Kinds of factors, then names: what a shift may be of."""
    kinds: dict[str, None] = {}
    names: dict[str, None] = {}
    for factor in sorted(run.market.factors):
        kind, name, *rest = factor.split(":")
        kinds[f"{kind}:*"] = None
        names[f"{kind}:{name}:*" if rest else factor] = None
    return [*kinds, *names][:_OFFERED]


def _hanging(look: Look, run: Run) -> str:
    labels = [label for label in look.labels(run) if label not in ("instrument", "currency")]
    known: Mapping[str, Any] = run.cube.labels
    values = sorted({name for label in labels[:3] for name in _few(known[label].names) if name})
    fields = [
        Field("where_label", "Trades whose", labels[-1] if "book" not in labels else "book", choices=labels),
        Field("where_value", "is", known=values, required=True),
        Field("to_label", "get as", "desk" if "desk" in labels else labels[0], choices=labels),
        Field("to_value", "the value", known=values, required=True),
    ]
    note = "No label is in a price: trades are summed elsewhere, nothing is priced."
    return f'<p class="note">{note}</p>' + form_html("rehang", fields_html(fields), "Put into the draft")
