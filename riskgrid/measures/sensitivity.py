"""Delta, gamma, vega, rho and theta from the P&L of a ladder.

Everything is P&L, in its currency, per bump: +1 bp of a rate or a spread, +1 % of a spot, +1 volatility point, one day.
A ladder's scenarios say what they move: coordinates ``bumped`` (a factor, or ``date``), ``bump`` (a signed number) and
``unit``. P&L of a run carries labels alone, so its ladder is given beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadSpec
from riskgrid.market.factor import KINDS
from riskgrid.registry import measure

__all__ = ["RATES", "delta", "gamma", "rho", "theta", "vega"]

#: Kinds of factors that are interest rates, and the space in which a bump of each moves its curve.
RATES = ("par", "zero")

_TOLD = ("bumped", "bump", "unit")
_NAMED = {"long_name": "P&L per bump"}

type Values = NDArray[np.float64]
type Places = NDArray[np.intp]


@measure(
    "delta", reference="closed-form Greeks and QuantLib; of notional, 1 % of spot, a week or more to expiry", error=4e-5
)
def delta(pnl: xr.DataArray, ladder: xr.Dataset | None = None) -> xr.DataArray:
    """P&L of one bump of each factor, (..., factor), in the unit of ``pnl``: half of P&L up less P&L down.

    ladder : the scenario set of ``pnl``, not needed where ``pnl`` has its coordinates.   A factor that is bumped one
    way alone has the one-sided difference, and the attribute ``side`` says so: central, up, down or mixed.
    Coordinates of ``factor``: kind, name, tenor (of a rate or price, expiry of a volatility), moneyness, bump, unit,
    space (par or zero, of rates). A NaN leaves its own factors NaN. BadSpec where ``pnl`` is not of a ladder.
    Source: central difference; its error is a sixth of the third derivative times the cube of the bump.

    >>> told = {"bumped": ["fx:EUR", "fx:EUR"], "bump": [1.0, -1.0], "unit": ["%", "%"]}
    >>> pnl = xr.DataArray([12.0, -8.0], dims="scenario", coords={key: ("scenario", told[key]) for key in told})
    >>> delta(pnl).values.tolist(), gamma(pnl).values.tolist()
    ([10.0], [4.0])
    """
    sides = _Sides.of(pnl, ladder)
    values = sides.rows(pnl)
    # a side that is not there takes the other one's place: half of up less minus up is up
    found = values[..., np.where(sides.up < 0, sides.down, sides.up)]
    found *= np.where(sides.up < 0, -0.5, 0.5)
    other = values[..., np.where(sides.down < 0, sides.up, sides.down)]
    other *= np.where(sides.down < 0, -0.5, 0.5)
    found -= other
    return sides.labelled(found, pnl, "delta")


@measure("gamma", reference="closed-form Greeks; of notional, 1 % of spot, a week or more to expiry", error=2e-5)
def gamma(pnl: xr.DataArray, ladder: xr.Dataset | None = None) -> xr.DataArray:
    """Change of delta over one bump of the same factor, (..., factor), in the unit of ``pnl``: P&L up plus P&L down.

    Arguments and coordinates as of :func:`delta`; cross gammas are not in it. BadSpec where a factor is bumped one way
    alone.
    """
    sides = _Sides.of(pnl, ladder)
    if alone := sides.factors[(sides.up < 0) | (sides.down < 0)].tolist():
        raise BadSpec(
            f"gamma needs a bump up and a bump down; '{alone[0]}' has one, and a ladder of kind 'central' both"
        )
    values = sides.rows(pnl)
    return sides.labelled(values[..., sides.up] + values[..., sides.down], pnl, "gamma")


@measure("vega", reference="closed-form Greeks; of notional, up to ten years to expiry", error=1e-5)
def vega(pnl: xr.DataArray, ladder: xr.Dataset | None = None) -> xr.DataArray:
    """The deltas of volatilities, per volatility point, (..., factor); none where no volatility is bumped."""
    return _of_kinds(delta(pnl, ladder), ("vol",)).assign_attrs(measure="vega").rename("vega")


@measure("rho", reference="closed-form Greeks, QuantLib's bonds and swaps; of notional, up to 30 years", error=5e-9)
def rho(pnl: xr.DataArray, ladder: xr.Dataset | None = None) -> xr.DataArray:
    """The deltas of interest rates, per basis point, (..., factor), in the space in which the ladder bumps them.

    Their sum over a curve is the P&L of a parallel shift but for the square of the bump.
    """
    return _of_kinds(delta(pnl, ladder), RATES).assign_attrs(measure="rho").rename("rho")


@measure("theta", reference="closed-form Greeks; of notional, a week or more to expiry", error=1e-5)
def theta(pnl: xr.DataArray, ladder: xr.Dataset | None = None) -> xr.DataArray:
    """P&L of one calendar day in which nothing but the date moves, cash that it settles included; (...).

    Curves and surfaces keep their tenors (``constant_tenor``). BadSpec where no scenario moves the date alone.

    >>> told = {"bumped": ["date"], "bump": [1.0], "unit": ["day"]}
    >>> float(theta(xr.DataArray([-3.5], dims="scenario", coords={key: ("scenario", told[key]) for key in told})))
    -3.5
    """
    bumped, bump, _ = _told(pnl, ladder)
    at = np.flatnonzero((bumped == "date") & (bump == 1.0))
    if len(at) != 1:
        raise BadSpec(
            f"theta needs one scenario that moves the date by a day, and there are {len(at)}; "
            "a ladder with next_day=True has it"
        )
    found = pnl.isel(scenario=int(at[0]), drop=True)
    attrs = {**pnl.attrs, "long_name": "P&L of one day", "measure": "theta", "bump": "1 day", "roll": "constant_tenor"}
    return found.rename("theta").assign_attrs(attrs)


@dataclass(frozen=True)
class _Sides:
    """Where P&L has each factor's bumps: places ``up`` and ``down`` among the scenarios, -1 for none; (factor,)."""

    factors: NDArray[Any]
    up: Places
    down: Places
    size: Values
    unit: NDArray[Any]

    @classmethod
    def of(cls, pnl: xr.DataArray, ladder: xr.Dataset | None) -> _Sides:
        """From the coordinates of a ladder, its factors in the order in which they first stand there."""
        bumped, bump, unit = _told(pnl, ladder)
        at = np.flatnonzero((bumped != "") & (bumped != "date"))
        names, first, code = np.unique(bumped[at], return_index=True, return_inverse=True)
        places = np.full((2, len(names)), -1, np.intp)
        for side, which in enumerate((bump[at] > 0.0, bump[at] < 0.0)):
            counted = np.bincount(code[which], minlength=len(names))
            if (counted > 1).any():
                many, way = names[counted > 1][0], ("up", "down")[side]
                raise BadSpec(
                    f"'{many}' is bumped {way} {counted.max()} times; a ladder with one bump each way is right"
                )
            places[side, code[which]] = at[which]
        up, down = places[:, np.argsort(first)]
        both = (up >= 0) & (down >= 0)
        either = np.where(up >= 0, up, down)
        uneven = both & ((bump[up] != 0.0 - bump[down]) | (unit[up] != unit[down]))
        if uneven.any():
            raise BadSpec(f"'{bumped[up[uneven][0]]}' is bumped up and down by different sizes; the same one is right")
        return cls(bumped[either], up, down, np.abs(bump[either]), unit[either])

    def rows(self, pnl: xr.DataArray) -> Values:
        """P&L (..., scenario)."""
        return np.asarray(pnl.transpose(..., "scenario").values, np.float64)

    def labelled(self, values: Values, pnl: xr.DataArray, name: str) -> xr.DataArray:
        """Numbers (..., factor) with all that is known of their factors."""
        parts = [factor.split(":") for factor in self.factors.tolist()]
        of = [dict(zip(KINDS.get(part[0], ("tenor",)), part[2:], strict=False)) for part in parts]
        kind = [part[0] for part in parts]
        told = {
            "kind": kind,
            "name": [part[1] for part in parts],
            "tenor": [one.get("tenor", "") for one in of],
            "moneyness": [one.get("moneyness", "") for one in of],
            "unit": self.unit,
            "space": [one if one in RATES else "" for one in kind],
        }
        rest = pnl.transpose(..., "scenario").isel(scenario=0, drop=True)
        coords: dict[str, Any] = {str(key): held.variable for key, held in rest.coords.items()}
        coords |= {key: ("factor", np.asarray(column, dtype=str)) for key, column in told.items()}
        coords |= {"factor": self.factors.astype(str), "bump": ("factor", self.size)}
        attrs = {**pnl.attrs, **_NAMED, "measure": name, "side": self._side()}
        return xr.DataArray(values, coords, (*rest.dims, "factor"), name=name, attrs=attrs)

    def _side(self) -> str:
        kinds = {"central": (self.up >= 0) & (self.down >= 0), "up": self.down < 0, "down": self.up < 0}
        return next((name for name, held in kinds.items() if held.all()), "mixed")


