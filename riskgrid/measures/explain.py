"""The pieces of a P&L explain: what each step of the market adds, and what sensitivities say it should add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    "PIECES",
    "THETA",
    "TRANSLATION",
    "UNEXPLAINED",
    "Counted",
    "step_pieces",
    "taylor_pnl",
    "trade_pieces",
    "translated",
]

type Ticks = NDArray[np.int64]

CASH, FIXINGS, THETA = "cash and carry", "fixings", "theta"
TRANSLATION, CROSS = "FX translation", "cross"
NEW, AMENDED, DROPPED, EXPIRED, UNEXPLAINED = "new", "amended", "dropped", "expired", "unexplained"

#: The pieces of every explain, beside those of its groups of factors.
PIECES = (CASH, FIXINGS, THETA, TRANSLATION, CROSS, NEW, AMENDED, DROPPED, EXPIRED, UNEXPLAINED)


@measure("step_pieces", reference="P&L of the states, in whole ticks", error=0.0)
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


@measure("taylor_pnl", reference="parabolas, at any bump", error=1e-13)
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
            f"factor '{factors[first]}' is bumped by {bump[up[first]]:g} and {bump[down[first]]:g}; one size is right"
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


@dataclass(frozen=True)
class Counted:
    """What the trades of an earlier run are worth on the way to a later one; ticks, (trade,) where nothing is said.

    before : revalued now less as it was stored.   rolled : P&L of time alone, with the fixings known before.
    moved : (trade, scenario), P&L of every step with the fixings known later, the first one ``theta``.
    aged : value on the later date at the earlier levels less value before; what lacks to ``moved`` was settled.
    left : value in the later run less value on its date at its levels.   translation : (trade, group), of ``moved``.
    expired, amended, dropped : what became of the trades; one that is neither is the same in the later run.
    """

    before: Ticks
    rolled: Ticks
    moved: Ticks
    aged: Ticks
    left: Ticks
    translation: Ticks
    expired: NDArray[np.bool_]
    amended: NDArray[np.bool_]
    dropped: NDArray[np.bool_]


def trade_pieces(counted: Counted, groups: Sequence[str], order: str = "from_base") -> dict[str, Ticks]:
    """Every piece of the P&L of trades, piece to ticks (trade,); they add to ``before + moved[:, -1] + left`` exactly.

    What was settled is worth what it lacks in value: cash and carry = moved theta - aged. Time alone is theta, less
    that cash; what fixings add is the difference of the two thetas. A fixing that was unknown before and is paid by the
    later date is cash at its published rate, so theta has the opposite of what it brought. An expired trade is not
    parted: all of its P&L is one piece.   groups : of ``moved``, in order.
    """
    cash = counted.moved[:, 0] - counted.aged
    labels = {"scenario": [THETA, *groups, *(["all"] if order == "from_base" else [])]}
    steps = step_pieces(xr.DataArray(counted.moved, labels, ("trade", "scenario")), order=order)
    found = {CASH: cash, FIXINGS: counted.moved[:, 0] - counted.rolled, THETA: counted.rolled - cash}
    for at, group in enumerate(groups):
        found[group] = steps.values[:, at] - counted.translation[:, at]
    last = found.pop(groups[-1])
    found |= {TRANSLATION: counted.translation.sum(axis=1), groups[-1]: last}
    if order == "from_base":
        found[CROSS] = steps.values[:, -1]
    found = {name: np.where(counted.expired, 0, ticks) for name, ticks in found.items()}
    same = ~(counted.amended | counted.dropped)
    return {
        **found,
        NEW: np.zeros_like(cash),
        AMENDED: np.where(counted.amended, counted.left, 0),
        DROPPED: np.where(counted.dropped, counted.left, 0),
        EXPIRED: np.where(counted.expired, counted.moved[:, -1], 0),
        UNEXPLAINED: counted.before + np.where(same, counted.left, 0),
    }
