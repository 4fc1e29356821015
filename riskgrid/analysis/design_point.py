"""The design point: the nearest point to the origin at which a loss of standard normals reaches a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DesignPoint", "design_point", "slope"]

type Values = NDArray[np.float64]
type Losses = Callable[[Values], Values]

_BUMP = 0.1  # of a central difference, in standard deviations
_FAR = 3.0  # of the probes for curvature
_RADII = 16
_STARTS = 3
_ROUNDS = 30
_LENGTHS = np.array([1.0, 0.5, 0.25, 0.1, 0.03, 0.01])  # of trial steps
_ARMIJO = 0.1
_CLOSE, _ALIGNED = 1e-4, 1e-6  # of a loss, as a share of the target; of 1 - cosine
_NEAR, _STALLED = 1e-2, 1e-6  # of the target; of the distance in a round
_SETTLED = 1e-4  # of 1 - cosine: what a nearer place nearby could save, as a share of the distance
_EXACT = 1e-7  # money is counted in ticks, whose rounding is of this size for many trades and few bits


@dataclass(frozen=True)
class DesignPoint:
    """The nearest point found at which the target is lost; where ``reached`` is false, the largest loss within limits.

    place : (component,), in standard deviations.   distance : its length.   cosine : between the place and the slope
    of the loss there; 1 where no point nearby is nearer.   settled : whether it is 1 but for 1e-4.
    linear : the distance that the slope at the origin alone would say, infinite where it has none.
    """

    place: Values
    loss: float
    cosine: float
    linear: float
    reached: bool

    @property
    def distance(self) -> float:
        """Length of the place, in standard deviations."""
        return float(_length(self.place))

    @property
    def settled(self) -> bool:
        """Whether the search has met its tolerance."""
        return self.cosine >= 1.0 - _SETTLED


def design_point(losses: Losses, target: float, directions: Values, *, limit: float = 8.0) -> DesignPoint:
    """The least z with losses(z) = target > 0, for a loss that is 0 at the origin.

    losses : (state, component) -> (state,); called for many states at once, and few times.   directions : (start,
    component), places whose rays are searched beside those of slope and curvature at the origin; may have no rows.
    limit : the farthest distance searched.

    Rays give up to three starts, from each of which the improved HL-RF iteration walks to a point where place and slope
    align; the nearest one is moved along its ray until the loss is the target's. Each round asks once for the trial
    steps and the slope behind the full one. Not proven to be the global one: a loss with gamma can hide a nearer point.
    Source: Hasofer and Lind (1974), J. Eng. Mech. Div. ASCE 100, 111-121; Rackwitz and Fiessler (1978), Computers and
    Structures 9, 489-494; the line search: Zhang and Der Kiureghian (1995), Reliability and Optimization of Structural
    Systems, 297-304.

    >>> found = design_point(lambda z: z @ [3.0, 4.0], 10.0, np.zeros((0, 2)))
    >>> round(found.distance, 9), found.place.round(9).tolist()
    (2.0, [1.2, 1.6])
    """

    def shares(places: Values) -> Values:
        return losses(places) / target - 1.0

    flat, rays = _rays(shares, directions, limit)
    linear = 1.0 / float(_length(flat)) if flat.any() else np.inf
    starts, largest = _crossings(shares, rays, limit)
    if not len(starts):
        largest, risen = _risen(shares, largest, limit)
        if risen < 0.0:
            return DesignPoint(largest, (1.0 + risen) * target, np.nan, linear, False)
        starts = largest[None, :]
    places, off = _walked(shares, starts, limit)
    close = np.abs(off) <= _NEAR
    # where every walk has lost its way, where they began stands
    kept = places[[_nearest(places * (1.0 - off)[:, None], close)]] if close.any() else starts
    places, off = _on_target(shares, kept)
    best = _nearest(places, np.abs(off) <= _CLOSE)
    _, gradient = slope(shares, places[best : best + 1])
    cosine = float(_cosine(places[best : best + 1], gradient)[0])
    return DesignPoint(places[best], float((1.0 + off[best]) * target), cosine, linear, True)


def slope(losses: Losses, places: Values) -> tuple[Values, Values]:
    """Value (place,) and gradient (place, component) by central differences of 0.1."""
    found = losses(_bumped(places)).reshape(len(places), -1)
    return found[:, 0], _differences(found)


def _bumped(places: Values) -> Values:
    """Each place and its neighbours up and down along every component, (place * (1 + 2 component), component)."""
    count = places.shape[1]
    steps = np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count)]) * _BUMP
    return (places[:, None, :] + steps).reshape(-1, count)


def _differences(found: Values) -> Values:
    half = (found.shape[1] - 1) // 2
    return np.asarray((found[:, 1 : 1 + half] - found[:, 1 + half :]) / (2.0 * _BUMP))


def _rays(shares: Losses, directions: Values, limit: float) -> tuple[Values, Values]:
    """Gradient at the origin, and unit directions (ray, component) worth a search."""
    count, far = directions.shape[1], min(_FAR, limit)
    given = directions[_length(directions) > 0.0]
    given = given / _length(given)[:, None]
    axes = np.concatenate([np.eye(count), -np.eye(count)])
    asked = np.concatenate([_bumped(np.zeros((1, count))), axes * far, given * far])
    found = shares(asked)
    near, ends = found[: 1 + 2 * count], found[1 + 2 * count :]
    flat = _differences(near[None, :])[0]
    up, down = ends[:count] - near[0], ends[count : 2 * count] - near[0]
    larger = np.maximum(np.maximum(up, down), 0.0) * np.where(up >= down, 1.0, -1.0)
    most = np.concatenate([axes, given])[np.argsort(-ends, kind="stable")[: 2 * _STARTS]]
    rays = np.concatenate([[flat, up - down, larger], most])
    length = _length(rays)
    return flat, rays[length > 0.0] / length[length > 0.0, None]


def _crossings(shares: Losses, rays: Values, limit: float) -> tuple[Values, Values]:
    """The nearest places (start, component) where rays reach the target, and the place of the largest loss."""
    radii = limit * np.arange(1, _RADII + 1) / _RADII
    places = rays[:, None, :] * radii[:, None]
    found = shares(places.reshape(-1, rays.shape[1])).reshape(len(rays), _RADII)
    largest = places.reshape(-1, rays.shape[1])[int(np.argmax(found))]
    known = np.concatenate([np.full((len(rays), 1), -1.0), found], axis=1)
    first = np.argmax(known >= 0.0, axis=1)
    crossed = np.flatnonzero(first > 0)
    above, below = known[crossed, first[crossed]], known[crossed, first[crossed] - 1]
    distance = limit / _RADII * (first[crossed] - above / (above - below))
    starts: list[Values] = []
    for at in np.argsort(distance, kind="stable"):
        ray = rays[crossed[at]]
        if len(starts) < _STARTS and all(float((ray * one).sum()) < 0.99 * _length(one) for one in starts):
            starts.append(ray * distance[at])
    return np.array(starts).reshape(-1, rays.shape[1]), largest


def _risen(shares: Losses, place: Values, limit: float) -> tuple[Values, float]:
    """The largest share on the sphere of the limit, and its place, walking along the slope; Studer (1999)."""
    best = float(shares(place[None, :])[0])
    for _ in range(_ROUNDS):
        _, gradient = slope(shares, place[None, :])
        if best >= 0.0 or not _length(gradient[0]) > 0.0:
            break
        full = gradient[0] / _length(gradient[0]) * limit
        trial = place + _LENGTHS[:, None] * (full - place)
        trial *= (limit / np.maximum(_length(trial), np.finfo(float).tiny))[:, None]
        found = shares(trial)
        at = int(np.argmax(found))
        if not found[at] - best > 1e-6 * abs(1.0 + best):
            break
        place, best = trial[at], float(found[at])
    return place, best


def _walked(shares: Losses, places: Values, limit: float) -> tuple[Values, Values]:
    """Where improved HL-RF leads from each place, and what is missing there, as a share of the target."""
    off, gradient = slope(shares, places)
    tiny, count, stalled = np.finfo(float).tiny, places.shape[1], np.zeros(len(places), np.bool_)
    for _ in range(_ROUNDS):
        open_ = ~stalled & ((np.abs(off) > _CLOSE) | (_cosine(places, gradient) < 1.0 - _ALIGNED))
        if not open_.any():
            break
        square = np.maximum((gradient**2).sum(axis=1), tiny)
        full = (((gradient * places).sum(axis=1) - off) / square)[:, None] * gradient
        full = full * np.minimum(1.0, limit / np.maximum(_length(full), tiny))[:, None]
        step = np.where(open_[:, None], full - places, 0.0)
        trial = places[:, None, :] + _LENGTHS[:, None] * step[:, None, :]
        found = shares(np.concatenate([trial.reshape(-1, count), _bumped(places + step)]))
        tried, behind = found[: trial.shape[0] * len(_LENGTHS)].reshape(len(places), -1), found[trial[..., 0].size :]
        chosen, stalled = _chosen(places, off, gradient, (trial, tried))
        rows = np.arange(len(places))
        places, off = trial[rows, chosen], tried[rows, chosen]
        gradient = _differences(behind.reshape(len(places), -1))
        if (short := chosen > 0).any():
            _, gradient[short] = slope(shares, places[short])
    return places, off


def _chosen(
    places: Values, off: Values, gradient: Values, steps: tuple[Values, Values]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which trial step each place takes, and whether it is as near as the steps can bring it.

    steps : places (place, step, component), and what is missing there (place, step). Near the target the step whose
    ray meets it nearest, by the slope along the ray: the merit function would refuse all but the smallest steps along
    a curved surface (Maratos). Else the first that the merit function of Zhang and Der Kiureghian takes.
    """
    trial, tried = steps
    slant = (gradient * places).sum(axis=1)
    along = np.where(slant > 0.0, slant, np.inf)
    meets = _length(trial) * (1.0 - tried / along[:, None])
    now = _length(places) * (1.0 - off / along)
    near = (np.abs(off) <= _NEAR) & (slant > 0.0)
    penalty = 2.0 * _length(places) / np.maximum(_length(gradient), np.finfo(float).tiny)
    step = trial[:, 0] - places
    before = 0.5 * (places**2).sum(axis=1) + penalty * np.abs(off)
    falls = (places * step).sum(axis=1) + penalty * np.sign(off) * (gradient * step).sum(axis=1)
    merit = 0.5 * (trial**2).sum(axis=2) + penalty[:, None] * np.abs(tried)
    fine = merit <= before[:, None] + _ARMIJO * _LENGTHS * np.minimum(falls, 0.0)[:, None]
    far = np.where(fine.any(axis=1), np.argmax(fine, axis=1), np.argmin(merit, axis=1))
    stalled = near & ~(meets.min(axis=1) < now * (1.0 - _STALLED))
    return np.where(near, np.argmin(np.where(np.abs(tried) <= 3.0 * _NEAR, meets, np.inf), axis=1), far), stalled


