"""One execution of a run, as the catalogue holds it: the run is the job."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

__all__ = ["BATCH", "ENDINGS", "INTERACTIVE", "RunRow"]

#: Priority of what somebody waits for, and of what may wait.
INTERACTIVE, BATCH = 10, 0

#: Statuses that a run ends with, and the kinds of events that end a stream of them.
ENDINGS = ("complete", "partial", "failed", "cancelled")


@dataclass(frozen=True)
class RunRow:
    """One execution. status : ``queued``, ``running``, ``interrupted`` or one of ``ENDINGS``.

    A running row whose lease has lapsed reads as ``interrupted``; one without a lease is running until it is finished.
    manifest, request : JSON objects, what the answer was made from, and what to execute.   created, started, ended :
    ISO 8601, UTC, of the database's clock; ``started`` is when the latest attempt began.   lease_until : seconds of
    that clock.   fence : number of the latest lease.   request_key : unique for a principal.
    serves : the run of which a measure had to have this one, for its bumps or steps; it goes with that run.
    rights : the books of who made it, as :attr:`riskgrid.books.Books.key` writes them; empty for every book.
    """

    run_id: str
    content_id: str
    name: str
    as_of: str
    trades: int
    scenarios: int
    status: str = "running"
    result_id: str | None = None
    parent: str | None = None
    created: str = ""
    seconds: float = 0.0
    manifest: dict[str, Any] = dataclasses.field(default_factory=dict)
    started: str | None = None
    ended: str | None = None
    principal: str = ""
    request_key: str | None = None
    request: dict[str, Any] = dataclasses.field(default_factory=dict)
    request_digest: str = ""
    priority: int = BATCH
    runner: str | None = None
    fence: int = 0
    lease_until: float | None = None
    attempts: int = 0
    cancel_asked: bool = False
    reason: str = ""
    events: int = 0
    serves: str | None = None
    rights: str = ""
