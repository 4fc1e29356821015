"""Sets made of sets: chosen rows, rows below each other, one move after another, smaller or larger, weighted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.hashing import short
from riskgrid.scenarios.set import check, digest, moved

__all__ = ["concatenate", "derived", "overlay", "part_of", "scale_shifts", "select", "weighted"]


def select(scenarios: xr.Dataset, labels: Sequence[str]) -> xr.Dataset:
    """The named scenarios, in that order. Weights are divided by their sum, so that they stay weights."""
    check(scenarios)
    place = {str(label): i for i, label in enumerate(scenarios["scenario"].values)}
    for label in labels:
        if label not in place:
            raise UnknownName(f"scenario of '{scenarios.attrs['name']}':", label, place)
    chosen = scenarios.isel(scenario=[place[label] for label in labels])
    if "weight" in chosen:
        total = float(chosen["weight"].sum())
        if not total > 0:
            raise BadScenarios(f"the chosen scenarios of '{scenarios.attrs['name']}' weigh nothing together")
        chosen["weight"] = chosen["weight"] / total
    facts = {"kind": "select", "labels": list(labels), "of": part_of(scenarios)}
    return derived(chosen, scenarios.attrs["name"], facts)


def concatenate(sets: Sequence[xr.Dataset] | Mapping[str, xr.Dataset]) -> xr.Dataset:
    """All scenarios of all sets, over the union of their factors; a factor a set does not have stays where it is.

    sets : a mapping puts its keys before the labels, ``key/label``.   Labels are unique.   A set without weights counts
    by its number of scenarios, as if it weighed them equally; a set without dates is of the market's date (NaT).
    A factor is ``unshocked`` where any set says so, though another moves it. ``stale`` are the sets' own cells only.
    """
    named = list(sets.items()) if isinstance(sets, Mapping) else [("", one) for one in sets]
    if not named:
        raise BadScenarios("there is no scenario set to concatenate; one or more is right")
    factors = sorted({str(factor) for _, one in named for factor in check(one)["factor"].values})
    wide = [_widened(one, factors) for _, one in named]
    labels = [f"{key}/{label}" if key else str(label) for key, one in named for label in one["scenario"].values]
    data = {key: (("scenario", "factor"), np.concatenate([one[key] for one in wide])) for key in ("scale", "offset")}
    found = xr.Dataset(data, {"scenario": np.array(labels, dtype=str), "factor": np.array(factors, dtype=str)})
    if any("unshocked" in one.coords for _, one in named):
        # rather a factor named too often than a scenario that says nothing of it and is not named
        found = found.assign_coords(unshocked=("factor", np.any([one["unshocked"] for one in wide], axis=0)))
    if any("stale" in one for _, one in named):
        found["stale"] = (("scenario", "factor"), np.concatenate([one["stale"] for one in wide]))
    found = _with_scenario_columns(found, [one for _, one in named])
    facts = {"kind": "concatenate", "prefixes": [key for key, _ in named], "parts": [part_of(one) for _, one in named]}
    return derived(found, ", ".join(one.attrs["name"] for _, one in named), facts)


def overlay(first: xr.Dataset, second: xr.Dataset, *, by: Literal["cross", "scenario"] = "cross") -> xr.Dataset:
    """``second`` after ``first``: x'' = s2 (s1 x + o1) + o2.

    by : ``cross`` pairs every scenario with every other, labelled ``first + second``, weights multiplied; ``scenario``
    pairs equal labels, of which both sets have the same. State dates come from the set that has them; two that differ
    are an error. A factor is ``unshocked`` where it is so in either set, unless every scenario of the result moves it.
    """
    if by not in ("cross", "scenario"):
        raise UnknownName("way to overlay", by, ("cross", "scenario"))
    rows, others = _crossed(first, second) if by == "cross" else _matched(first, second)
    factors = sorted({str(factor) for one in (first, second) for factor in check(one)["factor"].values})
    a, b = _widened(first, factors), _widened(second, factors)
    labels = first["scenario"].values[rows].astype(str)
    if by == "cross":
        labels = np.char.add(np.char.add(labels, " + "), second["scenario"].values[others].astype(str))
    scale = a["scale"][rows] * b["scale"][others]
    offset = b["scale"][others] * a["offset"][rows] + b["offset"][others]
    panel = ("scenario", "factor")
    found = xr.Dataset({"scale": (panel, scale), "offset": (panel, offset)}, {"scenario": labels, "factor": factors})
    if "stale" in first or "stale" in second:
        found["stale"] = (panel, a["stale"][rows] | b["stale"][others])
    if "unshocked" in first.coords or "unshocked" in second.coords:
        still = (a["unshocked"] | b["unshocked"]) & ~moved(found).all(axis=0)
        found = found.assign_coords(unshocked=("factor", still))
    weights = [_paired(one, "weight", at) for one, at in ((first, rows), (second, others))]
    known = [weight for weight in weights if weight is not None]
    if known:
        found["weight"] = ("scenario", _pair_weights(known, len(labels), by))
    date = _pair_dates(_paired(first, "date", rows), _paired(second, "date", others), labels)
    if date is not None:
        found["date"] = ("scenario", date)
    facts = {"kind": "overlay", "by": by, "first": part_of(first), "second": part_of(second)}
    return derived(found, f"{first.attrs['name']} + {second.attrs['name']}", facts)


def scale_shifts(scenarios: xr.Dataset, k: float) -> xr.Dataset:
    """Every move times ``k``: scale becomes 1 + k (scale - 1), offset k offset.

    A relative move that this would take to a level of zero or below is a BadScenarios; a smaller ``k`` is right.
    """
    if not np.isfinite(k):
        raise BadScenarios(f"k is {k}; a finite number is right")
    scale, offset = check(scenarios)["scale"].values, scenarios["offset"].values
    larger = 1.0 + k * (scale - 1.0) if k != 1 else scale
    sunk = (scale > 0) & (offset == 0) & (larger <= 1e-12)  # five times -20 % is not exactly zero
    if sunk.any():
        row, column = np.argwhere(sunk)[0]
        raise BadScenarios(
            f"{k:g} times the move of '{scenarios['factor'].values[column]}' in scenario "
            f"'{scenarios['scenario'].values[row]}' (scale {scale[row, column]:g}) takes it to zero or below; "
            "a smaller k is right"
        )
    panel = ("scenario", "factor")
    found = scenarios.assign(scale=(panel, larger), offset=(panel, k * offset + 0.0))
    facts = {"kind": "scale_shifts", "k": float(k), "of": part_of(scenarios)}
    return derived(found, f"{k:g} x {scenarios.attrs['name']}", facts)


def weighted(scenarios: xr.Dataset, weights: ArrayLike | Mapping[str, float]) -> xr.Dataset:
    """The set with these weights (scenario), in its order or by label, divided by their sum."""
    labels = [str(label) for label in check(scenarios)["scenario"].values]
    if isinstance(weights, Mapping):
        for label in weights:
            if label not in labels:
                raise UnknownName("scenario in weights:", label, labels)
        weights = [weights.get(label, 0.0) for label in labels]
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (len(labels),):
        raise BadScenarios(f"there are weights of shape {values.shape} for {len(labels)} scenarios; one each is right")
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise BadScenarios("a weight is negative or not finite, or all are zero; at least 0 and one above it is right")
    found = scenarios.assign(weight=("scenario", values / values.sum()))
    return derived(found, scenarios.attrs["name"], {"kind": "weighted", "of": part_of(scenarios)})


def derived(found: xr.Dataset, name: str, facts: dict[str, Any]) -> xr.Dataset:
    """A set made of others, checked, with what it was made by; its kind is that of the facts."""
    attrs = {"name": name, "kind": facts["kind"], "provenance": json.dumps(facts, sort_keys=True)}
    return check(found.drop_attrs().assign_attrs(attrs))


def part_of(scenarios: xr.Dataset) -> dict[str, Any]:
    """What the provenance of a set made of this one says of it: name, digest and its own provenance."""
    facts = json.loads(scenarios.attrs["provenance"])
    return {"name": scenarios.attrs["name"], "digest": short(digest(scenarios), 40), "provenance": facts}


def _widened(scenarios: xr.Dataset, factors: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The set's panels and flags on more factors, on which it does nothing."""
    at = np.searchsorted(np.asarray(factors, dtype=str), scenarios["factor"].values.astype(str))
    shape = (scenarios.sizes["scenario"], len(factors))
    wide: dict[str, NDArray[Any]] = {"scale": np.ones(shape), "offset": np.zeros(shape), "stale": np.zeros(shape, bool)}
    for key, panel in wide.items():
        if key in scenarios:
            panel[:, at] = scenarios[key].values
    wide["unshocked"] = np.zeros(len(factors), bool)
    if "unshocked" in scenarios.coords:
        wide["unshocked"][at] = scenarios["unshocked"].values
    return wide


