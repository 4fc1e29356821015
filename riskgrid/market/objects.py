"""Market objects in many states: what a pricer's question is answered from, and what a block's key counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from riskgrid.hashing import digest
from riskgrid.terms import Values

__all__ = [
    "Curve",
    "Fixings",
    "Holidays",
    "Level",
    "MarketObject",
    "Prices",
    "RateIndex",
    "Surface",
    "object_from_parts",
]

type Dates = NDArray[np.datetime64]


@dataclass(frozen=True)
class MarketObject:
    """Base of the kinds below: fields that are arrays, of which ``panel`` (row, state) moves with the state."""

    kinds: ClassVar[dict[str, type[MarketObject]]] = {}

    def __init_subclass__(cls) -> None:
        MarketObject.kinds[cls.__name__] = cls

    @property
    def moving(self) -> Values | None:
        """The panel (row, state), None where nothing moves."""
        return getattr(self, "panel", None)

    def take(self, states: NDArray[np.intp]) -> Self:
        """The object in these states only."""
        panel = self.moving
        if panel is None:
            return self
        changed: dict[str, Any] = {"panel": np.ascontiguousarray(panel[:, states])}
        return dataclasses.replace(self, **changed)

    def moves(self, count: int) -> NDArray[np.bool_]:
        """Whether anything differs from the base, in bits, ``(state,)``; state 0 is the base."""
        panel = self.moving
        if panel is None:
            return np.zeros(count, dtype=np.bool_)
        bits = np.ascontiguousarray(panel).view(np.int64)
        return np.asarray((bits != bits[:, :1]).any(axis=0))

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Plain values and arrays that :func:`object_from_parts` makes an equal object of."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in fields.items() if name not in arrays}
        return {"kind": type(self).__name__, **plain}, arrays

    def digest(self) -> bytes:
        """Digest of everything that can move a value."""
        return digest(*self.parts())


def object_from_parts(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> MarketObject:
    """The object that :meth:`MarketObject.parts` came from."""
    fields = {name: value for name, value in plain.items() if name != "kind"}
    return MarketObject.kinds[plain["kind"]](**fields, **arrays)


@dataclass(frozen=True)
class Level(MarketObject):
    """One number of the market: a spot, an FX rate, a dividend yield, an issuer's spread. panel : (1, state)."""

    panel: Values


@dataclass(frozen=True)
class Curve(MarketObject):
    """A discount curve. times : (node,) years.   panel : as :func:`riskgrid.market.curves.curve_panel` makes it."""

    times: Values
    panel: Values
    interpolation: str
    extrapolation: str


@dataclass(frozen=True)
class Prices(MarketObject):
    """A commodity's forward prices by time to delivery. times : (node,) years.   panel : (node, state)."""

    times: Values
    panel: Values


@dataclass(frozen=True)
class Surface(MarketObject):
    """Lognormal volatilities, linear in total variance. expiries : (E,) years.   moneyness : (K,) strike / forward.

    panel : (E * K, state), squared volatility, expiry outer.   sticky : what stays with a volatility when spot moves.
    """

    expiries: Values
    moneyness: Values
    panel: Values
    sticky: str


@dataclass(frozen=True)
class Fixings(MarketObject):
    """Published values of an index. dates : sorted (fixing,)."""

    dates: Dates
    values: Values


@dataclass(frozen=True)
class Holidays(MarketObject):
    """Frozen holidays of a calendar, sorted."""

    dates: Dates


@dataclass(frozen=True)
class RateIndex(MarketObject):
    """Conventions of an interest-rate index; its rates are projected from ``curve``."""

    currency: str
    curve: str
    tenor: str
    day_count: str
    fixing_lag: int
    calendar: str
