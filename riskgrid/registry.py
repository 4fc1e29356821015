"""What riskgrid can be extended by: instruments, scenario sets and measures, each one decorated function."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import threading
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
    "Measure",
    "Registry",
    "describe_measures",
    "instrument",
    "measure",
    "measures_page",
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
        self._loaded = self._loading = False
        self._lock = threading.RLock()

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
        if not self._loaded:
            with self._lock:  # other threads wait until all is there; this one may be asked while it imports
                if not self._loading:
                    self._import()

    def _import(self) -> None:
        if self._loaded:
            return
        self._loading = True
        try:
            own = dict(self._entries)
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._entries.update(own)  # what a user registered before the first look-up wins
            self._loaded = True
        finally:
            self._loading = False


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


@dataclass(frozen=True)
class Measure:
    """A registered measure, which is called as its function is.

    ``consumes`` : the dim that it takes away.   ``reference`` : what its tests hold it against.   ``error`` : the worst
    relative error that they allow there, None where none is stated.
    """

    name: str
    function: Callable[..., Any]
    consumes: str
    reference: str
    error: float | None

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The measure of labelled arrays."""
        return self.function(*inputs, **options)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it is taken of."""
        return tuple(one.name for one in self._parameters if self._is_input(one))

    @property
    def options(self) -> dict[str, Any]:
        """Option to its default; of one that must be given, ``required``."""
        found = {one.name: one.default for one in self._parameters if not self._is_input(one)}
        found = {name: "required" if default is inspect.Parameter.empty else default for name, default in found.items()}
        return {name: default for name, default in found.items() if name != "convention"}

    @property
    def hands_on(self) -> bool:
        """Whether it hands a convention on to the measure it is made of: ``level`` and ``method`` are options, too."""
        return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in self._parameters)

    @property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]

    @property
    def source(self) -> str:
        """What its docstring names as its source."""
        text = " ".join((inspect.getdoc(self.function) or "").split())
        found = re.search(r"Source: (.*?)(?= >>>|$)", text)
        return found.group(1).rstrip(".") if found else ""

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())

    @staticmethod
    def _is_input(parameter: inspect.Parameter) -> bool:
        # as the measures annotate them: a labelled array, or one that may be left out
        return "DataArray" in str(parameter.annotation) or "Dataset" in str(parameter.annotation)


INSTRUMENTS: Registry[Instrument] = Registry("instrument", "riskgrid.instruments")
SCENARIO_SETS: Registry[Callable[..., Any]] = Registry("scenario set", "riskgrid.scenarios")
MEASURES: Registry[Measure] = Registry("measure", "riskgrid.measures")


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


def measure(
    name: str, *, consumes: str = "scenario", reference: str = "", error: float | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of labelled arrays that consumes a dim, ``scenario`` unless told otherwise.

    ``reference, error`` : as :class:`Measure` has them; ``riskgrid measures`` shows them.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        MEASURES.add(name, Measure(name, function, consumes, reference, error))
        return function

    return register


def describe_measures() -> list[list[str]]:
    """Every measure as a row: name, what it is of, options, what it is checked against, worst error, meaning."""
    rows = []
    for name in MEASURES:
        found = MEASURES[name]
        options = ", ".join(f"{option}={default}" for option, default in found.options.items())
        error = "" if found.error is None else f"{found.error:g}"
        of = f"{', '.join(found.inputs)} over {found.consumes}"
        rows.append([name, of, options, found.reference or found.source, error, found.summary])
    return rows


def measures_page() -> str:
    """The measures as a Markdown page."""
    head = ["measure", "of", "options", "checked against", "worst relative error", "meaning"]
    lines = ["# Measures", "", _MEASURES_HEAD, "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in describe_measures():
        cells = [text.replace("|", "\\|") for text in row]
        lines.append("| " + " | ".join([f"`{cells[0]}`", *cells[1:]]) + " |")
    return "\n".join(lines) + "\n"


_MEASURES_HEAD = (
    "Every measure is a plain function of labelled arrays that takes one dim away and keeps all others; its result "
    "carries its convention as attributes. The worst error is the bound that its tests hold it to."
)
