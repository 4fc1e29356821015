"""What comes and goes as JSON beside labelled data."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from riskgrid.result import Run
from riskgrid.seen import Seen, SeenEvent

__all__ = ["EventModel", "Links", "Page", "RunDetail", "RunModel", "Strict"]


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


class Links(BaseModel):
    """Where more of a run is."""

    self: str
    events: str
    what_ifs: str
    report: str


class RunDetail(RunModel):
    """A run with what it is of; what only its numbers tell is null until it is finished.

    horizon : days.   coverage : share of the trades that have a number in every scenario.   unshocked : factors that
    are read and that no scenario moves.   books : those of which it holds trades, null for all.   what_if : what was
    changed, and of which run, empty for none.
    """

    currency: str | None = None
    horizon: int | None = None
    scenario_set: str | None = None
    cell_labels: list[str] | None = None
    market_date: str | None = None
    coverage: float | None = None
    unshocked: list[str] | None = None
    rejected_rows: int | None = None
    books: str | None = None
    what_if: str | None = None
    links: Links

    @classmethod
    def of_run(cls, seen: Seen, run: Run | None, base: str) -> Self:
        """run : the run as it is seen, None where it is not finished.   base : address of runs."""
        here = f"{base}/{seen.row.run_id}"
        links = Links(self=here, events=f"{here}/events", what_ifs=f"{here}/what-ifs", report=f"{here}/report")
        shown = RunModel.of(seen).model_dump()
        if run is None:
            return cls(**shown, links=links)
        total, facts = run.aggregate(), run.cells.attrs
        shown |= {"trades": run.row.trades, "scenarios": run.row.scenarios}
        return cls(
            **shown,
            currency=facts["currency"],
            horizon=facts["horizon"],
            scenario_set=facts["scenario_set"],
            cell_labels=list(run.manifest["cell_labels"]),
            market_date=facts["as_of"],
            coverage=float(total["coverage"].values[0]),
            unshocked=facts["unshocked_factors"].split(),
            rejected_rows=facts["rejected_rows"],
            books=facts["books"] or None,
            what_if=facts["what_if"],
            links=links,
        )


class EventModel(BaseModel):
    """One thing that happened to a run. seq : 1, 2, 3, ... of those one sees.   at : ISO 8601, UTC."""

    seq: int
    at: str
    kind: str = Field(examples=["running"])
    data: dict[str, Any]

    @classmethod
    def of(cls, event: SeenEvent) -> Self:
        """Of an event as it is seen."""
        return cls(seq=event.seq, at=event.at, kind=event.kind, data=event.data)


class Page[T](BaseModel):
    """Some of a list. next : the cursor of what follows, null at the end."""

    items: list[T]
    next: str | None = None
