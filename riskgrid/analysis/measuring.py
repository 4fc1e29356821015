"""Any registered measure of a run, at every node of a tree of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.registry import MEASURES, Measure
from riskgrid.result import Run

__all__ = ["measured"]

#: What a run has to take measures of.
_KNOWN = {"pnl", "whole", "size", "weight", "batch"}

#: Options that measures hand on to the measure they are made of.
_HANDED_ON = ("level", "method")


def measured(
    run: Run, name: str, by: Sequence[str] | str = (), where: Mapping[str, Any] | None = None, **options: Any
) -> xr.Dataset:
    """A registered measure of P&L by scenario, at the total and every node of the tree ``by``.

    options : of the measure, see ``riskgrid measures``; weights and batches are the run's. Measures of a whole take the
    total as the whole, those per unit of size the base value; ``diversification`` is of the deepest nodes, and
    ``tail_weights`` of the total alone. A node of which no trade has a number has no measure (NaN).
    attrs: the convention of the measure, ``by, currency``. UnknownName, BadSpec.

    >>> import tempfile
    >>> from riskgrid import run, sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = run(sample.portfolio(200), sample.market(), sample.scenarios(count=60), store=folder, progress=None)
    ...     found = measured(made, "value_at_risk", "desk", level="0.95")
    >>> found["value_at_risk"].dims, found.attrs["level"]
    (('node',), '0.95')
    """
    measure = MEASURES[name]
    _check(measure, options)
    labels = (by,) if isinstance(by, str) else tuple(by)
    nodes = run.aggregate(labels, where)
    found = measure(*_inputs(measure, nodes, labels), **{key: one for key, one in options.items() if one is not None})
    called = name if getattr(found, "name", None) is None else found.name
    made = found.to_dataset(name=called) if isinstance(found, xr.DataArray) else found
    if "node" in made.dims:
        made = made.assign({each: nodes[each].variable for each in ("trades", "unpriced", "coverage")})
    told = found.attrs if isinstance(found, xr.DataArray) else {}
    kept = {key: told[key] for key in told if key not in ("long_name", "units")}
    return made.drop_attrs(deep=False).assign_attrs({**nodes.attrs, **kept})


def _check(measure: Measure, options: Mapping[str, Any]) -> None:
    needs_more = "required" in measure.options.values() or not set(measure.inputs) <= _KNOWN
    if measure.consumes != "scenario" or needs_more:
        of = ", ".join([*measure.inputs, *measure.options])
        raise BadSpec(
            f"measure '{measure.name}' is of {of} over {measure.consumes}, not of the P&L of a run by scenario alone; "
            "'value_at_risk' and 'expected_shortfall' are"
        )
    known = [*measure.options, *(_HANDED_ON if measure.hands_on else ())]
    for option, value in options.items():
        if value is not None and option not in known:
            raise UnknownName(f"option of measure '{measure.name}'", option, known)


def _inputs(measure: Measure, nodes: xr.Dataset, by: Sequence[str]) -> list[xr.DataArray]:
    """What the measure is taken of, in the order of its parameters; what it may leave out comes with the P&L."""
    lost = (nodes["coverage"].variable == 0.0) & (nodes["trades"].variable > 0)
    pnl = nodes["pnl"].where(~xr.DataArray(lost)) if bool(lost.any()) else nodes["pnl"]
    pnl = pnl.assign_attrs({**nodes["pnl"].attrs, "scenario_set": nodes.attrs["scenario_set"]})
    if "weight" in nodes:
        pnl = pnl.assign_coords(weight=nodes["weight"].variable)
    whole = pnl.isel(node=0).reset_coords([*by, "depth"], drop=True)
    if "whole" not in measure.inputs:
        return [whole if measure.name == "tail_weights" else pnl]
    if bool(np.isnan(whole.values).any()):
        raise BadSpec(
            f"no trade of these has a number, so measure '{measure.name}' has no whole; other trades are right"
        )
    if measure.name == "diversification":
        return [pnl.isel(node=np.flatnonzero(nodes["depth"].values == len(by))), whole]
    given = {"pnl": pnl, "whole": whole, "size": nodes["base_value"]}
    return [given[name] for name in measure.inputs if name in given]
