"""GARCH(1,1) fitted to many return series at once, by quasi maximum likelihood with variance targeting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskgrid.scenarios.variance import Recursion, mean_square
from riskgrid.terms import Flags, Values

__all__ = ["LEAST_RETURNS", "MOST_PERSISTENCE", "Fit", "fit"]

LEAST_RETURNS = 100
MOST_PERSISTENCE = 0.9999  # of a + b: beyond, the targeted variance has no weight left and the fit says nothing

_PERSISTENCE = np.array([0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.995])  # where the search starts from: the best of a grid
_SHARE = np.array([0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4])
_STEPS, _STEP = 200, 1e-10  # the most steps, and the least that is worth one
_GRADIENT = 1e-9  # of the mean log-likelihood of returns of variance one


@dataclass(frozen=True)
class Fit:
    """What was fitted: a recursion per series, and why one is no good: ``""``, or a word for each (series,)."""

    recursion: Recursion
    problem: NDArray[np.str_]


def fit(returns: Values, fresh: Flags) -> Fit:
    """GARCH(1,1) of zero mean, h' = (1 - a - b) s + a r^2 + b h, with s the mean square of the series' fresh returns.

    returns, fresh : (date, series).   The recursion starts at s. Sought are a >= 0, b >= 0 with a + b below
    :data:`MOST_PERSISTENCE` that make the Gaussian likelihood greatest; a = b = 0, a constant variance, where none does
    better. ``problem`` : ``still`` (every return is zero),
    ``short`` (fewer than :data:`LEAST_RETURNS`), ``persistent`` (a + b at its bound), ``not converged``.
    Source: Bollerslev (1986), J. Econometrics 31, 307-327; targeting: Engle and Mezrich (1996), Risk 9(8), 36-40.
    """
    variance, count = mean_square(returns, fresh)
    problem = np.where(variance == 0.0, "still", np.where(count < LEAST_RETURNS, "short", "")).astype("U16")
    persistence, share = np.zeros(len(variance)), np.zeros(len(variance))
    for column in np.array_split(np.flatnonzero(problem == ""), 1 + len(variance) // 256):  # bounds the memory
        if not column.size:
            continue
        squares, among = _packed(returns[:, column], fresh[:, column], variance[column])
        place, converged = _minimum(squares, among)
        persistence[column], share[column] = place
        problem[column[~converged]] = "not converged"
        problem[column[converged & (place[0] >= MOST_PERSISTENCE) & (place[1] > 0.0)]] = "persistent"
    persistence[share == 0.0] = 0.0  # without news it says nothing
    weight = persistence * share
    recursion = Recursion((1.0 - persistence) * variance, weight, persistence - weight, variance)
    return Fit(recursion, problem)


def _packed(returns: Values, fresh: Flags, variance: Values) -> tuple[Values, Flags]:
    """Squares of the fresh returns in units of their mean, in front; after them ones that ``among`` leaves out."""
    order = np.argsort(~fresh, axis=0, kind="stable")
    among = np.take_along_axis(fresh, order, axis=0)
    squares = np.take_along_axis(np.square(np.where(fresh, returns, 0.0)), order, axis=0) / variance
    longest = int(among.sum(axis=0).max())
    return np.where(among, squares, 1.0)[:longest], among[:longest]


def _minimum(squares: Values, among: Flags) -> tuple[Values, Flags]:
    """Persistence a + b and share a / (a + b) of each series at the least loss, (2, series), and where it was found.

    In these two the region is a box: damped Newton steps, cut off at its sides, a coordinate at rest where the loss
    falls only outwards.
    """
    place = _start(squares, among)
    damping, open_ = np.full(place.shape[1], 1e-3), np.ones(place.shape[1], dtype=bool)
    upper = np.array([[MOST_PERSISTENCE], [1.0]])
    now = _loss(squares, among, place)
    for _ in range(_STEPS):
        loss, slope, curve = now
        rest = ((place <= 0.0) & (slope > 0.0)) | ((place >= upper) & (slope < 0.0))
        slope = np.where(rest, 0.0, slope)
        open_ &= (np.abs(slope) > _GRADIENT).any(axis=0)
        if not open_.any():
            break
        at = np.flatnonzero(open_)
        step = _step(slope[:, at], curve[:, at], rest[:, at], damping[at])
        tried = np.clip(place[:, at] + step, 0.0, upper)
        then = _loss(squares[:, at], among[:, at], tried)
        better = then[0] <= loss[at]
        damping[at] *= np.where(better, 0.2, 8.0)
        open_[at] = np.abs(step).max(axis=0) > _STEP
        good = at[better]
        place[:, good] = tried[:, better]
        for kept, new in zip(now, then, strict=True):
            kept[..., good] = new[..., better]
    slope = np.where(((place <= 0.0) & (now[1] > 0.0)) | ((place >= upper) & (now[1] < 0.0)), 0.0, now[1])
    return place, (np.abs(slope) < 1e3 * _GRADIENT).all(axis=0)  # rounding can stop a step before the slope is nil


def _step(slope: Values, curve: Values, rest: Flags, damping: Values) -> Values:
    """Newton's step -H^-1 g of two coordinates, H made positive definite; curve : H11, H12, H22."""
    one, both, two = np.where(rest[0], 1.0, curve[0]), np.where(rest.any(axis=0), 0.0, curve[1]), curve[2]
    two = np.where(rest[1], 1.0, two)
    middle, radius = 0.5 * (one + two), np.hypot(0.5 * (one - two), both)
    most = np.abs(middle) + radius
    lift = np.maximum(0.0, 1e-10 * most - (middle - radius))
    one, two = one + lift + damping * np.abs(one), two + lift + damping * np.abs(two)
    determinant = one * two - both * both
    step: Values = np.stack([both * slope[1] - two * slope[0], both * slope[0] - one * slope[1]]) / determinant
    return step


