"""Raw columns become an instrument's table: kinds, defaults, bounds, choices and currencies, every fault noted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskgrid.errors import BadRow, InputError
from riskgrid.portfolio.currencies import CURRENCIES
from riskgrid.portfolio.header import check_header, layout
from riskgrid.portfolio.parse import DICTIONARY, STORAGE, WANTED, flags, parse
from riskgrid.registry import Instrument
from riskgrid.terms import LABELS, Flags, Term

__all__ = ["MOST_BAD_ROWS", "Checked", "Finding", "Source", "bad_rows", "check", "duplicates"]

#: Bad cells that are listed one by one; the rest is counted in a last line.
MOST_BAD_ROWS = 100_000

#: Line ends, tabs and the like: an id stands in addresses, logs and files.
_CONTROL = r"\p{Cc}"

_FIRST_DAY, _LAST_DAY = np.datetime64("1900-01-01"), np.datetime64("2200-12-31")


@dataclass(frozen=True)
class Source:
    """A table as it was handed in.

    ``lines`` : (row,) line of each row in its file, the header included.   ``malformed`` : rows that were no rows.
    """

    place: str
    instrument: Instrument
    table: Any
    lines: NDArray[np.int64]
    malformed: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Rows of one source that break one rule in one column; one reason for all of them or one for each."""

    column: str
    rows: NDArray[np.int64]
    reason: str | Sequence[str]


@dataclass(frozen=True)
class Checked:
    """A source in its instrument's storage, bad rows still in place, with what was found wrong."""

    source: Source
    table: Any
    findings: tuple[Finding, ...]

    @property
    def good(self) -> Any:
        """The table without the rows in which anything was found wrong."""
        if not self.findings:
            return self.table
        keep = np.ones(self.table.num_rows, dtype=bool)
        for finding in self.findings:
            keep[finding.rows] = False
        return self.table if keep.all() else self.table.filter(pa.array(keep))

    @property
    def faults(self) -> int:
        """How many cells and rows are bad."""
        return len(self.source.malformed) + sum(len(finding.rows) for finding in self.findings)


def check(source: Source, sound: Collection[str] = ()) -> Checked:
    """Bring a source into its instrument's columns; InputError where the header is wrong or a column cannot fit.

    sound : columns that have been checked before, in storage, which are taken as they are.
    """
    own_labels = check_header(source.place, source.table.column_names, source.instrument)
    terms = layout(source.instrument, own_labels)
    findings: list[Finding] = []
    stated: dict[str, Any] = {}
    for term in terms:
        if term.name not in sound:
            stated[term.name], found = _stated(source, term)
            findings += found
    checked = [term for term in terms if term.name not in sound]
    columns = {name: source.table[name] for name in sound} | _with_defaults(checked, stated, source.table.num_rows)
    return Checked(source, pa.table({term.name: columns[term.name] for term in terms}), tuple(findings))


def duplicates(every: Sequence[Checked]) -> list[Checked]:
    """The same, with each trade_id that an earlier row has already noted as a finding on the later row."""
    if not any(checked.table.num_rows for checked in every):
        return list(every)
    ids = pa.concat_arrays([_texts(checked.table["trade_id"]) for checked in every]).dictionary_encode().indices
    codes = ids.fill_null(-1).to_numpy()
    _, first, code = np.unique(codes, return_index=True, return_inverse=True)
    again = np.flatnonzero((first[code] != np.arange(len(codes))) & (codes >= 0))
    if not len(again):
        return list(every)
    starts = np.cumsum([0, *(checked.table.num_rows for checked in every)])
    found = []
    for checked, start, stop in zip(every, starts[:-1], starts[1:], strict=True):
        rows = again[(again >= start) & (again < stop)]
        places = [_place(every, starts, first[code[row]]) for row in rows[:MOST_BAD_ROWS]]
        finding = Finding("trade_id", rows - start, [f"is also the trade_id of {place}" for place in places])
        found.append(dataclasses.replace(checked, findings=(*checked.findings, finding)) if len(rows) else checked)
    return found


def bad_rows(checked: Checked) -> Iterator[BadRow]:
    """Every bad cell of a source by line, as it stood in the source; at most ``MOST_BAD_ROWS`` are worth taking."""
    source = checked.source
    cells = [(source.lines[row], at, i) for at, f in enumerate(checked.findings) for i, row in _first(f.rows)]
    listed: list[BadRow] = list(source.malformed)
    for line, at, i in sorted(cells)[:MOST_BAD_ROWS]:
        finding = checked.findings[at]
        value = source.table[finding.column][int(finding.rows[i])].as_py()
        reason = finding.reason if isinstance(finding.reason, str) else finding.reason[i]
        listed.append(BadRow(source.place, int(line), finding.column, "" if value is None else str(value), reason))
    yield from sorted(listed, key=lambda row: row.line or 0)


