"""Some books: trades chosen by their labels, as what-ifs narrow a run and as rights say who sees what."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.terms import Flags, Names

__all__ = ["Books"]

_EXAMPLE = "[{'region': 'EMEA', 'desk': ['Rates', 'Credit']}, {'book': 'FXF-AMER-1'}]"


@dataclass(frozen=True)
class Books:
    """Trades that any of several choices holds. A choice holds those that have one of its values at each of its labels.

    choices : (label, values) pairs, sorted; none holds nothing.

    >>> books = Books.of([{"region": "EMEA", "desk": ["Rates", "Credit"]}, {"book": "FXF-1"}])
    >>> print(books)
    book FXF-1; desk Credit or Rates of region EMEA
    >>> Books.of({"region": "EMEA"}).covers(Books.of({"region": "EMEA", "book": "B"}))
    True
    """

    choices: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = ()

    @classmethod
    def of(cls, form: Any) -> Self:
        """From a mapping of labels to a value or values, or a list of such. BadSpec where it is none."""
        if isinstance(form, Books):
            return cls(form.choices)
        listed = [form] if isinstance(form, Mapping) else form
        if isinstance(listed, str) or not isinstance(listed, Iterable):
            raise BadSpec(f"books are {form!r}; labels and values are right, e.g. {_EXAMPLE}")
        return cls(tuple(sorted({_choice(each) for each in listed})))

    @classmethod
    def read(cls, key: str) -> Self | None:
        """What :attr:`key` wrote; None for an empty text: every book."""
        return cls.of(json.loads(key)) if key else None

    @property
    def key(self) -> str:
        """The same text for the same choices, however they were said."""
        return json.dumps(self.to_list(), sort_keys=True, separators=(",", ":"))

    def to_list(self) -> list[dict[str, list[str]]]:
        """What :meth:`of` reads."""
        return [{label: list(values) for label, values in choice} for choice in self.choices]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that any choice looks at, sorted."""
        return tuple(sorted({label for choice in self.choices for label, _ in choice}))

    def among(self, known: Collection[str]) -> Books:
        """Those of the choices that look at known labels alone: no trade is held by another."""
        return Books(tuple(choice for choice in self.choices if all(label in known for label, _ in choice)))

    def check(self, known: Collection[str]) -> None:
        """UnknownName for a label that no trade has."""
        for label in self.labels:
            if label not in known:
                raise UnknownName("label", label, known)

    def held(self, column: Callable[[str], Names], count: int) -> Flags:
        """Which of ``count`` trades they hold. column : gives a label of all of them."""
        found = np.zeros(count, np.bool_)
        for choice in self.choices:
            chosen = np.ones(count, np.bool_)
            for label, values in choice:
                names = column(label)
                wanted = np.array([name in values for name in names.names] or [False], np.bool_)
                chosen &= wanted[names.codes.ravel()]
            found |= chosen
        return found

    def covers(self, other: Books) -> bool:
        """Whether each choice of the other lies within one of these: true means no trade is left out."""
        return all(any(_within(small, large) for large in self.choices) for small in other.choices)

    def __str__(self) -> str:
        told = (" of ".join(f"{label} {' or '.join(values)}" for label, values in choice) for choice in self.choices)
        return "; ".join(told) or "none"


def _within(small: tuple[tuple[str, tuple[str, ...]], ...], large: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    values = dict(small)
    return all(label in values and set(values[label]) <= set(wanted) for label, wanted in large)


def _choice(form: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(form, Mapping) or not form:
        raise BadSpec(f"books are chosen by {form!r}; labels and values are right, e.g. {_EXAMPLE}")
    return tuple(sorted((str(label), _values(str(label), wanted)) for label, wanted in form.items()))


def _values(label: str, wanted: Any) -> tuple[str, ...]:
    values = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)
    if not values or not all(isinstance(value, str) for value in values):
        raise BadSpec(f"books are chosen by {label} {wanted!r}; one or more texts are right, e.g. {_EXAMPLE}")
    return tuple(sorted(set(values)))
