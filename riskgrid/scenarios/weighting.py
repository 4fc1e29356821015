"""Weights of scenarios that fade with their age."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.compose import derived, part_of, weighted
from riskgrid.scenarios.set import check

__all__ = ["age_weighted", "check_decay"]


def age_weighted(scenarios: xr.Dataset, decay: float) -> xr.Dataset:
    """The set with weights that fade by ``decay`` from each scenario to the next older one, newest heaviest.

    decay : above 0, at most 1, where all weigh the same.   A scenario with a newer ones among the n weighs
    decay^a (1 - decay) / (1 - decay^n). Age is the order of the labels, which are dates; weights that the set has are
    replaced. BadScenarios where a label is no date or the decay is outside its range.
    Source: Boudoukh, Richardson and Whitelaw (1998), The best of both worlds, Risk 11(5), 64-67.

    >>> from riskgrid.scenarios.set import shifts
    >>> days = ["2016-06-23", "2016-06-24", "2016-06-27"]
    >>> recent = shifts(days, ["fx:GBP"], 0.9, 0.0, name="recent", kind="stress", provenance={})
    >>> age_weighted(recent, 0.5)["weight"].values.round(4).tolist()
    [0.1429, 0.2857, 0.5714]
    """
    check_decay(decay)
    days = _days(check(scenarios))
    newer = len(days) - 1 - np.argsort(np.argsort(days, kind="stable"))
    found = weighted(scenarios, np.power(float(decay), newer))
    facts = {"kind": "age_weighted", "decay": float(decay), "of": part_of(scenarios)}
    return derived(found, scenarios.attrs["name"], facts)


def check_decay(decay: Any) -> None:
    """Raises BadScenarios on a decay that is no number above 0 and at most 1."""
    if not isinstance(decay, (int, float)) or not 0.0 < decay <= 1.0:
        raise BadScenarios(f"decay is {decay!r}; above 0 and at most 1 is right, e.g. 0.98")


def _days(scenarios: xr.Dataset) -> NDArray[np.datetime64]:
    return np.array([_day(str(label), scenarios.attrs["name"]) for label in scenarios["scenario"].values], "M8[D]")


def _day(label: str, name: str) -> date:
    try:
        if len(label) == len("2016-06-24"):
            return date.fromisoformat(label)
    except ValueError:
        pass
    raise BadScenarios(
        f"scenario '{label}' of '{name}' is no date, so it has no age; right are the labels of a historical set, e.g. "
        "'2016-06-24'"
    )
