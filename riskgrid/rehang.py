"""Labels of trades changed by rule, e.g. a book under another desk; no label is in a price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskgrid.errors import BadChanges, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import COMMON_TERMS, LABELS, Flags, Names

__all__ = ["Hanging", "Rehang", "all_hit", "known_labels", "rehung", "with_label"]

_EXAMPLE = "rehang=[{'where': {'book': 'Flow A'}, 'to': {'desk': 'Macro'}}]"


@dataclass(frozen=True)
class Rehang:
    """One rule. where : label to the values of the trades it is for.   to : label to its new value.

    >>> print(Rehang.of({"where": {"book": ["Flow A", "Flow B"]}, "to": {"desk": "Macro"}}))
    book Flow A or Flow B to desk Macro
    """

    where: Mapping[str, tuple[str, ...]]
    to: Mapping[str, str]

    @classmethod
    def of(cls, form: Any) -> Rehang:
        """From its plain form. BadChanges where it is none."""
        if isinstance(form, Rehang):
            return form
        if not isinstance(form, Mapping) or set(form) != {"where", "to"}:
            raise BadChanges(f"rehang holds {form!r}; mappings with 'where' and 'to' are right, e.g. {_EXAMPLE}")
        for side in ("where", "to"):
            if not isinstance(form[side], Mapping) or not form[side]:
                raise BadChanges(
                    f"'{side}' of a rehang is {form[side]!r}; labels and values are right, e.g. {_EXAMPLE}"
                )
        where = {str(label): _texts(label, wanted) for label, wanted in form["where"].items()}
        return cls(where, {str(label): _text(label, value) for label, value in form["to"].items()})

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`of` reads."""
        where = {label: wanted[0] if len(wanted) == 1 else list(wanted) for label, wanted in self.where.items()}
        return {"where": where, "to": dict(self.to)}

    @property
    def chosen(self) -> str:
        """Which trades it is for, for people."""
        said = (
            f"{label} {' or '.join(wanted[:3])}{' ...' * (len(wanted) > 3)}" for label, wanted in self.where.items()
        )
        return ", ".join(said)

    def check(self, known: Iterable[str]) -> None:
        """Refuse what no trade has. known : labels of the trades.  BadChanges for a term, UnknownName for another."""
        labels = list(known)
        for label in self.to:
            if label in labels and label != "trade_id":
                continue
            if label == "trade_id" or label in ("instrument", "currency") or label in _terms():
                raise BadChanges(f"rehang of {self.chosen} sets '{label}', which is no label; amend changes terms")
            raise UnknownName(f"label, in the rehang of {self.chosen},", label, set(labels) - {"trade_id"})
        for label in self.where:
            if label not in (*labels, "instrument", "currency"):
                raise UnknownName("label of a rehang", label, [*labels, "instrument", "currency"])

    def __str__(self) -> str:
        return f"{self.chosen} to {', '.join(f'{label} {value}' for label, value in self.to.items())}"


class Hanging:
    """Rules applied one after another to trades at some places.

    there : (place,), which of them count.   column : gives a label of all, (place,) codes.   ids : places of trade_ids,
    as flags.   ``changed`` : label to its column after the rules.   ``moved`` : (place,), hit by any rule.
    """

    def __init__(self, there: Flags, column: Callable[[str], Names], ids: Callable[[tuple[str, ...]], Flags]) -> None:
        self._there, self._column, self._ids = there, column, ids
        self.changed: dict[str, Names] = {}
        self.moved = np.zeros(len(there), np.bool_)

    def apply(self, rule: Rehang) -> int:
        """Apply a rule; how many trades it hit."""
        hit = self._there.copy()
        for label, wanted in rule.where.items():
            hit &= self._ids(wanted) if label == "trade_id" else _held(self._label(label), wanted)
        if hit.any():
            self.moved |= hit
            for label, text in rule.to.items():
                self.changed[label] = _set(self._label(label), hit, text)
        return int(np.count_nonzero(hit))

    def _label(self, label: str) -> Names:
        return self.changed[label] if label in self.changed else self._column(label)


def rehung(portfolio: Portfolio, rules: Sequence[Rehang]) -> tuple[Portfolio, list[int]]:
    """The trades under their labels after the rules, and how many of them each rule hit."""
    tables, hits = {}, [0] * len(rules)
    for name, table in portfolio.tables.items():
        ids = table["trade_id"]

        def found(wanted: tuple[str, ...], ids: Any = ids) -> Flags:
            lookup = pa.array(wanted, pa.string())
            return np.asarray(pc.is_in(ids.cast(pa.string()), value_set=lookup).to_numpy(), np.bool_)

        def column(label: str, name: str = name, count: int = table.num_rows) -> Names:
            known = label in (*portfolio.label_names, "instrument", "currency")
            return portfolio.label(label, name) if known else Names(np.zeros(count, np.int32), ("",))

        hanging = Hanging(np.ones(table.num_rows, np.bool_), column, found)
        hits = [hit + hanging.apply(rule) for hit, rule in zip(hits, rules, strict=True)]
        for label, names in hanging.changed.items():
            table = with_label(table, label, names)  # noqa: PLW2901, the table after each label
        tables[name] = table
    return Portfolio(tables, portfolio.rejected), hits


def all_hit(rules: Sequence[Rehang], hits: Sequence[int]) -> None:
    """BadChanges naming the first rule that hit no trade."""
    for rule, hit in zip(rules, hits, strict=True):
        if not hit:
            raise BadChanges(f"rehang of {rule.chosen} hits no trade; leave it out, or name labels that trades have")


def known_labels(portfolios: Iterable[Portfolio]) -> tuple[str, ...]:
    """Labels that trades of any of them have."""
    return tuple(dict.fromkeys(label for portfolio in portfolios for label in portfolio.label_names))


def with_label(table: Any, label: str, names: Names) -> Any:
    """An instrument's table with other values (trade,) of a label, which it may have lacked."""
    column = pa.DictionaryArray.from_arrays(
        pa.array(names.codes.ravel(), pa.int32()), pa.array(names.names, pa.string())
    )
    columns: list[str] = table.column_names
    if label in columns:
        return table.set_column(columns.index(label), label, column)
    own = columns[len(LABELS) : columns.index(COMMON_TERMS[0].name)]
    return table.add_column(len(LABELS) + sum(name < label for name in own), label, column)


def _held(names: Names, wanted: tuple[str, ...]) -> Flags:
    held = np.array([name in wanted for name in names.names] or [False], np.bool_)
    return np.asarray(held[names.codes.ravel()])


def _set(names: Names, hit: Flags, text: str) -> Names:
    known = names.names if text in names.names else (*names.names, text)
    return Names(np.where(hit, np.int32(known.index(text)), names.codes.ravel()), known)


def _terms() -> set[str]:
    every = {term.name for instrument in INSTRUMENTS.values() for term in instrument.columns}
    return every | {term.name for term in COMMON_TERMS}


def _texts(label: Any, wanted: Any) -> tuple[str, ...]:
    values = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)
    if not values:
        raise BadChanges(f"'{label}' in 'where' of a rehang names no value; one or more is right")
    return tuple(dict.fromkeys(_text(label, value) for value in values))


def _text(label: Any, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, np.integer)):
        raise BadChanges(f"'{label}' of a rehang is {value!r}; a label's value is a text")
    return str(value)
