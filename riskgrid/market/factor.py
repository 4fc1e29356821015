"""Factor ids, ``kind:name[:coordinate...]``: one number of the market each."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import tenor_years
from riskgrid.errors import BadMarket, UnknownName

__all__ = ["KINDS", "Factor", "curve_nodes", "match", "parse"]

#: Kinds of factors and what each of their coordinates is.
KINDS: dict[str, tuple[str, ...]] = {
    "commodity": ("tenor",),
    "dividend": (),
    "equity": (),
    "fx": (),
    "index": (),
    "par": ("tenor",),
    "spread": (),
    "vol": ("tenor", "moneyness"),
    "zero": ("tenor",),
}

_COORDINATES = {
    "tenor": (re.compile(r"\d+[DWMY]"), "a tenor such as 6M or 10Y"),
    "moneyness": (re.compile(r"\d+(\.\d+)?"), "a moneyness K/F such as 1.00"),
}
_NAME = re.compile(r"[^\s:*?\[\],]+")


@dataclass(frozen=True, order=True)
class Factor:
    """The parts of a factor id; ``str(factor)`` is the id."""

    kind: str
    name: str
    coordinates: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ":".join((self.kind, self.name, *self.coordinates))


def parse(factor: str) -> Factor:
    """The parts of a factor id.  Raises UnknownName on an unknown kind, BadMarket on anything else that is no id.

    >>> parse("vol:AAPL:1Y:1.00")
    Factor(kind='vol', name='AAPL', coordinates=('1Y', '1.00'))
    >>> parse("zero:USD-TREASURY")
    Traceback (most recent call last):
    ...
    riskgrid.errors.BadMarket: factor 'zero:USD-TREASURY' is no zero:NAME:TENOR
    """
    return _parsed(factor)


@functools.lru_cache(1 << 16)  # every snapshot of every day has the same ids
def _parsed(factor: str) -> Factor:
    kind, *parts = factor.split(":")
    if kind not in KINDS:
        raise UnknownName(f"factor kind in {factor!r}:", kind, KINDS)
    kinds = KINDS[kind]
    if len(parts) != 1 + len(kinds):
        form = ":".join((kind, "NAME", *(coordinate.upper() for coordinate in kinds)))
        raise BadMarket(f"factor {factor!r} is no {form}")
    name, coordinates = parts[0], tuple(parts[1:])
    if not _NAME.fullmatch(name):
        raise BadMarket(f"factor {factor!r} has the name {name!r}; a name has no blanks, commas or wildcards")
    for coordinate, text in zip(kinds, coordinates, strict=True):
        pattern, right = _COORDINATES[coordinate]
        if not pattern.fullmatch(text):
            raise BadMarket(f"factor {factor!r} has {text!r} where {right} belongs")
    return Factor(kind, name, coordinates)


_LITERAL = re.compile(r"[^*?\[]*")


def match(pattern: str, factors: Iterable[str]) -> tuple[str, ...]:
    """The ids that a glob pattern names, in the order given.

    >>> match("equity:*", ["equity:AAPL", "fx:EUR"])
    ('equity:AAPL',)
    """
    literal = _LITERAL.match(pattern).group()  # type: ignore[union-attr]  # it matches any text
    if literal == pattern:
        return tuple(factor for factor in factors if factor == pattern)
    if pattern == literal + "*":  # most patterns: no expression is as fast
        return tuple(factor for factor in factors if factor.startswith(literal))
    fits = re.compile(translate(pattern)).match
    return tuple(factor for factor in factors if factor.startswith(literal) and fits(factor))


def curve_nodes(kind: str, name: str, factors: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Ids and nominal times (node,), in years, of the nodes of one curve, in order of time; empty where it has none.

    kind : ``zero``, ``par`` or ``commodity``.

    >>> curve_nodes("zero", "EUR", ["zero:EUR:10Y", "zero:EUR:6M", "zero:GBP:1Y"])
    (('zero:EUR:6M', 'zero:EUR:10Y'), array([ 0.5, 10. ]))
    """
    prefix = f"{kind}:{name}:"
    timed = sorted((tenor_years(factor[len(prefix) :]), factor) for factor in factors if factor.startswith(prefix))
    return tuple(factor for _, factor in timed), np.array([time for time, _ in timed], dtype=np.float64)
