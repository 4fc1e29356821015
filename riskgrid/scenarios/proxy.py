"""Which series of a history each factor of a market moves with: its own, or a proxy's."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.set import mask
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory

__all__ = ["Sources", "listed", "present", "sources_of"]


@dataclass(frozen=True)
class Sources:
    """By factor: the history's column it moves with (-1: none), the beta, and whether that column is a proxy."""

    column: NDArray[np.intp]
    beta: Values
    proxied: Flags


def present(history: MarketHistory, before: NDArray[np.intp], after: NDArray[np.intp], on_missing: str) -> Flags:
    """Which series of the history have a level where one is needed."""
    finite = np.isfinite(history.values[np.union1d(before, after)])
    return np.asarray(finite.any(axis=0) if on_missing == "error" else finite.all(axis=0))


def sources_of(
    history: MarketHistory, factors: Sequence[str], rows: Sequence[tuple[str, str, float]], present: Flags
) -> Sources:
    """What each factor moves with: its own series where it is ``present``, then what the proxy rows say, in order.

    UnknownName on a proxy that the history does not have, or a pattern that names no factor.
    """
    place = {name: i for i, name in enumerate(history.factors)}
    column = np.array([i if (i := place.get(name, -1)) >= 0 and present[i] else -1 for name in factors], dtype=np.intp)
    alone, beta, proxied = column < 0, np.ones(len(factors)), np.zeros(len(factors), dtype=bool)
    reached = _reached(tuple(pattern for pattern, _, _ in rows), tuple(factors))
    for named, (pattern, proxy, multiple) in zip(reached, rows, strict=True):
        if proxy not in place:
            raise UnknownName("proxy factor", proxy, history.factors)
        if not np.isfinite(multiple):
            raise BadScenarios(f"the beta of '{pattern}' on '{proxy}' is {multiple}; a beta is a finite number")
        at = named if pattern in factors else named & alone
        column[at], beta[at], proxied[at] = (place[proxy] if present[place[proxy]] else -1), multiple, True
    return Sources(column, beta, proxied & (column >= 0))


@functools.lru_cache(maxsize=8)  # a history of runs asks the same of every date
def _reached(patterns: tuple[str, ...], factors: tuple[str, ...]) -> tuple[Flags, ...]:
    """Which factors (factor,) each pattern names. UnknownName on one that names none."""
    return tuple(mask([pattern], factors, "proxies") for pattern in patterns)


def listed(
    proxies: Mapping[str, tuple[str, float]] | Sequence[tuple[str, str, float]],
) -> list[tuple[str, str, float]]:
    """Proxies as rows (factor pattern, proxy factor, beta), from rows or from pattern -> (proxy factor, beta)."""
    rows: list[Any] = list(proxies)
    if isinstance(proxies, Mapping):
        given: Mapping[str, Any] = proxies  # as a file or a caller may give it
        rows = [(key, *row) if isinstance(row, (tuple, list)) else (key, row) for key, row in given.items()]
    return [_row(row) for row in rows]


def _row(row: Any) -> tuple[str, str, float]:
    try:
        pattern, proxy, beta = row
        if isinstance(pattern, str) and isinstance(proxy, str):
            return pattern, proxy, float(beta)
    except (TypeError, ValueError):
        pass
    raise BadScenarios(f"proxy {row!r} is no row (factor pattern, proxy factor, beta)")
