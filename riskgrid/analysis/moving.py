"""How far one scenario moves each market object, and what that object alone does to the trades of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.analysis.tracing import Told, alone
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.result import Run
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.ladder import BUMPS, UNITS

__all__ = ["moves_of"]


def moves_of(
    run: Run,
    scenario: str,
    *,
    where: Mapping[str, Any] | None = None,
    cluster: Any = "threads",
    progress: Told = None,
) -> xr.Dataset:
    """What one scenario moves, and what each market object alone does to some trades of a run, largest first.

    ``pnl, move, nodes, level, shifted`` (group).   move : the mean of an object's nodes, in the coordinate ``unit``:
    ``%`` of the level, ``bp``, or ``vol``.   level, shifted : of an object of one node; NaN of one of several.
    attrs: ``cross``, what the objects do together, ``notices``, what keeps the numbers from being whole. UnknownName.
    """
    chosen = select(run.scenarios.drop_vars("weight", errors="ignore"), [scenario])
    found, notices = alone(run, chosen, np.ones(1), where, (cluster, progress))
    names = [str(name) for name in found["group"].values]
    pnl = 0.0 - found["component"].values
    whole = float(run.pnl(where=where).sel(scenario=scenario))
    made = _sizes(chosen.isel(scenario=0), run.market, names)
    made["pnl"] = ("group", pnl)
    facts = {"cross": whole - float(pnl.sum()), "whole": whole, "notices": notices}
    return made.assign_attrs({**facts, "currency": run.manifest["reporting"]})


def _sizes(moves: xr.Dataset, market: MarketSnapshot, names: list[str]) -> xr.Dataset:
    """``move, nodes, level, shifted`` (group) of the objects named. moves : scale and offset (factor,)."""
    places = {factor: at for at, factor in enumerate(market.factors)}
    inside: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    rows = zip(moves["factor"].values.tolist(), moves["scale"].values, moves["offset"].values, strict=True)
    for factor, scale, offset in rows:
        name = ":".join(factor.split(":")[:2])
        if name in inside and (scale != 1.0 or offset != 0.0):
            # of a zero rate of a curve given in quotes only the shift is known
            level = float(market.levels[places[factor]]) if factor in places else np.nan
            inside[name].append((level, scale * level + offset, offset))
    units = [BUMPS.get(name.partition(":")[0], (1.0, ""))[1] for name in names]
    sizes = [_mean(held, unit) for held, unit in zip(inside.values(), units, strict=True)]
    single = [held[0] if len(held) == 1 else (np.nan, np.nan, 0.0) for held in inside.values()]
    data = {
        "move": ("group", np.array(sizes, np.float64)),
        "nodes": ("group", np.array([len(held) for held in inside.values()], np.int64)),
        "level": ("group", np.array([one[0] for one in single], np.float64)),
        "shifted": ("group", np.array([one[1] for one in single], np.float64)),
    }
    coords = {"group": np.array(names, object), "unit": ("group", np.array(units, object))}
    return xr.Dataset(data, coords)


def _mean(held: list[tuple[float, float, float]], unit: str) -> float:
    """The mean move of an object's nodes in a unit."""
    if not held:
        return np.nan
    if unit == "%":
        return float(np.mean([100.0 * (new / old - 1.0) for old, new, _ in held]))
    return float(np.mean([offset if np.isnan(old) else new - old for old, new, offset in held])) / UNITS.get(unit, 1.0)
