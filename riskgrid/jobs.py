"""Runs as jobs: queued by whoever asks, and waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from riskgrid.answering import row_for
from riskgrid.change import Changes
from riskgrid.engine.budget import Limits
from riskgrid.errors import RiskgridError
from riskgrid.hashing import digest
from riskgrid.inputs import described, object_of, save_input, save_inputs
from riskgrid.question import Question, requested
from riskgrid.result import Run, open_run
from riskgrid.settings import settings
from riskgrid.store import BATCH, ENDINGS, INTERACTIVE, RunRow, Store
from riskgrid.whatif import what_if_row

__all__ = ["Options", "queued", "queued_what_if", "submit", "submit_what_if", "wait"]

#: Seconds between two looks at a run.
_POLL = 0.1


class Options(TypedDict, total=False):
    """How a run is queued.

    ``name`` : of the run.   ``principal`` : who asks, by default the user of this process.   ``key`` : of the request,
    the principal's own: the same request sent again with it is the same run.   ``said`` : digest of the request, by
    default of all that it asks.   ``priority`` : larger ones go first, by default that of a batch, or of what somebody
    waits for where it is a what-if.   ``limits`` : of a run, what it may need.   ``rights`` : of a what-if, the books
    of who asks, by default those of the run.
    """

    name: str
    principal: str | None
    key: str | None
    said: str
    priority: int
    limits: Limits | None
    rights: str | None


def submit(asked: Question, store: Store, **options: Unpack[Options]) -> RunRow:
    """Queue a question for a runner; its inputs are in the store when this returns.

    KeyReused where the key was used for another request.
    """
    return store.queue.submit(queued(asked, store, **options))


def submit_what_if(run: Run, changes: Changes | Mapping[str, Any], **options: Unpack[Options]) -> RunRow:
    """Queue a what-if of a stored run, checked before it waits; else as :func:`submit`."""
    return run.store.queue.submit(queued_what_if(run, changes, **options))


def queued(asked: Question, store: Store, **options: Unpack[Options]) -> RunRow:
    """The row of a run that is to be queued; its inputs are in the store when this returns."""
    limits, name = options.get("limits"), options.get("name", "")
    inputs = save_inputs(store, asked.portfolio, asked.market, asked.scenarios, asked.scenario_digest)
    request = requested(asked, inputs, limits)
    said = digest("request", asked.content_id, request["limits"], name).hex()
    return _with_options(row_for(asked, name, limits), request, said, {"priority": BATCH, **options})


def queued_what_if(run: Run, changes: Changes | Mapping[str, Any], **options: Unpack[Options]) -> RunRow:
    """The row of a what-if that is to be queued, checked; its inputs are in the store when this returns."""
    name = options.get("name", "")
    asked = changes if isinstance(changes, Changes) else Changes.from_dict(changes, store=run.store)
    row = what_if_row(run, asked, name=name, rights=options.get("rights"))
    # the plain form names them by their key
    kept = [object_of(described(given)[0], save_input(run.store, given)) for given in asked.inputs]
    request = {"kind": "what_if", "run": run.run_id, "changes": asked.to_dict(), "keeps": kept}
    said = digest("request", row.content_id, name).hex()
    return _with_options(row, request, said, {"priority": INTERACTIVE, **options})


def _with_options(row: RunRow, request: dict[str, Any], said: str, options: Options) -> RunRow:
    principal = options.get("principal")
    return replace(
        row,
        principal=settings().principal if principal is None else principal,
        request_key=options.get("key"),
        request=request,
        request_digest=options.get("said") or said,
        priority=options["priority"],
    )


def wait(store: Store, run: str | RunRow, *, timeout: float | None = None) -> Run:
    """The finished run, as soon as a runner has answered it. run : its id, or what :func:`submit` gave.

    RiskgridError with the reason where it failed or was cancelled; TimeoutError after so many seconds.
    """
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        row = store.catalogue.get(run.run_id if isinstance(run, RunRow) else run)
        if row.status in ("complete", "partial"):
            return open_run(row.run_id, store=store)
        if row.status in ENDINGS:
            raise RiskgridError(f"run '{row.run_id}' is {row.status}: {row.reason}")
        if until is not None and time.monotonic() > until:
            raise TimeoutError(
                f"run '{row.run_id}' is {row.status} after {timeout:g} s; a runner answers what is queued"
            )
        time.sleep(_POLL)
