"""A trade of any registered instrument as a form, and what was filled in as a row of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riskgrid.dashboards.form import Field, fields_html
from riskgrid.dashboards.look import HIERARCHY
from riskgrid.describing import instrument_schema
from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["number_of", "row_of", "trade_fields", "written"]

_LABELS = ("trade_id", *HIERARCHY)
_NUMBERS = ("number", "integer")


def trade_fields(
    instrument: str, market: MarketSnapshot, given: Mapping[str, str], labels: Mapping[str, Sequence[str]]
) -> str:
    """The fields of a form: labels and what every trade must state, then what has a default, folded away.

    given : values that stand there at first, the instrument's example elsewhere.   labels : known values of labels.
    """
    schema = instrument_schema(instrument)
    example = {**schema["examples"][0], "trade_date": str(market.date), **given}
    first: list[Field] = []
    more: list[Field] = []
    for name, term in schema["properties"].items():
        required = name in schema["required"]
        known = labels.get(name) or known_names(term.get("x-family", ""), market)
        value = example.get(name, "") if required or name in given else term.get("default", "")
        unit = term.get("x-unit", "")
        if "x-default-from" in term:
            unit = "; ".join(filter(None, [unit, f"that of {term['x-default-from'].replace('_', ' ')} where empty"]))
        field = Field(
            name,
            name.replace("_", " ").capitalize(),
            written(value),
            unit,
            _kind(term),
            tuple(term.get("enum", ())),
            known,
            required or name in HIERARCHY,
        )
        (first if required or name in _LABELS or name == "quantity" else more).append(field)
    first.sort(key=lambda field: field.name not in _LABELS)
    folded = f'<details><summary>More terms</summary><div class="fields">{fields_html(more)}</div></details>'
    return fields_html(first) + (folded if more else "")


def row_of(instrument: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """A row of the instrument's table: numbers as numbers, what is left empty left out.

    A number that is none stays as it was written, for the library to refuse.
    """
    terms = instrument_schema(instrument)["properties"]
    row: dict[str, Any] = {}
    for name, term in terms.items():
        text = fields.get(name, "").strip()
        if text:
            row[name] = number_of(text, whole=term["type"] == "integer") if term["type"] in _NUMBERS else text
    return row


def number_of(text: str, *, whole: bool = False) -> float | int | str:
    """A number as people write it, with commas between thousands and any minus sign; else the text.

    >>> number_of("1,000,000"), number_of("\N{MINUS SIGN}2.5"), number_of("4", whole=True), number_of("ten")
    (1000000.0, -2.5, 4, 'ten')
    """
    plain = text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace(" ", "")
    try:
        return int(plain) if whole else float(plain)
    except ValueError:
        return text


def known_names(family: str, market: MarketSnapshot) -> list[str]:
    """Names of a family that a market has, sorted: those that a trade can be priced with."""
    kinds = {
        "equity": ("equity",),
        "commodity": ("commodity",),
        "issuer": ("spread", "hazard"),
        "curve": ("zero", "par"),
    }
    if family == "index":
        return sorted(market.conventions.get("indices", {}))
    names = {factor.split(":")[1] for factor in market.factors if factor.split(":")[0] in kinds.get(family, ("",))}
    if family == "currency":
        names = {factor.split(":")[1] for factor in market.factors if factor.startswith("fx:")} | {market.numeraire}
    return sorted(names)


def _kind(term: Mapping[str, Any]) -> str:
    if term.get("format") == "date":
        return "date"
    return "number" if term["type"] in _NUMBERS else "text"


def written(value: Any) -> str:
    """A number as :func:`number_of` reads it, with a true minus sign; a text as it is.

    >>> written(1_000_000.0), written(-0.5) == "\N{MINUS SIGN}0.5", written(None)
    ('1,000,000', True, '')
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,.12g}".replace("-", "\N{MINUS SIGN}", 1) if value < 0 else f"{value:,.12g}"
    return str(value or "")
