"""A run and its events as a principal sees them, who may see a part of it only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from riskgrid.store import ENDINGS, Event, RunRow

__all__ = ["Seen", "SeenEvent", "told_of"]

#: Events of a run of which one sees only a part: that it went on, nothing of what it met.
_COURSE = {
    "queued": "queued",
    "running": "running",
    "failed": "failed",
    "cancelled": "cancelled",
    "complete": "finished",
    "partial": "finished",
}

#: Particulars of events that name the machines and files of the service.
_WITHIN = ("block", "into", "runner", "scheduler", "worker")

#: Particulars of progress that depend on what the store had.
_PRICED = frozenset({"found", "priced", "valuations"})


@dataclass(frozen=True)
class Seen:
    """A run as a principal sees it. row : what the catalogue knows of it.   whole : whether nothing of it is hidden.

    parent : the id by which people know the run it changes.   again : it was accepted before, under the same key.
    """

    row: RunRow
    whole: bool
    parent: str | None
    again: bool = False

    @property
    def status(self) -> str:
        """Its status; ``finished`` where only what is hidden may say how."""
        return "finished" if not self.whole and self.row.status in ("complete", "partial") else self.row.status


@dataclass(frozen=True)
class SeenEvent:
    """One thing that happened to a run, as a principal sees it. seq : 1, 2, 3, ... of those it sees."""

    seq: int
    at: str
    kind: str
    data: dict[str, Any]

    @property
    def last(self) -> bool:
        """Whether none can follow."""
        return self.kind in (*ENDINGS, "finished")


def told_of(seen: Seen, events: Sequence[Event], after: int = 0) -> Sequence[SeenEvent]:
    """All events of a run as who has ``seen`` it sees them, those after a number."""
    if seen.whole:
        outward = _outward_of_some if seen.row.rights else _outward
        return [SeenEvent(event.seq, event.at, event.kind, outward(event.data)) for event in events[after:]]
    course = (event for event in events if event.kind in _COURSE)
    told = [SeenEvent(at, event.at, _COURSE[event.kind], {}) for at, event in enumerate(course, 1)]
    return told[after:]


def _outward(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _WITHIN}


def _outward_of_some(data: dict[str, Any]) -> dict[str, Any]:
    """Of a run of some books: which blocks it found in the store tells what others, who see more, have had priced."""
    told = _outward(data)
    if _PRICED.issubset(told):
        told["done"] = told["priced"] + told["found"]
    return {name: value for name, value in told.items() if name not in _PRICED}
