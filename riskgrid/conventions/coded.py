"""Conventions that differ by trade: one value for all, or codes into a few distinct values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import InputError

__all__ = ["Coded", "groups", "take"]

type Coded[T] = T | tuple[NDArray[np.integer], Sequence[T]]
type Where = slice | NDArray[np.intp]


def take[T](value: Coded[T], index: NDArray[Any] | slice) -> Coded[T]:
    """The convention of the elements at ``index``; one value where there is but one to choose from.

    >>> take((np.array([0, 1, 1]), ("following", "preceding")), np.array([2, 0]))
    (array([1, 0]), ('following', 'preceding'))
    """
    if not isinstance(value, tuple):
        return value
    return value[1][0] if len(value[1]) == 1 else (value[0][index], value[1])


def groups(size: int, *values: Coded[Any]) -> Iterator[tuple[tuple[Any, ...], Where]]:
    """Each combination of values that occurs, with where it occurs among ``size`` elements.

    InputError if there are not ``size`` codes, or a code points at no value.

    >>> [(v, w.tolist()) for v, w in groups(3, "a", (np.array([1, 0, 1]), ("x", "y")))]
    [(('a', 'x'), [1]), (('a', 'y'), [0, 2])]
    """
    choices = [value[1] if isinstance(value, tuple) else (value,) for value in values]
    if size == 0:
        return
    combined: NDArray[np.integer] | None = None
    for value, choice in zip(values, choices, strict=True):
        if isinstance(value, tuple):
            codes = _checked(np.asarray(value[0]), len(choice), size)
            if len(choice) > 1:
                combined = codes.astype(np.int64) if combined is None else combined * len(choice) + codes
    if combined is None:
        yield tuple(choice[0] for choice in choices), slice(None)
        return
    occurring = np.flatnonzero(np.bincount(combined))
    for code in occurring.tolist():
        where: Where = slice(None) if len(occurring) == 1 else np.flatnonzero(combined == code)
        rest, picked = code, list[Any]()
        for choice in reversed(choices):
            rest, position = divmod(rest, len(choice))
            picked.insert(0, choice[position])
        yield tuple(picked), where


def _checked(codes: NDArray[np.integer], known: int, size: int) -> NDArray[np.integer]:
    if codes.shape != (size,):
        raise InputError(f"codes have shape {codes.shape}; one for each of {size} elements is needed")
    if codes.min() < 0 or codes.max() >= known:
        wrong = np.flatnonzero((codes < 0) | (codes >= known))
        raise InputError(f"code {codes[wrong[0]]} at position {wrong[0]} names no value; known: 0 to {known - 1}")
    return codes
