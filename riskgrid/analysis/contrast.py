"""What differs between the inputs of two runs: trades, market, scenarios, spec, code and environment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios import set as scenario_set
from riskgrid.terms import COMMON_TERMS, LABELS, Flags

__all__ = [
    "TradeContrast",
    "environment_sentences",
    "market_sentences",
    "scenario_sentences",
    "spec_sentences",
    "trades",
]

_ALWAYS = frozenset(LABELS)
_MOST = 3  # examples of a thing


@dataclass(frozen=True)
class TradeContrast:
    """Trades of a second portfolio against those of a first. dropped, added, amended : trade_ids, sorted.

    rehung : trade_id to its labels of the second, of trades that differ in labels alone.
    """

    dropped: tuple[str, ...]
    added: tuple[str, ...]
    amended: tuple[str, ...]
    rehung: Mapping[str, Mapping[str, str]]

    def within(self, columns: Mapping[str, Sequence[str]], second: Portfolio) -> TradeContrast:
        """The same, where trades that get a label which their instrument lacked count as amended.

        columns : of the first portfolio's tables, by instrument.
        """
        rest, moved = {}, []
        for trade, labels in self.rehung.items():
            held = columns[str(second.trade(trade)["instrument"])] if set(labels) - _ALWAYS else labels
            if set(labels) <= set(held):
                rest[trade] = labels
            else:
                moved.append(trade)
        return TradeContrast(self.dropped, self.added, tuple(sorted([*self.amended, *moved])), rest)

    def sentences(self) -> list[str]:
        """How many of each, with examples."""
        every = {"dropped": self.dropped, "added": self.added, "amended": self.amended, "re-hung": tuple(self.rehung)}
        return [f"{len(ids):,} trade{'s' * (len(ids) > 1)} {verb}: {_some(ids)}." for verb, ids in every.items() if ids]


def trades(first: Portfolio, second: Portfolio) -> TradeContrast:
    """What happened to trades between two portfolios.

    >>> trades(Portfolio({}), Portfolio({})).sentences()
    []
    """
    if first.digest == second.digest:
        return TradeContrast((), (), (), {})
    dropped: set[str] = set()
    added: set[str] = set()
    amended: list[str] = []
    rehung: dict[str, dict[str, str]] = {}
    for name in sorted({*first.tables, *second.tables}):
        one, other = (_ids(portfolio, name) for portfolio in (first, second))
        dropped |= set(one.difference(other))
        added |= set(other.difference(one))
        both = one.intersection(other)
        if not len(both):
            continue
        tables = [
            portfolio.tables[name].take(pa.array(ids.get_indexer(both)))
            for portfolio, ids in ((first, one), (second, other))
        ]
        changed, labels = _changed(tables[0], tables[1])
        amended += both[changed].tolist()
        for label, differs in labels.items():
            texts = _values(tables[1], label)
            for at in np.flatnonzero(differs & ~changed).tolist():
                rehung.setdefault(both[at], {})[label] = texts[at]
    amended += dropped & added  # of another instrument now
    gone, come = dropped - set(amended), added - set(amended)
    return TradeContrast(tuple(sorted(gone)), tuple(sorted(come)), tuple(sorted(amended)), dict(sorted(rehung.items())))


def market_sentences(first: MarketSnapshot, second: MarketSnapshot) -> list[str]:
    """What differs between two markets, the largest moves of levels by name."""
    said = [f"The market is of {second.date}, before of {first.date}."] if first.date != second.date else []
    one, other = (dict(zip(market.factors, market.levels.tolist(), strict=True)) for market in (first, second))
    for verb, names in (("gone", one.keys() - other.keys()), ("new", other.keys() - one.keys())):
        if names:
            said.append(f"{_count(len(names), 'factor')} {verb}: {_some(sorted(names))}.")
    moved = {
        name: _size(name, one[name], other[name]) for name in one.keys() & other.keys() if one[name] != other[name]
    }
    if moved:
        largest = sorted(moved, key=lambda name: (-moved[name], name))[:_MOST]
        told = ", ".join(f"{name} {one[name]:.6g} to {other[name]:.6g}" for name in largest)
        said.append(f"{_count(len(moved), 'factor')} moved, most of all {told}.")
    for name, differs in (
        ("numeraire", first.numeraire != second.numeraire),
        ("conventions", first.conventions != second.conventions),
        ("fixings", first.fixings.keys() != second.fixings.keys() or _fixings(first) != _fixings(second)),
    ):
        if differs:
            said.append(f"The market's {name} differ{'s' * (name == 'numeraire')}.")
    return said


def scenario_sentences(first: xr.Dataset, second: xr.Dataset) -> list[str]:
    """What differs between two scenario sets."""
    if scenario_set.digest(first) == scenario_set.digest(second):
        return []
    one, other = (list(map(str, scenarios["scenario"].values)) for scenarios in (first, second))
    names = [f"{scenarios.attrs['name']} of {scenarios.sizes['scenario']:,}" for scenarios in (first, second)]
    said = [f"The scenarios are {names[1]}, before {names[0]}."]
    for verb, labels in (("gone", sorted(set(one) - set(other))), ("new", sorted(set(other) - set(one)))):
        if labels:
            said.append(f"{_count(len(labels), 'scenario')} {verb}: {_some(labels)}.")
    return said


def spec_sentences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs between the specs in two manifests."""
    words = {"reporting": "reporting currency", "bits": "tick bits", "cut": "cut", "cell_labels": "cell labels"}
    return [
        f"The {word} {'are' if word.endswith('s') else 'is'} {_spoken(second[name])}, before {_spoken(first[name])}."
        for name, word in words.items()
        if first[name] != second[name]
    ]


