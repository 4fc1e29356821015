"""What happens to a run: a list, or a stream of events as they come."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from riskgrid.api.deps import ServiceOf, TheSeen, Who
from riskgrid.api.media import JSON, chosen_media
from riskgrid.api.models import EventModel, Page
from riskgrid.api.stream import EVENTS, EventStream, ended

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"])

_MOST = 2**31 - 1


@router.get(
    "/events",
    response_model=Page[EventModel],
    responses={
        200: {"content": {EVENTS: {"schema": {"type": "string"}}}},
        204: {"description": "A stream of which no event is left"},
    },
    summary="What happens to a run",
)
def get_events(  # noqa: PLR0917, what a request consists of
    request: Request,
    seen: TheSeen,
    service: ServiceOf,
    who: Who,
    after: Annotated[int, Query(ge=0, le=_MOST, description="Number of the last event one has.")] = 0,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,9}$", description="Of a stream cut off.")] = None,
) -> Page[EventModel] | Response:
    """Accept: text/event-stream keeps telling until the run has ended; a stream that was cut off goes on."""
    since = after if last_event_id is None else int(last_event_id)
    told = service.door.events(seen.row.run_id, who)
    if chosen_media(request, (JSON, EVENTS)) == JSON:
        return Page(items=[EventModel.of(event) for event in told[since:]])
    if ended(told) and len(told) <= since:
        return Response(status_code=204)  # which tells a browser not to come again
    return EventStream(service, seen, who, request.headers, since)
