"""The pieces of a P&L explain: what each step of the market adds, and what sensitivities say it should add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.registry import measure
from riskgrid.terms import Values

__all__ = [
    "AMENDED",
    "CASH",
    "CROSS",
    "DROPPED",
    "EXPIRED",
    "FIXINGS",
    "NEW",
    "THETA",
    "TRANSLATION",
    "UNEXPLAINED",
    "step_pieces",
    "taylor_pnl",
    "translated",
]

CASH, FIXINGS, THETA = "cash and carry", "fixings", "theta"
TRANSLATION, CROSS = "FX translation", "cross"
NEW, AMENDED, DROPPED, EXPIRED, UNEXPLAINED = "new", "amended", "dropped", "expired", "unexplained"


@measure("step_pieces")
def step_pieces(pnl: xr.DataArray, *, order: str = "from_base") -> xr.DataArray:
    """What each group of factors adds to P&L, (..., piece); the dim ``scenario`` is consumed.

    pnl : (..., scenario) of the states of :func:`riskgrid.scenarios.steps.steps`, ``theta`` first, in any unit; whole
    numbers (ticks) stay whole.   order : of those states. ``from_base`` : P&L of each group alone less that of theta,
    and a ``cross`` that makes them add up to the last state; ``in_sequence`` : P&L less that of the state before.
    The pieces add to the last state's P&L less theta's. BadSpec where the first state is another, UnknownName.

    >>> steps = xr.DataArray([1, 4, 6, 11], {"scenario": ["theta", "spot", "rates", "all"]}, "scenario")
    >>> step_pieces(steps).to_series().to_dict()
    {'spot': 3, 'rates': 5, 'cross': 2}
    """
    labels = [str(label) for label in pnl["scenario"].values]
    if labels[:1] != [THETA]:
        raise BadSpec(f"the states of an explain are {', '.join(labels) or 'none'}; '{THETA}' is the first one")
    values = pnl.transpose(..., "scenario").values
    if order == "from_base":
        parts = values[..., 1:] - values[..., :1]
        parts[..., -1] -= parts[..., :-1].sum(axis=-1)
        names = [*labels[1:-1], CROSS]
    elif order == "in_sequence":
        parts, names = np.diff(values, axis=-1), labels[1:]
    else:
        raise UnknownName("order of an explain", order, ("from_base", "in_sequence"))
    rest = [dim for dim in pnl.dims if dim != "scenario"]
    coords = {name: coord for name, coord in pnl.coords.items() if "scenario" not in coord.dims}
    return xr.DataArray(parts, {**coords, "piece": names}, (*rest, "piece"), attrs={**pnl.attrs, "order": order})


@measure("taylor_pnl")
def taylor_pnl(pnl: xr.DataArray, moves: Mapping[str, float]) -> xr.DataArray:
    """P&L of each factor's move by its delta and its own gamma, (..., factor); the dim ``scenario`` is consumed.

    pnl : (..., scenario) of a central ladder, whose coordinates say ``bumped`` (factor) and ``bump`` (signed number).
    moves : of factors, in the unit of their bumps.   With n = move / bump: delta n + gamma n^2 / 2, delta = (up -
    down) / 2, gamma = up + down. BadSpec where a factor is not bumped once up and once down by the same.
    Source: Hull (2018), Options, Futures and Other Derivatives, ch. 19; Taylor's formula to second order.

    >>> both = {"bumped": ("scenario", ["fx:EUR", "fx:EUR"]), "bump": ("scenario", [1.0, -1.0])}
    >>> taylor_pnl(xr.DataArray([11.0, -9.0], both, "scenario"), {"fx:EUR": 3.0}).item()  # 10 n + n^2
    39.0
    """
    bumped = [str(factor) for factor in pnl["bumped"].values]
    size = {(factor, bump > 0): at for at, (factor, bump) in enumerate(zip(bumped, pnl["bump"].values, strict=True))}
    factors = list(dict.fromkeys(bumped))
    lacking = [factor for factor in factors if (factor, True) not in size or (factor, False) not in size]
    lacking += [factor for factor in factors if factor not in moves]
    if lacking:
        raise BadSpec(
            f"factor '{lacking[0]}' has not both a bump up and down and a move; a central ladder of what moved is right"
        )
    up, down = (np.array([size[factor, side] for factor in factors], np.intp) for side in (True, False))
    bump = pnl["bump"].values
    if not np.array_equal(bump[up], -bump[down]):
        first = int(np.argmax(bump[up] != -bump[down]))
        raise BadSpec(
            f"factor '{factors[first]}' is bumped by {bump[up[first]]:g} and {bump[down[first]]:g}; equal sizes are right"
        )
    count = np.array([moves[factor] for factor in factors]) / bump[up]
    values = pnl.transpose(..., "scenario").values
    high, low = values[..., up], values[..., down]
    made = 0.5 * (high - low) * count + 0.5 * (high + low) * count * count
    rest = [dim for dim in pnl.dims if dim != "scenario"]
    coords = {name: coord for name, coord in pnl.coords.items() if "scenario" not in coord.dims}
    return xr.DataArray(made, {**coords, "factor": factors}, (*rest, "factor"), attrs=dict(pnl.attrs))


def translated(value: Values, rate: Values, before: Sequence[int], after: Sequence[int]) -> NDArray[np.float64]:
    """P&L of a value that is only converted at another rate, (trade, step).

    value, rate : (trade, state), currency reported in, and units of it per unit of the trade's own.
    before, after : (step,), states between which the rate moves; the value is that of the state before.

    >>> translated(np.array([[200.0, 230.0]]), np.array([[1.25, 1.0]]), [0], [1]).round(9).tolist()
    [[-40.0]]
    """
    return np.asarray(value[:, before] * (rate[:, after] / rate[:, before] - 1.0))
