"""Covariance of the returns of a market's factors, estimated from a scenario set or given as a labelled matrix."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.returns import RETURNS
from riskgrid.scenarios.set import check
from riskgrid.terms import Values

__all__ = ["MEANS", "check_covariance", "correlation", "covariance", "factor_returns", "matrix_of", "unit_scaled"]

MEANS = ("zero", "historical")

_SQUARE = ("factor", "factor_")


def factor_returns(scenarios: xr.Dataset) -> xr.DataArray:
    """The returns behind the shifts of a historical set, (scenario, factor), with the coordinate ``returns`` (factor).

    A log return is ln(scale), a relative one scale - 1, an absolute one the offset, in the factor's unit. Which is
    which the set's provenance says, else the default of the factor's kind. A stale cell counts as the zero it is.
    BadScenarios where a shift is of another kind than its factor's return.

    >>> from riskgrid.scenarios.set import shifts
    >>> week = shifts(["mon", "tue"], ["fx:GBP"], [[1.0], [np.exp(0.01)]], 0.0, name="week", kind="demo", provenance={})
    >>> factor_returns(week).values.round(12).tolist()
    [[0.0], [0.01]]
    """
    check(scenarios)
    factors = [str(factor) for factor in scenarios["factor"].values]
    asked = _asked(json.loads(scenarios.attrs["provenance"]))
    kinds = np.array([asked.get(factor, RETURNS[factor.partition(":")[0]]) for factor in factors], dtype=str)
    scale, offset = scenarios["scale"].values, scenarios["offset"].values
    absolute, log = kinds == "absolute", kinds == "log"
    wrong = np.where(absolute, scale != 1.0, (offset != 0.0) | (log & (scale <= 0.0)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise BadScenarios(
            f"scenario '{scenarios['scenario'].values[row]}' moves '{factors[column]}' by scale "
            f"{scale[row, column]:g} and offset {offset[row, column]:g}, which is no {kinds[column]} return; a "
            "historical scenario set is right"
        )
    values = np.where(absolute, offset, scale - 1.0)
    values[:, log] = np.log(scale[:, log])
    coords = {"scenario": scenarios["scenario"].values, "factor": factors, "returns": ("factor", kinds)}
    return xr.DataArray(values, coords, ("scenario", "factor"), name="factor_return")


def covariance(scenarios: xr.Dataset, *, decay: float | None = None, mean: str = "zero") -> xr.DataArray:
    """Covariance of the factors' returns in a historical set, (factor, factor_), in the product of the returns' units.

    decay : the weight of a scenario is ``decay`` times that of the next one, oldest first; without it the set's own
    weights, or equal ones.   mean : ``zero`` (sums of squares over n), or ``historical`` (deviations from the mean,
    over n - 1; weighted, over 1 - sum of squared weights; the coordinate ``mean`` (factor) keeps it).
    Factors that never move are left out and named in ``attrs["still"]``. Coordinate ``returns`` (factor) as in
    :func:`factor_returns`. The sums have a fixed order: the same bits on any number of threads.   BadScenarios.
    Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., ch. 5.

    >>> from riskgrid.scenarios.set import shifts
    >>> up = {"name": "days", "kind": "demo", "provenance": {}}
    >>> days = shifts(["mon", "tue"], ["spread:ACME"], 1.0, [[0.01], [0.02]], **up)
    >>> covariance(days).values.round(6).tolist(), covariance(days, decay=0.5).values.round(6).tolist()
    ([[0.00025]], [[0.0003]])
    """
    if mean not in MEANS:
        raise UnknownName("mean", mean, MEANS)
    returns = factor_returns(scenarios)
    weight, total = _weights(scenarios, decay), 1.0
    moves = (returns.values != 0.0).any(axis=0)
    values = returns.values[:, moves]
    kept = returns.isel(scenario=0, drop=True).isel(factor=moves).coords
    coords: dict[str, Any] = {"factor": kept["factor"].values, "factor_": kept["factor"].values}
    coords["returns"] = ("factor", kept["returns"].values)
    if mean == "historical":
        if len(weight) < 2:
            raise BadScenarios("the covariance about a mean needs 2 scenarios or more; the set has 1")
        average = np.einsum("s,sf->f", weight, values)
        values, total = values - average, 1.0 - float(np.sum(weight**2))
        coords["mean"] = ("factor", average)
    root = np.sqrt(weight / total)[:, None] * values
    attrs = {
        "scenario_set": scenarios.attrs["name"],
        "scenarios": len(weight),
        "decay": "none" if decay is None else decay,
        "mean": mean,
        "still": " ".join(returns["factor"].values[~moves]),
    }
    # einsum and not a product of matrices: BLAS rounds differently on another number of threads
    return xr.DataArray(np.einsum("sf,sg->fg", root, root), coords, _SQUARE, name="covariance", attrs=attrs)


def correlation(matrix: xr.DataArray) -> xr.DataArray:
    """Correlation of a covariance, same labels; its diagonal is exactly 1.  BadScenarios as :func:`check_covariance`.

    >>> names = ["fx:EUR", "fx:GBP"]
    >>> given = xr.DataArray([[4.0, 3.0], [3.0, 9.0]], {"factor": names, "factor_": names}, ("factor", "factor_"))
    >>> correlation(given).values.tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    values = matrix_of(matrix)
    made = check_covariance(matrix).copy(data=unit_scaled(values, np.sqrt(np.diagonal(values))))
    made.name = "correlation"
    return made