def _nearest(places: Values, eligible: NDArray[np.bool_]) -> int:
    return int(np.argmin(np.where(eligible, _length(places), np.inf)))


def _on_target(shares: Losses, places: Values) -> tuple[Values, Values]:
    """Each place moved along its ray until the target is lost, and what is missing then, as a share of the target."""
    steps, width, rows = np.linspace(-1.0, 1.0, 9), np.full(len(places), 1e-3), np.arange(len(places))
    nearest, least = places, np.full(len(places), np.inf)
    for _ in range(5):
        factors = 1.0 + width[:, None] * steps
        tried = places[:, None, :] * factors[..., None]
        found = shares(tried.reshape(-1, places.shape[1])).reshape(len(places), -1)
        at = np.argmin(np.abs(found), axis=1)
        better = np.abs(found[rows, at]) < np.abs(least)
        nearest = np.where(better[:, None], tried[rows, at], nearest)
        least = np.where(better, found[rows, at], least)
        if (np.abs(least) <= _EXACT).all():
            break
        rises = (found[:, :-1] < 0.0) & (found[:, 1:] >= 0.0)
        cell, inside = np.argmax(rises, axis=1), rises.any(axis=1)
        below, above = found[rows, cell], found[rows, cell + 1]
        part = np.where(above > below, below / np.where(above > below, below - above, 1.0), 0.0)
        crossing = factors[rows, cell] + part * width * (steps[1] - steps[0])
        places = places * np.where(inside, crossing, 1.0)[:, None]
        width = np.where(inside, width * 0.01, np.minimum(width * 10.0, 0.5))
    return nearest, least


def _length(places: Values) -> Values:
    return np.asarray(np.sqrt((places**2).sum(axis=-1)))


def _cosine(places: Values, gradient: Values) -> Values:
    both = _length(places) * _length(gradient)
    return np.asarray((places * gradient).sum(axis=1) / np.where(both > 0.0, both, 1.0))
