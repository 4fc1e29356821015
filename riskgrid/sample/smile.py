"""Volatility smiles from a handful of numbers: SSVI, the surface of Gatheral and Jacquier."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from riskgrid.terms import Values

__all__ = ["reverting_variance", "ssvi_variance"]


def ssvi_variance(log_moneyness: ArrayLike, variance: ArrayLike, rho: float, eta: float, gamma: float) -> Values:
    """Total variance w(k) of SSVI with the power law, of the broadcast shape of its first two arguments.

    ``log_moneyness`` : k = ln(strike / forward).   ``variance`` : theta > 0, total variance at k = 0.
    w = theta / 2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)), phi = eta theta^-gamma (1 + theta)^(gamma - 1).
    Free of arbitrage, of butterflies and calendars, where eta (1 + abs(rho)) <= 2, gamma is 1/2 or less and theta
    increases in time.
    Source: Gatheral, Jacquier (2014), Quantitative Finance 14, 59-71, theorem 4.1 and section 4.

    >>> ssvi_variance(0.0, 0.04, -0.7, 1.1, 0.5)
    array(0.04)
    """
    k, theta = np.asarray(log_moneyness, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    phi = eta * theta**-gamma * (1.0 + theta) ** (gamma - 1.0)
    root = np.sqrt((phi * k + rho) ** 2 + 1.0 - rho**2)
    return np.asarray(theta / 2.0 * (1.0 + rho * phi * k + root))


def reverting_variance(years: Values, start: float, start_years: float, long_run: float, reversion: float) -> Values:
    """Total variance to each time where variance reverts at a rate from now to ``long_run``, (time,).

    ``start`` : mean variance a year to ``start_years``; ``long_run``, ``start`` : squared volatilities.
    The mean to T is long_run + (v - long_run) (1 - exp(-k T)) / (k T), v such that it is ``start`` at ``start_years``.
    Source: Heston (1993), Review of Financial Studies 6, 327-343, whose mean variance this is.

    >>> reverting_variance(np.array([0.5]), 0.04, 0.5, 0.03, 2.0)
    array([0.02])
    """

    def mean_weight(time: Values | float) -> Values:
        return np.asarray(-np.expm1(-reversion * np.asarray(time)) / (reversion * np.asarray(time)))

    now = (start - long_run) / mean_weight(start_years)
    return np.asarray(years * (long_run + now * mean_weight(years)))
