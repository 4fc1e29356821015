"""A run in hand: its lease is renewed while it works, and whoever may stop it is heard."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

from riskgrid import log
from riskgrid.engine.budget import Limits
from riskgrid.engine.outcome import Progress
from riskgrid.errors import Cancelled, LeaseLost, OverLimit, Stopped, StoreError, UnknownName
from riskgrid.settings import settings
from riskgrid.store import RunRow, Store

__all__ = ["LEASE_SECONDS", "Lease", "Released", "runner_name", "taken_up"]

#: How long a run belongs to a process that says nothing; then another may take it up.
LEASE_SECONDS = 30.0

#: Times that a database is asked at least: it may have taken as long as a lease to say no.
_TRIES = 3

#: Seconds before a database that was away is asked again.
_PAUSE = 0.2

#: Seconds between two signs of life, in which cancelling is heard and progress told.
_BEAT = 1.0


class Released(Stopped):
    """A runner stops and gives back what it holds."""


def runner_name() -> str:
    """This process, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"


def taken_up(store: Store, row: RunRow, damaged: str | None = None) -> RunRow:
    """The run of this question to go on with, else ``row``, made new.

    damaged : id of a complete run whose objects cannot all be read: it is made anew under its id, as what-ifs stand on
    it.   Else one that the same principal left unfinished and nobody holds.
    """
    if damaged is not None and (held := store.queue.reopen(damaged, runner_name(), LEASE_SECONDS)) is not None:
        return held
    who = row.principal or settings().principal
    left = store.catalogue.unfinished(row.content_id, who)
    held = store.queue.claim(left.run_id, runner_name(), LEASE_SECONDS) if left is not None else None
    if held is not None:
        if row.name and row.name != held.name:
            store.catalogue.call(held.run_id, row.name)
        return held
    made = replace(row, runner=runner_name(), fence=1, attempts=1, principal=who)
    _surely(
        lambda: store.catalogue.add(made, lease=LEASE_SECONDS, audit="run"),
        lambda: store.catalogue.get(made.run_id).run_id == made.run_id,
    )
    return made


def _surely(write: Callable[[], object], written: Callable[[], bool], seconds: float = LEASE_SECONDS) -> None:
    """Write into the catalogue, again while its database comes and goes. written : whether it has been kept after all,
    which a cut connection leaves open."""
    until = time.monotonic() + seconds
    for attempt in itertools.count(1):
        try:
            write()
        except (StoreError, UnknownName) as error:
            again = getattr(error, "transient", False) and (time.monotonic() < until or attempt < _TRIES)
            if not again and not isinstance(error, LeaseLost):
                raise
            with contextlib.suppress(StoreError, UnknownName):
                if written():
                    return
            if not again:
                raise
            time.sleep(_PAUSE)
        else:
            return


