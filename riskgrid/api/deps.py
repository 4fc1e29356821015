"""What routes ask for: who it is that asks, the door, and the run a path names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from riskgrid.access import Door, Seen
from riskgrid.api.problem import NotFound
from riskgrid.api.service import Service
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.principal import Principal
from riskgrid.result import Run

__all__ = ["By", "RunId", "ServiceOf", "TheDoor", "TheRun", "TheSeen", "Where", "Who"]


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


def _who(request: Request, service: ServiceOf) -> Principal:
    who = service.authenticate(request.headers)
    who.require("read")
    request.state.who = who
    return who


def _door(service: ServiceOf) -> Door:
    return service.door


Who = Annotated[Principal, Depends(_who)]
TheDoor = Annotated[Door, Depends(_door)]

RunId = Annotated[str, Path(description="Id of a run.", max_length=64, examples=["0f3a6c2b9d41"])]


def _run(run_id: RunId, door: TheDoor, who: Who) -> Run:
    try:
        return door.run(run_id, who)
    except UnknownName as error:
        raise NotFound(error) from None


#: The finished run of a path, holding nothing but what the one who asks may see.
TheRun = Annotated[Run, Depends(_run)]


def _seen(run_id: RunId, door: TheDoor, who: Who) -> Seen:
    try:
        return door.row(run_id, who)
    except UnknownName as error:
        raise NotFound(error) from None


#: The run of a path as the one who asks sees it, finished or not.
TheSeen = Annotated[Seen, Depends(_seen)]

By = Annotated[
    list[str],
    Query(description="Labels of the tree, the first at the top.", max_length=8, examples=[["region", "desk"]]),
]


def _where(
    where: Annotated[
        list[str],
        Query(description="Trades to look at, as label=value; one label given twice means either.", max_length=64),
    ] = [],  # noqa: B006, FastAPI copies it
) -> Mapping[str, Any]:
    made: dict[str, list[str]] = {}
    for each in where:
        label, found, value = each.partition("=")
        if not found or not label:
            raise BadSpec(f"where is {each!r}; label=value is right, e.g. where=desk=Rates")
        made.setdefault(label, []).append(value)
    return made


Where = Annotated[Mapping[str, Any], Depends(_where)]
