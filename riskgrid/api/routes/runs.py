"""Runs: what the store holds, as the one who asks sees it, and what is asked to be run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from riskgrid import acting
from riskgrid.api.asking import RunBody, WhatIfBody
from riskgrid.api.deps import ServiceOf, TheDoor, TheSeen, Who
from riskgrid.api.media import tagged
from riskgrid.api.models import Page, RunDetail, RunModel
from riskgrid.api.sending import IdempotencyKey, Waiting
from riskgrid.seen import Seen
from riskgrid.store import ENDINGS

__all__ = ["router"]

router = APIRouter(prefix="/runs", tags=["runs"])

#: Seconds after which to look at a run again.
_AGAIN = "1"


@router.get("", summary="Runs, latest first")
def list_runs(
    door: TheDoor,
    who: Who,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="As the page before gave it.")] = None,
) -> Page[RunModel]:
    """A page of runs; those that measures made for others are left out."""
    rows = door.rows(who, limit + 1, before=cursor)
    following = rows[limit - 1].row.run_id if len(rows) > limit else None
    return Page(items=[RunModel.of(seen) for seen in rows[:limit]], next=following)


@router.post("", status_code=202, summary="Ask for a run of named inputs")
def ask_run(  # noqa: PLR0917, what a request consists of
    request: Request,
    response: Response,
    body: RunBody,
    service: ServiceOf,
    who: Who,
    idempotency_key: IdempotencyKey = None,
) -> RunModel:
    """Queues it; a runner answers it. Of the portfolio, the trades in one's own books."""
    seen = acting.ask_run(service.door, who, body.asked(), key=idempotency_key, quota=service.quota)
    return _accepted(request, response, seen)


@router.get("/{run_id}", responses={304: {"description": "As it was"}}, summary="A run")
def get_run(request: Request, seen: TheSeen, door: TheDoor, who: Who) -> RunDetail:
    """What it is of, how far it is, and where more of it is."""
    run = door.run(seen.row.run_id, who) if seen.row.status in ("complete", "partial") else None
    return tagged(request, RunDetail.of_run(seen, run, str(request.url_for("list_runs").path)))  # type: ignore[return-value]


@router.post("/{run_id}/cancel", summary="Cancel a run of one's own")
def cancel_run(seen: TheSeen, door: TheDoor, who: Who) -> RunModel:
    """One that waits is cancelled at once, one that runs by its runner, in a moment."""
    return RunModel.of(acting.cancel(door, who, seen.row.run_id))


@router.post("/{run_id}/resume", status_code=202, summary="Queue a run of one's own again")
def resume_run(request: Request, response: Response, seen: TheSeen, door: TheDoor, who: Who) -> RunModel:
    """One that failed, was cancelled or interrupted, or is partial, goes on from its finished blocks."""
    return _accepted(request, response, acting.resume(door, who, seen.row.run_id))


@router.get("/{run_id}/what-ifs", summary="The what-ifs of a run, latest first")
def list_what_ifs(seen: TheSeen, door: TheDoor, who: Who) -> Page[RunModel]:
    """Those that one may see."""
    return Page(items=[RunModel.of(each) for each in door.what_ifs(seen.row.run_id, who)])


@router.post(
    "/{run_id}/what-ifs",
    status_code=202,
    responses={201: {"model": RunModel, "description": "It is finished"}},
    summary="The run as it would be with other trades, labels, market or scenarios",
)
def ask_what_if(  # noqa: PLR0917, what a request consists of
    request: Request,
    response: Response,
    body: WhatIfBody,
    seen: TheSeen,
    service: ServiceOf,
    who: Who,
    waiting: Waiting,
    idempotency_key: IdempotencyKey = None,
) -> RunModel:
    """Little work is done at once, more is queued; ``Prefer: wait=SECONDS`` waits for it."""
    made = acting.ask_what_if(
        service.door,
        who,
        seen.row.run_id,
        body.changes.form(),
        name=body.name,
        key=idempotency_key,
        wait=waiting.seconds,
        quota=service.quota,
    )
    waiting.applied(response)
    if made.row.status in ENDINGS:
        response.status_code = 201
    return _accepted(request, response, made)


def _accepted(request: Request, response: Response, seen: Seen) -> RunModel:
    response.headers["Location"] = request.url_for("get_run", run_id=seen.row.run_id).path
    if seen.row.status not in ENDINGS:
        response.headers["Retry-After"] = _AGAIN
    if seen.again:
        response.headers["Idempotent-Replayed"] = "true"
    return RunModel.of(seen)
