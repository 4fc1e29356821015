"""What a pricer asks the market for: look-ups by role that are recorded in a plan and enforced in a block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import MissingMarketData, UnrecordedRead
from riskgrid.market.objects import Holidays, MarketObject, Surface
from riskgrid.market.stack import distinct
from riskgrid.terms import Names

__all__ = ["Index", "Reading", "Source", "codes_of"]

type Dates = NDArray[np.datetime64]
type Index = NDArray[np.int64]

_SPOKEN = {
    "vol": "surface",
    "discount": "discount curve",
    "equity": "equity price",
    "fx": "FX rate",
    "index": "rate index",
    "spread": "issuer spread",
    "commodity": "commodity price",
}


class Source(Protocol):
    """Market objects by role, e.g. ``discount:USD``; None where the market has none, KeyError outside the plan."""

    def __getitem__(self, role: str) -> MarketObject | None: ...


@runtime_checkable
class Known(Protocol):
    """A source that can list what it has of a family, for error sentences."""

    def known(self, family: str) -> list[str]: ...


class Reading:
    """The questions of one pricer call for ``trades`` trades.

    ``reads`` : pairs (roles, codes); trade t asked for ``roles[codes[t]]``, for nothing where the code is -1.
    ``problems`` : trades (positions) that cannot be valued, each with its sentence.
    """

    def __init__(self, objects: Source, trades: int, *, recording: bool) -> None:
        self.objects, self.trades, self.recording = objects, trades, recording
        self.reads: list[tuple[tuple[str, ...], Index]] = []
        self.problems: dict[int, str] = {}
        # by identity of the column, which is held: a pricer asks about the same one several times
        self._answers: dict[Any, tuple[Names, dict[str, Any], Index, list[tuple[tuple[str, ...], Index]]]] = {}

    def read(
        self, name: Names, family: str, *, optional: bool = False, skip: Sequence[str] = ()
    ) -> tuple[dict[str, Any], Index]:
        """Objects by role, and each trade's place among them (-1: none). Empty names and ``skip`` ask for nothing."""
        key = id(name), family, optional, tuple(skip)
        if key not in self._answers:
            known = len(self.reads)
            found, index = self._read(name, family, optional=optional, skip=skip)
            self._answers[key] = name, found, index, self.reads[known:]
        else:
            self.reads.extend(self._answers[key][3])
        _, found, index, _ = self._answers[key]
        return found, index

    def _read(self, name: Names, family: str, *, optional: bool, skip: Sequence[str]) -> tuple[dict[str, Any], Index]:
        codes = codes_of(name, self.trades)
        roles = {
            code: f"{family}:{name.names[code]}"
            for code in np.flatnonzero(np.bincount(codes)).tolist()
            if name.names[code] not in ("", *skip)
        }
        position = np.full(len(name.names), -1, dtype=np.int64)
        found: dict[str, Any] = {}
        place: dict[str, int] = {}
        for code, role in roles.items():
            answered = self._answer(role)
            if answered is None and not optional:
                self.missing(role, np.flatnonzero(codes == code))
            if answered is not None:
                found.setdefault(role, answered)  # two names may lead to one role
                position[code] = place.setdefault(role, len(place))
        if self.recording and roles:
            named = np.full(len(name.names), -1, dtype=np.int64)
            named[list(roles)] = np.arange(len(roles))
            self.reads.append((tuple(roles.values()), named[codes]))
        return found, position[codes]

    def pair_surfaces(self, of: Names, to: Names) -> tuple[list[Surface], Index, NDArray[np.bool_]]:
        """Surfaces of currency pairs, each trade's position among them, and where it is quoted the other way round."""
        pairs, row = distinct(codes_of(of, self.trades), codes_of(to, self.trades))
        codes = row.astype(np.int32).reshape(-1, 1)
        names = [(of.names[a], to.names[b]) for a, b in pairs]
        direct, at = self.read(Names(codes, tuple(a + b for a, b in names)), "vol", optional=True)
        turned = tuple("" if f"vol:{a}{b}" in direct else b + a for a, b in names)
        other, after = self.read(Names(codes, turned), "vol", optional=True)
        for pair in np.unique(row[(at < 0) & (after < 0)]).tolist():
            self.missing(f"vol:{names[pair][0]}{names[pair][1]}", np.flatnonzero(row == pair))
        position = np.where(at >= 0, at, len(direct) + after)
        return [*direct.values(), *other.values()], position, (at < 0).reshape(-1, 1)

    def holidays(self, calendar: Names) -> tuple[Index, list[Dates]]:
        """Codes (trade,) into lists of holidays; an empty name is a calendar without holidays."""
        objects, index = self.read(calendar, "calendar")
        dates: list[Dates] = [found.dates for found in objects.values() if isinstance(found, Holidays)]
        if (index < 0).any():
            dates = [*dates, np.array([], dtype="datetime64[D]")]
            index = np.where(index < 0, len(dates) - 1, index)
        return index, dates

    def problem(self, trades: NDArray[np.intp], sentence: Callable[[int], str]) -> None:
        """Mark trades (positions) as without a value, each with its sentence; the first one stays."""
        for trade in np.unique(trades).tolist():
            self.problems.setdefault(trade, sentence(trade))

    def missing(self, role: str, trades: NDArray[np.intp]) -> None:
        """Say that the market lacks an object these trades need."""
        family = role.partition(":")[0]
        known = self.objects.known(family) if isinstance(self.objects, Known) else []
        listed = ", ".join(f"'{name}'" for name in known[:8]) + (" and more" if len(known) > 8 else "")
        sentence = f"no {_SPOKEN.get(family, family)} '{role}'; known: {listed or 'none'}"
        if not self.recording:
            raise MissingMarketData(sentence)
        self.problem(trades, lambda _: sentence)

    def _answer(self, role: str) -> MarketObject | None:
        try:
            return self.objects[role]
        except KeyError:
            raise UnrecordedRead(role) from None


def codes_of(name: Names, trades: int) -> Index:
    """The codes of a column of names, one for each of ``trades`` trades."""
    codes = name.codes[:, 0]
    return (codes if len(codes) == trades else np.broadcast_to(codes, (trades,))).astype(np.int64)
