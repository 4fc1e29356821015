"""Shifts of a market's factors from two dates of a history: a return rule per kind of factor, proxies, stale levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from riskgrid import hashing
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.proxy import Sources, listed, present, sources_of
from riskgrid.scenarios.set import mask
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["RETURNS", "Moves", "Rules", "check_rules", "moves"]

#: The return of each kind of factor unless asked otherwise. A commodity whose level is not positive moves absolutely.
RETURNS = {
    "fx": "log",
    "equity": "log",
    "commodity": "log",
    "zero": "absolute",
    "par": "absolute",
    "hazard": "absolute",
    "dividend": "absolute",
    "recovery": "absolute",
    "spread": "absolute",
    "vol": "relative",
    "index": "relative",
}

_ONE_VOL_POINT = 0.01
_LEAST_SCALE = 0.01  # of a relative shift through a proxy: a beta above 1 must not turn a level negative


class Rules(TypedDict, total=False):
    """How a history becomes shifts.

    ``returns`` : pattern -> ``log``, ``relative`` or ``absolute``; a later pattern wins over an earlier one.
    ``proxies`` : rows (factor pattern, proxy factor, beta), or pattern -> (proxy factor, beta); a later row wins. A
    pattern reaches the factors without history of their own, a full factor id reaches that factor in any case.
    ``skip`` : patterns of factors that are left where they are, on purpose.
    ``on_stale`` : ``zero`` (default) turns a shift from or to a filled level into none, ``keep`` keeps it; either
    flags it.
    ``on_missing`` : ``error`` (default), or ``unshocked``: a factor with a gap counts as one without history.
    """

    returns: Mapping[str, str]
    proxies: Mapping[str, tuple[str, float]] | Sequence[tuple[str, str, float]]
    skip: Sequence[str]
    on_stale: str
    on_missing: str


def check_rules(rules: Mapping[str, Any], options: Sequence[str] = ()) -> None:
    """Raises BadScenarios on a rule that is none, with the known ones and ``options``, or one of the wrong type.

    >>> check_rules({"on_stale": "keep"})
    """
    known = (*options, *Rules.__annotations__)
    for name in rules:
        if name not in known:
            raise BadScenarios(str(UnknownName("option", name, known)))
    returns, proxies, skip = rules.get("returns", {}), rules.get("proxies", ()), rules.get("skip", ())
    if not isinstance(returns, Mapping):
        raise BadScenarios(f"returns is {returns!r}; right is a mapping, e.g. {{'vol:*': 'absolute'}}")
    if isinstance(proxies, str) or not isinstance(proxies, (Mapping, Sequence)):
        raise BadScenarios(
            f"proxies is {proxies!r}; right are rows (factor pattern, proxy factor, beta), or a mapping of pattern to "
            "(proxy factor, beta)"
        )
    patterns = skip if isinstance(skip, Sequence) else [skip]
    if not all(isinstance(pattern, str) for pattern in (*returns, *patterns)):
        raise BadScenarios("a pattern of returns or skip is no text; right is e.g. 'vol:*'")


@dataclass(frozen=True)
class Moves:
    """Shifts of every factor of a market, (scenario, factor), what is not known of them, and the facts behind them."""

    scale: Values
    offset: Values
    stale: Flags
    unshocked: Flags
    facts: dict[str, Any]


def moves(
    history: MarketHistory, market: MarketSnapshot, before: NDArray[np.intp], after: NDArray[np.intp], rules: Rules
) -> Moves:
    """Shifts between pairs of the history's rows.

    before, after : (scenario,) rows of the two levels.   The shift of a factor without history is beta times the
    proxy's return, applied as the factor's own kind of return: scale e^(beta r) for log, 1 + beta r for relative,
    offset beta r for absolute. Where both are log or relative, r is measured as the factor's kind, so that a beta of 1
    repeats the proxy's move; else as the proxy's. A relative shift through a proxy leaves a volatility at one point or
    more (or its level, where lower), and any other level at a hundredth or more.
    """
    on_stale, on_missing = rules.get("on_stale", "zero"), rules.get("on_missing", "error")
    _one_of("on_stale", on_stale, ("zero", "keep"))
    _one_of("on_missing", on_missing, ("error", "unshocked"))
    proxies, skip = listed(rules.get("proxies", ())), rules.get("skip", ())
    window = slice(before.min(), after.max() + 1)
    sources = sources_of(history, market.factors, proxies, present(history, before, after, on_missing))
    kinds, measured = _kinds(history, market, sources, window, rules.get("returns", {}))
    skipped = mask([skip] if isinstance(skip, str) else skip, market.factors, "skip")
    live = np.flatnonzero((sources.column >= 0) & ~skipped)
    columns = sources.column[live]
    _refuse_gaps(history, before, after, columns)
    _refuse_non_positive(history, before, after, columns, measured[live])
    scale, offset, floored = np.ones((len(before), len(skipped))), np.zeros((len(before), len(skipped))), 0
    for kind, measure in sorted(set(zip(kinds[live], measured[live], strict=True))):
        at = live[(kinds[live] == kind) & (measured[live] == measure)]
        start, end = (history.values[np.ix_(rows, sources.column[at])] for rows in (before, after))
        if kind == "absolute":
            offset[:, at] = sources.beta[at] * _returns(start, end, measure)
        else:
            wanted = _scale(start, end, sources.beta[at], kind, measure)
            floor = sources.proxied[at] & (kind == "relative")
            scale[:, at] = np.where(floor, np.maximum(wanted, _least(market, at)), wanted)
            floored += int((scale[:, at] != wanted).sum())
    stale = np.zeros(scale.shape, dtype=bool)
    stale[:, live] = history.stale[np.ix_(before, columns)] | history.stale[np.ix_(after, columns)]
    if on_stale == "zero":
        scale[stale], offset[stale] = 1.0, 0.0
    unshocked = (sources.column < 0) & ~skipped
    flags = {"unshocked": unshocked, "skipped": skipped, "proxied": sources.proxied & ~skipped, "stale": stale}
    usual = np.array([RETURNS[_kind_of(name)] for name in market.factors], dtype=object)
    facts = {
        "history": hashing.short(_digest(history, window), 40),
        "returns": {market.factors[i]: str(kinds[i]) for i in np.flatnonzero(kinds != usual)},
        "proxies": [list(row) for row in proxies],
        "skip": [skip] if isinstance(skip, str) else list(skip),
        "on_stale": on_stale,
        "on_missing": on_missing,
        "counts": {key: int(flag.sum()) for key, flag in flags.items()} | {"floored": floored},
    }
    return Moves(scale, offset, stale, unshocked, facts)


def _returns(start: Values, end: Values, kind: str) -> Values:
    if kind == "absolute":
        return end - start
    return np.log(end / start) if kind == "log" else end / start - 1.0


def _scale(start: Values, end: Values, beta: Values, kind: str, measure: str) -> Values:
    if kind != measure:  # the proxy moves absolutely
        move = beta * _returns(start, end, measure)
        return np.exp(move) if kind == "log" else 1.0 + move
    ratio = end / start
    # from the ratio itself: with a beta of 1 the state's level is the second level to the last bit but one
    return ratio**beta if kind == "log" else np.where(beta == 1.0, ratio, 1.0 + beta * (ratio - 1.0))


def _least(market: MarketSnapshot, at: NDArray[np.intp]) -> Values:
    is_vol = np.array([_kind_of(market.factors[i]) == "vol" for i in at])
    level = np.where(is_vol & (market.levels[at] > 0), market.levels[at], 1.0)
    return np.where(is_vol, np.minimum(1.0, _ONE_VOL_POINT / level), _LEAST_SCALE)


def _kinds(
    history: MarketHistory, market: MarketSnapshot, sources: Sources, window: slice, asked: Mapping[str, str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """By factor: the kind of its return, and the kind in which the return of its source is measured."""
    every = sorted({*market.factors, *history.factors})
    kind = dict(zip(every, (RETURNS[_kind_of(name)] for name in every), strict=True))
    with np.errstate(invalid="ignore"):
        sunk = (history.values[window] <= 0).any(axis=0)
    for i, name in enumerate(history.factors):
        if sunk[i] and _kind_of(name) == "commodity":
            kind[name] = "absolute"
    for i, name in enumerate(market.factors):
        source = history.factors[sources.column[i]] if sources.column[i] >= 0 else name
        if _kind_of(name) == _kind_of(source) == "commodity" and (market.levels[i] <= 0 or kind[source] == "absolute"):
            kind[name] = "absolute"
    for pattern, wanted in asked.items():
        _one_of(f"return of '{pattern}'", wanted, ("absolute", "log", "relative"))
        for at in np.flatnonzero(mask([pattern], every, "returns")):
            kind[every[at]] = wanted
    kinds = np.array([kind[name] for name in market.factors], dtype=object)
    own = np.array([kind[history.factors[i]] if i >= 0 else "" for i in sources.column], dtype=object)
    same = ~sources.proxied | ((kinds != "absolute") & (own != "absolute"))
    return kinds, np.where(same, kinds, own)


def _refuse_gaps(
    history: MarketHistory, before: NDArray[np.intp], after: NDArray[np.intp], columns: NDArray[np.intp]
) -> None:
    rows, used = np.union1d(before, after), np.unique(columns)
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
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    columns: NDArray[np.intp],
    measured: NDArray[Any],
) -> None:
    rows, ratio = np.union1d(before, after), measured != "absolute"
    levels = history.values[np.ix_(rows, columns[ratio])]
    if (levels > 0).all():
        return
    row, at = np.argwhere(~(levels > 0))[0]
    name, kind = history.factors[columns[ratio][at]], measured[ratio][at]
    raise BadScenarios(
        f"the {kind} return of '{name}' is not defined: its level on {history.dates[rows[row]]} is "
        f"{levels[row, at]:g}, which is not positive; take returns={{'{name}': 'absolute'}}, or another window"
    )


def _kind_of(name: str) -> str:
    return name.partition(":")[0]


def _one_of(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UnknownName(option, value, known)


def _digest(history: MarketHistory, window: slice) -> bytes:
    panel = (history.values[window], history.stale[window])
    return hashing.digest("history", list(history.factors), history.dates[window].astype(np.int64), *panel)
