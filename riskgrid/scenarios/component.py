"""Roots of a covariance: independent components that draws are mixed from, all of them or the principal ones."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.covariance import matrix_of, unit_scaled
from riskgrid.terms import Values

__all__ = ["principal_components", "root_of"]

_SWEEPS = 40
_ROUNDING = 4.0 * np.finfo(float).eps


def root_of(covariance: xr.DataArray) -> Values:
    """Loadings (component, factor) with loadings' loadings = covariance, as many as its rank; a Cholesky factor.

    The factor that is least explained so far is next, so that the first components carry most, and the rest is cut
    where nothing but rounding is left. Every sum has a fixed order. BadScenarios where the covariance is not positive
    semi-definite; :func:`riskgrid.scenarios.nearest.repaired` makes it so.
    Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd ed., section 10.3.
    """
    values = matrix_of(covariance)
    size = np.sqrt(np.diagonal(values))
    scaled, names = unit_scaled(values, size), covariance["factor"].values
    count = len(scaled)
    loadings, left, enough = np.zeros((count, count)), np.ones(count), count * _ROUNDING
    for rank in range(count):
        at = int(np.argmax(left))
        if left[at] <= enough:
            loadings = loadings[:rank]
            break
        row = scaled[at] - np.einsum("k,kf->f", loadings[:rank, at], loadings[:rank])
        loadings[rank] = row / np.sqrt(left[at])
        left = left - loadings[rank] ** 2
        left[at] = 0.0
        if left.min() < -np.sqrt(enough):
            raise BadScenarios(
                f"the covariance is not positive semi-definite: the others leave '{names[np.argmin(left)]}' a variance "
                f"of {left.min():.3g} of its own; repaired(covariance) is right"
            )
    return loadings * size


def principal_components(covariance: xr.DataArray, components: int | float | None = None) -> xr.Dataset:
    """Principal components of the correlation, scaled back to the factors' returns; ``loadings`` (component, factor).

    components : a whole number of them; or a share in (0, 1): the fewest that explain as much of the variance of every
    *kind* of factor (else the thousand nodes of a few volatility surfaces, which one index moves, would count for all
    the market); None: all, as many as the rank. The correlation and not the covariance, since units differ.
    ``variance`` (component): share of the standardised variance, falling.   ``explained`` (kind): share of each kind's
    variance that the kept ones explain. The largest loading of a component is positive.   BadScenarios.
    Source: Jolliffe (2002), Principal Component Analysis, 2nd ed., sections 2.3 and 3.5.

    >>> names = ["fx:EUR", "fx:GBP"]
    >>> given = xr.DataArray([[1.0, 0.5], [0.5, 1.0]], {"factor": names, "factor_": names}, ("factor", "factor_"))
    >>> principal_components(given)["variance"].values.round(12).tolist()
    [0.75, 0.25]
    """
    _check(components)
    values = matrix_of(covariance)
    size = np.sqrt(np.diagonal(values))
    found = _orthogonal(root_of(covariance) / size)
    factors = covariance["factor"].values
    kinds = np.array([str(factor).partition(":")[0] for factor in factors])
    known = np.unique(kinds)
    reached = np.stack([np.cumsum((found[:, kinds == kind] ** 2).mean(axis=1)) for kind in known])
    count = len(found)
    if isinstance(components, float):
        count = int(np.argmax((reached >= min(components, 1.0 - 1e-12)).all(axis=0))) + 1
    elif components is not None:
        count = min(int(components), count)
    largest = found[np.arange(len(found)), np.argmax(np.abs(found), axis=1)]
    loadings = found * np.where(largest < 0.0, -1.0, 1.0)[:, None] * size
    variance = (found**2).sum(axis=1)
    return xr.Dataset(
        {
            "loadings": (("component", "factor"), loadings[:count]),
            "variance": ("component", (variance / len(size))[:count]),
            "explained": ("kind", reached[:, count - 1]),
        },
        {"component": np.arange(1, count + 1), "factor": factors, "kind": known},
        attrs={**covariance.attrs, "rank": len(found)},
    )


def _check(components: int | float | None) -> None:
    whole = isinstance(components, (int, np.integer)) and not isinstance(components, bool) and components >= 1
    share = isinstance(components, float) and 0.0 < components < 1.0
    if components is not None and not whole and not share:
        raise BadScenarios(
            f"components is {components!r}; a whole number of at least 1, or a share of variance in (0, 1), is right"
        )


def _orthogonal(loadings: Values) -> Values:
    """Rows turned until they are orthogonal, longest first: one-sided Jacobi, half the rows against half at once.

    LAPACK would be faster, and its bits would depend on the number of threads.
    Source: Hestenes (1958), J. SIAM 6, 51-90; Brent and Luk (1985), SIAM J. Sci. Stat. Comput. 6, 69-84, the pairing.
    """
    count = len(loadings)
    rows = np.concatenate([loadings, np.zeros((count % 2, loadings.shape[1]))])
    seats = np.arange(len(rows))
    for _ in range(_SWEEPS):
        worst = 0.0
        for _ in range(len(rows) - 1):
            half = len(rows) // 2
            worst = max(worst, _turn(rows, seats[:half], seats[half:][::-1]))
            seats = np.concatenate([seats[:1], np.roll(seats[1:], 1)])
        if worst <= len(rows) * _ROUNDING:
            break
    length = np.einsum("if,if->i", rows, rows)
    return np.asarray(rows[np.argsort(-length, kind="stable")[:count]])


def _turn(rows: Values, first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    """Turns each pair of rows in its plane until it is orthogonal; returns the largest cosine there was."""
    a, b = rows[first], rows[second]
    aa, bb, ab = (np.einsum("if,if->i", x, y) for x, y in ((a, a), (b, b), (a, b)))
    size = np.sqrt(aa * bb)
    turned = np.abs(ab) > _ROUNDING * size
    slope = np.where(turned, (bb - aa) / (2.0 * np.where(turned, ab, 1.0)), 0.0)
    tangent = np.where(turned, np.where(slope < 0.0, -1.0, 1.0) / (np.abs(slope) + np.hypot(1.0, slope)), 0.0)
    cosine = 1.0 / np.hypot(1.0, tangent)
    sine = cosine * tangent
    rows[first] = cosine[:, None] * a - sine[:, None] * b
    rows[second] = sine[:, None] * a + cosine[:, None] * b
    return float((np.abs(ab) / np.where(size > 0.0, size, 1.0)).max(initial=0.0))