def environment_sentences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs between code, numerics and environment in two manifests."""
    said = []
    one, other = first["code_parts"], second["code_parts"]
    changed = sorted(name for name in one.keys() & other.keys() if one[name] != other[name])
    if changed:
        said.append(f"The code of {', '.join(changed)} differs.")
    if first["numerics"] != second["numerics"]:
        said.append(f"The numerics are {second['numerics']}, before {first['numerics']}.")
    was, now = first["environment"], second["environment"]
    for name in ("riskgrid", "commit", "python", "platform"):
        if was[name] != now[name]:
            said.append(f"The {'version' if name == 'riskgrid' else name} is {now[name]}, before {was[name]}.")
    moved = [name for name in now["packages"] if was["packages"].get(name) != now["packages"][name]]
    if moved:
        told = ", ".join(f"{name} {was['packages'].get(name, 'none')} to {now['packages'][name]}" for name in moved)
        said.append(f"Packages differ: {told}.")
    return said


def _ids(portfolio: Portfolio, name: str) -> Any:
    table = portfolio.tables.get(name)
    return pd.Index([] if table is None else table["trade_id"].to_pylist(), dtype=object)


def _changed(one: Any, other: Any) -> tuple[Flags, dict[str, Flags]]:
    """Rows of which a term differs, and label to the rows in which it does."""
    first = one.column_names.index(COMMON_TERMS[0].name)
    terms = one.column_names[first:]
    changed = np.zeros(one.num_rows, np.bool_)
    for name in terms:
        changed |= _differ(_values(one, name), _values(other, name))
    own = {*one.column_names[:first], *other.column_names} - {*terms, "trade_id"}
    return changed, {label: _differ(_values(one, label), _values(other, label)) for label in sorted(own)}


def _values(table: Any, name: str) -> NDArray[Any]:
    if name not in table.column_names:
        return np.full(table.num_rows, "", object)
    column = table[name]
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    values: NDArray[Any] = column.to_numpy()
    return values


def _differ(one: NDArray[Any], other: NDArray[Any]) -> Flags:
    differs = np.asarray(one != other, np.bool_)
    return differs & ~(np.isnan(one) & np.isnan(other)) if one.dtype.kind == "f" else differs


def _size(name: str, before: float, after: float) -> float:
    """How large a move is, to rank it: relative where levels are, else in per cent of the unit."""
    relative = name.partition(":")[0] in ("fx", "equity", "commodity", "vol")
    return abs(math.log(after / before)) if relative and before > 0 and after > 0 else 100.0 * abs(after - before)


def _fixings(market: MarketSnapshot) -> dict[str, bytes]:
    return {name: series.digest() for name, series in market.fixings.items()}


def _spoken(value: Any) -> str:
    return ", ".join(value) if isinstance(value, (list, tuple)) else str(value)


def _some(names: Any) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST:,} more" if len(names) > _MOST else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
