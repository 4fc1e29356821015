"""The dictionary: every dimension, coordinate and variable of riskgrid's datasets once, with type, unit and a sentence.

Conventions that hold everywhere: a loss is a positive VaR; P&L is value plus settled cash minus base value; rates are
decimals, continuously compounded, ACT/365F unless a convention says otherwise; money is in the reporting currency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import xarray as xr

from riskgrid.errors import InputError, UnknownName

__all__ = ["DICTIONARY", "SPECS", "Entry", "Spec", "Status", "annotate", "check", "describe_schema", "schema_page"]


class Status(IntEnum):
    """What became of a trade; a trade without a number is left out of every sum and counted."""

    PRICED = 0
    EXPIRED = 1
    NO_NUMBER = 2
    OUT_OF_RANGE = 3
    FAILED = 4

    @property
    def sentence(self) -> str:
        """The status for people."""
        return {
            Status.PRICED: "priced in every scenario",
            Status.EXPIRED: "expired on or before the valuation date, worth nothing",
            Status.NO_NUMBER: "no number in at least one scenario",
            Status.OUT_OF_RANGE: "P&L beyond the range of 64-bit ticks",
            Status.FAILED: "could not be priced; the problem says why",
        }[self]


@dataclass(frozen=True)
class Entry:
    """One name of the dictionary. role : dimension, coordinate or variable.   kind : the NumPy kinds allowed."""

    name: str
    role: str
    dims: tuple[str, ...]
    kind: str
    unit: str
    sentence: str


@dataclass(frozen=True)
class Spec:
    """A kind of dataset: names it must have and names it may have."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


_NUMBER, _WHOLE, _TEXT, _FLAG, _DATE = "f", "iu", "OUT", "b", "M"

