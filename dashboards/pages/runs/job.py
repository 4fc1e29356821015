"""How a run is spoken of as a job: its status, how far it is, when something happened to it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from riskgrid.dashboards.state import State
from riskgrid.seen import Seen, SeenEvent

__all__ = ["ACTIVE", "STATUSES", "called", "done", "far", "looked_at", "moment", "size_of"]

#: Statuses, as one sees them, of a run that may still change by itself.
ACTIVE = ("running", "queued")

#: Each status in words.
STATUSES: Mapping[str, str] = {
    "queued": "Waiting",
    "running": "At work",
    "complete": "Complete",
    "partial": "Partial",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "interrupted": "Interrupted",
}


def called(seen: Seen) -> str:
    """Its name, or its id where it has none."""
    return seen.row.name or seen.row.run_id


def far(events: Sequence[SeenEvent]) -> tuple[float | None, str]:
    """The share of its blocks that is done by the latest word on it, and the count in words.

    None and nothing where there is no word, as for who sees a part of it, and while it is not known how many there are.

    >>> far([SeenEvent(1, "", "progress", {"total": 40, "priced": 10, "found": 5, "failed": 1, "planned": True})])
    (0.4, '16 of 40')
    """
    for event in reversed(events):
        if event.kind in ("queued", "running"):  # what an earlier attempt has told is over
            break
        if event.kind == "progress":
            told = event.data
            ready = told.get("done", told.get("priced", 0) + told.get("found", 0)) + told.get("failed", 0)
            if not told["total"] or not told["planned"]:
                return None, f"{ready:,}, still planning"
            return ready / told["total"], f"{ready:,} of {told['total']:,}"
    return None, ""


def done(share: float | None) -> str:
    """The share that is done, in whole per cent, all of it only where all is done; empty where it is not known.

    >>> done(0.999), done(None)
    ('99 %', '')
    """
    return "" if share is None else f"{int(share * 100)} %"


def moment(at: str | None) -> str:
    """A moment as people read it, to the second, UTC; empty where there is none.

    >>> moment("2026-11-22T14:53:45.930+00:00"), moment(None)
    ('2026-11-22 14:53:45', '')
    """
    return "" if at is None else datetime.datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M:%S")


def size_of(seen: Seen) -> str:
    """Trades by scenarios; of a run of which one sees a part, scenarios alone: the run itself tells how many are one's
    own."""
    return (
        f"{seen.row.trades:,} \N{MULTIPLICATION SIGN} {seen.row.scenarios:,}"
        if seen.whole
        else f"{seen.row.scenarios:,}"
    )


def looked_at(seen: Seen, state: State) -> State:
    """Where all of it is shown."""
    return State(page="runs", run=seen.row.run_id, convention=state.convention)