class Lease:
    """Holds a run until the block ends.

    row : as it was leased, for so many ``seconds``.   limits : of what the run may need.

    A thread renews the lease, tells how far the run has come, and hears whether it is to stop; the run asks
    :meth:`check`. A database that does not answer is asked again until the lease must have lapsed. An error that
    leaves the block is how the run ended: it is written down, or of the kinds ``again`` puts the run back in the queue.
    """

    def __init__(
        self,
        store: Store,
        row: RunRow,
        *,
        seconds: float = LEASE_SECONDS,
        limits: Limits | None = None,
        again: tuple[type[Exception], ...] = (),
    ) -> None:
        self.store, self.row, self.limits, self._again = store, row, limits, again
        self._limit = None if limits is None else limits.seconds
        self._length = seconds
        self._begun = self._renewed = time.monotonic()
        self._over = threading.Event()
        self._stopped: Exception | None = None
        self._progress: Progress | None = None
        self._about = log.about(run=row.run_id)
        self._thread = threading.Thread(target=self._keep, name="riskgrid-lease", daemon=True)

    def __enter__(self) -> Self:
        self._about.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is not None and not isinstance(error, LeaseLost):
            with contextlib.suppress(StoreError):  # where this fails too, the error is the better reason
                self._end(error)
        self._about.__exit__(None, None, None)

    @property
    def key(self) -> str:
        """Of what it keeps for the run alone: one that lost its lease may still be writing its own."""
        return self.row.run_id if self.row.fence <= 1 else f"{self.row.run_id}-{self.row.fence}"

    @property
    def seconds(self) -> float:
        """Since it was taken."""
        return time.monotonic() - self._begun

    def finish(self, status: str, result_id: str, manifest: Mapping[str, Any]) -> RunRow:
        """Make the answer visible. LeaseLost where the run is another's by now."""
        row, catalogue = self.row, self.store.catalogue

        def write() -> None:
            catalogue.finish(
                row.run_id, status, result_id=result_id, seconds=self.seconds, manifest=manifest, fence=row.fence
            )

        def written() -> bool:
            kept = catalogue.get(row.run_id)
            return (kept.fence, kept.status, kept.result_id) == (row.fence, status, result_id)

        _surely(write, written, self._length)
        return catalogue.get(row.run_id)

    def _end(self, error: BaseException) -> None:
        row = self.row
        if isinstance(error, self._again):
            self.store.queue.release(row.run_id, row.fence, reason=str(error))
            return
        if isinstance(error, KeyboardInterrupt):
            error.add_note("finished blocks are kept, the same command goes on from them")
        known = {KeyboardInterrupt: "interrupted", Cancelled: "cancelled"}
        status = known.get(type(error), "failed")
        reason = str(error) or type(error).__name__
        self.store.catalogue.finish(
            row.run_id,
            status,
            result_id=None,
            seconds=self.seconds,
            manifest=None,
            reason=reason,
            fence=row.fence,
        )

    def check(self) -> None:
        """Raise what ends the run early: Cancelled, OverLimit, LeaseLost, or what :meth:`stop` was given."""
        if self._stopped is not None:
            raise self._stopped
        spent = self.seconds
        if self._limit is not None and spent > self._limit:
            raise OverLimit(
                f"run '{self.row.run_id}' has taken {spent:,.0f} s, its time limit is {self._limit:,.0f} s; what is "
                "finished is kept: ask again with a longer limit or more workers"
            )

    def stop(self, reason: Exception) -> None:
        """Have the run end with this error at its next check."""
        self._stopped = self._stopped or reason

    def progress(self, told: Progress) -> None:
        """How far the run has come; told to the journal with the next sign of life."""
        self._progress = told

    def notice(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Write a fact into the journal at once. A journal that does not answer does not stop a run."""
        journal, row = self.store.journal, self.row
        try:
            journal.tell(row.run_id, kind, facts, fence=row.fence)
            if kind == "attempt":
                journal.attempt(row.run_id, str(facts["block"]), str(facts["reason"]), row.runner or "")
        except LeaseLost as error:
            self.stop(error)
        except StoreError:
            return

    def _keep(self) -> None:
        told: Progress | None = None
        finished = 0
        while not self._over.wait(min(_BEAT, self._length / 3.0)):
            try:
                priced = 0 if self._progress is None else self._progress.priced
                cancel = self.store.queue.renew(
                    self.row.run_id, self.row.fence, self._length, progressed=priced > finished
                )
                finished = priced
                self._renewed = time.monotonic()
                if cancel:
                    self.stop(Cancelled(f"run '{self.row.run_id}' was cancelled; what is finished is kept"))
                if self._progress is not told and self._progress is not None:
                    told = self._progress
                    self.store.journal.tell(self.row.run_id, "progress", asdict(told), fence=self.row.fence)
            except LeaseLost as error:
                self.stop(error)
                return
            except StoreError as error:
                if time.monotonic() - self._renewed > self._length:
                    self.stop(LeaseLost(f"run '{self.row.run_id}' could not be kept: {error}"))
                    return
