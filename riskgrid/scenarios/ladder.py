"""Ladders and grids: one bump of one factor per scenario, and spot against volatility."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from riskgrid.conventions import tenor_years
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.market.factor import match
from riskgrid.registry import scenario_set
from riskgrid.scenarios.set import Extras, shiftable, shifts, targets

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["BUMPS", "UNITS", "grid", "ladder"]

#: One of each unit a bump can have, in the factor's own unit; ``%`` is of the level.
UNITS = {"bp": 0.0001, "%": 0.01, "vol": 0.01}

#: The bump of each kind of factor unless asked otherwise: a number and its unit.
BUMPS = {
    "zero": (1.0, "bp"),
    "par": (1.0, "bp"),
    "hazard": (1.0, "bp"),
    "spread": (1.0, "bp"),
    "dividend": (1.0, "bp"),
    "fx": (1.0, "%"),
    "equity": (1.0, "%"),
    "commodity": (1.0, "%"),
    "index": (1.0, "%"),
    "vol": (1.0, "vol"),
}

#: What no bump may take to zero or below; of a commodity no relative one.
_POSITIVE = {"vol": "volatility", "equity": "price", "fx": "rate", "commodity": "price"}

_SIDES = {"central": (1, -1), "up": (1,), "down": (-1,)}


@dataclass(frozen=True)
class _Bump:
    factor: str
    size: float
    unit: str

    @property
    def label(self) -> str:
        return f"{self.factor} {self.size:+g}{' ' if self.unit == 'vol' else ''}{self.unit}"


@scenario_set("ladder")
def ladder(
    market: MarketSnapshot,
    *,
    patterns: Sequence[str] | None = None,
    sizes: Mapping[str, tuple[float, str]] | None = None,
    kind: Literal["central", "up", "down"] = "central",
    next_day: bool = False,
) -> xr.Dataset:
    """A bump of one factor per scenario, labelled like ``par:USD-TREASURY:5Y +1bp``; ``central`` bumps up, then down.

    ``patterns`` : the factors, by default all but ``index:`` series, which no pricer reads; ``zero:CURVE:*`` bumps a
    par-quoted curve at its nodes in zero space, ``par:CURVE:*`` in quotes.   ``sizes`` : pattern -> (number, unit
    ``bp``, ``%`` or ``vol``), a later pattern wins; by default :data:`BUMPS`.   ``next_day`` : one more scenario,
    ``date +1 day``, whose P&L is theta: levels stay, curves and surfaces keep their tenors (``constant_tenor``).
    Coordinates of ``scenario`` say ``bumped`` (the factor, or ``date``), ``bump`` (signed number) and ``unit``.
    BadScenarios names a volatility, a spot or an exchange rate that would not stay positive.
    """
    if kind not in _SIDES:
        raise UnknownName("kind of ladder", kind, _SIDES)
    factors = _chosen(patterns, market)
    size_of = _sizes(factors, sizes or {})
    bumps = [_Bump(factor, side * number, unit) for factor, (number, unit) in size_of.items() for side in _SIDES[kind]]
    _refuse(bumps, market)
    rows = len(bumps) + next_day
    scale, offset = np.ones((rows, len(factors))), np.zeros((rows, len(factors)))
    column = {factor: i for i, factor in enumerate(factors)}
    for row, bump in enumerate(bumps):
        place, move = (row, column[bump.factor]), bump.size * UNITS[bump.unit]
        if bump.unit == "%":
            scale[place] = 1.0 + move
        else:
            offset[place] = move
    facts = {"kind": "ladder", "side": kind, "sizes": {factor: list(size) for factor, size in size_of.items()}}
    told = [(bump.label, bump.factor, bump.size, bump.unit) for bump in bumps]
    optional: Extras = {}
    if next_day:
        told.append(("date +1 day", "date", 1.0, "day"))
        optional["date"] = [*[np.datetime64("NaT", "D")] * len(bumps), market.date + np.timedelta64(1, "D")]
        facts["date"] = "constant_tenor"
    labels, bumped, sizes_of, units = zip(*told, strict=True) if told else ((), (), (), ())
    found = shifts(labels, factors, scale, offset, name="ladder", kind="ladder", provenance=facts, **optional)
    return found.assign_coords(
        bumped=("scenario", np.array(bumped, dtype=str)),
        bump=("scenario", np.array(sizes_of, dtype=np.float64)),
        unit=("scenario", np.array(units, dtype=str)),
    )


@scenario_set("grid")
def grid(market: MarketSnapshot, underlying: str, spots: Sequence[float], vols: Sequence[float]) -> xr.Dataset:
    """Every spot move with every volatility move of one underlying, labelled like ``equity:ACME -20% +5 vol``.

    underlying : ``equity:NAME``, ``fx:CURRENCY`` or ``commodity:NAME`` (all its tenors).   spots : relative moves,
    above -1.   vols : absolute moves, 0.01 is one volatility point; of every node of the underlying's surface, which
    for a currency is the one against the numeraire. Coordinates of ``scenario``: ``spot_move`` and ``vol_move``.
    """
    spot = match(underlying, market.factors) or match(f"{underlying}:*", market.factors)
    if not spot or underlying.partition(":")[0] not in ("equity", "fx", "commodity"):
        raise UnknownName("underlying of a grid", underlying, match("[efc]*", market.factors))
    vol = _surface(underlying, market)
    if not vol and any(vols):
        raise BadScenarios(f"'{underlying}' has no volatility to move; right is vols=[0] or a market with its surface")
    if any(not move > -1 for move in spots):
        raise BadScenarios(f"a spot move of '{underlying}' is {min(spots):g}; a relative move is above -1")
    _refuse_twice("spots", spots)
    _refuse_twice("vols", vols)
    moves = [(float(spot_move), float(vol_move)) for spot_move in spots for vol_move in vols]
    bumps = [_Bump(factor, 100 * move, "vol") for move in vols for factor in vol]
    _refuse(bumps, market)
    scale = np.ones((len(moves), len(spot) + len(vol)))
    offset = np.zeros_like(scale)
    scale[:, : len(spot)] = 1.0 + np.array([[spot_move] for spot_move, _ in moves])
    offset[:, len(spot) :] = np.array([[vol_move] for _, vol_move in moves])
    found = shifts(
        [f"{underlying} {100 * spot_move:+g}% {100 * vol_move:+g} vol" for spot_move, vol_move in moves],
        [*spot, *vol],
        scale,
        offset,
        name=f"grid {underlying}",
        kind="grid",
        provenance={"kind": "grid", "underlying": underlying, "spots": list(spots), "vols": list(vols)},
    )
    return found.assign_coords(
        spot_move=("scenario", np.array([move for move, _ in moves])),
        vol_move=("scenario", np.array([move for _, move in moves])),
    )


def _chosen(patterns: Sequence[str] | None, market: MarketSnapshot) -> list[str]:
    if patterns is None:
        return sorted((factor for factor in market.factors if not factor.startswith("index:")), key=_in_curve_order)
    found = {pattern: targets(pattern, market) for pattern in patterns}
    for pattern, factors in found.items():
        if not factors:
            raise UnknownName("factor in patterns:", pattern, shiftable(market))
    return sorted({factor for factors in found.values() for factor in factors}, key=_in_curve_order)


def _sizes(factors: Sequence[str], sizes: Mapping[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    size_of = {factor: BUMPS[factor.partition(":")[0]] for factor in factors}
    for pattern, (number, unit) in sizes.items():
        if unit not in UNITS:
            raise UnknownName("unit of a bump", unit, UNITS)
        if not (np.isfinite(number) and number > 0):
            raise BadScenarios(f"the bump of '{pattern}' is {number}; a size is positive, the ladder gives the sign")
        found = match(pattern, factors)
        if not found:
            raise UnknownName("factor in sizes:", pattern, factors)
        size_of |= dict.fromkeys(found, (float(number), unit))
    return size_of


def _in_curve_order(factor: str) -> tuple[str, str, float, str]:
    kind, name, *coordinates = factor.split(":")
    return kind, name, tenor_years(coordinates[0]) if coordinates else 0.0, factor


def _surface(underlying: str, market: MarketSnapshot) -> tuple[str, ...]:
    kind, name = underlying.split(":")[:2]
    names = (name + market.numeraire, market.numeraire + name) if kind == "fx" else (name,)
    return tuple(factor for name in names for factor in match(f"vol:{name}:*", market.factors))


def _refuse_twice(name: str, moves: Sequence[float]) -> None:
    """A move that stands twice, as the labels of scenarios write it."""
    counted = Counter(f"{float(move) + 0.0:g}" for move in moves)
    for text, times in counted.items():
        if times > 1:
            raise BadScenarios(f"{text} stands {times} times in {name}; each move once is right")


def _refuse(bumps: Sequence[_Bump], market: MarketSnapshot) -> None:
    """Bumps that leave a volatility or a price without a value, and relative ones of a level that has no percent."""
    level = dict(zip(market.factors, market.levels.tolist(), strict=True))
    for bump in bumps:
        known = level.get(bump.factor)
        if known is None:  # a zero rate of a par-quoted curve has no level before calibration
            if bump.unit == "%":
                raise BadScenarios(f"the bump of '{bump.factor}' is in %; right is bp, as calibration gives its level")
            continue
        if bump.unit == "%" and known <= 0 and not bump.factor.startswith(("zero:", "par:")):
            raise BadScenarios(
                f"the bump of '{bump.factor}' is in % of its level {known:g}, which is not positive; right is an "
                "absolute size, e.g. (100, 'bp')"
            )
        moved = known * (1.0 + bump.size * UNITS["%"]) if bump.unit == "%" else known + bump.size * UNITS[bump.unit]
        kind = bump.factor.partition(":")[0]
        crosses = not moved > 0 and (kind == "vol" or known > 0)
        if crosses and kind in _POSITIVE and (kind != "commodity" or bump.unit == "%"):  # oil has been below zero
            what = _POSITIVE[kind]
            raise BadScenarios(
                f"the bump {bump.label!r} takes the {what} {known:g} to {moved:g}; a {what} stays above zero, "
                "so a smaller size or kind='up' is right"
            )
