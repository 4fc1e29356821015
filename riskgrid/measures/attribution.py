"""The P&L attribution test: how far risk-theoretical P&L, which the model sees, follows hypothetical P&L."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadSpec
from riskgrid.registry import measure

__all__ = ["attribution_test"]

_DAYS = 250

type Values = NDArray[np.float64]


@measure("attribution_test", consumes="date", reference="scipy.stats.spearmanr and ks_2samp, with ties", error=1e-12)
def attribution_test(hypothetical: xr.DataArray, risk_theoretical: xr.DataArray) -> xr.Dataset:
    """Spearman's correlation and the Kolmogorov-Smirnov distance of two P&L series, and their zone. Consumes ``date``.

    hypothetical, risk_theoretical : (date, ...), any one unit.   ``correlation`` of ranks, ties sharing their mean;
    ``distance``, the greatest difference of the two empirical distributions; ``zone`` : green where correlation is
    above 0.80 and distance below 0.09, red where correlation is below 0.70 or distance above 0.12, else amber.
    A series with a missing number, or one that never moves, has NaN and the zone "". Fewer than 250 days are flagged.
    Source: BCBS, MAR32.34 to 32.44 (2020).

    >>> pnl = xr.DataArray(np.arange(250.0), dims="date")
    >>> tested = attribution_test(pnl, 1.1 * pnl)
    >>> str(tested["zone"].values), float(tested["correlation"]), float(tested["distance"])
    ('amber', 1.0, 0.092)
    """
    for pnl in (hypothetical, risk_theoretical):
        if "date" not in pnl.dims or pnl.sizes["date"] == 0:
            raise BadSpec("there is no day to test; P&L (date, ...) of at least one day is right")
    try:
        hypothetical, risk_theoretical = xr.align(hypothetical, risk_theoretical, join="exact")
    except ValueError as error:
        raise BadSpec("the two P&L series are not of the same days and labels; both of the same are right") from error
    first, second = xr.broadcast(hypothetical, risk_theoretical)
    first, second = first.transpose(..., "date"), second.transpose(..., "date")
    kept, shape = first.isel(date=0, drop=True), first.shape[:-1]
    rows, others = (np.asarray(pnl.values, np.float64).reshape(-1, pnl.shape[-1]) for pnl in (first, second))
    known = ~(np.isnan(rows).any(axis=1) | np.isnan(others).any(axis=1))
    rows, others = (np.where(known[:, None], values, 0.0) for values in (rows, others))
    correlation = np.where(known, _spearman(rows, others), np.nan)
    distance = np.where(known, _distance(rows, others), np.nan)
    found = {"correlation": correlation, "distance": distance, "zone": _zones(correlation, distance)}
    days = first.sizes["date"]
    flags = [f"{days} days; the test is of {_DAYS}"] if days < _DAYS else []
    return xr.Dataset(
        {name: (kept.dims, values.reshape(shape)) for name, values in found.items()},
        kept.coords,
        {"measure": "attribution_test", "observations": days, "flags": flags},
    )


def _spearman(rows: Values, others: Values) -> Values:
    """Pearson's correlation of ranks, (row,); NaN where a row has one value only."""
    from scipy.stats import rankdata  # half a second to import, which few who list the measures want to wait

    ranks, beside = (rankdata(values, axis=1) for values in (rows, others))
    middle = (rows.shape[1] + 1) / 2  # the mean rank, with ties too
    ranks, beside = ranks - middle, beside - middle
    squares = (ranks**2).sum(axis=1) * (beside**2).sum(axis=1)
    moves = squares > 0.0
    return np.where(moves, (ranks * beside).sum(axis=1) / np.sqrt(np.where(moves, squares, 1.0)), np.nan)


def _distance(rows: Values, others: Values) -> Values:
    """Greatest difference of two empirical distributions, (row,), counted in whole days."""
    days = rows.shape[1]
    both = np.concatenate([rows, others], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, axis=1)
    ahead = np.cumsum(np.where(order < days, 1, -1), axis=1)
    last = np.ones(both.shape, np.bool_)  # of equal values: a distribution jumps once
    last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    return np.asarray(np.abs(np.where(last, ahead, 0)).max(axis=1) / days)


def _zones(correlation: Values, distance: Values) -> NDArray[Any]:
    red = (correlation < 0.70) | (distance > 0.12)
    green = (correlation > 0.80) & (distance < 0.09)
    unknown = np.isnan(correlation) | np.isnan(distance)
    return np.where(unknown, "", np.where(red, "red", np.where(green, "green", "amber")))
