"""The smallest values of each row, without sorting the rest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.formulas.arrays import Array, Mask
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import INTERPRETED, loop, scalar
from riskgrid.formulas.lane import line

WHOLE, MISSING, CROWDED = 0, 1, 2
_FEWEST_LANES, _MOST_LANES = 128, 512
SPARE = 16  # comparisons run over whole vectors


def between(low: Any, high: Any) -> Any:
    """About the middle of two numbers, without leaving their type."""
    return low // 2 + high // 2 if isinstance(low, np.integer) else 0.5 * low + 0.5 * high


if BACKEND == "numba":
    from numba import types
    from numba.extending import overload

    @overload(between, strict=False)
    def _between(low: Any, high: Any) -> Any:  # noqa: ARG001, matched by name
        if isinstance(low, types.Integer):
            return lambda low, high: low // 2 + high // 2
        return lambda low, high: 0.5 * low + 0.5 * high


@scalar
def deal(x, least):  # type: ignore[no-untyped-def]
    """Least value of every lane: value j of a row goes to lane j modulo their number; tells whether one is NaN."""
    lanes = least.shape[0]
    missing = 0
    for j in range(lanes):
        least[j] = x[j]
        missing |= x[j] != x[j]
    for begin in range(lanes, x.shape[0], lanes):
        part = x[begin : begin + lanes]
        for j in range(part.shape[0]):
            missing |= part[j] != part[j]
            least[j] = part[j] if part[j] < least[j] else least[j]
    return missing


@scalar
def bound_of(least, count, small, large):  # type: ignore[no-untyped-def]
    """A number that at least `count` lanes reach, and few more: half the range is dropped at each look."""
    width = least.shape[0]
    for j in range(width):
        small[j], large[j] = least[j], least[j]
    while width > 1:  # halves against each other, because a running least is no vector
        width //= 2
        for j in range(width):
            small[j] = small[j] if small[j] < small[j + width] else small[j + width]
            large[j] = large[j] if large[j] > large[j + width] else large[j + width]
    low, bound = small[0], large[0]
    for _ in range(12):
        middle = between(low, bound)
        reached = 0
        for j in range(least.shape[0]):
            reached += least[j] <= middle
        if reached < count:
            low = middle
            continue
        bound = middle
        if reached <= count + 1:
            break
    return bound


@scalar
def gather(x, least, bound, active, place):  # type: ignore[no-untyped-def]
    """Places of the values up to `bound`, in order; only lanes that reach it are looked through, without a branch."""
    lanes = least.shape[0]
    lively, found = 0, 0
    for j in range(lanes):
        active[lively] = j
        lively += least[j] <= bound
    whole = x.shape[0] - x.shape[0] % lanes
    for begin in range(0, whole, lanes):
        for at in range(lively):
            place[found] = begin + active[at]
            found += x[begin + active[at]] <= bound
    for at in range(lively):
        if whole + active[at] < x.shape[0]:
            place[found] = whole + active[at]
            found += x[whole + active[at]] <= bound
    return found


@scalar
def rank(x, place, found, kept, seen, index, lowest):  # type: ignore[no-untyped-def]
    """Puts candidates where they rank: each counts those below it, over whole vectors, and equal ones before it."""
    padded = (found + SPARE - 1) // SPARE * SPARE
    for i in range(found):
        kept[i], seen[i] = x[place[i]], 0
    last = kept[found - 1]
    for i in range(found, padded):
        kept[i] = last
    for i in range(found):
        value, below = kept[i], 0
        for j in range(padded):
            below += kept[j] < value
        if last < value:
            below -= padded - found
        seen[below] += 1
        to = below + seen[below] - 1
        if to < index.shape[0]:
            index[to], lowest[to] = place[i], value


@loop("index", "lowest", "state")
def tail_loop(values, count, lanes, index, lowest, state):  # type: ignore[no-untyped-def]
    """The least values of the lanes of a row bound its tail, so that few values are looked at twice."""
    kind = values.dtype
    least, small, large = np.empty(lanes, kind), np.empty(lanes, kind), np.empty(lanes, kind)
    active, place = np.empty(lanes + 1, np.int64), np.empty(values.shape[1] + 1, np.int64)
    kept, seen = np.empty(2 * lanes + SPARE, kind), np.empty(2 * lanes + SPARE, np.int64)
    for t in range(values.shape[0]):
        x = line(values, t)
        state[t] = MISSING
        if not deal(x, least):
            found = gather(x, least, bound_of(least, count, small, large), active, place)
            state[t] = CROWDED
            if found <= 2 * lanes:
                rank(x, place, found, kept, seen, line(index, t), line(lowest, t))
                state[t] = WHOLE


def tail_select_numpy(values: Any, count: int) -> Any:
    """Specification of `tail_select`."""
    part = np.partition(values, count - 1, axis=1)[:, :count] if count else values[:, :0].copy()
    part.sort(axis=1)
    return part


def tail_index_numpy(values: Any, count: int) -> NDArray[np.intp]:
    """Specification of `tail_index`."""
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


def tail_select(values: Any, count: int) -> Any:
    """The `count` smallest values of each row, ascending.

    values : (row, scenario), float64 or ticks.   Returns (row, count), in the same unit and type; zeros of either sign
    are equal. NaN counts as greater than any number.   Raises ValueError unless 0 <= count <= scenarios.

    >>> tail_select(np.array([[3.0, 1.0, 2.0]]), 2)
    array([[1., 2.]])
    """
    check_count(count, values.shape[1])
    lanes = _lanes(count, values.shape[1])
    if not lanes:
        return tail_select_numpy(values, count)
    _, lowest, state = _searched(values, count, lanes)
    again = np.flatnonzero(state)
    if len(again):
        lowest[again] = tail_select_numpy(values[again], count)
    return lowest


def tail_index(values: Any, count: int) -> NDArray[np.intp]:
    """Scenarios of the `count` smallest values of each row, ascending by value; equal values in scenario order.

    values : (row, scenario), float64 or ticks.   Returns (row, count). NaN counts as greater than any number.
    Raises ValueError unless 0 <= count <= scenarios.

    >>> tail_index(np.array([[3.0, 1.0, 2.0, 1.0]]), 2)
    array([[1, 3]])
    """
    check_count(count, values.shape[1])
    lanes = _lanes(count, values.shape[1])
    if not lanes:
        return tail_index_numpy(values, count)
    index, _, state = _searched(values, count, lanes)
    again = np.flatnonzero(state)
    if len(again):
        index[again] = tail_index_numpy(values[again], count)
    return index


def lowest_values(values: Array, count: int) -> tuple[Array, Mask]:
    """The `count` smallest values of each row, ascending, and which rows hold a NaN; theirs are 0.

    values : (row, scenario), float64.   Returns (row, count) and (row,); one pass over memory tells both.
    Raises ValueError unless 0 <= count <= scenarios.

    >>> lowest_values(np.array([[3.0, 1.0], [0.0, np.nan]]), 1)
    (array([[1.],
           [0.]]), array([False,  True]))
    """
    check_count(count, values.shape[1])
    lanes = _lanes(count, values.shape[1])
    if lanes:
        _, lowest, state = _searched(values, count, lanes)
        missing = state == MISSING
        crowded = np.flatnonzero(state == CROWDED)
        if len(crowded):
            lowest[crowded] = tail_select_numpy(values[crowded], count)
    else:
        lowest, missing = tail_select_numpy(values, count), np.isnan(values).any(axis=1)
    lowest[missing] = 0.0
    return lowest, missing


def check_count(count: int, scenarios: int) -> None:
    """Raises ValueError unless 0 <= count <= scenarios."""
    if not 0 <= count <= scenarios:
        raise ValueError(f"count: {count}; it must be between 0 and {scenarios}, the number of scenarios")


def _lanes(count: int, scenarios: int) -> int:
    """How many lanes to search with; 0 where NumPy's partition serves better, or alone."""
    lanes = _FEWEST_LANES
    while lanes < 2 * count:
        lanes *= 2
    fits = count and lanes <= _MOST_LANES and 2 * lanes <= scenarios
    return lanes if fits and BACKEND == "numba" and not INTERPRETED else 0


def _searched(values: Any, count: int, lanes: int) -> tuple[NDArray[np.intp], Any, NDArray[np.uint8]]:
    index, lowest = np.empty((len(values), count), np.intp), np.empty((len(values), count), values.dtype)
    state = np.empty(len(values), np.uint8)
    if len(values):
        tail_loop(values, count, lanes, index, lowest, state)
    return index, lowest, state