def _told(pnl: xr.DataArray, ladder: xr.Dataset | None) -> tuple[NDArray[Any], Values, NDArray[Any]]:
    """What each scenario of the P&L bumps, by how much, in which unit."""
    if "scenario" not in pnl.dims:
        raise BadSpec(f"the P&L has no dim 'scenario'; its dims are {', '.join(map(repr, pnl.dims)) or 'none'}")
    source: Any = pnl if ladder is None else ladder
    absent = [name for name in _TOLD if name not in source.coords]
    if absent:
        raise BadSpec(
            f"the scenarios say no '{absent[0]}'; sensitivities need the P&L of a ladder, and the ladder itself"
        )
    if ladder is not None and not _same_labels(pnl, ladder):
        raise BadSpec(
            "the P&L is not of this ladder: their scenarios differ; the set that the run was asked with is right"
        )
    bumped, bump, unit = (source[name].values for name in _TOLD)
    return bumped.astype(str), np.asarray(bump, np.float64), unit.astype(str)


def _same_labels(pnl: xr.DataArray, ladder: xr.Dataset) -> bool:
    if "scenario" not in pnl.coords:
        return pnl.sizes["scenario"] == ladder.sizes["scenario"]
    return np.array_equal(pnl["scenario"].values.astype(str), ladder["scenario"].values.astype(str))


def _of_kinds(deltas: xr.DataArray, kinds: Sequence[str]) -> xr.DataArray:
    return deltas.isel(factor=np.isin(deltas["kind"].values, kinds))