DICTIONARY: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("trade", "dimension", ("trade",), _WHOLE, "", "one trade, in the order of its block"),
        Entry(
            "scenario", "dimension", ("scenario",), _TEXT, "", "one state of the market beside the base, by its label"
        ),
        Entry("factor", "dimension", ("factor",), _TEXT, "", "one number of the market, kind:name[:coordinate...]"),
        Entry("cell", "dimension", ("cell",), _WHOLE, "", "one combination of the run's cell labels"),
        Entry("node", "dimension", ("node",), _WHOLE, "", "one row of a drill-down, the total first"),
        Entry("date", "dimension", ("date",), _DATE, "", "one day of a market history"),
        Entry(
            "time", "dimension", ("time",), _TEXT, "", "whether the passing of the day is in P&L: excluded, included"
        ),
        Entry("scale", "variable", ("scenario", "factor"), _NUMBER, "1", "shift of a factor: x' = scale x + offset"),
        Entry("offset", "variable", ("scenario", "factor"), _NUMBER, "of the factor", "x' = scale x + offset"),
        Entry("weight", "variable", ("scenario",), _NUMBER, "1", "probability of a scenario; they sum to one"),
        Entry(
            "stale", "variable", ("scenario", "factor"), _FLAG, "", "the factor stood still because a quote was filled"
        ),
        Entry("unshocked", "coordinate", ("factor",), _FLAG, "", "the factor has neither history nor proxy, and stays"),
        Entry("level", "variable", ("date", "factor"), _NUMBER, "of the factor", "level of a factor on a day"),
        Entry("pnl", "variable", ("*", "scenario"), _NUMBER, "reporting currency", "value + settled cash - base value"),
        Entry("base_value", "variable", ("*",), _NUMBER, "reporting currency", "present value in the base state"),
        Entry("status", "variable", ("trade",), _WHOLE, "", "what became of the trade, see Status"),
        Entry("trade_id", "coordinate", ("trade",), _TEXT, "", "the trade's id, unique in the portfolio"),
        Entry("instrument", "coordinate", ("*",), _TEXT, "", "name of the instrument"),
        Entry("currency", "coordinate", ("*",), _TEXT, "", "currency the trade's value is in"),
        Entry("region", "coordinate", ("*",), _TEXT, "", "label: where the desk sits"),
        Entry("desk", "coordinate", ("*",), _TEXT, "", "label: who answers for the risk"),
        Entry("book", "coordinate", ("*",), _TEXT, "", "label: where the trade is kept"),
        Entry("counterparty", "coordinate", ("*",), _TEXT, "", "label: with whom the trade was made"),
        Entry("netting_set", "coordinate", ("*",), _TEXT, "", "label: trades that net on default"),
        Entry("depth", "coordinate", ("node",), _WHOLE, "", "0 for the total, then one more a label"),
        Entry("trades", "variable", ("*",), _WHOLE, "trades", "trades of the node, priced or not"),
        Entry("unpriced", "variable", ("*",), _WHOLE, "trades", "trades without a number, left out of every sum"),
        Entry("coverage", "variable", ("*",), _NUMBER, "1", "share of trade x scenario pairs with a number"),
        Entry(
            "coverage_value",
            "variable",
            ("*",),
            _NUMBER,
            "1",
            "share of known |PV| with a number in every scenario; beyond 9e15 it counts as 4.4e12, so is at most this",
        ),
        Entry("piece", "dimension", ("piece",), _TEXT, "", "one part of the P&L between two runs; they add up"),
        Entry("total", "variable", ("*",), _NUMBER, "reporting currency", "sum of all pieces of P&L"),
        Entry(
            "settled", "variable", ("trade",), _NUMBER, "reporting currency", "cash that was settled between two runs"
        ),
        Entry(
            "value_change", "variable", ("trade",), _NUMBER, "reporting currency", "value in a later run less before"
        ),
        Entry("problem", "variable", ("trade",), _TEXT, "", "why the trade has no number, empty where it has one"),
        Entry("value_at_risk", "variable", ("*",), _NUMBER, "reporting currency", "minus the quantile of P&L"),
        Entry("expected_shortfall", "variable", ("*",), _NUMBER, "reporting currency", "mean loss in the tail"),
        Entry(
            "valued", "coordinate", ("date",), _DATE, "", "the day of the VaR that the P&L of a date is held against"
        ),
        Entry("exception", "variable", ("*",), _FLAG, "", "the loss is greater than VaR, or one of both is missing"),
        Entry(
            "risk_theoretical",
            "variable",
            ("*",),
            _NUMBER,
            "reporting currency",
            "P&L of a day as the model sees its move",
        ),
        Entry("bumped", "coordinate", ("scenario",), _TEXT, "", "of a ladder: the factor that moves, or date"),
        Entry(
            "bump",
            "coordinate",
            ("*",),
            _NUMBER,
            "unit",
            "of a ladder: by how much, with its sign; of a factor: its size",
        ),
        Entry("unit", "coordinate", ("*",), _TEXT, "", "of a bump: bp, % of the level, vol (a volatility point), day"),
        Entry("spot_move", "coordinate", ("*",), _NUMBER, "1", "relative move of an underlying's spot"),
        Entry(
            "vol_move", "coordinate", ("*",), _NUMBER, "1", "move of every volatility of an underlying, 0.01 is a point"
        ),
        Entry("delta", "variable", ("*", "factor"), _NUMBER, "reporting currency", "P&L per bump, central difference"),
        Entry("gamma", "variable", ("*", "factor"), _NUMBER, "reporting currency", "change of delta over one bump"),
        Entry("theta", "variable", ("*",), _NUMBER, "reporting currency", "P&L of one day in which no level moves"),
        Entry("kind", "coordinate", ("factor",), _TEXT, "", "kind of a factor: zero, par, fx, equity, vol ..."),
        Entry("name", "coordinate", ("*",), _TEXT, "", "name of a factor's curve, surface, share, currency, issuer"),
        Entry("tenor", "coordinate", ("*",), _TEXT, "", "tenor of a rate or a price, expiry of a volatility"),
        Entry("moneyness", "coordinate", ("*",), _TEXT, "", "strike over forward of a volatility"),
        Entry(
            "space", "coordinate", ("factor",), _TEXT, "", "where a rate is bumped: par (quotes) or zero, else empty"
        ),
        Entry("bucket", "dimension", ("bucket",), _WHOLE, "", "factors whose sensitivities are added up"),
    )
}

