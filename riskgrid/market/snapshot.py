"""The market on one date: factor levels, conventions, fixings, and where each number comes from."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.hashing import digest, short
from riskgrid.market.check import factor_problems, fixing_problems, level_problems, origin_problems
from riskgrid.market.configuration import Frozen, bad_market, check_conventions, read_yaml, write_yaml
from riskgrid.market.factor import match
from riskgrid.market.folder import Table, read_fixings, read_table, write_fixings, write_table
from riskgrid.market.kinds import kinds_section, kinds_text
from riskgrid.market.objects import Fixings
from riskgrid.terms import Values

__all__ = ["MarketSnapshot", "fixing_digests", "frozen_fixings", "resolve_origin"]


@dataclass(frozen=True, eq=False, repr=False)
class MarketSnapshot:
    """One state of the market, the base of every run.

    ``date`` : valuation date.   ``numeraire`` : the currency that ``fx`` levels count in.   ``factors`` : ids, kept
    sorted.   ``levels`` : (factor,), read-only.   ``conventions`` : see :mod:`riskgrid.market.configuration`.
    ``fixings`` : published values by index.   ``origin`` : factor or pattern to a sentence that begins with ``real``,
    ``derived`` or ``synthetic``; kept by factor, the id itself before the longest pattern.
    Raises one BadMarket that lists everything wrong.

    >>> snapshot = MarketSnapshot(np.datetime64("2016-07-01"), "USD", ("fx:EUR", "equity:SPX"), [1.11, 2103.0])
    >>> snapshot.replace({"fx:EUR": 1.12}).level("fx:EUR")
    1.12
    """

    date: np.datetime64
    numeraire: str
    factors: tuple[str, ...]
    levels: Values
    conventions: Mapping[str, Any] = field(default_factory=Frozen)
    fixings: Mapping[str, Fixings] = field(default_factory=Frozen)
    origin: Mapping[str, str] = field(default_factory=Frozen)

    def __post_init__(self) -> None:
        order = sorted(range(len(self.factors)), key=self.factors.__getitem__)
        factors, levels = tuple(self.factors[i] for i in order), np.array(self.levels, dtype=np.float64)
        if levels.shape != (len(factors),):
            raise BadMarket(f"{len(factors)} factors have levels of shape {levels.shape}; one level each is right")
        levels = levels[np.array(order, dtype=np.intp)]
        levels.flags.writeable = False
        date, place = np.datetime64(self.date, "D"), f"snapshot of {self.date}"
        conventions = check_conventions(self.conventions, f"conventions of the {place}")
        problems = ["the date is missing"] if np.isnat(date) else []
        problems += [] if self.numeraire else ["the numeraire is missing"]
        problems += factor_problems(factors, self.numeraire, conventions)
        problems += [f"factor {factors[i]!r} has no level" for i in np.flatnonzero(np.isnan(levels))]
        problems += level_problems(factors, levels[None], [""])
        problems += fixing_problems(self.fixings) + origin_problems(self.origin)
        bad_market(place, problems)
        made = {"date": date, "factors": factors, "levels": levels, "conventions": conventions}
        made |= {"fixings": frozen_fixings(self.fixings), "origin": resolve_origin(self.origin, factors)}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @classmethod
    def read(cls, folder: Path | str) -> MarketSnapshot:
        """Read ``conventions.yaml``, ``factors`` and ``fixings`` (CSV or Parquet).  Raises BadMarket."""
        folder = Path(folder)
        raw = read_yaml(folder / "conventions.yaml")
        day, numeraire = raw.pop("date", None), raw.pop("numeraire", "")
        if not isinstance(day, datetime.date):
            raise BadMarket(f"{folder / 'conventions.yaml'}: key 'date' is {day!r}; 2016-07-01 is right")
        table = read_table(folder, "factors")
        if table is None:
            raise BadMarket(f"no factors.csv or factors.parquet in {folder}; columns factor, level, origin are right")
        factors = tuple(table.texts("factor"))
        origin = _origin_column(table, factors)
        levels, fixings = table.numbers("level"), read_fixings(folder)
        conventions = check_conventions(raw, str(folder / "conventions.yaml"))
        try:
            return cls(np.datetime64(day, "D"), str(numeraire), factors, levels, conventions, fixings, origin)
        except BadMarket as error:
            raise BadMarket(f"{folder}: {error}") from None

    def write(self, folder: Path | str, form: str = "csv") -> None:
        """Write what :meth:`read` reads as an equal snapshot.  form : of the tables, ``csv`` or ``parquet``."""
        folder = Path(folder)
        origin = np.array([self.origin.get(factor, "") for factor in self.factors], dtype=object)
        columns = {"factor": np.array(self.factors, dtype=object), "level": self.levels, "origin": origin}
        write_table(folder, "factors", columns, form)
        write_fixings(folder, self.fixings, form)
        head = {"date": self.date.item(), "numeraire": self.numeraire}
        write_yaml(folder / "conventions.yaml", {**head, **self.conventions})

    def level(self, factor: str) -> float:
        """The level of a factor.  Raises UnknownName."""
        return float(self.levels[self._position(factor)])

    def replace(self, levels: Mapping[str, float]) -> MarketSnapshot:
        """The same market with other levels of factors that it has.

        Raises UnknownName on a factor that it has not, BadMarket on a level that the factor cannot have.
        """
        names, values = list(levels), np.array([*levels.values()], dtype=np.float64)
        changed = self.levels.copy()
        changed[[self._position(factor) for factor in names]] = values
        changed.flags.writeable = False
        lacking = [f"factor {names[i]!r} has no level" for i in np.flatnonzero(np.isnan(values))]
        bad_market(f"snapshot of {self.date}", lacking + level_problems(names, values[None], [""]))
        made = object.__new__(MarketSnapshot)  # what has not changed need not be checked again
        own = {"levels": changed, "_positions": self._positions}
        for name, value in {**{name: getattr(self, name) for name in self.__dataclass_fields__}, **own}.items():
            object.__setattr__(made, name, value)
        return made

    def with_factors(self, levels: Mapping[str, float], origin: str) -> MarketSnapshot:
        """The same market with more factors.  Raises BadMarket on one that it has already.

        origin : said of all of them, e.g. ``derived: flat at the policy rate``.
        """
        added = [*self.levels, *levels.values()]
        return self._with((*self.factors, *levels), added, {**self.origin, **dict.fromkeys(levels, origin)})

    @functools.cached_property
    def digest(self) -> bytes:
        """Digest of everything that can move a value; what ``origin`` says cannot."""
        fixings = fixing_digests(self.fixings)
        conventions = check_conventions(self.conventions).digest
        return digest("snapshot", self.date, self.numeraire, self.factors, self.levels, conventions, fixings)

    @property
    def key(self) -> str:
        """Digest of its content and of where each number comes from; what runs call it among their inputs."""
        return digest(self.digest, self.origin).hex()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarketSnapshot) and (self.digest, self.origin) == (other.digest, other.origin)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"MarketSnapshot({self.date}, {self.numeraire}, {kinds_text(self.factors)}, {short(self.digest)})"

    def _repr_html_(self) -> str:
        from riskgrid.page import notebook_html

        said = [f"Fixings of {name}: {len(series.dates):,}." for name, series in self.fixings.items()]
        said.append(f"Content {short(self.digest)}.")
        title = f"Market of {self.date}, in {self.numeraire}"
        return notebook_html([kinds_section(title, self.factors, self.origin, said)])

    @functools.cached_property
    def _positions(self) -> dict[str, int]:
        return {factor: position for position, factor in enumerate(self.factors)}

    def _position(self, factor: str) -> int:
        if factor not in self._positions:
            raise UnknownName("factor", factor, self.factors)
        return self._positions[factor]

    def _with(self, factors: tuple[str, ...], levels: Any, origin: Mapping[str, str]) -> MarketSnapshot:
        return MarketSnapshot(self.date, self.numeraire, factors, levels, self.conventions, self.fixings, origin)


def resolve_origin(origin: Mapping[str, str], factors: Sequence[str]) -> Frozen:
    """Origin by factor: what stands for the id itself, else for the longest pattern that matches."""
    patterns = sorted(origin.keys() - set(factors), key=lambda pattern: (len(pattern), pattern))
    found = {factor: origin[pattern] for pattern in patterns for factor in match(pattern, factors)}
    found |= {factor: origin[factor] for factor in factors if factor in origin}
    return Frozen(dict(sorted(found.items())))


def frozen_fixings(fixings: Mapping[str, Fixings]) -> Frozen:
    """Fixings by index, sorted, of read-only arrays."""
    made = {}
    for name, series in sorted(fixings.items()):
        made[name] = Fixings(np.array(series.dates, dtype="datetime64[D]"), np.array(series.values, dtype=np.float64))
        made[name].dates.flags.writeable = made[name].values.flags.writeable = False
    return Frozen(made)


def fixing_digests(fixings: Mapping[str, Fixings]) -> dict[str, bytes]:
    """Digest of each index's fixings."""
    return {name: series.digest() for name, series in fixings.items()}


def _origin_column(table: Table, factors: Sequence[str]) -> dict[str, str]:
    if "origin" not in table.columns:
        return {}
    return {factor: text for factor, text in zip(factors, table.texts("origin"), strict=True) if text}