def _start(squares: Values, among: Flags) -> Values:
    persistence, share = (grid.ravel()[:, None] for grid in np.meshgrid(_PERSISTENCE, _SHARE))
    weight, keep = persistence * share, persistence * (1.0 - share)
    excess, loss = np.zeros((len(weight), squares.shape[1])), np.zeros((len(weight), squares.shape[1]))
    for square, counts in zip(squares, among, strict=True):
        variance = 1.0 + weight * excess
        loss += np.where(counts, np.log(variance) + square / variance, 0.0)
        excess = keep * excess + (square - 1.0)
    best = loss.argmin(axis=0)
    return np.stack([persistence[best, 0], share[best, 0]])


def _loss(squares: Values, among: Flags, place: Values) -> tuple[Values, Values, Values]:
    """Half the mean of log h + r^2 / h, its slope (2, series) and its curvature H11, H12, H22 (3, series).

    h = 1 + a y with y' = b y + r^2 - 1: the targeted variance drops out. w and v are the first and second
    derivative of y in b.
    """
    p, s = place
    a, b = p * s, p * (1.0 - s)
    y, w, v = (np.empty_like(squares) for _ in range(3))
    now = np.zeros((3, len(p)))
    for date, square in enumerate(squares):
        y[date], w[date], v[date] = now
        now = b * now + (square - 1.0, now[0], 2.0 * now[1])
    h = 1.0 + a * y
    rate = np.where(among, 0.5 * (h - squares) / h**2, 0.0)  # of the loss in h
    bend = np.where(among, squares / h**3 - 0.5 / h**2, 0.0)
    # a = p s and b = p (1 - s), so along p: da = s, db = 1 - s; along s: da = p, db = -p
    along_p = s * y + a * (1.0 - s) * w
    along_s = p * y - a * p * w
    twice_p = 2.0 * s * (1.0 - s) * w + a * (1.0 - s) ** 2 * v
    twice_s = -2.0 * p * p * w + a * p * p * v
    mixed = y + p * (1.0 - 3.0 * s) * w - a * p * (1.0 - s) * v
    n = among.sum(axis=0)
    loss = 0.5 * np.where(among, np.log(h) + squares / h, 0.0).sum(axis=0) / n
    slope = np.stack([(rate * along).sum(axis=0) for along in (along_p, along_s)]) / n
    pairs = ((along_p, along_p, twice_p), (along_p, along_s, mixed), (along_s, along_s, twice_s))
    curve = np.stack([(bend * one * other + rate * twice).sum(axis=0) for one, other, twice in pairs]) / n
    return loss, slope, curve
