"""Scenarios of given returns: each factor moved by the kind of return that it has, as history's returns come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid import formulas
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.returns import RETURNS, least_scale
from riskgrid.scenarios.set import shifts

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["of_returns"]

_KINDS = ("absolute", "log", "relative")


def of_returns(
    returns: xr.DataArray,
    market: MarketSnapshot,
    *,
    name: str,
    provenance: Mapping[str, Any],
    unshocked: Sequence[str] = (),
) -> xr.Dataset:
    """A set from returns (scenario, factor), the inverse of :func:`riskgrid.scenarios.covariance.factor_returns`.

    The coordinate ``returns`` (factor) says log, relative or absolute; without it the default of the factor's kind. A
    log return r becomes scale e^r, an absolute one offset r in the factor's unit, a relative one scale 1 + r, at the
    least :func:`riskgrid.scenarios.returns.least_scale`.   provenance : with the ``kind`` of the set.
    unshocked : further factors that stay because nothing is known of them.   BadScenarios, UnknownName.

    >>> from riskgrid import sample
    >>> week = xr.DataArray([[0.02]], {"scenario": ["up"], "factor": ["equity:AAPL"]}, ("scenario", "factor"))
    >>> of_returns(week, sample.market(), name="week", provenance={"kind": "demo"})["scale"].values.round(4).tolist()
    [[1.0202]]
    """
    factors = [str(factor) for factor in returns["factor"].values]
    place = {factor: at for at, factor in enumerate(market.factors)}
    for factor in (*factors, *unshocked):
        if factor not in place:
            raise UnknownName("factor of the returns", factor, market.factors)
    kinds = _kinds(returns, factors)
    at = np.array([place[factor] for factor in factors], dtype=np.intp)
    log, relative, absolute = (kinds == kind for kind in ("log", "relative", "absolute"))
    sunk = log & ~(market.levels[at] > 0)
    if sunk.any():
        first = int(np.argmax(sunk))
        raise BadScenarios(
            f"'{factors[first]}' stands at {market.levels[at[first]]:g}, which has no log return; an absolute one is "
            "right"
        )
    values = np.asarray(returns.values, dtype=np.float64)
    count = len(factors) + len(unshocked)
    scale, offset = np.ones((len(values), count)), np.zeros((len(values), count))
    own = np.arange(len(factors))
    scale[:, own[log]] = formulas.exp(values[:, log])
    scale[:, own[relative]] = np.maximum(1.0 + values[:, relative], least_scale(market, at[relative]))
    offset[:, own[absolute]] = values[:, absolute]
    return shifts(
        [str(label) for label in returns["scenario"].values],
        [*factors, *unshocked],
        scale,
        offset,
        name=name,
        kind=str(provenance["kind"]),
        provenance=provenance,
        unshocked=np.arange(count) >= len(factors),
    )


def _kinds(returns: xr.DataArray, factors: Sequence[str]) -> Any:
    if "returns" not in returns.coords:
        return np.array([RETURNS[factor.partition(":")[0]] for factor in factors], dtype=str)
    kinds = returns["returns"].values.astype(str)
    for factor, kind in zip(factors, kinds, strict=True):
        if kind not in _KINDS:
            raise UnknownName(f"return of '{factor}'", str(kind), _KINDS)
    return kinds
