"""Drivers: the series of a history that a market's factors move with, and the shifts that their changes become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import hashing
from riskgrid.errors import BadScenarios
from riskgrid.scenarios.proxy import listed, present, sources_of
from riskgrid.scenarios.returns import RETURNS, Rules, applied, change, kind_of, kinds_of, least_scale, one_of
from riskgrid.scenarios.set import mask, shifts
from riskgrid.scenarios.window import Pairs
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["Drivers", "Moves", "drivers", "followed", "moves"]


@dataclass(frozen=True)
class Drivers:
    """The distinct series that move a market, and how each factor follows its own.

    column, measured : (series,) column of the history, and the kind in which its return is measured.   series :
    (factor,) position of the factor's series, -1: it has none, or is left alone.   beta, kind, proxied, skipped,
    unshocked : (factor,).   facts : of the rules, for provenance.
    """

    column: NDArray[np.intp]
    measured: NDArray[Any]
    series: NDArray[np.intp]
    beta: Values
    kind: NDArray[Any]
    proxied: Flags
    skipped: Flags
    unshocked: Flags
    facts: dict[str, Any]

    def changes(self, history: MarketHistory, pairs: Pairs) -> tuple[Values, Flags]:
        """What each series did between two dates, and whether one of the two levels was filled; (scenario, series).

        With ``on_stale`` ``zero`` a filled level makes no change.
        """
        start, end = (history.values[np.ix_(rows, self.column)] for rows in pairs)
        stale = np.logical_or(*(history.stale[np.ix_(rows, self.column)] for rows in pairs))
        found = change(start, end, self.measured)
        if self.facts["on_stale"] == "zero":
            found = np.where(stale, np.where(self.measured == "absolute", 0.0, 1.0), found)
        return found, np.asarray(stale)


@dataclass(frozen=True)
class Moves:
    """Shifts of every factor of a market, (scenario, factor), what is not known of them, and the facts behind them."""

    scale: Values
    offset: Values
    stale: Flags
    unshocked: Flags
    facts: dict[str, Any]

    def scenarios(
        self, labels: Sequence[str], market: MarketSnapshot, *, name: str, kind: str, facts: dict[str, Any]
    ) -> xr.Dataset:
        """These shifts as a scenario set; facts : what its provenance says besides."""
        told = {**self.facts, "kind": kind, **facts}
        told["counts"] = self.facts["counts"] | facts.get("counts", {})
        flags = {"stale": self.stale, "unshocked": self.unshocked}
        return shifts(labels, market.factors, self.scale, self.offset, name=name, kind=kind, provenance=told, **flags)


def moves(history: MarketHistory, market: MarketSnapshot, pairs: Pairs, rules: Rules) -> Moves:
    """Shifts between pairs of the history's rows, as they were.

    The shift of a factor without history is beta times the proxy's return, applied as the factor's own kind of return:
    scale e^(beta r) for log, 1 + beta r for relative, offset beta r for absolute. Where both are log or relative, r is
    measured as the factor's kind, so that a beta of 1 repeats the proxy's move; else as the proxy's. A relative shift
    through a proxy leaves a volatility at one point or more (or its level, where lower), and any other level at a
    hundredth or more.
    """
    found = drivers(history, market, pairs, rules)
    return followed(found, market, *found.changes(history, pairs))


def drivers(
    history: MarketHistory, market: MarketSnapshot, pairs: Pairs, rules: Rules, window: slice | None = None
) -> Drivers:
    """The series behind changes between these rows.   window : rows that are looked at besides, to be named and hashed.

    BadScenarios where a level is missing, or one that is not positive meets a log or relative return.
    """
    on_stale, on_missing = rules.get("on_stale", "zero"), rules.get("on_missing", "error")
    one_of("on_stale", on_stale, ("zero", "keep"))
    one_of("on_missing", on_missing, ("error", "unshocked"))
    window = slice(pairs.before.min(), pairs.after.max() + 1) if window is None else window
    proxies, skip = listed(rules.get("proxies", ())), rules.get("skip", ())
    skip = [skip] if isinstance(skip, str) else list(skip)
    sources = sources_of(history, market.factors, proxies, present(history, *pairs, on_missing))
    kind, measured = kinds_of(history, market, sources, window, rules.get("returns", {}))
    skipped = mask(skip, market.factors, "skip")
    live = np.flatnonzero((sources.column >= 0) & ~skipped)
    column, how, of = _distinct(sources.column[live], measured[live])
    series = np.full(len(market.factors), -1, dtype=np.intp)
    series[live] = of
    _refuse_gaps(history, pairs, column)
    _refuse_non_positive(history, pairs, column, how)
    unshocked, proxied = (sources.column < 0) & ~skipped, sources.proxied & ~skipped
    usual = np.array([RETURNS[kind_of(name)] for name in market.factors], dtype=object)
    facts = {
        "history": hashing.short(_digest(history, window), 40),
        "returns": {market.factors[i]: str(kind[i]) for i in np.flatnonzero(kind != usual)},
        "proxies": [list(row) for row in proxies],
        "skip": skip,
        "on_stale": on_stale,
        "on_missing": on_missing,
    }
    return Drivers(column, how, series, sources.beta, kind, proxied, skipped, unshocked, facts)


def _distinct(
    columns: NDArray[np.intp], measured: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[np.intp]]:
    """Each pair of a column and a kind of return once, and where each of the given ones stands among them."""
    names = np.array(["absolute", "log", "relative"])
    code = columns * len(names) + np.searchsorted(names, measured.astype(names.dtype))
    found, place = np.unique(code, return_inverse=True)
    return found // len(names), names[found % len(names)], place


def followed(found: Drivers, market: MarketSnapshot, change: Values, stale: Flags, *, floor: str = "proxied") -> Moves:
    """Shifts of every factor from the changes of its series, (scenario, series).

    floor : the relative shifts that leave a level where it is still one, ``proxied`` or ``all``.
    """
    shape = (len(change), len(found.series))
    scale, offset, flags, floored = np.ones(shape), np.zeros(shape), np.zeros(shape, dtype=bool), 0
    live = np.flatnonzero(found.series >= 0)
    series = found.series[live]
    flags[:, live] = stale[:, series]
    kinds, measured = found.kind[live], found.measured[series]
    for kind, measure in sorted(set(zip(kinds, measured, strict=True))):
        one = (kinds == kind) & (measured == measure)
        at = live[one]
        wanted, offset[:, at] = applied(change[:, series[one]], found.beta[at], kind, measure)
        floors = (found.proxied[at] | (floor == "all")) & (kind == "relative")
        scale[:, at] = np.where(floors, np.maximum(wanted, least_scale(market, at)), wanted)
        floored += int((scale[:, at] != wanted).sum())
    counts = {"unshocked": found.unshocked, "skipped": found.skipped, "proxied": found.proxied, "stale": flags}
    facts = found.facts | {"counts": {key: int(flag.sum()) for key, flag in counts.items()} | {"floored": floored}}
    return Moves(scale, offset, flags, found.unshocked, facts)


def _refuse_gaps(history: MarketHistory, pairs: Pairs, columns: NDArray[np.intp]) -> None:
    rows, used = np.union1d(*pairs), np.unique(columns)
    gaps = ~np.isfinite(history.values[np.ix_(rows, used)])
    if not gaps.any():
        return
    listed = []
    for at in np.flatnonzero(gaps.any(axis=0)):
        dates = history.dates[rows[gaps[:, at]]]
        shown = ", ".join(str(date) for date in dates[:3]) + (f" and {len(dates) - 3} more" if len(dates) > 3 else "")
        listed.append(f"'{history.factors[used[at]]}' on {shown}")
    more = f"; and {len(listed) - 12} more factors" if len(listed) > 12 else ""
    raise BadScenarios(
        f"the history has no level of {'; '.join(listed[:12])}{more}; fill it, choose another window, or take "
        "on_missing='unshocked'"
    )


def _refuse_non_positive(
    history: MarketHistory,
    pairs: Pairs,
    columns: NDArray[np.intp],
    measured: NDArray[Any],
) -> None:
    rows, ratio = np.union1d(*pairs), measured != "absolute"
    levels = history.values[np.ix_(rows, columns[ratio])]
    if (levels > 0).all():
        return
    row, at = np.argwhere(~(levels > 0))[0]
    name, kind = history.factors[columns[ratio][at]], measured[ratio][at]
    raise BadScenarios(
        f"the {kind} return of '{name}' is not defined: its level on {history.dates[rows[row]]} is "
        f"{levels[row, at]:g}, which is not positive; take returns={{'{name}': 'absolute'}}, or another window"
    )


def _digest(history: MarketHistory, window: slice) -> bytes:
    panel = (history.values[window], history.stale[window])
    return hashing.digest("history", list(history.factors), history.dates[window].astype(np.int64), *panel)
