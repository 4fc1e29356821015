"""What routes ask for: who it is that asks, the door, and the run a path names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from riskgrid import log
from riskgrid.access import Door
from riskgrid.api.problem import NotFound
from riskgrid.api.service import Service
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.principal import Principal
from riskgrid.result import Run
from riskgrid.seen import Seen

__all__ = [
    "By",
    "Level",
    "Measures",
    "Part",
    "RunId",
    "ServiceOf",
    "TheDoor",
    "TheRun",
    "TheSeen",
    "Where",
    "Who",
    "named",
    "only_known",
    "pairs",
]


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]


def _who(request: Request, service: ServiceOf) -> Principal:
    who: Principal | None = getattr(request.state, "known", None)
    if who is None:
        who = service.known(request.headers, request.client.host if request.client else "")
    log.note(principal=who.name)
    service.rates.take(who.name)
    who.require("read")
    request.state.who = who
    return who


#: Query parameters of the routes that were asked.
_PARAMETERS: dict[tuple[str, ...], frozenset[str]] = {}


async def only_known(request: Request) -> None:
    """UnknownName for a query parameter that the route does not have: what is misspelt would change nothing."""
    route = request.scope.get("route")
    if not request.url.query or not isinstance(route, APIRoute):
        return
    key = (route.path, *sorted(route.methods or ()))
    if key not in _PARAMETERS:
        _PARAMETERS[key] = _parameters(route)
    known = _PARAMETERS[key]
    for name in request.query_params:
        if name not in known:
            raise UnknownName("query parameter", name, known)


def _parameters(route: APIRoute) -> frozenset[str]:
    """The query parameters of a route and of all that it depends on."""
    found, pending = set[str](), [route.dependant]
    while pending:
        one = pending.pop()
        found |= {field.alias for field in one.query_params}
        pending += one.dependencies
    return frozenset(found)


async def _door(service: ServiceOf) -> Door:
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


def _said(labels: list[str]) -> list[str]:
    return [label for label in labels if label]


By = Annotated[
    list[str],
    AfterValidator(_said),
    Query(
        description="Labels of the tree, the first at the top; an empty one alone asks for the total.",
        max_length=8,
        examples=[["region", "desk"]],
    ),
]


async def _where(
    where: Annotated[
        list[str],
        Query(description="Trades to look at, as label=value; one label given twice means either.", max_length=64),
    ] = [],  # noqa: B006, FastAPI copies it
) -> Mapping[str, Any]:
    return pairs("where", where, "label=value", "desk=Rates")


def pairs(name: str, lines: Sequence[str], form: str, example: str) -> dict[str, list[str]]:
    """Lines like ``desk=Rates`` as a mapping to all values of each. BadSpec, with the form and an example."""
    made: dict[str, list[str]] = {}
    for each in lines:
        label, found, value = each.partition("=")
        if not found or not label:
            raise BadSpec(f"{name} is {each!r}; {form} is right, e.g. {name}={example}")
        made.setdefault(label, []).append(value)
    return made


@contextmanager
def named(name: str) -> Iterator[None]:
    """What is unknown because the path names it is not found; any other unknown name is the question's."""
    try:
        yield
    except UnknownName as error:
        raise (NotFound(error) if error.name == name else error) from None


Where = Annotated[Mapping[str, Any], Depends(_where)]

Level = Annotated[
    str, Query(description="Confidence, as a decimal.", pattern=r"^0?\.[0-9]{1,6}$", examples=["0.99", "0.975"])
]

Part = Annotated[
    str, Query(description="Which table of the result; the attribute ``parts`` names them all.", max_length=32)
]


def _measures(
    var_level: Level = "0.99",
    es_level: Level = "0.975",
    var_method: Annotated[str, Query(description="Convention of the quantile.", max_length=32)] = "inverted_cdf",
    es_method: Annotated[str, Query(description="Convention of the tail.", max_length=32)] = "tail_integral",
) -> dict[str, Any]:
    return {"var_level": var_level, "es_level": es_level, "var_method": var_method, "es_method": es_method}


#: Levels and methods of VaR and ES, as :func:`riskgrid.reporting.report` has them.
Measures = Annotated[dict[str, Any], Depends(_measures)]
