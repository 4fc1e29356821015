"""Runs: what the store holds, as the one who asks sees it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from riskgrid.api.deps import TheDoor, Who
from riskgrid.api.models import Page, RunModel

__all__ = ["router"]

router = APIRouter(prefix="/runs", tags=["runs"])


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
