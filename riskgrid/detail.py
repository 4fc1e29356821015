"""Single trades of a run, and its scenarios: what they are, what they are worth, what they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.errors import UnknownName
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run
from riskgrid.schema import Status, annotate
from riskgrid.terms import COMMON_TERMS

__all__ = ["scenario_table", "trade", "trade_pnl", "trades"]

_LACKING = "no number in at least one scenario"


def trades(
    run: Run,
    where: Mapping[str, Any] | None = None,
    *,
    status: Sequence[str] = (),
    columns: Sequence[str] = (),
    start: int = 0,
    count: int | None = None,
) -> xr.Dataset:
    """Trades of :meth:`riskgrid.result.Run.trade_table`, ``count`` of them from place ``start`` on.

    status : names of :class:`riskgrid.schema.Status` in lower case, any of which a trade has; by default all.
    columns : labels and variables to keep beside ``trade_id``, by default all.   attrs: ``matching``, how many trades
    there are in all. UnknownName.
    """
    table = run.trade_table(where)
    if status:
        wanted = [_status(name) for name in status]
        table = table.isel(trade=np.isin(table["status"].values, wanted))
    if columns:
        known = [str(name) for name in table.variables]
        for name in columns:
            if name not in known:
                raise UnknownName("column of a trade table", name, known)
        table = table.drop_vars([name for name in known if name not in columns and name != "trade_id"])
    matching = table.sizes["trade"]
    stop = None if count is None else start + count
    return table.isel(trade=slice(start, stop)).assign_attrs(matching=matching)


def trade(run: Run, trade_id: str) -> xr.Dataset:
    """One trade (trade,): its terms, base value, status and problem; labels are coordinates. UnknownName."""
    found = run.portfolio.trade(trade_id)
    instrument = INSTRUMENTS[found.pop("instrument")]
    place = run.portfolio.places([trade_id])[trade_id]
    status, base, problems = run.cube.status(np.array([place]))
    told = problems.get(0, _LACKING if status[0] > Status.EXPIRED else "")
    terms = {term.name: term for term in (*COMMON_TERMS, *instrument.columns)}
    labels = run.cube.labels
    coords = {name: ("trade", labels[name][np.array([place])].texts()) for name in labels if name not in terms}
    data: dict[str, Any] = {
        name: ("trade", _column(found[name], term.kind.storage), {"units": term.unit} if term.unit else {})
        for name, term in terms.items()
    }
    data |= {"base_value": ("trade", base), "status": ("trade", status)}
    data["problem"] = ("trade", np.array([told], dtype=object))
    facts = {**run.cube.attrs, "instrument": instrument.name, "summary": instrument.summary}
    return annotate(xr.Dataset(data, coords, facts), str(facts["currency"]))


def trade_pnl(run: Run, trade_ids: Sequence[str]) -> xr.Dataset:
    """P&L ``pnl`` (trade, scenario) of some trades with their ``trade_id``. UnknownName.

    ``weight`` (scenario) where the run has weights.
    """
    places = run.portfolio.places(trade_ids)
    at = np.fromiter(places.values(), np.int64, len(places))
    data: dict[str, Any] = {"pnl": (("trade", "scenario"), run.cube.trade_pnl(at))}
    coords: dict[str, Any] = {"trade_id": ("trade", np.array(list(places), dtype=object))}
    return _by_scenario(run, data, coords)


def scenario_table(run: Run, where: Mapping[str, Any] | None = None) -> xr.Dataset:
    """The scenarios of a run in their order: ``pnl`` (scenario) of the trades asked for, ``weight`` where the run has
    weights, and what the scenario set tells of each: its date, what it is drawn from ..."""
    found = run.scenarios
    told = {
        str(name): ("scenario", found[name].values)
        for name in found.variables
        if found[name].dims == ("scenario",) and name not in ("scenario", "weight")
    }
    return _by_scenario(run, {"pnl": ("scenario", run.pnl(where=where).values)}, told)


def _by_scenario(run: Run, data: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    weight = run.cube.weight
    if weight is not None:
        data = {**data, "weight": ("scenario", weight)}
    made = xr.Dataset(data, {**coords, "scenario": run.cube.scenarios}, dict(run.cube.attrs))
    return annotate(made, str(made.attrs["currency"]))


def _status(name: str) -> int:
    known = {each.name.lower(): each.value for each in Status}
    if name not in known:
        raise UnknownName("status", name, known)
    return known[name]


def _column(value: Any, storage: str) -> Any:
    """One value as a column of its kind. storage : ``float, int, date`` or ``name``."""
    if storage == "date":
        return np.array([value], dtype="datetime64[D]").astype("datetime64[s]")
    if storage == "name":
        return np.array([value], dtype=object)
    return np.array([value], dtype=np.int64 if storage == "int" else np.float64)
