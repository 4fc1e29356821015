"""Curves as fixed linear maps: node values times weights that depend on dates alone, never on the state."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import BadMarket, UnknownName
from riskgrid.terms import Flags, Values

__all__ = [
    "EXTRAPOLATIONS",
    "INTERPOLATIONS",
    "Weights",
    "curve_panel",
    "curve_weights",
    "price_weights",
    "weighted_sum",
    "zero_weights",
]

INTERPOLATIONS = ("linear_zero", "log_linear_discount", "monotone_cubic")
EXTRAPOLATIONS = ("flat_forward", "flat_zero")

#: Row numbers of a panel (query, k) and the factors they are multiplied by (query, k).
type Weights = tuple[NDArray[np.int32], Values]


def curve_panel(times: Values, zeros: Values, interpolation: str) -> Values:
    """What the weights of a curve multiply: (node, state), or (2 node, state) with slopes below for monotone_cubic.

    times : (node,), nominal years, increasing, above 0.   zeros : (node, state), continuously compounded, ACT/365F.
    Raises UnknownName on an unknown interpolation, BadMarket on times that are not increasing.
    Source: Fritsch, Butland (1984), SIAM J. Sci. Stat. Comput. 5, 300-304, for the slopes.

    >>> curve_panel(np.array([1.0, 2.0]), np.array([[0.01], [0.03]]), "monotone_cubic").ravel()
    array([0.01, 0.03, 0.02, 0.02])
    """
    _check_name("interpolation", interpolation, INTERPOLATIONS)
    _check_times(times, above_zero=True)
    if interpolation != "monotone_cubic":
        return zeros
    with np.errstate(invalid="ignore", over="ignore"):
        return np.concatenate([zeros, _slopes(times, zeros)])


def curve_weights(times: Values, query: Values, interpolation: str, extrapolation: str) -> Weights:
    """Weights whose sum over the panel's rows is the log discount factor at the query times, in every state.

    times : (node,).   query : (query,), years.   At a query of 0 or before, every weight is 0: the factor is 1.
    Before the first node the zero rate is flat.   Raises as :func:`zero_weights`.

    >>> index, weight = curve_weights(np.array([1.0, 2.0]), np.array([1.5]), "linear_zero", "flat_zero")
    >>> index, weight
    (array([[0, 1]], dtype=int32), array([[-0.75, -0.75]]))
    """
    index, weight = zero_weights(times, query, interpolation, extrapolation)
    elapsed = np.asarray(query, dtype=np.float64)[:, None]
    return index, np.where(elapsed <= 0.0, 0.0, -elapsed * weight)


def zero_weights(times: Values, query: Values, interpolation: str, extrapolation: str) -> Weights:
    """Weights whose sum over the panel's rows is the zero rate at the query times; at 0 and before, the first node's.

    times : (node,).   query : (query,), years.   ``flat_forward`` keeps the last instantaneous forward rate.
    Raises UnknownName on an unknown scheme, BadMarket on times that are not increasing.

    >>> index, weight = zero_weights(np.array([1.0, 2.0]), np.array([4.0]), "log_linear_discount", "flat_forward")
    >>> round(float(weight[0] @ np.array([0.02, 0.03])), 12)  # the forward rate from 1 to 2 years is 0.04
    0.035
    """
    _check_name("interpolation", interpolation, INTERPOLATIONS)
    _check_name("extrapolation", extrapolation, EXTRAPOLATIONS)
    _check_times(times, above_zero=True)
    query = np.asarray(query, dtype=np.float64)
    inside = np.minimum(np.maximum(query, times[0]), times[-1])
    left, right = _interval(times, inside)
    columns = [left, right]
    if interpolation == "monotone_cubic":
        columns += [len(times) + left, len(times) + right]
    weight = _inside(times, inside, left, interpolation)
    if extrapolation == "flat_forward" and len(times) > 1 and (inside < query).any():
        last = np.zeros(weight.shape[1])
        last[1] = 1.0
        share = (times[-1] / np.maximum(query, times[-1]))[:, None]
        beyond = share * last + (1.0 - share) * _last_forward(times, interpolation)
        weight = np.where(query[:, None] > times[-1], beyond, weight)
    return _sparse(_beside(*columns), weight)


def price_weights(times: Values, query: Values) -> Weights:
    """Weights of a price that is linear between its nodes and flat outside.

    times : (node,), nominal years, increasing.   query : (query,), years.   Raises BadMarket as above.

    >>> index, weight = price_weights(np.array([0.0, 1.0]), np.array([0.25, 3.0]))
    >>> weighted_sum(np.array([[40.0], [44.0]]), index, weight).ravel()
    array([41., 44.])
    """
    _check_times(times, above_zero=False)
    inside = np.minimum(np.maximum(np.asarray(query, dtype=np.float64), times[0]), times[-1])
    left, right = _interval(times, inside)
    return _sparse(_beside(left, right), _inside(times, inside, left, "linear_zero"))


def weighted_sum(panel: Values, index: NDArray[np.int32], weight: Values) -> Values:
    """Sum over k of ``weight[:, k] * panel[index[:, k]]``, in that order: (query, state)."""
    total: Values = weight[:, :1] * panel[index[:, 0]]
    for k in range(1, index.shape[1]):  # an axis sum's order depends on the number of states
        total += weight[:, k : k + 1] * panel[index[:, k]]
    return total


def _interval(times: Values, inside: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    found = times.searchsorted(inside, side="right") - 1
    left = np.minimum(np.maximum(found, 0), max(len(times) - 2, 0))
    return left, np.minimum(left + 1, len(times) - 1)


def _beside[Kind: np.generic](*columns: NDArray[Kind]) -> NDArray[Kind]:
    """`np.stack` along axis 1, at a fraction of its cost for a few rows."""
    made = np.empty((len(columns[0]), len(columns)), columns[0].dtype)
    for at, column in enumerate(columns):
        made[:, at] = column
    return made


def _inside(times: Values, inside: Values, left: NDArray[np.intp], interpolation: str) -> Values:
    cubic = interpolation == "monotone_cubic"
    if len(times) == 1:
        alone = np.zeros((len(inside), 4 if cubic else 2))
        alone[:, 0] = 1.0
        return alone
    start, end = times[left], times[left + 1]
    step = end - start
    if interpolation == "log_linear_discount":
        scale = step * inside
        return _beside((end - inside) * start / scale, (inside - start) * end / scale)
    s = (inside - start) / step
    if not cubic:
        return _beside(1.0 - s, s)
    r = 1.0 - s
    # the four Hermite polynomials, those of the slopes in years
    return _beside((1.0 + 2.0 * s) * r * r, s * s * (3.0 - 2.0 * s), s * r * r * step, -s * s * r * step)


def _last_forward(times: Values, interpolation: str) -> Values:
    start, end = times[-2:]
    step = end - start
    if interpolation == "linear_zero":
        return np.array([-end / step, 1.0 + end / step])
    if interpolation == "log_linear_discount":
        return np.array([-start / step, end / step])
    return np.array([0.0, 1.0, 0.0, end])


def _sparse(index: NDArray[np.intp], weight: Values) -> Weights:
    # a weight of 0 must not meet a NaN in a node that the query does not need
    none = weight == 0.0
    if none.any():
        heaviest = index[np.arange(len(index)), np.abs(weight).argmax(axis=1)]
        index = np.where(none, heaviest[:, None], index)
    return index.astype(np.int32), weight


def _slopes(times: Values, zeros: Values) -> Values:
    if len(times) == 1:
        return np.zeros_like(zeros)
    step = np.diff(times)[:, None]
    secant = (zeros[1:] - zeros[:-1]) / step
    if len(times) == 2:
        return np.concatenate([secant, secant])
    before, after = secant[:-1], secant[1:]
    near, far = 2.0 * step[1:] + step[:-1], step[1:] + 2.0 * step[:-1]
    weighted = near * after + far * before
    mean = (near + far) * before * after / np.where(weighted == 0.0, 1.0, weighted)
    flat = 0.0 * (before + after)  # not a bare 0: a NaN node leaves no slope beside it
    inner = np.where(_same_sign(before, after), mean, flat)
    first = _end_slope(step[0], step[1], secant[0], secant[1])
    last = _end_slope(step[-1], step[-2], secant[-1], secant[-2])
    return np.concatenate([first[None], inner, last[None]])


def _end_slope(near: Values, far: Values, secant: Values, inner: Values) -> Values:
    slope = ((2.0 * near + far) * secant - near * inner) / (near + far)
    steep = ~_same_sign(secant, inner) & (np.abs(slope) > 3.0 * np.abs(secant))
    return np.where(np.sign(slope) == np.sign(secant), np.where(steep, 3.0 * secant, slope), 0.0 * slope)


def _same_sign(left: Values, right: Values) -> Flags:
    return ((left > 0.0) & (right > 0.0)) | ((left < 0.0) & (right < 0.0))


def _check_name(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UnknownName(kind, name, known)


def _check_times(times: Values, *, above_zero: bool) -> None:
    _check_node_times(np.ascontiguousarray(times, np.float64).tobytes(), above_zero)


@functools.lru_cache(maxsize=256)
def _check_node_times(raw: bytes, above_zero: bool) -> None:
    times = np.frombuffer(raw)
    lowest = np.nextafter(0.0, 1.0) if above_zero else 0.0
    if len(times) == 0 or not (times[0] >= lowest and np.all(np.diff(times) > 0.0)):
        right = "one or more, increasing, " + ("above 0" if above_zero else "0 or above")
        raise BadMarket(f"node times {np.asarray(times).tolist()} are not {right}")