def _first(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    return enumerate(rows[:MOST_BAD_ROWS].tolist())


def _stated(source: Source, term: Term) -> tuple[Any, list[Finding]]:
    """A term's column, null where nothing usable is stated, and its findings."""
    if term.name not in source.table.column_names:
        return pa.nulls(source.table.num_rows, STORAGE[term.kind.storage]), []
    try:
        values, unfit = parse(term.kind, source.table[term.name])
    except (TypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{source.place}: the column '{term.name}' cannot be read: it {error}") from error
    empty = flags(values.is_null()) & ~unfit
    broken = [(unfit, WANTED[term.kind.storage])]
    if term.required:
        broken.append((empty, "is empty, and the term has no default"))
    broken += [(flag & ~empty & ~unfit, reason) for flag, reason in _rules(term, values)]
    return values, [Finding(term.name, np.flatnonzero(flag), reason) for flag, reason in broken if flag.any()]


def _rules(term: Term, values: Any) -> list[tuple[Flags, str]]:
    """Flags on the values that break a rule of the term, with the reason."""
    if term.kind.storage == "date":
        days = values.fill_null(0).to_numpy(zero_copy_only=False).astype("datetime64[D]")
        return [(days < _FIRST_DAY, "lies before 1900-01-01"), (days > _LAST_DAY, "lies after 2200-12-31")]
    if term.kind.storage == "name":
        return _name_rules(term, values)
    numbers = values.fill_null(0).to_numpy()
    finite = np.isfinite(numbers)
    found = [(~finite, "is no finite number")]
    if term.bounds is not None:
        found.append((finite & ~term.bounds.holds(numbers), f"is out of bounds: {term.name} must be {term.bounds}"))
    return found


def _name_rules(term: Term, values: Any) -> list[tuple[Flags, str]]:
    found = []
    if term.name == LABELS[0]:
        found.append((_matching(values, _CONTROL), "holds a control character, which no id has"))
    if term.choices:
        options = ", ".join(f"'{option}'" for option in term.choices)
        found.append((_outside(values, term.choices), f"is no {term.name}; it is one of {options}"))
    if term.kind.family == "currency":
        reason = "is no currency; write an active code of ISO 4217, three upper-case letters like 'USD'"
        found.append((_outside(values, CURRENCIES), reason))
    return found


def _outside(values: Any, allowed: Sequence[str] | frozenset[str]) -> Flags:
    wrong = np.array([name not in allowed for name in values.dictionary.to_pylist()] or [False])
    return np.asarray(wrong[values.indices.fill_null(0).to_numpy()], dtype=bool)


def _matching(values: Any, pattern: str) -> Flags:
    wrong = flags(pc.match_substring_regex(values.dictionary, pattern))
    return np.asarray(wrong[values.indices.fill_null(0).to_numpy()] if len(wrong) else np.zeros(len(values), bool))


def _with_defaults(terms: Sequence[Term], stated: dict[str, Any], rows: int) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    # a copied default may itself copy, so constants come first and copies follow in the order of the columns
    for term in sorted(terms, key=lambda term: term.default_from is not None):
        values = stated[term.name]
        if values.null_count and not term.required:
            source = columns[term.default_from] if term.default_from else None
            values = _filled(values, source if source is not None else _constant(term, rows))
        columns[term.name] = values
    return columns


def _constant(term: Term, rows: int) -> Any:
    storage = STORAGE[term.kind.storage]
    default = "" if term.default is None and storage == DICTIONARY else term.default
    if pd.isna(default):  # no date and no number stay no date and no number
        return pa.array(np.full(rows, np.nan)) if storage == pa.float64() else pa.nulls(rows, storage)
    if storage == DICTIONARY:
        return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [str(default)])
    return pa.repeat(pa.scalar(default, storage), rows)


def _filled(values: Any, default: Any) -> Any:
    if values.null_count == len(values):
        return default
    if values.type == DICTIONARY:
        return pc.coalesce(values.cast(pa.string()), default.cast(pa.string())).dictionary_encode()
    return pc.coalesce(values, default)


def _texts(column: Any) -> Any:
    return column.cast(pa.string()).combine_chunks()


def _place(every: Sequence[Checked], starts: NDArray[Any], row: int) -> str:
    at = int(np.searchsorted(starts, row, side="right")) - 1
    source = every[at].source
    return f"{source.place}, line {source.lines[row - starts[at]]}"
