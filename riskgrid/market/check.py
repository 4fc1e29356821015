"""What must hold of a market's factors, levels, fixings: each function gives the sentences on what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from riskgrid.conventions import tenor_years
from riskgrid.errors import InputError
from riskgrid.market.factor import Factor, parse
from riskgrid.market.objects import Fixings
from riskgrid.terms import Values

__all__ = ["factor_problems", "fixing_problems", "level_problems", "origin_problems"]

_ORIGINS = ("real", "derived", "synthetic")
_LOWEST = {"equity": "above 0", "fx": "above 0", "vol": "0 or above"}


def factor_problems(factors: Sequence[str], numeraire: str, conventions: Mapping[str, Any]) -> list[str]:
    """Ids that are none, twice there, at one node, the numeraire, or of a curve that the conventions do not know."""
    problems = [f"factor {factor!r} is there {count} times" for factor, count in Counter(factors).items() if count > 1]
    nodes: dict[tuple[Any, ...], str] = {}
    kinds: dict[str, set[str]] = {}
    for factor in dict.fromkeys(factors):
        try:
            parts = parse(factor)
        except InputError as error:
            problems.append(str(error))
            continue
        earlier = nodes.setdefault(_node(parts), factor)
        if earlier != factor:
            problems.append(f"factors {earlier!r} and {factor!r} are the same node")
        if factor == f"fx:{numeraire}":
            problems.append(f"factor {factor!r} is the numeraire, which is 1 and no factor")
        if parts.kind in ("par", "zero"):
            kinds.setdefault(parts.name, set()).add(parts.kind)
            if tenor_years(parts.coordinates[0]) == 0.0:
                problems.append(f"factor {factor!r} has no length; a curve's nodes lie above 0D")
    return problems + [problem for name, kind in kinds.items() for problem in _curve_problems(name, kind, conventions)]


def level_problems(factors: Sequence[str], levels: Values, rows: Sequence[str]) -> list[str]:
    """Levels (row, factor) that are infinite, or lower than their kind allows; NaN passes.  rows : said of each row."""
    problems = []
    for column, factor in enumerate(factors):
        level = levels[:, column]
        right = _LOWEST.get(factor.split(":")[0], "")
        low = level < 0.0 if right == "0 or above" else (level <= 0.0) & (right != "")
        for bad, wanted in ((low & np.isfinite(level), right), (np.isinf(level), "finite")):
            where = np.flatnonzero(bad)
            if len(where):
                more = f" and {len(where) - 1} times more" if len(where) > 1 else ""
                said = f"factor {factor!r} is {float(level[where[0]])!r}{rows[where[0]]}{more}"
                problems.append(f"{said}; a level that is {wanted} is right")
    return problems


def fixing_problems(fixings: Mapping[str, Fixings]) -> list[str]:
    """Fixing series whose dates do not increase, or with values that are no numbers."""
    problems = []
    for name, series in sorted(fixings.items()):
        if len(series.dates) != len(series.values) or not np.all(series.dates[1:] > series.dates[:-1]):
            problems.append(f"fixings of {name!r} need one value per date and dates that increase")
        elif not np.isfinite(series.values).all():
            first = series.dates[~np.isfinite(series.values)][0]
            problems.append(f"the fixing of {name!r} on {first} is no number")
    return problems


def origin_problems(origin: Mapping[str, str]) -> list[str]:
    """Origins that do not say whether a factor is real, derived or synthetic."""
    return [
        f"the origin of {factor!r} is {text!r}; it begins with {', '.join(_ORIGINS)}"
        for factor, text in sorted(origin.items())
        if str(text).split(":")[0] not in _ORIGINS
    ]


def _node(parts: Factor) -> tuple[Any, ...]:
    tenor = tuple(tenor_years(text) for text in parts.coordinates[:1])
    return (parts.kind, parts.name, *tenor, *(float(text) for text in parts.coordinates[1:]))


def _curve_problems(name: str, kinds: set[str], conventions: Mapping[str, Any]) -> list[str]:
    if len(kinds) > 1:
        return [f"curve {name!r} has both par and zero factors; one kind of quote is right"]
    curves = conventions["curves"]
    if name not in curves:
        known = ", ".join(curves) or "none"
        return [f"curve {name!r} has factors but no entry in the conventions' curves; known: {known}"]
    kind, quoted = kinds.pop(), curves[name]["quotes"]
    return [] if kind == quoted else [f"curve {name!r} has {kind} factors where its conventions say quotes: {quoted}"]
