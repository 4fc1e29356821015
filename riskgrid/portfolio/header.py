"""Which columns a table of trades has, and what is wrong with its header."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

from riskgrid.errors import InputError
from riskgrid.registry import INSTRUMENTS, Instrument
from riskgrid.terms import COMMON_TERMS, LABELS, Kind, Term

__all__ = ["DERIVED", "MOST_COLUMNS", "check_columns", "check_header", "layout"]

#: Columns of a table of trades: more are no labels that anybody would look at.
MOST_COLUMNS = 1_000

#: Labels that follow from the instrument and its terms; no column of a file may claim to be one.
DERIVED = ("currency", "instrument")

_CLOSE, _VERY_CLOSE = 0.8, 0.9  # ratios of difflib


def layout(instrument: Instrument, user_labels: Iterable[str] = ()) -> tuple[Term, ...]:
    """Every column of an instrument's table in canonical order; labels but ``trade_id`` are empty text by default."""
    labels = [Term(label, Kind("name"), default="") for label in (*LABELS[1:], *sorted(user_labels))]
    return (Term(LABELS[0], Kind("name")), *labels, *COMMON_TERMS, *instrument.columns)


def check_header(place: str, found: Sequence[str], instrument: Instrument) -> tuple[str, ...]:
    """The user's own labels among the columns found, sorted; InputError with a line for each fault of the header."""
    check_columns(place, len(found))
    terms = layout(instrument)
    required = [term.name for term in terms if term.required]
    if not found:
        raise InputError(f"{place} is empty; its first line must name the columns {_listed(required)}")
    missing = [name for name in required if name not in found]
    other = _fitting(found, instrument) if missing else None
    if other is not None:
        raise InputError(f"{place} holds the columns of '{other}', not of '{instrument.name}'; name it after '{other}'")
    own = sorted(set(found) - {term.name for term in terms})
    typed_for = {name: _closest(name, own) for name in missing}
    faults = _unusable(place, found, instrument)
    faults += [_missing(place, name, close, instrument) for name, close in typed_for.items()]
    faults += _misspelt(place, [name for name in own if name not in typed_for.values()], found, instrument)
    if faults:
        raise InputError("\n".join(faults))
    return tuple(own)


def check_columns(place: str, count: int) -> None:
    """InputError for more columns than a table may have."""
    if count > MOST_COLUMNS:
        raise InputError(f"{place} has {count:,} columns; {MOST_COLUMNS:,} are right at most")


def _unusable(place: str, found: Sequence[str], instrument: Instrument) -> list[str]:
    faults = [f"{place}: column {at} has no name" for at, name in enumerate(found, 1) if not name]
    faults += [f"{place} has {count} columns '{name}'" for name, count in Counter(found).items() if name and count > 1]
    terms = {term.name for term in instrument.columns}
    claimed = [name for name in DERIVED if name in found and name not in terms]
    return faults + [
        f"{place} has a column '{name}', a label that follows from the instrument '{instrument.name}' and its terms; "
        "leave the column out"
        for name in claimed
    ]


def _missing(place: str, name: str, close: str | None, instrument: Instrument) -> str:
    hint = f"; its column '{close}' is close, rename it" if close else ""
    return f"{place} has no column '{name}', which '{instrument.name}' requires{hint}"


def _misspelt(place: str, own: Sequence[str], found: Sequence[str], instrument: Instrument) -> list[str]:
    terms = [term.name for term in (*COMMON_TERMS, *instrument.columns)]
    absent = [name for name in (*terms, *LABELS) if name not in found]
    present = [name for name in terms if name in found]
    # beside its term a column must be closer to count as misspelt: 'trade_type' may stand beside 'trade_date'
    close = {
        name: _closest(name, absent) or _closest(name, present, _VERY_CLOSE)
        for name in own
        if name and name not in DERIVED
    }
    return [
        f"{place} has a column '{name}', which is no term of '{instrument.name}'; did you mean '{term}'?"
        for name, term in close.items()
        if term is not None
    ]


def _fitting(found: Sequence[str], own: Instrument) -> str | None:
    """The instrument whose required terms are all found, and that has more of the columns found than the own one."""
    most, best = _known(found, own), None
    for name, instrument in INSTRUMENTS.items():
        complete = all(term.name in found for term in instrument.columns if term.required)
        if complete and _known(found, instrument) > most:
            most, best = _known(found, instrument), name
    return best


def _known(found: Sequence[str], instrument: Instrument) -> int:
    return sum(term.name in found for term in instrument.columns)


def _closest(name: str, known: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    plain = {_plain(each): each for each in known}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
