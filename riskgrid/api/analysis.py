"""Results of analyses as labelled data: one of their tables, with what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import xarray as xr
from fastapi import Request, Response

from riskgrid.api.media import labelled
from riskgrid.api.service import Service
from riskgrid.errors import UnknownName
from riskgrid.page import Shown
from riskgrid.result import Run

__all__ = ["check_part", "note_detail", "priced", "told"]

#: Ids of runs that serve others: nobody can ask for them.
_WITHIN = ("ladder_run",)


def told(table: xr.Dataset, result: Shown, *, part: str = "", parts: Sequence[str] = ()) -> xr.Dataset:
    """A table of a result; its attributes say ``conventions``, ``sentences``, which ``part`` it is and which ``parts``
    there are."""
    # those that have no sentences of their own tell them below their first table, all of which must be drawn up
    sentences = result.sentences() if hasattr(result, "sentences") else result.sections()[0].sentences
    facts: dict[str, Any] = {"sentences": list(sentences), "conventions": dict(getattr(result, "conventions", {}))}
    if parts:
        facts |= {"part": part, "parts": list(parts)}
    kept = {name: value for name, value in table.attrs.items() if name not in _WITHIN}
    return table.drop_attrs(deep=False).assign_attrs({**kept, **facts})


def check_part(part: str, parts: Sequence[str]) -> None:
    """UnknownName for a part that a result does not have."""
    if part not in parts:
        raise UnknownName("part", part, parts)


def priced(request: Request, run: Run, make: Callable[[], xr.Dataset], **beside: Any) -> Response:
    """As :func:`riskgrid.api.media.labelled`, of an analysis that may have to price: only so many do at once."""
    service: Service = request.app.state.service

    def made() -> xr.Dataset:
        with service.slots.taken():  # what it revalues is kept as runs that serve this one
            service.door.store.journal.note(request.state.who.name, "measure", run.known_as, {"route": _route(request)})
            return make()

    return labelled(request, run, made, **beside)


def _route(request: Request) -> str:
    return str(request.url.path).rpartition(f"/{request.path_params['run_id']}/")[2].partition("/")[0]


def note_detail(request: Request, run: Run, what: str, *, by: Sequence[str] = (), where: Mapping[str, Any]) -> None:
    """Write into the audit trail a question that is of single trades."""
    if "trade_id" in by or "trade_id" in where:
        service: Service = request.app.state.service
        asked = {name: list(values) for name, values in where.items()}
        service.door.note_read(run, request.state.who, what, by=list(by), where=asked)
