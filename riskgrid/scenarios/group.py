"""Scenarios by group of factors: the moves of some factors alone, and a set for every risk class."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.hashing import short
from riskgrid.market.factor import match
from riskgrid.scenarios.set import Extras, check, digest, moved, shifts

__all__ = ["OTHER", "RISK_CLASSES", "TIME", "by_class", "members", "restrict"]

#: Risk classes and the patterns of their factors. A volatility is of its own class, as desks read it.
RISK_CLASSES: dict[str, tuple[str, ...]] = {
    "rates": ("zero:*", "par:*"),
    "fx": ("fx:*",),
    "equity": ("equity:*", "dividend:*", "index:*"),
    "commodity": ("commodity:*",),
    "credit": ("spread:*", "hazard:*", "recovery:*"),
    "volatility": ("vol:*",),
}

#: The class of factors that no pattern names, and that of the passing of time.
OTHER, TIME = "other", "time"


def members(factors: Sequence[str], classes: Mapping[str, Sequence[str]] = RISK_CLASSES) -> dict[str, list[str]]:
    """Class to the factors that its patterns name, classes without one left out; what none names is ``other``.

    BadScenarios where two classes name the same factor.

    >>> members(["fx:EUR", "vol:ACME:1Y:1.00", "repo:ACME"])
    {'fx': ['fx:EUR'], 'volatility': ['vol:ACME:1Y:1.00'], 'other': ['repo:ACME']}
    """
    owner: dict[str, str] = {}
    for name, patterns in classes.items():
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            for factor in match(pattern, factors):
                if owner.setdefault(factor, name) != name:
                    both = f"'{owner[factor]}' and '{name}'"
                    raise BadScenarios(f"factor '{factor}' is of the risk classes {both}; one is right")
    found: dict[str, list[str]] = {name: [] for name in (*classes, OTHER)}
    for factor in factors:
        found[owner.get(factor, OTHER)].append(factor)
    return {name: held for name, held in found.items() if held}


def restrict(scenarios: xr.Dataset, factors: Sequence[str], name: str) -> xr.Dataset:
    """The set with the moves of these factors alone; every other one stays where it is. name : what to call them."""
    kept = check(scenarios).isel(factor=np.isin(scenarios["factor"].values.astype(str), list(factors)))
    facts = {"kind": "restrict", "to": name, "of": short(digest(scenarios), 40)}
    attrs = {
        "name": f"{scenarios.attrs['name']}, {name} alone",
        "kind": "restrict",
        "provenance": json.dumps(facts, sort_keys=True),
    }
    return check(kept.drop_attrs().assign_attrs(attrs))


def by_class(scenarios: xr.Dataset, classes: Mapping[str, Sequence[str]] = RISK_CLASSES) -> xr.Dataset:
    """Every scenario once for each class that moves in the set, with the moves of that class alone.

    Labelled ``class/scenario``; coordinates of ``scenario``: ``risk_class`` and ``of``, the scenario it is a part of.
    Where states have a date of their own, its passing is the class ``time``, last and without a move of the market; no
    other class has it. Weights are of the whole set and left out. BadScenarios for a class of that name, or ``all``.
    """
    check(scenarios)
    for name in (TIME, "all"):
        if name in classes:
            raise BadScenarios(f"a risk class is called '{name}', which means something else here; take another name")
    moves = moved(scenarios).any(axis=0)
    factors = [str(factor) for factor, moves_it in zip(scenarios["factor"].values, moves, strict=True) if moves_it]
    parts = members(factors, classes)
    if "date" in scenarios:
        parts[TIME] = []
    if not parts:
        raise BadScenarios(f"scenario set '{scenarios.attrs['name']}' moves no factor; there is no class to show")
    labels, place = scenarios["scenario"].values.astype(str), {factor: at for at, factor in enumerate(factors)}
    count, shape = len(labels), (len(parts) * len(labels), len(factors))
    panels = {"scale": np.ones(shape), "offset": np.zeros(shape), "stale": np.zeros(shape, np.bool_)}
    held = {name: scenarios[name].values[:, moves] for name in panels if name in scenarios}
    for at, members_of in enumerate(parts.values()):
        rows, columns = slice(at * count, (at + 1) * count), [place[factor] for factor in members_of]
        for name, values in held.items():
            panels[name][rows, columns] = values[:, columns]
    extras: Extras = {"stale": panels["stale"]} if "stale" in held else {}
    if "date" in scenarios:
        still = np.full(count * (len(parts) - 1), np.datetime64("NaT", "s"), scenarios["date"].dtype)
        extras["date"] = np.append(still, scenarios["date"].values)
    if "unshocked" in scenarios.coords:
        extras["unshocked"] = scenarios["unshocked"].values[moves]
    made = shifts(
        [f"{name}/{label}" for name in parts for label in labels.tolist()],
        factors,
        panels["scale"],
        panels["offset"],
        name=f"{scenarios.attrs['name']} by risk class",
        kind="by class",
        provenance={"kind": "by class", "classes": parts, "of": short(digest(scenarios), 40)},
        **extras,
    )
    return made.assign_coords(
        risk_class=("scenario", np.repeat(np.array(list(parts), dtype=str), count)),
        of=("scenario", np.tile(labels, len(parts))),
    )
