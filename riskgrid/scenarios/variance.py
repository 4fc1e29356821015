"""Conditional variances of many return series at once: GARCH(1,1), and exponential weights as a case of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskgrid.terms import Flags, Values

__all__ = ["Recursion", "exponential", "mean_square"]


@dataclass(frozen=True)
class Recursion:
    """h' = constant + weight r^2 + persistence h, from the variance ``initial`` before the first return; (series,).

    Exponential weights are the case of constant 0, weight 1 - decay and persistence decay.
    """

    constant: Values
    weight: Values
    persistence: Values
    initial: Values

    def forecasts(self, returns: Values, fresh: Flags) -> Values:
        """The variance of each return as known before it, and of the one after the last: (date + 1, series).

        returns, fresh : (date, series).   A return that is not fresh leaves the variance where it was.

        >>> one = exponential(0.94, np.array([0.0004]))
        >>> one.forecasts(np.array([[0.05], [0.0]]), np.array([[True], [False]])).ravel().round(6).tolist()
        [0.0004, 0.000526, 0.000526]
        """
        keep = np.where(fresh, self.persistence, 1.0)
        news = np.where(fresh, self.constant + self.weight * np.square(np.where(fresh, returns, 0.0)), 0.0)
        found = np.empty((len(returns) + 1, returns.shape[1]))
        found[0] = self.initial
        for date in range(len(returns)):  # the recursion runs over dates, all series at once
            found[date + 1] = keep[date] * found[date] + news[date]
        return found

    def next(self, variance: Values, returns: Values) -> Values:
        """The variance after these returns, (scenario, series)."""
        return np.asarray(self.constant + self.weight * np.square(returns) + self.persistence * variance)


def exponential(decay: float | Values, initial: Values) -> Recursion:
    """Exponentially weighted variances.  decay : of all or (series,).   initial : (series,).

    Source: J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., ch. 5.

    >>> exponential(0.94, np.array([0.0004])).persistence.tolist()
    [0.94]
    """
    zero = np.zeros(len(initial))
    return Recursion(zero, zero + (1.0 - decay), zero + decay, initial)


def mean_square(returns: Values, fresh: Flags) -> tuple[Values, NDArray[np.intp]]:
    """Mean square of the fresh returns of each series, 0 where there is none, and how many there are; (series,).

    >>> mean_square(np.array([[0.01], [0.03], [9.0]]), np.array([[True], [True], [False]]))
    (array([0.0005]), array([2]))
    """
    count = fresh.sum(axis=0)
    return np.square(np.where(fresh, returns, 0.0)).sum(axis=0) / np.maximum(count, 1), count
