"""Return rules: which kind of return a factor has, and what a change of a level is in that kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.proxy import Sources
from riskgrid.scenarios.set import mask
from riskgrid.terms import Values

if TYPE_CHECKING:
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = [
    "LEAST_SCALE",
    "RETURNS",
    "Rules",
    "applied",
    "change",
    "check_rules",
    "kind_of",
    "kinds_of",
    "least_scale",
    "one_of",
    "returns_of",
    "stretched",
]

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
LEAST_SCALE = (
    0.01  # of a relative shift: a beta, or a volatility, above that of the past must not turn a level negative
)


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


def check_rules(rules: Mapping[str, Any], options: Sequence[str] = (), form: type = Rules) -> None:
    """Raises BadScenarios on a rule that ``form`` does not have, or one of the wrong type; ``options`` are named too.

    >>> check_rules({"on_stale": "keep"})
    """
    known = (*options, *form.__annotations__)
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


def change(start: Values, end: Values, measured: NDArray[Any]) -> Values:
    """From two levels: their ratio where the return is measured as log or relative, their difference where absolute.

    start, end : (scenario, series).   measured : (series,).   The ratio stands for the return so that a beta of 1 leads
    from the first level to the second to the last bit but one.

    >>> change(np.array([[80.0, 0.25]]), np.array([[100.0, 0.5]]), np.array(["log", "absolute"])).tolist()
    [[1.25, 0.25]]
    """
    found, ratio = end - start, measured != "absolute"
    found[:, ratio] = end[:, ratio] / start[:, ratio]
    return found


def returns_of(change: Values, measured: NDArray[Any]) -> Values:
    """The returns behind :func:`change`, each in its series' kind; NaN where a ratio has no logarithm."""
    found = np.array(change)
    log, relative = measured == "log", measured == "relative"
    with np.errstate(invalid="ignore", divide="ignore"):
        found[:, log] = np.log(change[:, log])
    found[:, relative] -= 1.0
    return found


def stretched(change: Values, multiple: Values, measured: NDArray[Any]) -> Values:
    """What :func:`change` is when each return is so many times as large; a multiple of 1 keeps every bit.

    change, multiple : (scenario, series).

    >>> measured = np.array(["log", "relative", "absolute"])
    >>> stretched(np.array([[1.1, 1.1, 0.01]]), np.full((1, 3), 2.0), measured).round(4)
    array([[1.21, 1.2 , 0.02]])
    """
    found = multiple * change
    log, relative = measured == "log", measured == "relative"
    found[:, log] = change[:, log] ** multiple[:, log]
    same = multiple[:, relative] == 1.0
    ratio = change[:, relative]
    found[:, relative] = np.where(same, ratio, 1.0 + multiple[:, relative] * (ratio - 1.0))
    return found


def applied(change: Values, beta: Values, kind: str, measure: str) -> tuple[Values | float, Values | float]:
    """Scale and offset of a factor of this kind that moves by ``beta`` times a return measured as ``measure``.

    change : (scenario, factor), as of :func:`change`.   beta : (factor,).

    >>> applied(np.array([[1.25]]), np.array([2.0]), "log", "log")
    (array([[1.5625]]), 0.0)
    """
    if kind == "absolute":
        return 1.0, beta * _returns(change, measure) + 0.0  # one zero: a negative beta makes none of its own
    if kind != measure:  # the proxy moves absolutely
        move = beta * _returns(change, measure)
        return (np.exp(move) if kind == "log" else 1.0 + move), 0.0
    if kind == "log":
        return change**beta, 0.0
    return np.where(beta == 1.0, change, 1.0 + beta * (change - 1.0)), 0.0


def _returns(change: Values, measure: str) -> Values:
    if measure == "absolute":
        return change
    return np.log(change) if measure == "log" else change - 1.0


def least_scale(market: MarketSnapshot, at: NDArray[np.intp]) -> Values:
    """The least a relative shift may leave of these factors' levels: a vol one point or its own level, else 1 %."""
    is_vol = np.array([kind_of(market.factors[i]) == "vol" for i in at], np.bool_)
    level = np.where(is_vol & (market.levels[at] > 0), market.levels[at], 1.0)
    return np.where(is_vol, np.minimum(1.0, _ONE_VOL_POINT / level), LEAST_SCALE)


def kinds_of(
    history: MarketHistory, market: MarketSnapshot, sources: Sources, window: slice, asked: Mapping[str, str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """By factor: the kind of its return, and the kind in which the return of its source is measured."""
    every = sorted({*market.factors, *history.factors})
    kind = dict(zip(every, (RETURNS[kind_of(name)] for name in every), strict=True))
    with np.errstate(invalid="ignore"):
        sunk = (history.values[window] <= 0).any(axis=0)
    for i, name in enumerate(history.factors):
        if sunk[i] and kind_of(name) == "commodity":
            kind[name] = "absolute"
    for i, name in enumerate(market.factors):
        source = history.factors[sources.column[i]] if sources.column[i] >= 0 else name
        if kind_of(name) == kind_of(source) == "commodity" and (market.levels[i] <= 0 or kind[source] == "absolute"):
            kind[name] = "absolute"
    for pattern, wanted in asked.items():
        one_of(f"return of '{pattern}'", wanted, ("absolute", "log", "relative"))
        for at in np.flatnonzero(mask([pattern], every, "returns")):
            kind[every[at]] = wanted
    kinds = np.array([kind[name] for name in market.factors], dtype=object)
    own = np.array([kind[history.factors[i]] if i >= 0 else "" for i in sources.column], dtype=object)
    same = ~sources.proxied | ((kinds != "absolute") & (own != "absolute"))
    return kinds, np.where(same, kinds, own)


def kind_of(name: str) -> str:
    """The kind of a factor, the first part of its id."""
    return name.partition(":")[0]


def one_of(option: str, value: str, known: Sequence[str]) -> None:
    """Raises UnknownName where the value of an option is none of the known ones."""
    if value not in known:
        raise UnknownName(option, value, known)
