"""The audit trail: who asked for what, for an admin."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from riskgrid.api.deps import TheDoor, Who
from riskgrid.api.models import Page
from riskgrid.store import Audited

__all__ = ["router"]

router = APIRouter(prefix="/audit", tags=["administration"])

#: What names a content of the store.
_WITHIN = ("key",)


class AuditModel(BaseModel):
    """Who asked for what, when. at : ISO 8601, UTC.   subject : a run, a name or a key."""

    at: str
    principal: str
    verb: str
    subject: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, line: Audited) -> Self:
        """Of a line of the trail."""
        detail = {name: value for name, value in line.detail.items() if name not in _WITHIN}
        return cls(at=line.at, principal=line.principal, verb=line.verb, subject=line.subject, detail=detail)


@router.get("", summary="Who asked for what, latest first")
def list_audit(  # noqa: PLR0917, what a request consists of
    door: TheDoor,
    who: Who,
    subject: Annotated[str | None, Query(max_length=200, description="Lines of this subject.")] = None,
    principal: Annotated[str | None, Query(max_length=200, description="Lines of this principal.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="As the page before gave it.")] = None,
) -> Page[AuditModel]:
    """Needs the scope admin and all books: it tells of every trade that anybody looked at."""
    lines = door.audit(who, subject=subject, principal=principal, limit=limit + 1, before=cursor)
    following = str(lines[limit - 1].number) if len(lines) > limit else None
    return Page(items=[AuditModel.of(line) for line in lines[:limit]], next=following)
