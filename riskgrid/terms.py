"""The columns of a trade: what kind each term is, its unit, what is allowed in it, and its default."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COMMON_TERMS",
    "LABELS",
    "Between",
    "Choice",
    "Commodity",
    "Currency",
    "CurveName",
    "Date",
    "Equity",
    "Flags",
    "Float",
    "Index",
    "Int",
    "Issuer",
    "Names",
    "NonNegative",
    "Positive",
    "Term",
    "Text",
    "Unit",
    "Values",
    "describe",
    "same_as",
]

type Values = NDArray[np.float64]
type Flags = NDArray[np.bool_]

#: Labels every trade may carry; ``trade_id`` is required, the others are empty text where absent.
LABELS = ("trade_id", "region", "desk", "book", "counterparty", "netting_set")


class Names:
    """A ``(trade, 1)`` column of names: integer codes into a tuple of distinct names.

    >>> side = Names(np.array([[0], [1], [0]], dtype=np.int32), ("call", "put"))
    >>> (side == "call").ravel()
    array([ True, False,  True])
    """

    __slots__ = ("codes", "family", "names")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, codes: NDArray[np.int32], names: tuple[str, ...], family: str = "") -> None:
        self.codes, self.names, self.family = codes, names, family

    def __eq__(self, other: object) -> Flags:  # type: ignore[override]
        if isinstance(other, Names):
            same: Flags = np.asarray(self.texts() == other.texts(), dtype=np.bool_)
            return same
        return np.asarray(self.codes == (self.names.index(str(other)) if other in self.names else -1))

    def __ne__(self, other: object) -> Flags:  # type: ignore[override]
        return ~(self == other)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Names:
        return Names(self.codes[index], self.names, self.family)

    def texts(self) -> NDArray[Any]:
        """The names themselves, shape of ``codes``, dtype object."""
        return np.array(self.names, dtype=object)[self.codes] if self.names else np.empty(self.codes.shape, object)

    @classmethod
    def of(cls, texts: Sequence[str] | NDArray[Any]) -> Names:
        """A column from texts, its names sorted.

        >>> Names.of(["b", "a", "b"]).codes.ravel()
        array([1, 0, 1], dtype=int32)
        """
        names, codes = np.unique(np.asarray(texts, dtype=str).ravel(), return_inverse=True)
        return cls(codes.astype(np.int32).reshape(-1, 1), tuple(str(name) for name in names))


@dataclass(frozen=True)
class Kind:
    """What a column holds: ``float``, ``int``, ``date`` or ``name``; a name may be of a market family."""

    storage: str
    family: str = ""


@dataclass(frozen=True)
class Unit:
    """The unit of a number, as it stands in column descriptions."""

    text: str


@dataclass(frozen=True)
class Between:
    """Bounds of a number; ``exclusive`` leaves the lower bound out."""

    low: float
    high: float
    exclusive: bool = False

    def holds(self, values: Values) -> Flags:
        """Which values are allowed (NaN is not)."""
        above = values > self.low if self.exclusive else values >= self.low
        return np.asarray(above & (values <= self.high) & np.isfinite(values))

    def __str__(self) -> str:
        lower = f"above {self.low:g}" if self.exclusive else f"at least {self.low:g}"
        return lower if np.isinf(self.high) else f"{lower} and at most {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """The only texts a column may hold."""

    options: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        object.__setattr__(self, "options", options)


Positive = Between(0.0, np.inf, exclusive=True)
NonNegative = Between(0.0, np.inf)

# Any to a type checker: a pricer sees (trade, 1) columns, an example holds one trade's plain values
Float = Annotated[Any, Kind("float")]
Int = Annotated[Any, Kind("int")]  # whole numbers, handed to pricers as int64
Date = Annotated[Any, Kind("date")]
Text = Annotated[Any, Kind("name")]
Currency = Annotated[Any, Kind("name", "currency")]
Equity = Annotated[Any, Kind("name", "equity")]
Commodity = Annotated[Any, Kind("name", "commodity")]
Index = Annotated[Any, Kind("name", "index")]
Issuer = Annotated[Any, Kind("name", "issuer")]
CurveName = Annotated[Any, Kind("name", "curve")]


@dataclass(frozen=True)
class _SameAs:
    term: str


def same_as(term: str) -> Any:
    """A default that copies another term of the same trade, e.g. a delivery on the expiry date."""
    return _SameAs(term)


class _REQUIRED:
    """Stands for no default; a class keeps its identity when it travels to a worker."""


@dataclass(frozen=True)
class Term:
    """One column of an instrument's table."""

    name: str
    kind: Kind
    unit: str = ""
    bounds: Between | None = None
    choices: tuple[str, ...] = ()
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """True where a trade must state the term."""
        return self.default is _REQUIRED

    @property
    def default_from(self) -> str | None:
        """The term whose value stands in where this one is absent, if any."""
        return self.default.term if isinstance(self.default, _SameAs) else None


#: Terms of every trade: the engine multiplies the pricer's one-unit value by ``quantity``.
COMMON_TERMS = (
    Term("trade_date", Kind("date")),
    Term("quantity", Kind("float"), "units, negative is short", Between(-np.inf, np.inf), default=1.0),
)


def describe(terms: type) -> tuple[Term, ...]:
    """The columns of a terms dataclass, in its order. An annotation that is no kind of column is a TypeError.

    >>> @dataclass(frozen=True)
    ... class Forward:
    ...     notional: Annotated[Float, Unit("USD"), Positive]
    >>> [(term.name, term.unit, str(term.bounds)) for term in describe(Forward)]
    [('notional', 'USD', 'above 0')]
    """
    hints = get_type_hints(terms, include_extras=True)
    return tuple(_term(terms, field, hints[field.name]) for field in dataclasses.fields(terms))


def _term(terms: type, field: dataclasses.Field[Any], hint: Any) -> Term:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    found: dict[type, Any] = {type(mark): mark for mark in marks}
    if Kind not in found:
        raise TypeError(
            f"term '{field.name}' of {terms.__name__} is annotated {hint!r}; use Float, Int, Date, Text, Currency, "
            "Equity, Commodity, Index, Issuer or CurveName"
        )
    choices = found[Choice].options if Choice in found else ()
    unit = found[Unit].text if Unit in found else ""
    default = _REQUIRED if field.default is dataclasses.MISSING else field.default
    return Term(field.name, found[Kind], unit, found.get(Between), choices, default)
