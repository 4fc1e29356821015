"""The smallest values of each row, without sorting the rest."""

import numpy as np
from numpy.typing import NDArray

from riskgrid.formulas.arrays import Array


def tail_select(values: Array, count: int) -> Array:
    """The `count` smallest values of each row, ascending.

    values : (row, scenario).   Returns (row, count), in the same unit. NaN counts as greater than any number.
    Raises ValueError unless 0 <= count <= scenarios.

    >>> tail_select(np.array([[3.0, 1.0, 2.0]]), 2)
    array([[1., 2.]])
    """
    check_count(count, values.shape[1])
    part = np.partition(values, count - 1, axis=1)[:, :count] if count else values[:, :0].copy()
    part.sort(axis=1)
    return part


def tail_index(values: Array, count: int) -> NDArray[np.intp]:
    """Scenarios of the `count` smallest values of each row, ascending by value; equal values in scenario order.

    values : (row, scenario).   Returns (row, count). NaN counts as greater than any number.
    Raises ValueError unless 0 <= count <= scenarios.

    >>> tail_index(np.array([[3.0, 1.0, 2.0, 1.0]]), 2)
    array([[1, 3]])
    """
    check_count(count, values.shape[1])
    if not count:
        return np.empty((len(values), 0), np.intp)
    threshold = np.partition(values, count - 1, axis=1)[:, count - 1 : count]
    below = (values < threshold) | (np.isnan(threshold) & ~np.isnan(values))
    equal = (values == threshold) | (np.isnan(threshold) & np.isnan(values))
    wanted = count - below.sum(axis=1, keepdims=True)
    chosen = below | (equal & (np.cumsum(equal, axis=1) <= wanted))
    index = np.nonzero(chosen)[1].reshape(len(values), count)
    order = np.argsort(np.take_along_axis(values, index, axis=1), axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1)


def check_count(count: int, scenarios: int) -> None:
    """Raises ValueError unless 0 <= count <= scenarios."""
    if not 0 <= count <= scenarios:
        raise ValueError(f"count: {count}; it must be between 0 and {scenarios}, the number of scenarios")
