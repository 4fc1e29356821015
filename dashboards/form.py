"""Forms as HTML: fields with their labels above them, one button, and a place where is said why nothing was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Field", "fields_html", "form_html"]


# not an input for dates, which shows them in the order of wherever the browser comes from
_HINTS = {"number": ' inputmode="decimal" class="number"', "date": ' inputmode="numeric" placeholder="yyyy-mm-dd"'}


@dataclass(frozen=True)
class Field:
    """One thing to fill in.   kind : ``text, date, number``; a number may be written as people do.

    choices : all that it may be.   known : what is offered, other texts may be right.   span : columns that it takes.
    """

    name: str
    label: str
    value: str = ""
    unit: str = ""
    kind: str = "text"
    choices: Sequence[str] = ()
    known: Sequence[str] = ()
    required: bool = False
    span: int = 1


def form_html(act: str, inside: str, button: str, *, primary: bool = False, beside: str = "") -> str:
    """A form that does ``act`` of its page.   inside : HTML of its fields.   beside : HTML beside its button."""
    kind = "primary" if primary else "second"
    return (
        f'<form class="asks" data-act="{escape(act)}" autocomplete="off" novalidate>'
        f'<div class="fields">{inside}</div><p class="said" data-said role="alert"></p>'
        f'<div class="does"><button type="button" class="{kind}">{escape(button)}</button>{beside}</div></form>'
    )


def fields_html(fields: Iterable[Field]) -> str:
    """Fields side by side, as many as there is room for."""
    return "".join(map(_field, fields))


def _field(field: Field) -> str:
    unit = f" <small>{escape(field.unit)}</small>" if field.unit else ""
    wide = f' style="grid-column:span {field.span}"' if field.span > 1 else ""
    need = ' aria-required="true"' if field.required else ""
    name = f'name="{escape(field.name)}"{need}'
    if field.choices:
        control = f"<select {name}>{''.join(_option(each, field.value) for each in field.choices)}</select>"
    else:
        hints = _HINTS.get(field.kind, "")
        listed, offered = "", ""
        if field.known:
            listed = f' list="known-{escape(field.name)}"'
            options = "".join(f'<option value="{escape(each)}"></option>' for each in field.known)
            offered = f'<datalist id="known-{escape(field.name)}">{options}</datalist>'
        control = f'<input type="text" {name} value="{escape(field.value)}"{hints}{listed} spellcheck="false">{offered}'
    return f"<label{wide}><span>{escape(field.label)}{unit}</span>{control}</label>"


def _option(text: str, chosen: str) -> str:
    return f'<option value="{escape(text)}"{" selected" if text == chosen else ""}>{escape(text or "(none)")}</option>'