def unit_scaled(values: Values, size: Values) -> Values:
    """A matrix (factor, factor_) divided by ``size`` (factor) along both dims, its diagonal exactly 1."""
    scaled: Values = values / size[:, None] / size
    scaled = 0.5 * (scaled + scaled.T)
    np.fill_diagonal(scaled, 1.0)
    return scaled


def check_covariance(matrix: Any) -> xr.DataArray:
    """The matrix itself where it can be a covariance: labelled alike on both dims, finite, symmetric, variances > 0.

    BadScenarios names the first factor or pair that is wrong. Whether it is positive semi-definite is not asked here.
    """
    if not isinstance(matrix, xr.DataArray) or matrix.dims != _SQUARE or not set(_SQUARE) <= set(matrix.coords):
        raise BadScenarios("a covariance is a DataArray with labels on the dims ('factor', 'factor_')")
    factors, others = (matrix[dim].values.astype(str) for dim in _SQUARE)
    if not factors.size or not np.array_equal(factors, others):
        raise BadScenarios("the factors of a covariance stand in the same order on 'factor' and 'factor_', one or more")
    names, counts = np.unique(factors, return_counts=True)
    if (counts > 1).any():
        raise BadScenarios(f"factor '{names[counts > 1][0]}' stands twice in the covariance; once is right")
    values = np.asarray(matrix.values, dtype=np.float64)
    _refuse("is not finite", ~np.isfinite(values), values, factors)
    variance = np.diagonal(values)
    _refuse("is no variance; above 0 is right", np.diag(variance <= 0.0), values, factors)
    size = np.sqrt(variance)
    apart = np.abs(values - values.T) > 1e-9 * size[:, None] * size
    _refuse("is not what stands across the diagonal; a covariance is symmetric", apart, values, factors)
    return matrix


def matrix_of(matrix: xr.DataArray) -> Values:
    """The numbers of a checked covariance, (factor, factor_), symmetric to the last bit."""
    values = np.asarray(check_covariance(matrix).values, dtype=np.float64)
    return 0.5 * (values + values.T)


def _refuse(fault: str, wrong: NDArray[np.bool_], values: Values, factors: NDArray[Any]) -> None:
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise BadScenarios(
            f"the covariance of '{factors[row]}' and '{factors[column]}' is {values[row, column]:g}, which {fault}"
        )


def _asked(facts: Mapping[str, Any]) -> dict[str, str]:
    """Returns that differ from the default of their kind, by factor, of a set and of those it was made of."""
    own = facts.get("returns")
    found: dict[str, str] = dict(own) if isinstance(own, Mapping) else {}
    for part in (facts.get("of"), *facts.get("parts", ())):
        if isinstance(part, Mapping):
            found |= _asked(part["provenance"])
    return found


def _weights(scenarios: xr.Dataset, decay: Any) -> Values:
    count = scenarios.sizes["scenario"]
    if not count:
        raise BadScenarios(f"scenario set '{scenarios.attrs['name']}' has no scenarios to take a covariance of")
    if decay is None and "weight" in scenarios:
        return np.asarray(scenarios["weight"].values, dtype=np.float64)
    if decay is None:
        return np.full(count, 1.0 / count)
    if "weight" in scenarios:
        raise BadScenarios("the scenario set has weights of its own; a decay, or those, are right")
    if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0.0 < decay <= 1.0:
        raise BadScenarios(f"decay is {decay!r}; a number above 0 and at most 1 is right, e.g. 0.94")
    weight = float(decay) ** np.arange(count - 1.0, -1.0, -1.0)
    return np.asarray(weight / weight.sum())
