"""What each part adds to a tail measure: components by Euler, marginal and incremental measures, diversification.

VaR and ES are both minus a weighted mean of the P&L of a few scenarios, those of the tail; :func:`tail_weights` names
them. A part's component is its own P&L under the same weights, so that components add up to the measure.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.convention import (
    ALIASES,
    METHODS,
    ROUNDING,
    SHORTFALLS,
    Level,
    clamped,
    flags_of,
    known,
    named,
    rank_of,
    shares_of,
    tail_of,
    weighted_flags,
)
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.registry import measure

__all__ = ["component", "diversification", "incremental", "marginal", "tail_weights", "under_weights"]

type Values = NDArray[np.float64]
type Index = NDArray[np.intp]

_MEASURES = {"value_at_risk": value_at_risk, "expected_shortfall": expected_shortfall}
_DEFAULTS = {"value_at_risk": (0.99, "inverted_cdf"), "expected_shortfall": (0.975, "tail_integral")}


@measure("tail_weights", reference="the measure itself in all conventions", error=1e-12)
def tail_weights(
    pnl: xr.DataArray,
    measure: str = "expected_shortfall",
    level: Level | None = None,
    *,
    method: str | None = None,
    weight: xr.DataArray | None = None,
) -> xr.DataArray:
    """The weight of every scenario in VaR or ES of one row of P&L (scenario): the measure is minus their product.

    measure : ``value_at_risk`` or ``expected_shortfall``.   level, method, weight : as those measures take them, with
    their defaults. Weights are 0 outside the tail and sum to one. Ties keep scenario order. attrs: measure, level,
    method, flags. Raises BadSpec for several rows or a NaN, UnknownName.
    Source: Tasche (2000), Risk contributions and performance measurement, section 4 (the derivative of a quantile).

    >>> pnl = xr.DataArray(-np.arange(250.0, 0.0, -1.0), dims="scenario")
    >>> tail_weights(pnl)[:8].values.round(2).tolist()  # the 6 worst and a quarter of the 7th, over 6.25
    [0.16, 0.16, 0.16, 0.16, 0.16, 0.16, 0.04, 0.0]
    """
    if measure not in _MEASURES:
        raise UnknownName("tail measure", measure, _MEASURES)
    usual, named_method = _DEFAULTS[measure]
    level, method = usual if level is None else level, named_method if method is None else method
    tail = tail_of(level)
    if pnl.dims != ("scenario",):
        raise BadSpec(f"the weights of a tail are of one row of P&L, dims ('scenario',), not {pnl.dims}")
    shares = shares_of(pnl, weight)
    values = np.asarray(pnl.values, dtype=np.float64)
    if np.isnan(values).any():
        raise BadSpec("the P&L has a scenario without a number; a tail needs one in every scenario")
    of_value = measure == "value_at_risk"
    method = known(method, METHODS, ALIASES) if of_value else known(method, SHORTFALLS, {})
    if shares is None:
        ranks, flags = (_quantile_ranks if of_value else _shortfall_ranks)(values.size, tail, method)
        order = formulas.tail_index(values.reshape(1, -1), len(ranks))[0]
    elif of_value and method != "inverted_cdf":
        raise BadSpec(f"method {method!r} has no form for unequal weights; use 'inverted_cdf' or drop the weights")
    else:
        order, ranks = _weighted_ranks(values, shares, float(tail), "value_at_risk" if of_value else method)
        flags = weighted_flags(shares, tail)
    found = np.zeros(values.size)
    found[order] = ranks
    result = xr.DataArray(found, dims="scenario", coords=_labels(pnl))
    convention = {"measure": measure, "level": str(level), "method": method, "flags": flags}
    made = named(result, pnl, convention)
    made.name = "tail_weight"
    return made


@measure("component", reference="integer numerators; derivative of the measure by the size of a part", error=1e-12)
def component(
    pnl: xr.DataArray, whole: xr.DataArray | None = None, measure: str = "expected_shortfall", **convention: Any
) -> xr.DataArray:
    """What each row of P&L (..., scenario) adds to VaR or ES of the whole: Euler allocation, positive for a loss.

    whole : P&L (scenario) of the whole, by default the sum of all rows.   convention : ``level, method, weight`` as of
    :func:`tail_weights`. Components of rows that add up to the whole add up to its measure, to rounding of the last
    bits. A row with a NaN in a tail scenario has none (NaN). Raises BadSpec, UnknownName.
    Source: Tasche (2000); McNeil, Frey, Embrechts (2015), Quantitative Risk Management, section 8.5.

    >>> desks = xr.DataArray([[-3.0, 1.0, 2.0, 0.0], [1.0, -4.0, 0.0, 0.0]], dims=("desk", "scenario"))
    >>> component(desks, measure="value_at_risk", level=0.75).values  # the whole loses 3 in the second scenario
    array([-1.,  4.])
    """
    pnl, whole, convention = _together(pnl, whole, convention)
    return under_weights(pnl, whole, tail_weights(whole, measure, **convention))


def under_weights(pnl: xr.DataArray, whole: xr.DataArray, weights: xr.DataArray) -> xr.DataArray:
    """The component of each row of P&L under the weights that :func:`tail_weights` gave of the whole."""
    tail = np.flatnonzero(weights.values)
    order = tail[np.argsort(whole.values[tail], kind="stable")]
    result: xr.DataArray = xr.apply_ufunc(
        lambda rows: _weighed(rows[..., order], weights.values[order]),
        pnl,
        input_core_dims=[["scenario"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    told = {key: weights.attrs[key] for key in ("level", "method", "flags")}
    return named(result, pnl, {"measure": f"component_{weights.attrs['measure']}", **told})


@measure("marginal", reference="component by size", error=0.0)
def marginal(
    pnl: xr.DataArray,
    size: xr.DataArray,
    whole: xr.DataArray | None = None,
    measure: str = "expected_shortfall",
    **convention: Any,
) -> xr.DataArray:
    """VaR or ES that one more unit of ``|size|`` of each row would add: its component per unit.

    size : of the rows, e.g. ``base_value`` (then per unit of |PV|) or a notional; its name is told in the attrs. A row
    of size 0 has none (NaN).

    >>> desks = xr.DataArray([[-3.0, 1.0], [1.0, 2.0]], dims=("desk", "scenario"))
    >>> value = xr.DataArray([100.0, -50.0], dims="desk", name="base_value")
    >>> marginal(desks, value, level=0.5).values
    array([ 0.03, -0.02])
    """
    found = component(pnl, whole, measure, **convention)
    if not set(size.dims) <= set(found.dims):
        raise BadSpec(
            f"the sizes have dims {size.dims} and the rows of P&L {found.dims}; a size of every row is right, e.g. "
            "run.aggregate(by)['base_value'] beside run.aggregate(by)['pnl']"
        )
    unit = abs(size)
    made = found / unit.where(unit > 0)
    named_size = "size" if size.name is None else str(size.name)
    told = {"measure": f"marginal_{measure}", "per": f"unit of |{named_size}|"}
    result: xr.DataArray = made.assign_attrs({**found.attrs, **told}).rename(f"marginal_{measure}")
    return result


@measure("incremental", reference="the measure with and without each part", error=0.0)
def incremental(
    pnl: xr.DataArray, whole: xr.DataArray | None = None, measure: str = "expected_shortfall", **convention: Any
) -> xr.DataArray:
    """VaR or ES of the whole with each row less that without it, both exact; negative for a row that hedges.

    whole : as of :func:`component`, of which the rows are parts. Of changes to trades, :func:`riskgrid.what_if` and
    :func:`riskgrid.compare` tell the same. Source: Jorion (2007), Value at Risk, section 7.3.

    >>> desks = xr.DataArray([[-3.0, 1.0, 2.0, 0.0], [1.0, -4.0, 0.0, 0.0]], dims=("desk", "scenario"))
    >>> incremental(desks, measure="value_at_risk", level=0.75).values  # 3 with both, 4 and 3 with one alone
    array([-1.,  0.])
    """
    if measure not in _MEASURES:
        raise UnknownName("tail measure", measure, _MEASURES)
    pnl, whole, convention = _together(pnl, whole, convention)
    given = {key: value for key, value in convention.items() if value is not None}
    of = _MEASURES[measure]
    with_all = of(whole, **given)
    found = with_all - of(whole - pnl, **given)
    told = {key: with_all.attrs[key] for key in ("level", "method", "flags")}
    return named(found, pnl, {"measure": f"incremental_{measure}", **told})


@measure("diversification", reference="subadditivity of ES as a property", error=1e-12)
def diversification(
    pnl: xr.DataArray, whole: xr.DataArray | None = None, measure: str = "expected_shortfall", **convention: Any
) -> xr.DataArray:
    """VaR or ES of the whole less the sum of its rows' own, a scalar: what is saved by holding them together.

    Negative where the rows offset each other; never positive for ES by ``tail_integral`` (but for rounding), which is
    subadditive. Source: Artzner, Delbaen, Eber, Heath (1999), Mathematical Finance 9, 203-228.

    >>> desks = xr.DataArray([[-3.0, 1.0, 2.0, 0.0], [1.0, -4.0, 0.0, 0.0]], dims=("desk", "scenario"))
    >>> float(diversification(desks, measure="value_at_risk", level=0.75))  # 3 less 3 and 4
    -4.0
    """
    if measure not in _MEASURES:
        raise UnknownName("tail measure", measure, _MEASURES)
    pnl, whole, convention = _together(pnl, whole, convention)
    given = {key: value for key, value in convention.items() if value is not None}
    of = _MEASURES[measure]
    alone = of(pnl, **given)
    found = of(whole, **given) - alone.sum()
    told = {key: alone.attrs[key] for key in ("level", "method", "flags")}
    return named(found, pnl, {"measure": f"diversification_{measure}", **told})


def _together(
    pnl: xr.DataArray, whole: xr.DataArray | None, convention: dict[str, Any]
) -> tuple[xr.DataArray, xr.DataArray, dict[str, Any]]:
    """Rows and whole over the same scenarios in one order, measured by the same weights. BadSpec where they differ."""
    weight = convention.get("weight")
    if weight is None:
        weight = next(
            (one.coords["weight"] for one in (pnl, whole) if one is not None and "weight" in one.coords), None
        )
    convention = {**convention, "weight": weight}
    if whole is None:
        return pnl, _whole(pnl), convention
    if "scenario" in pnl.coords and "scenario" in whole.coords:
        if np.array_equal(pnl["scenario"].values, whole["scenario"].values):
            return pnl, whole, convention  # aligning what is in line takes as long as measuring it
        try:
            whole = whole.reindex_like(pnl["scenario"]) if _same_labels(pnl, whole) else whole
            _, whole = xr.align(pnl["scenario"], whole, join="exact")
        except ValueError as error:
            raise BadSpec("rows and whole are of different scenarios; both need the same labels") from error
    elif pnl.sizes.get("scenario") != whole.sizes.get("scenario"):
        raise BadSpec(
            f"the rows have {pnl.sizes.get('scenario', 0)} scenarios and the whole {whole.sizes.get('scenario', 0)}; "
            "the same number is right"
        )
    return pnl, whole, convention


def _same_labels(pnl: xr.DataArray, whole: xr.DataArray) -> bool:
    return bool(set(pnl["scenario"].values.tolist()) == set(whole["scenario"].values.tolist()))


def _whole(pnl: xr.DataArray) -> xr.DataArray:
    if "scenario" not in pnl.dims:
        raise BadSpec(f"the P&L has no dim 'scenario'; its dims are {', '.join(map(repr, pnl.dims)) or 'none'}")
    made: xr.DataArray = pnl.sum([dim for dim in pnl.dims if dim != "scenario"], skipna=False)
    return made


def _labels(pnl: xr.DataArray) -> dict[str, Any]:
    return {"scenario": pnl["scenario"].values} if "scenario" in pnl.coords else {}


def _weighed(rows: Values, weights: Values) -> Values:
    # one by one from the worst, as the measures add: parts and whole round alike
    return np.asarray(0.0 - np.cumsum(rows * weights, axis=-1)[..., -1])


def _quantile_ranks(size: int, tail: Fraction, method: str) -> tuple[Values, list[str]]:
    """Weights of the ranks from below, up to the last one that counts."""
    rank, share = rank_of(size, tail, method)
    flags = flags_of(size, tail) + clamped(size, rank, share)
    low, high = (min(max(place, 1), size) - 1 for place in (rank, rank + 1))
    weights = np.zeros((high if share > 0.0 else low) + 1)
    weights[low] += 1.0 - share
    if share > 0.0:
        weights[high] += share
    return weights, flags


def _shortfall_ranks(size: int, tail: Fraction, method: str) -> tuple[Values, list[str]]:
    exact = size * tail
    flags, count = flags_of(size, tail), math.ceil(exact)
    if exact < 1:
        return np.ones(1), flags
    if method == "inverted_cdf":
        return np.full(count, 1.0 / count), flags
    weights = np.full(count, float(1 / exact))
    if exact.denominator != 1:
        weights[-1] = float((exact - math.floor(exact)) / exact)
    return weights, flags


def _weighted_ranks(values: Values, shares: Values, tail: float, method: str) -> tuple[Index, Values]:
    """The scenarios of the tail, worst first, and their weights in the measure."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(shares[order])
    last = int((reached < tail - ROUNDING).sum())
    order, reached = order[: last + 1], reached[: last + 1]
    if method == "value_at_risk":
        return order[-1:], np.ones(1)
    weights = shares[order]
    if method == "inverted_cdf":
        return order, weights / reached[-1]
    weights[-1] = tail - (reached[-1] - weights[-1])
    return order, weights / tail
