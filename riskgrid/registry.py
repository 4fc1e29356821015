"""What riskgrid can be extended by: instruments, scenario sets and measures, each one decorated function."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from riskgrid.code import code_of
from riskgrid.errors import UnknownName
from riskgrid.hashing import digest
from riskgrid.terms import Term, describe

__all__ = [
    "INSTRUMENTS",
    "MEASURES",
    "SCENARIO_SETS",
    "Instrument",
    "Registry",
    "instrument",
    "measure",
    "scenario_set",
]


class Registry[Entry](Mapping[str, Entry]):
    """Names to entries; the first look-up imports every module of ``package``, so that files register themselves.

    >>> "fx_forward" in INSTRUMENTS
    True
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self._package = kind, package
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def add(self, name: str, entry: Entry) -> None:
        """Register; a later entry of the same name replaces the earlier one, as a notebook cell run twice does."""
        self._entries[name] = entry

    def remove(self, name: str) -> None:
        """Forget an entry."""
        self._entries.pop(name, None)

    def __getitem__(self, name: str) -> Entry:
        self._load()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        own = dict(self._entries)
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        self._entries.update(own)  # what a user registered before the first look-up wins


@dataclass(frozen=True)
class Instrument:
    """A registered instrument.

    ``value_in`` : the term that names the currency of the value.   ``ends`` : the date term after which nothing is
    left, None where there is no end.   ``eager`` : run on numbers, tile by tile, instead of on quantities.
    ``size`` : the terms whose product is a trade's notional, in the currency of its value; an equity or a commodity
    among them stands for its spot.
    ``version`` : named by the author where the code cannot be told.
    """

    name: str
    terms: type
    price: Callable[..., Any]
    value_in: str
    example: Any
    ends: str | None
    eager: bool
    size: tuple[str, ...] = ()
    version: str | None = None

    @property
    def code(self) -> bytes | None:
        """Digest of what the instrument does as it is now, None where it cannot be told: then nothing is reused."""
        how = (self.name, self.value_in, self.ends, self.eager)
        if self.version is not None:
            return digest("version", how, self.version)
        found = code_of(self.price, self.terms)
        return None if found is None else digest(how, found)

    @functools.cached_property
    def columns(self) -> tuple[Term, ...]:
        """The instrument's own terms, in the order of its dataclass."""
        return describe(self.terms)

    def family(self, term: str) -> str:
        """The market family that a term names, e.g. ``equity``."""
        return next(column.kind.family for column in self.columns if column.name == term)

    @property
    def summary(self) -> str:
        """The first sentence of the pricer's docstring."""
        return (inspect.getdoc(self.price) or "").split("\n")[0]


INSTRUMENTS: Registry[Instrument] = Registry("instrument", "riskgrid.instruments")
SCENARIO_SETS: Registry[Callable[..., Any]] = Registry("scenario set", "riskgrid.scenarios")
MEASURES: Registry[Callable[..., Any]] = Registry("measure", "riskgrid.measures")


def instrument(
    name: str,
    *,
    value_in: str,
    example: Any,
    ends: str | None = None,
    size: tuple[str, ...] = (),
    eager: bool = False,
    version: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a pricer ``price(terms, market) -> (trade, state)`` of one unit, in the currency named by ``value_in``.

    ``ends`` : the date term with which a trade expires.   ``size`` : the terms whose product is its notional.
    ``version`` names the code of a pricer whose source cannot be read; without either it is never cached on disk.
    """

    def register(price: Callable[..., Any]) -> Callable[..., Any]:
        terms = type(example)
        known = {column.name for column in describe(terms)}
        for term in filter(None, (value_in, ends, *size)):
            if term not in known:
                raise UnknownName(f"term of instrument '{name}'", term, known)
        INSTRUMENTS.add(name, Instrument(name, terms, price, value_in, example, ends, eager, size, version))
        return price

    return register


def scenario_set(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function that makes a scenario set."""

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        SCENARIO_SETS.add(name, make)
        return make

    return register


def measure(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of a labelled P&L array that consumes ``scenario``."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        MEASURES.add(name, function)
        return function

    return register
