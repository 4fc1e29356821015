"""The market on many dates: factor levels by date, with a mask of those that were not fresh."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.hashing import digest, short
from riskgrid.market.bootstrap import calibrate
from riskgrid.market.check import factor_problems, fixing_problems, level_problems, origin_problems
from riskgrid.market.configuration import Frozen, bad_market, check_conventions, read_yaml, write_yaml
from riskgrid.market.factor import curve_nodes
from riskgrid.market.folder import Table, read_fixings, read_table, write_fixings, write_table
from riskgrid.market.kinds import kinds_section, kinds_text
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import (
    MarketSnapshot,
    fixing_digests,
    frozen_fixings,
    resolve_origin,
)
from riskgrid.terms import Flags, Values

__all__ = ["MarketHistory"]

type Dates = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False, repr=False)
class MarketHistory:
    """Levels by date.  NaN is a factor that has no level on a date; nothing is interpolated.

    ``dates`` : (date,), increasing.   ``factors`` : ids, kept sorted.   ``values`` : (date, factor), read-only.
    ``stale`` : (date, factor), True where the level is an earlier one filled in.   ``numeraire, conventions,
    fixings, origin`` : as of :class:`MarketSnapshot`; origins stay patterns.
    Raises one BadMarket that lists everything wrong.

    >>> days = np.array(["2016-06-23", "2016-06-24"], dtype="datetime64[D]")
    >>> history = MarketHistory(days, ("fx:GBP",), [[1.4800], [1.3660]], [[False], [False]], "USD")
    >>> history.snapshot("2016-06-24").level("fx:GBP")
    1.366
    """

    dates: Dates
    factors: tuple[str, ...]
    values: Values
    stale: Flags
    numeraire: str
    conventions: Mapping[str, Any] = field(default_factory=Frozen)
    fixings: Mapping[str, Fixings] = field(default_factory=Frozen)
    origin: Mapping[str, str] = field(default_factory=Frozen)

    def __post_init__(self) -> None:
        dates, values = np.array(self.dates, dtype="datetime64[D]"), np.array(self.values, dtype=np.float64)
        stale = np.array(self.stale, dtype=np.bool_)
        shape = (len(dates), len(self.factors))
        if values.shape != shape or stale.shape != shape:
            said = f"values of shape {values.shape} and a stale mask of shape {stale.shape}"
            raise BadMarket(f"a history of {shape[0]} dates and {shape[1]} factors has {said}; {shape} is right")
        order = sorted(range(shape[1]), key=self.factors.__getitem__)
        factors = tuple(self.factors[i] for i in order)
        values, stale = np.ascontiguousarray(values[:, order]), np.ascontiguousarray(stale[:, order])
        conventions = check_conventions(self.conventions, "conventions of the history")
        problems = [] if shape[0] else ["there is no date"]
        problems += [] if np.all(dates[1:] > dates[:-1]) else ["the dates do not increase"]
        problems += [] if self.numeraire else ["the numeraire is missing"]
        problems += factor_problems(factors, self.numeraire, conventions)
        problems += level_problems(factors, values, [f" on {date}" for date in dates])
        problems += fixing_problems(self.fixings) + origin_problems(self.origin)
        bad_market("history", problems)
        made = {"dates": dates, "factors": factors, "values": values, "stale": stale, "conventions": conventions}
        for array in (dates, values, stale):
            array.flags.writeable = False
        made |= {"fixings": frozen_fixings(self.fixings), "origin": Frozen(dict(sorted(self.origin.items())))}
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @classmethod
    def read(cls, folder: Path | str) -> MarketHistory:
        """Read ``conventions.yaml`` (numeraire, origin, conventions) and the tables ``history, stale, fixings``.

        ``history`` : a column ``date`` and one per factor.   ``stale`` : columns date, factor, a row per filled level;
        no such table means none.   Tables are CSV or Parquet.   Raises BadMarket.
        """
        folder = Path(folder)
        raw = read_yaml(folder / "conventions.yaml")
        numeraire, origin = raw.pop("numeraire", ""), raw.pop("origin", None) or {}
        table = read_table(folder, "history")
        if table is None:
            raise BadMarket(f"no history.parquet or history.csv in {folder}; a column date and one per factor is right")
        conventions = check_conventions(raw, str(folder / "conventions.yaml"))
        if not isinstance(origin, Mapping):
            raise BadMarket(f"{folder / 'conventions.yaml'}: key 'origin' is {origin!r}; factor: sentence is right")
        dates, factors = table.dates("date"), tuple(name for name in table.columns if name != "date")
        values = np.array([table.numbers(factor) for factor in factors]).reshape(len(factors), len(dates)).T
        stale = _stale_mask(read_table(folder, "stale"), dates, factors)
        try:
            return cls(dates, factors, values, stale, str(numeraire), conventions, read_fixings(folder), origin)
        except BadMarket as error:
            raise BadMarket(f"{folder}: {error}") from None

    def write(self, folder: Path | str, form: str = "parquet") -> None:
        """Write what :meth:`read` reads as an equal history.  form : of the tables, ``parquet`` or ``csv``."""
        folder = Path(folder)
        columns = {"date": self.dates} | {factor: self.values[:, i] for i, factor in enumerate(self.factors)}
        write_table(folder, "history", columns, form)
        rows, positions = np.nonzero(self.stale)
        filled = np.array(self.factors, dtype=object)[positions]
        write_table(folder, "stale", {"date": self.dates[rows], "factor": filled}, form)
        write_fixings(folder, self.fixings, form)
        head = {"numeraire": self.numeraire, "origin": self.origin}
        write_yaml(folder / "conventions.yaml", {**head, **self.conventions})

    def snapshot(self, date: np.datetime64 | str, extra: Mapping[str, float] | None = None) -> MarketSnapshot:
        """The market on one of the dates, without factors that have no level there, with fixings up to that day.

        extra : levels of factors that the history does not have.
        Raises BadMarket on a date that is not in the history, naming its neighbours, or an extra factor that it has.
        """
        day = np.datetime64(date, "D")
        row = int(np.searchsorted(self.dates, day))
        if row == len(self.dates) or self.dates[row] != day:
            near = " and ".join(str(known) for known in self.dates[max(row - 1, 0) : row + 1])
            raise BadMarket(f"the history has no date {day}; nearest: {near}")
        there = np.flatnonzero(~np.isnan(self.values[row]))
        more = dict(extra or {})
        levels = np.array([*self.values[row, there], *more.values()])
        fixings = {}
        for name, series in self.fixings.items():
            known = series.dates <= day
            fixings[name] = Fixings(series.dates[known], series.values[known])
        factors = (*(self.factors[i] for i in there), *more)
        return MarketSnapshot(day, self.numeraire, factors, levels, self.conventions, fixings, self.origin)

    def select(self, start: np.datetime64 | str, end: np.datetime64 | str) -> MarketHistory:
        """The history from ``start`` to ``end``, both included.  Raises BadMarket where no date is."""
        inside = (self.dates >= np.datetime64(start, "D")) & (self.dates <= np.datetime64(end, "D"))
        if not inside.any():
            raise BadMarket(f"the history has no date from {start} to {end}; it has {self._span}")
        return MarketHistory(
            self.dates[inside],
            self.factors,
            self.values[inside],
            self.stale[inside],
            self.numeraire,
            self.conventions,
            self.fixings,
            self.origin,
        )

    def to_dataset(self) -> xr.Dataset:
        """``value`` and ``stale`` (date, factor), with ``origin`` (factor); the numeraire is an attribute."""
        stated = resolve_origin(self.origin, self.factors)
        origin = np.array([stated.get(factor, "") for factor in self.factors], dtype=object)
        factors = np.array(self.factors, dtype=object)
        return xr.Dataset(
            {"value": (("date", "factor"), self.values.copy()), "stale": (("date", "factor"), self.stale.copy())},
            {"date": self.dates.astype("datetime64[s]"), "factor": factors, "origin": ("factor", origin)},
            {"numeraire": self.numeraire},
        )

    def zero_rates(self, curve: str) -> Values:
        """Zero rates (date, node) of a curve on all dates, calibrated in one call; NaN where a quote is missing.

        Nodes are those of :func:`riskgrid.market.factor.curve_nodes`.   Raises UnknownName.
        """
        known = self.conventions["curves"]
        if curve not in known:
            raise UnknownName("curve", curve, known)
        factors, times = curve_nodes(known[curve]["quotes"], curve, self.factors)
        if not factors:
            return np.empty((len(self.dates), 0))
        positions = [self.factors.index(factor) for factor in factors]
        quotes = np.ascontiguousarray(self.values[:, positions].T)
        return np.ascontiguousarray(calibrate(times, quotes, known[curve]).T)

    @functools.cached_property
    def digest(self) -> bytes:
        """Digest of everything that can move a number; what ``origin`` says cannot."""
        arrays = (self.dates, self.factors, self.values, self.stale)
        conventions = check_conventions(self.conventions).digest
        return digest("history", *arrays, self.numeraire, conventions, fixing_digests(self.fixings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarketHistory) and (self.digest, self.origin) == (other.digest, other.origin)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"MarketHistory({self._span}, {self.numeraire}, {kinds_text(self.factors)}, {short(self.digest)})"

    def _repr_html_(self) -> str:
        from riskgrid.page import notebook_html, percent

        filled = float(self.stale.mean()) if self.stale.size else 0.0
        said = [f"{percent(filled, up=True)} of the observations are filled (stale).", f"Content {short(self.digest)}."]
        title, origin = f"Market history, {self._span}, in {self.numeraire}", resolve_origin(self.origin, self.factors)
        return notebook_html([kinds_section(title, self.factors, origin, said)])

    @property
    def _span(self) -> str:
        return f"{self.dates[0]} to {self.dates[-1]}, {len(self.dates)} dates"


def _stale_mask(table: Table | None, dates: Dates, factors: tuple[str, ...]) -> Flags:
    mask = np.zeros((len(dates), len(factors)), dtype=np.bool_)
    if table is None:
        return mask
    rows, columns = {date: i for i, date in enumerate(dates)}, {factor: i for i, factor in enumerate(factors)}
    for date, factor in zip(table.dates("date"), table.texts("factor"), strict=True):
        if date not in rows or factor not in columns:
            raise BadMarket(f"{table.path}: the history has no {factor!r} on {date}")
        mask[rows[date], columns[factor]] = True
    return mask
