"""The scenario set itself: labelled affine shifts ``x' = scale x + offset``, checked and digested.

A set is a plain ``xr.Dataset``. Dims ``scenario`` (unique texts) and ``factor`` (ids). Variables:

- ``scale, offset`` (scenario, factor) float64, finite; a log return r is scale e^r, a relative one scale 1 + r, an
  absolute one offset r in the factor's unit, a new level scale 0 and offset r;
- ``weight`` (scenario), optional, at least 0, sums to one; without it all scenarios weigh the same;
- ``date`` (scenario), optional, datetime64[D]: the date of the state; NaT is the market's own date;
- ``stale`` (scenario, factor), optional: no fresh level was observed there, so the shift is zero;
- ``unshocked`` (factor), optional coordinate: nothing says how the factor moves in some scenario, so it stays there.

A scenario may carry further coordinates of its own. Attributes: ``name``, ``kind``, ``provenance`` (JSON text).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from riskgrid import hashing
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.market import factor as factor_ids
from riskgrid.terms import Flags, Values

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["Extras", "check", "check_against", "digest", "mask", "moved", "shiftable", "shifts", "targets"]

_PANEL = ("scenario", "factor")
_TYPES = {"scale": "f", "offset": "f", "weight": "f", "date": "M", "stale": "b", "unshocked": "b"}
_DIMS = {"scale": _PANEL, "offset": _PANEL, "stale": _PANEL, "unshocked": ("factor",)}


class Extras(TypedDict, total=False):
    """What a set may carry besides its shifts; the module says what each is."""

    weight: ArrayLike
    date: ArrayLike
    stale: ArrayLike
    unshocked: ArrayLike


def shifts(
    labels: Sequence[str],
    factors: Sequence[str],
    scale: ArrayLike,
    offset: ArrayLike,
    *,
    name: str,
    kind: str,
    provenance: Mapping[str, Any],
    **optional: Unpack[Extras],
) -> xr.Dataset:
    """A checked scenario set.

    scale, offset : (scenario, factor), or anything that broadcasts to it.   provenance : what JSON can hold.
    BadScenarios where a shape, a number or a label is wrong.

    >>> up = shifts(["up"], ["equity:ACME"], 1.1, 0.0, name="up", kind="stress", provenance={})
    >>> float(up.scale.sel(scenario="up", factor="equity:ACME"))
    1.1
    """
    shape = (len(labels), len(factors))
    data: dict[str, Any] = {
        "scale": (_PANEL, _panel("scale", scale, shape)),
        "offset": (_PANEL, _panel("offset", offset, shape)),
    }
    coords: dict[str, Any] = {"scenario": _texts(labels), "factor": _texts(factors)}
    for key, values in optional.items():
        dims = _DIMS.get(key, ("scenario",))
        column = np.asarray(values)
        expected = tuple(shape[_PANEL.index(dim)] for dim in dims)
        if column.shape != expected:
            raise BadScenarios(f"scenario set '{name}': '{key}' has shape {column.shape}; right is {expected}, {dims}")
        column = column.astype("datetime64[D]") if key == "date" else column
        (coords if key == "unshocked" else data)[key] = (dims, column)
    attrs = {"name": name, "kind": kind, "provenance": json.dumps(provenance, sort_keys=True)}
    return check(xr.Dataset(data, coords, attrs))


def check(scenarios: xr.Dataset) -> xr.Dataset:
    """The set itself where it is one; else BadScenarios says which scenario and factor is wrong, and how."""
    name = scenarios.attrs.get("name", "")
    problem = _bad_structure(scenarios) or _bad_labels(scenarios) or _bad_numbers(scenarios) or _bad_space(scenarios)
    if problem:
        raise BadScenarios(f"scenario set '{name}': {problem}")
    return scenarios


def check_against(scenarios: xr.Dataset, market: MarketSnapshot) -> xr.Dataset:
    """The set as it applies to this market: checked, a NaT state date replaced by the market's date.

    A shift of ``zero:CURVE:TENOR`` is right on a par-quoted curve where the tenor is a node of that curve: it acts
    after calibration. BadScenarios names every factor the market does not have, and a state date before the market's.
    """
    check(scenarios)
    name, known = scenarios.attrs["name"], shiftable(market)
    unknown = [str(factor) for factor in scenarios.factor.values if str(factor) not in known]
    if unknown:
        raise BadScenarios(
            f"scenario set '{name}' shifts {_count(unknown, 'factor')} that the market of {market.date} does not have: "
            + _some([_close(factor, known) for factor in unknown])
        )
    if "date" not in scenarios:
        return scenarios
    dates = scenarios["date"].values.astype("datetime64[D]")
    dates = np.where(np.isnat(dates), market.date, dates)
    early = dates < market.date
    if early.any():
        first = scenarios.scenario.values[early][0]
        raise BadScenarios(
            f"scenario set '{name}': state '{first}' is of {dates[early][0]}, before the market's date {market.date}; "
            "a state is of that date or later"
        )
    return scenarios.assign(date=("scenario", dates))


def shiftable(market: MarketSnapshot) -> frozenset[str]:
    """Every id a scenario may shift here: the market's factors and the zero rates at the nodes of par-quoted curves."""
    zeros = (f"zero:{factor.removeprefix('par:')}" for factor in market.factors if factor.startswith("par:"))
    return frozenset(market.factors) | frozenset(zeros)


def targets(pattern: str, market: MarketSnapshot) -> tuple[str, ...]:
    """The ids a pattern names, in order; a zero rate of a par-quoted curve only where the pattern says ``zero:``."""
    ids = shiftable(market) if pattern.startswith("zero:") else market.factors
    return factor_ids.match(pattern, sorted(ids))


