"""Trades of a run in the order of their value, of what they make in a scenario, or of what they add to VaR or ES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.analysis.tracing import Tail
from riskgrid.errors import UnknownName
from riskgrid.result import Run

__all__ = ["ranked_trades"]

type Index = NDArray[np.int64]


def ranked_trades(
    run: Run,
    where: Mapping[str, Any] | None = None,
    *,
    sort: str = "",
    scenario: str = "",
    tail: Tail | None = None,
    start: int = 0,
    count: int = 50,
) -> xr.Dataset:
    """Trades with labels, base value, status and problem, ``count`` of them from place ``start`` of their order on.

    sort : a label, ``base_value, status, scenario_pnl`` or ``component``, a minus before it for the largest first; by
    default in portfolio order, in which equals stand too. A trade without a number comes last.   scenario : adds
    ``scenario_pnl``.   tail : adds ``component``, what a trade adds to the measure of that tail.
    attrs: ``matching``, how many trades there are in all. UnknownName.
    """
    scenarios = [str(name) for name in run.cube.scenarios]
    if scenario and scenario not in scenarios:
        raise UnknownName("scenario", scenario, scenarios)
    weighed: dict[str, Callable[[Index], NDArray[np.float64]]] = {}
    if scenario:
        alone = np.eye(1, len(scenarios), scenarios.index(scenario))[0]
        weighed["scenario_pnl"] = lambda at: run.cube.weighted_pnl(at, alone)
    if tail is not None:
        weighed["component"] = lambda at: 0.0 - run.cube.weighted_pnl(at, tail.weights)
    places = run.trade_places(where)
    key = sort.removeprefix("-")
    if key:
        values = _values(run, places, key, weighed)
        places = places[np.argsort(-values if sort.startswith("-") else values, kind="stable")]
    chosen = places[start : start + count]
    made = run.trade_rows(chosen).assign_attrs(matching=len(places))
    for name, of in weighed.items():
        made[name] = ("trade", of(chosen))
    return made


def _values(
    run: Run, places: Index, key: str, weighed: Mapping[str, Callable[[Index], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """What these trades are ordered by."""
    if key in weighed:
        return weighed[key](places)
    if key in ("base_value", "status"):
        status, base, _ = run.cube.status(places)
        return base if key == "base_value" else status.astype(np.float64)
    labels = run.cube.labels
    if key not in labels:
        raise UnknownName("order of trades", key, ["base_value", "status", *weighed, *labels])
    column = labels[key]
    rank = np.empty(len(column.names))
    rank[np.argsort(np.array(column.names, dtype=str), kind="stable")] = np.arange(len(column.names))
    return rank[column.codes.ravel()[places]]