SPECS: dict[str, Spec] = {
    spec.name: spec
    for spec in (
        Spec("scenario set", ("scenario", "factor", "scale", "offset"), ("weight", "date", "stale", "unshocked")),
        Spec("history", ("date", "factor", "level"), ("stale",)),
        Spec("trades", ("trade", "scenario", "pnl", "base_value", "status", "trade_id", "instrument")),
        Spec("cells", ("cell", "scenario", "pnl", "base_value", "trades", "unpriced")),
        Spec("nodes", ("node", "scenario", "pnl", "base_value", "trades", "unpriced", "coverage", "depth")),
    )
}


def check(dataset: xr.Dataset, spec: str) -> xr.Dataset:
    """The dataset, if it satisfies a spec; else one InputError that names every variable that does not.

    >>> check(xr.Dataset(), "history")
    Traceback (most recent call last):
    ...
    riskgrid.errors.InputError: not a history: no 'date'; no 'factor'; no 'level'
    """
    if spec not in SPECS:
        raise UnknownName("spec", spec, SPECS)
    problems = list(_problems(dataset, SPECS[spec]))
    if problems:
        raise InputError(f"not a {spec}: " + "; ".join(problems))
    return dataset


def annotate(dataset: xr.Dataset, currency: str) -> xr.Dataset:
    """The dataset, its variables carrying the dictionary's unit and sentence as attributes."""
    for name, variable in dataset.variables.items():
        entry = DICTIONARY.get(str(name))
        if entry is not None and str(name) not in dataset.sizes:
            variable.attrs["long_name"] = entry.sentence
            if entry.unit:
                variable.attrs["units"] = currency if entry.unit == "reporting currency" else entry.unit
    if "status" in dataset.variables:
        dataset["status"].attrs["flag_values"] = [status.value for status in Status]
        dataset["status"].attrs["flag_meanings"] = " ".join(status.name.lower() for status in Status)
    return dataset


def describe_schema() -> list[tuple[str, str, str, str, str]]:
    """The dictionary as rows: name, role, dimensions, unit, sentence."""
    return [
        (entry.name, entry.role, ", ".join(entry.dims), entry.unit, entry.sentence) for entry in DICTIONARY.values()
    ]


def schema_page() -> str:
    """The dictionary as a Markdown page."""
    head = (__doc__ or "").strip().split("\n\n")
    lines = ["# Dictionary", "", *head, "", "| name | role | dimensions | unit | meaning |", "|---|---|---|---|---|"]
    for row in describe_schema():
        name, *rest = (text.replace("|", "\\|") for text in row)
        lines.append(f"| `{name}` | " + " | ".join(rest) + " |")
    lines += ["", "## Status of a trade", "", "| code | status | meaning |", "|---|---|---|"]
    lines += [f"| {status.value} | {status.name} | {status.sentence} |" for status in Status]
    return "\n".join(lines) + "\n"


def _problems(dataset: xr.Dataset, spec: Spec) -> Iterator[str]:
    for name in (*spec.required, *spec.optional):
        entry = DICTIONARY[name]
        if name not in dataset.variables:
            missing = name not in dataset.sizes if entry.role == "dimension" else name in spec.required
            if missing and name in spec.required:
                yield f"no '{name}'"
            continue
        found = dataset[name]
        if found.dtype.kind not in entry.kind and name != "date":
            yield f"'{name}' is {found.dtype}, not {_spoken(entry.kind)}"
        fixed = [dim for dim in entry.dims if dim != "*"]
        if name != "date" and not set(fixed) <= set(found.dims):
            yield f"'{name}' has dimensions ({', '.join(map(str, found.dims))}), not ({', '.join(entry.dims)})"
        if found.dtype.kind == "f" and name in ("scale", "offset", "weight") and not np.isfinite(found.values).all():
            yield f"'{name}' holds a number that is not finite"


def _spoken(kind: str) -> str:
    return {"f": "float64", "iu": "whole numbers", "OUT": "text", "b": "flags", "M": "dates"}[kind]