def mask(patterns: Sequence[str], factors: Sequence[str], option: str) -> Flags:
    """Which factors any of the patterns names, (factor,).  UnknownName on a pattern of ``option`` that names none.

    >>> mask(["vol:*"], ["fx:EUR", "vol:ACME:1Y:1.00"], "skip")
    array([False,  True])
    """
    found = np.zeros(len(factors), dtype=bool)
    place = {factor: at for at, factor in enumerate(factors)}
    for pattern in patterns:
        matched = factor_ids.match(pattern, factors)
        if not matched:
            raise UnknownName(f"factor in {option}:", pattern, factors)
        found[[place[factor] for factor in matched]] = True
    return found


def moved(scenarios: xr.Dataset) -> Flags:
    """Which factor moves in which scenario, (scenario, factor): scale is not 1 or offset is not 0."""
    return np.asarray((scenarios["scale"].values != 1.0) | (scenarios["offset"].values != 0.0))


def digest(scenarios: xr.Dataset) -> bytes:
    """20 bytes over labels, factors, scale, offset, weight, date, flags and provenance; the name is left out."""
    held = scenarios.variables
    extra = [held[key].values if key in held else None for key in ("weight", "date", "stale", "unshocked")]
    if extra[1] is not None:
        extra[1] = extra[1].astype("datetime64[D]").astype(np.int64)
    panels = [scenarios[key].values + 0.0 for key in ("scale", "offset")]  # one zero: -0.0 shifts as 0.0 does
    labels, factors = scenarios["scenario"].values, scenarios["factor"].values
    return hashing.digest("scenarios", labels, factors, *panels, *extra, scenarios.attrs["provenance"])


def _texts(names: Sequence[str]) -> NDArray[Any]:
    return np.asarray(names if len(names) else np.empty(0, str), dtype=str)


def _panel(key: str, values: ArrayLike, shape: tuple[int, int]) -> Values:
    panel = np.asarray(values, dtype=np.float64)
    try:
        return np.broadcast_to(panel, shape).copy()
    except ValueError:
        raise BadScenarios(
            f"'{key}' has shape {panel.shape}; right is {shape}, one row per scenario and one column per factor"
        ) from None


def _bad_structure(scenarios: xr.Dataset) -> str:
    for key in ("scenario", "factor", "scale", "offset"):
        if key not in scenarios.variables:
            return f"'{key}' is absent; a set has scale and offset with labels on (scenario, factor)"
    for key, kind in _TYPES.items():
        if key not in scenarios.variables:
            continue
        variable, dims = scenarios[key], _DIMS.get(key, ("scenario",))
        if variable.dims != dims or variable.dtype.kind != kind or (kind == "f" and variable.dtype != np.float64):
            return f"'{key}' is {variable.dtype} on {variable.dims}; right is {_dtype_name(kind)} on {dims}"
    absent = [key for key in ("name", "kind", "provenance") if not isinstance(scenarios.attrs.get(key), str)]
    return f"attribute '{absent[0]}' is absent; name, kind and provenance are texts" if absent else ""


def _bad_labels(scenarios: xr.Dataset) -> str:
    for dim in _PANEL:
        labels = scenarios[dim].values
        if labels.dtype.kind not in "TUO" or any(not label for label in labels):
            return f"a {dim} has no name; every {dim} is a text that is not empty"
        names, counts = np.unique(labels.astype(str), return_counts=True)
        if (counts > 1).any():
            return f"{dim} '{names[counts > 1][0]}' stands {counts[counts > 1][0]} times; every {dim} stands once"
    return ""


def _bad_numbers(scenarios: xr.Dataset) -> str:
    for key in ("scale", "offset"):
        values = scenarios[key].values
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            scenario, factor = scenarios["scenario"].values[row], scenarios["factor"].values[column]
            return (
                f"the {key} of factor '{factor}' in scenario '{scenario}' is {values[row, column]}; a shift is finite"
            )
    if "weight" in scenarios:
        weight = scenarios["weight"].values
        if not (weight >= 0).all():  # NaN too
            return f"scenario '{scenarios['scenario'].values[~(weight >= 0)][0]}' has a weight that is not at least 0"
        if not abs(weight.sum() - 1.0) <= 1e-9:
            return f"the weights sum to {weight.sum():.12g}; right is 1"
    return ""


def _bad_space(scenarios: xr.Dataset) -> str:
    places: dict[str, dict[str, list[int]]] = {"zero": {}, "par": {}}
    for position, factor in enumerate(scenarios["factor"].values):
        kind, _, rest = str(factor).partition(":")
        if kind in places:
            places[kind].setdefault(rest.rpartition(":")[0], []).append(position)
    both = sorted(places["zero"].keys() & places["par"].keys())
    if not both:
        return ""
    moves = moved(scenarios)
    for curve in both:
        mixed = moves[:, places["zero"][curve]].any(axis=1) & moves[:, places["par"][curve]].any(axis=1)
        if mixed.any():
            first = scenarios["scenario"].values[mixed][0]
            return f"scenario '{first}' shifts curve '{curve}' in par and in zero space; one scenario shifts it in one"
    return ""


def _dtype_name(kind: str) -> str:
    return {"f": "float64", "b": "bool", "M": "datetime64"}[kind]


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name!r} (did you mean {close[0]!r}?)" if close else repr(name)


def _count(names: Sequence[str], noun: str) -> str:
    return f"1 {noun}" if len(names) == 1 else f"{len(names)} {noun}s"


def _some(texts: Sequence[str], most: int = 12) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
