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


def trades(
    run: Run,
    where: Mapping[str, Any] | None = None,
    *,
    status: Sequence[str] = (),
    columns: Sequence[str] = (),
    containing: str = "",
    start: int = 0,
    count: int | None = None,
) -> xr.Dataset:
    """Trades of :meth:`riskgrid.result.Run.trade_table`, ``count`` of them from place ``start`` on.

    status : names of :class:`riskgrid.schema.Status` in lower case, any of which a trade has; by default all.
    columns : labels and variables to keep beside ``trade_id``, by default all.   containing : what each trade_id has in
    it, in either case.   attrs: ``matching``, how many trades there are in all. UnknownName.
    """
    places = run.trade_places(where)
    if status:
        wanted = [_status(name) for name in status]
        places = places[np.isin(run.cube.status(places)[0], wanted)]
    if containing:
        ids, part = run.cube.labels["trade_id"], containing.casefold()
        there = np.array([part in name.casefold() for name in ids.names] or [False], np.bool_)
        places = places[there[ids.codes.ravel()[places]]]
    stop = None if count is None else start + count
    table = run.trade_rows(places[start:stop]).assign_attrs(matching=len(places))
    if columns:
        known = [str(name) for name in table.variables]
        for name in columns:
            if name not in known:
                raise UnknownName("column of a trade table", name, known)
        table = table.drop_vars([name for name in known if name not in columns and name != "trade_id"])
    return table


def trade(run: Run, trade_id: str) -> xr.Dataset:
    """One trade (trade,): its terms, base value, status and problem; labels are coordinates. UnknownName."""
    found = run.portfolio.trade(trade_id)
    instrument = INSTRUMENTS[found.pop("instrument")]
    place = run.portfolio.places([trade_id])[trade_id]
    row = run.trade_rows(np.array([place]))
    terms = {
        term.name: ("trade", _column(found[term.name], term.kind.storage), {"units": term.unit} if term.unit else {})
        for term in (*COMMON_TERMS, *instrument.columns)
    }
    coords = {name: each.variable for name, each in row.coords.items() if name not in terms}
    facts = {**row.attrs, "instrument": instrument.name, "summary": instrument.summary}
    return xr.Dataset({**terms, **{name: each.variable for name, each in row.items()}}, coords, facts)


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
