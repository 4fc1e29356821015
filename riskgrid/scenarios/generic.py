"""Stress scenarios that fit any market: round shocks by kind of factor, where a line that names nothing is left out."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.registry import scenario_set
from riskgrid.scenarios.set import targets
from riskgrid.scenarios.stress import read_shocks, stress

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["generic", "shocks"]


def shocks() -> dict[str, list[tuple[str, str | float]]]:
    """Scenario name to (pattern, shock) line by line, as ``generic.yaml`` has them.

    ``{numeraire}`` in a name stands for the numeraire of a market.

    >>> shocks()["spreads double"]
    [('spread:*', 'x2')]
    """
    return read_shocks(resources.files("riskgrid.scenarios").joinpath("generic.yaml").read_text(encoding="utf-8"))


@scenario_set("generic")
def generic(market: MarketSnapshot) -> xr.Dataset:
    """The scenarios of :func:`shocks` that move anything in this market.

    The coordinate ``note`` (scenario) names the patterns of a scenario that name no factor here; a scenario of which
    none does is left out, and listed in the provenance as ``left_out``. BadScenarios where that leaves none.
    """
    kept: dict[str, list[dict[str, str | float]]] = {}
    notes, left_out = [], []
    for written, lines in shocks().items():
        name = written.replace("{numeraire}", market.numeraire)
        found = [bool(targets(pattern, market)) for pattern, _ in lines]
        if not any(found):
            left_out.append(name)
            continue
        kept[name] = [{pattern: shock} for (pattern, shock), there in zip(lines, found, strict=True) if there]
        absent = [pattern for (pattern, _), there in zip(lines, found, strict=True) if not there]
        notes.append(f"nothing here is {', '.join(absent)}" if absent else "")
    if not kept:
        raise BadScenarios(
            f"the market of {market.date} has no factor that a generic stress scenario moves; scenarios of your own "
            "are right"
        )
    made: xr.Dataset = stress(kept, market)
    facts = json.loads(made.attrs["provenance"]) | {"kind": "generic", "left_out": left_out}
    attrs = {"name": "generic stress", "kind": "generic", "provenance": json.dumps(facts, sort_keys=True)}
    noted: xr.Dataset = made.assign_coords(note=("scenario", np.array(notes, dtype=str)))
    return noted.assign_attrs(attrs)
