"""Conventions of tail measures: levels, quantile methods, weights of scenarios, and the flags that a result carries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadSpec, UnknownName

__all__ = [
    "ALIASES",
    "METHODS",
    "ROUNDING",
    "SHORTFALLS",
    "Level",
    "clamped",
    "flags_of",
    "known",
    "named",
    "rank_of",
    "shares_of",
    "tail_of",
    "weighted_flags",
]

type Values = NDArray[np.float64]
type Level = float | str | Decimal

# position of the a-quantile among n sorted values is alpha + a (n + 1 - alpha - beta): Hyndman and Fan (1996), p. 363
_CONTINUOUS = {
    "interpolated_inverted_cdf": (Fraction(0), Fraction(1)),
    "hazen": (Fraction(1, 2), Fraction(1, 2)),
    "weibull": (Fraction(0), Fraction(0)),
    "linear": (Fraction(1), Fraction(1)),
    "median_unbiased": (Fraction(1, 3), Fraction(1, 3)),
    "normal_unbiased": (Fraction(3, 8), Fraction(3, 8)),
}
METHODS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", *_CONTINUOUS)
SHORTFALLS = ("tail_integral", "inverted_cdf")
ALIASES = {"centred": "hazen", "excel_exclusive": "weibull", "excel_inclusive": "linear"}

ROUNDING = 1e-12  # sums of float weights that differ by less are the same: 0.1 + 0.2 reaches 0.3


def tail_of(level: Level) -> Fraction:
    """1 - level, exactly as its digits read."""
    try:
        exact = Decimal(str(level))
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite() or not 0 < exact < 1:
        raise BadSpec(f"level {level!r} is not between 0 and 1; 0.99 is right for a 99 % measure")
    return 1 - Fraction(exact)


def known(method: str, methods: tuple[str, ...], aliases: Mapping[str, str]) -> str:
    """The method by its own name. UnknownName."""
    method = aliases.get(method, method)
    if method not in methods:
        raise UnknownName("method", method, [*methods, *aliases])
    return method


def shares_of(pnl: xr.DataArray, weight: xr.DataArray | None) -> Values | None:
    """Checks the scenarios of ``pnl``; their weights, or None where all weigh the same."""
    if "scenario" not in pnl.dims:
        raise BadSpec(f"the P&L has no dim 'scenario'; its dims are {', '.join(map(repr, pnl.dims)) or 'none'}")
    if pnl.sizes["scenario"] == 0:
        raise BadSpec("the P&L has no scenarios; a measure needs at least one")
    if weight is None and "weight" in pnl.coords:
        weight = pnl.coords["weight"]
    if weight is None:
        return None
    try:
        _, aligned = xr.align(pnl["scenario"], weight, join="exact")
    except ValueError as error:
        raise BadSpec("the weights are not of the scenarios of the P&L; both need the same labels") from error
    shares = np.asarray(aligned.values, dtype=np.float64)
    if weight.dims != ("scenario",):
        raise BadSpec(f"the weights have dims {weight.dims}; ('scenario',) is right")
    if not (shares >= 0.0).all() or abs(math.fsum(shares) - 1.0) > 1e-9:
        raise BadSpec(f"the weights sum to {math.fsum(shares):.12g}; none below 0 and a sum of 1 is right")
    return None if (shares == shares[0]).all() else shares


def rank_of(size: int, tail: Fraction, method: str) -> tuple[int, float]:
    """Rank j >= 1 from below and the share of rank j + 1 in the quantile, before clamping."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        exact = alpha + tail * (size + 1 - alpha - beta)
        return math.floor(exact), float(exact - math.floor(exact))
    exact = size * tail
    if method == "inverted_cdf":
        return math.ceil(exact), 0.0
    if method == "averaged_inverted_cdf":
        return math.ceil(exact), 0.5 if exact.denominator == 1 else 0.0
    below = exact - Fraction(1, 2)
    rank = math.floor(below)
    return (rank if below == rank and rank % 2 == 0 else rank + 1), 0.0


def clamped(size: int, position: int, share: float) -> list[str]:
    """The flag of a rank that lies outside the scenarios."""
    if position < 1:
        return ["rank below 1: clamped"]
    return ["rank above n: clamped"] if position + (share > 0.0) > size else []


def flags_of(size: int, tail: Fraction) -> list[str]:
    """The flag of too few scenarios for the level, with how many it takes."""
    return [f"fewer than the {math.ceil(1 / tail):,} scenarios of this level"] if size * tail < 1 else []


def weighted_flags(shares: Values, tail: Fraction) -> list[str]:
    """The flag of a scenario that is the whole tail."""
    return ["one scenario weighs more than the whole tail"] if shares.max() > float(tail) + ROUNDING else []


def named(result: xr.DataArray, pnl: xr.DataArray, convention: dict[str, Any]) -> xr.DataArray:
    """The result with its name and convention as attributes."""
    result.name = convention["measure"]  # the result is new, so nobody else sees it change
    result.attrs = {**pnl.attrs, **convention, "scenarios": pnl.sizes["scenario"]}
    return result
