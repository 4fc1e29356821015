"""Repair of a covariance that no returns could have: the nearest one that is positive semi-definite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.covariance import matrix_of, unit_scaled
from riskgrid.terms import Values

__all__ = ["REPAIRS", "repaired"]

_STEPS = 2_000
_TOLERANCE = 1e-9  # of a step, as a share of the matrix


def repaired(covariance: xr.DataArray, method: str = "nearest") -> xr.DataArray:
    """The covariance, or where it is not positive semi-definite the one of a correlation near to it; variances stay.

    method : ``nearest``, the correlation matrix with the least Frobenius distance; ``clip``, one step: eigenvalues
    below zero become zero, the diagonal is scaled back to one (cheap, and further away).
    attrs: ``repair`` (the method, or ``none``), ``smallest_eigenvalue`` of the correlation as given, ``moved``: the
    Frobenius norm of the change of the correlation. Eigenvalues come from LAPACK, so the last bits of what was repaired
    may depend on its number of threads.   BadScenarios, also where ``nearest`` does not settle; UnknownName.
    Source: Higham (2002), IMA J. Numerical Analysis 22, 329-343, algorithm 3.3 with unit weights.

    >>> names = ["fx:EUR", "fx:GBP", "fx:JPY"]
    >>> labels = {"factor": names, "factor_": names}
    >>> given = xr.DataArray([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]], labels, ("factor", "factor_"))
    >>> made = repaired(given)
    >>> made.values[0].round(4).tolist(), round(made.attrs["moved"], 4)
    ([1.0, 0.7607, 0.1573], 0.5278)
    """
    if method not in REPAIRS:
        raise UnknownName("repair", method, REPAIRS)
    values = matrix_of(covariance)
    size = np.sqrt(np.diagonal(values))
    before = unit_scaled(values, size)
    smallest = float(np.linalg.eigvalsh(before)[0])
    attrs = covariance.attrs | {"repair": "none", "smallest_eigenvalue": smallest, "moved": 0.0}
    # of a matrix that is singular on paper the least eigenvalue is found below zero by rounding
    if smallest < -8.0 * np.finfo(float).eps * len(before):
        after = REPAIRS[method](before)
        attrs |= {"repair": method, "moved": float(np.linalg.norm(after - before))}
        values = after * size[:, None] * size
    made = covariance.copy(data=values)
    made.attrs = attrs
    return made


def _nearest(correlation: Values) -> Values:
    """Projections on the two sets in turn, the one on the cone corrected by what it did before (Dykstra)."""
    correction, unit, last = np.zeros_like(correlation), correlation, correlation
    for _ in range(_STEPS):
        corrected = unit - correction
        positive = _positive(corrected)
        correction = positive - corrected
        before, unit = unit, positive.copy()
        np.fill_diagonal(unit, 1.0)
        steps = ((positive, last), (unit, before), (unit, positive))
        last = positive
        if max(float(np.linalg.norm(a - b)) for a, b in steps) <= _TOLERANCE * float(np.linalg.norm(unit)):
            return unit_scaled(positive, np.sqrt(np.diagonal(positive)))
    raise BadScenarios(
        f"the nearest correlation of {len(correlation)} factors has not settled after {_STEPS} steps; "
        "repaired(covariance, 'clip') is right here"
    )


def _clipped(correlation: Values) -> Values:
    positive = _positive(correlation)
    return unit_scaled(positive, np.sqrt(np.diagonal(positive)))


def _positive(values: Values) -> Values:
    """The nearest positive semi-definite matrix: eigenvalues below zero become zero."""
    found, vectors = np.linalg.eigh(values)
    made: Values = (vectors * np.maximum(found, 0.0)) @ vectors.T
    return 0.5 * (made + made.T)


#: Ways to make a correlation matrix positive semi-definite.
REPAIRS: dict[str, Callable[[Values], Values]] = {"nearest": _nearest, "clip": _clipped}