def _with_scenario_columns(found: xr.Dataset, sets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Weights, dates and the scenarios' further coordinates, filled where a set has none."""
    total = sum(one.sizes["scenario"] for one in sets)
    for key in dict.fromkeys(key for one in sets for key, var in one.variables.items() if var.dims == ("scenario",)):
        if key == "scenario":
            continue
        parts = [one[key].values if key in one.variables else None for one in sets]
        kind = next(part.dtype for part in parts if part is not None).kind
        fill = {"f": np.nan, "M": np.datetime64("NaT", "D"), "b": False}.get(kind, "")
        columns = []
        for one, part in zip(sets, parts, strict=True):
            count = one.sizes["scenario"]
            if key == "weight":
                columns.append((np.full(count, 1.0 / count) if part is None else part) * (count / total))
            else:
                columns.append(np.full(count, fill) if part is None else part)
        column = ("scenario", np.concatenate(columns))
        is_coordinate = any(key in one.coords for one in sets)
        found = found.assign_coords({key: column}) if is_coordinate else found.assign({key: column})
    return found


def _crossed(first: xr.Dataset, second: xr.Dataset) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, others = np.indices((first.sizes["scenario"], second.sizes["scenario"]))
    return rows.ravel(), others.ravel()


def _matched(first: xr.Dataset, second: xr.Dataset) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    place = {str(label): i for i, label in enumerate(second["scenario"].values)}
    labels = [str(label) for label in first["scenario"].values]
    alone = sorted(set(labels) ^ place.keys())
    if alone:
        raise BadScenarios(f"scenario '{alone[0]}' is in one of the two sets only; matched sets have the same labels")
    return np.arange(len(labels)), np.array([place[label] for label in labels], dtype=np.intp)


def _paired(scenarios: xr.Dataset, key: str, at: NDArray[np.intp]) -> NDArray[Any] | None:
    return scenarios[key].values[at] if key in scenarios else None


def _pair_weights(known: list[NDArray[Any]], count: int, by: str) -> NDArray[Any]:
    if by == "cross":
        product = np.prod(known, axis=0)
        return np.asarray(product / product.sum()) if len(known) == 1 else np.asarray(product)
    if len(known) == 2 and not np.array_equal(known[0], known[1]):
        raise BadScenarios(f"the two sets weigh their {count} scenarios differently; drop the weights of one")
    return known[0]


def _pair_dates(one: NDArray[Any] | None, other: NDArray[Any] | None, labels: NDArray[Any]) -> NDArray[Any] | None:
    if one is None or other is None:
        return one if other is None else other
    joined = np.where(np.isnat(one), other, one)
    differ = ~np.isnat(one) & ~np.isnat(other) & (one != other)
    if differ.any():
        raise BadScenarios(f"scenario '{labels[differ][0]}' would have two state dates; drop the dates of one set")
    return np.asarray(joined)
