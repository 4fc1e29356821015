"""What comes and goes as JSON beside labelled data."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from riskgrid.access import Seen

__all__ = ["Page", "RunModel", "Strict"]


class Strict(BaseModel):
    """A body that says nothing which nobody reads."""

    model_config = ConfigDict(extra="forbid")


class RunModel(BaseModel):
    """A run as one sees it. trades : null where only the run itself tells how many are one's own.

    whole : whether nothing of it is hidden.   status : ``finished`` where only what is hidden could say how.
    """

    run_id: str
    name: str
    status: str = Field(examples=["complete"])
    as_of: str
    trades: int | None
    scenarios: int
    parent: str | None
    principal: str
    created: str
    ended: str | None
    whole: bool
    reason: str

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """Of a run as it is seen."""
        row = seen.row
        return cls(
            run_id=row.run_id,
            name=row.name,
            status=seen.status,
            as_of=row.as_of,
            trades=row.trades if seen.whole else None,
            scenarios=row.scenarios,
            parent=seen.parent,
            principal=row.principal,
            created=row.created,
            ended=row.ended,
            whole=seen.whole,
            reason=row.reason if seen.whole else "",
        )


class Page[T](BaseModel):
    """Some of a list. next : the cursor of what follows, null at the end."""

    items: list[T]
    next: str | None = None
