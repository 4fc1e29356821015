"""What a principal sees of a store: the one way in which doors come to runs, events and named inputs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from riskgrid.books import Books
from riskgrid.engine.budget import Limits
from riskgrid.errors import NotFinished, UnknownName
from riskgrid.lease import Lease, Released
from riskgrid.named import SeenInputs
from riskgrid.principal import Principal
from riskgrid.result import Run
from riskgrid.seen import Seen, SeenEvent, told_of
from riskgrid.showing import shown_to
from riskgrid.store import Audited, RunRow, Store

__all__ = ["Door"]

#: Open runs that a door keeps: their cells are in memory.
_KEPT = 64

#: What-ifs that are made in this process at once.
_AT_ONCE = 4


class Door:
    """A store as principals see it. What one may not see is not there: it answers as what never was.

    A run of all books is seen by everybody, each sees its own books of it. A what-if, and a run that was asked under
    narrower rights, is seen by those who may see all that its maker could.   limits : of what a measure may revalue.
    inputs : those that people have named.   made : called with each run that was made here.
    """

    def __init__(
        self, store: Store, *, kept: int = _KEPT, at_once: int = _AT_ONCE, limits: Limits | None = None
    ) -> None:
        self.store, self.limits = store, limits
        #: Room for what-ifs that are made in this process while somebody waits.
        self.room = threading.BoundedSemaphore(at_once)
        self._most = kept
        self._open: OrderedDict[Any, Run] = OrderedDict()
        self.inputs = SeenInputs(store, self.run)
        self._making: dict[Any, threading.Lock] = {}
        self._asking: dict[Hashable, tuple[threading.Lock, int]] = {}
        self._held: set[Lease] = set()
        self._closed = False
        self._lock = threading.Lock()
        self.made: Callable[[Run], object] | None = None

    # -- runs --------------------------------------------------------------------------------------------------

    def run(self, run_id: str, who: Principal) -> Run:
        """A finished run, holding nothing but what ``who`` may see.

        UnknownName for one that is not there or hidden; NotFinished for one that has no numbers yet.
        """
        seen = self.row(run_id, who)
        if seen.row.status not in ("complete", "partial"):
            raise NotFinished(f"run '{run_id}' is {seen.status}; its numbers are there once it is finished")
        return self._opened(seen, who)

    def row(self, run_id: str, who: Principal) -> Seen:
        """What the catalogue knows of a run, by its whole id. UnknownName."""
        row = self.store.catalogue.find(run_id)
        if row is None or row.serves is not None or not _seen(row, who):
            raise self._unknown(run_id, who)
        return self._told(row, who)

    def seen(self, row: RunRow, who: Principal) -> Seen:
        """A run that ``who`` has just asked for, as it sees it."""
        return self._told(row, who)

    def keep_open(self, run: Run) -> None:
        """Keep a whole run open."""
        row = run.row
        if self.made is not None:
            self.made(run)
        with self._lock:
            self._open[row.run_id, row.result_id, row.status, ""] = run.within(self.limits)
            self._trim()

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """While this lasts, the lease of a run that is made here is one of those that :meth:`close` gives back."""
        with self._lock:
            self._held.add(lease)
            closed = self._closed
        if closed:
            self.close()
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(lease)

    @contextmanager
    def alone(self, asked: Hashable) -> Iterator[None]:
        """One at a time of those in this process that ask the same, so that the next finds what the first has made."""
        with self._lock:
            lock, waiting = self._asking.get(asked, (threading.Lock(), 0))
            self._asking[asked] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                _, waiting = self._asking.pop(asked)
                if waiting > 1:
                    self._asking[asked] = lock, waiting - 1

    def close(self) -> int:
        """Give back the runs that are being made here, so that a runner goes on with them; how many there are."""
        with self._lock:
            self._closed, held = True, list(self._held)
        for lease in held:
            lease.stop(Released("the service was told to end"))
        return len(held)

    def rows(
        self,
        who: Principal,
        limit: int = 50,
        *,
        status: str | None = None,
        before: str | None = None,
        what_ifs: bool = True,
    ) -> Sequence[Seen]:
        """Runs, latest first. before : the id of a run, for those that follow it in this list.

        status : of those to list, as ``who`` sees it.   what_ifs : those, too, that change another run.
        """
        if before is not None:
            self.row(before, who)
        # which of its endings a run has may tell of what is hidden
        ended = status in ("complete", "partial", "finished") and who.books is not None
        statuses = None if status is None else ("complete", "partial") if ended else (status,)
        rights = self._rights(who)
        found: list[Seen] = []
        while len(found) < limit:
            which: dict[str, Any] = {"status": statuses, "served": False, "rights": rights, "what_ifs": what_ifs}
            rows = self.store.catalogue.list(limit, before=before, **which)
            told = [self._told(row, who) for row in rows]
            found += [seen for seen in told if status is None or seen.status == status]
            if len(rows) < limit:
                break
            before = rows[-1].run_id
        return found[:limit]

    def what_ifs(self, run_id: str, who: Principal) -> Sequence[Seen]:
        """The what-ifs of a run, latest first."""
        self.row(run_id, who)
        return [self._told(row, who) for row in self.store.catalogue.what_ifs(run_id, self._rights(who))]

    def events(self, run_id: str, who: Principal, after: int = 0) -> Sequence[SeenEvent]:
        """What happened to a run, in order, those after a number. UnknownName."""
        seen = self.row(run_id, who)
        return told_of(seen, self.store.journal.events(run_id), after)

    def note_read(self, run: Run, who: Principal, what: str, **detail: Any) -> None:
        """Write into the audit trail that trade detail was read."""
        self.store.journal.note(who.name, "read", run.known_as, {"what": what, **detail})

    def audit(self, who: Principal, **which: Any) -> Sequence[Audited]:
        """The audit trail, see :meth:`riskgrid.store.Journal.audit`. Forbidden for all but an admin of all books."""
        who.require_service()
        return self.store.journal.audit(**which)

    def note_terms_read(self, name: str, who: Principal, **detail: Any) -> None:
        """Write into the audit trail that terms of the trades of a portfolio were read."""
        self.store.journal.note(who.name, "read", name, {"what": "terms", **detail})

    def _opened(self, seen: Seen, who: Principal) -> Run:
        row = seen.row
        rights = "" if seen.whole else who.rights
        key = (row.run_id, row.result_id, row.status, rights)
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:  # others who ask the same meanwhile wait for it
                with self._lock:
                    held = self._open.get(key)
                if held is None:
                    run = Run(row, self.store)
                    held = (run if seen.whole else shown_to(run, who.books or Books())).within(self.limits)
                with self._lock:
                    self._open[key] = held
                    self._trim()
                return held
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _trim(self) -> None:
        while len(self._open) > self._most:
            self._open.popitem(last=False)

    def _told(self, row: RunRow, who: Principal) -> Seen:
        return Seen(row, who.books is None or bool(row.rights), self._parent(row))

    def _rights(self, who: Principal) -> Collection[str] | None:
        """Rights of runs of which one sees all; None for those of everybody."""
        if who.books is None:
            return None
        return [rights for rights in self.store.catalogue.rights() if rights and who.sees_all(Books.read(rights))]

    def _parent(self, row: RunRow) -> str | None:
        if row.parent is None or not row.rights:
            return row.parent
        above = self.store.catalogue.get(row.parent)
        return above.parent if above.manifest.get("shows") else above.run_id

    def _unknown(self, run_id: str, who: Principal) -> UnknownName:
        return UnknownName("run", run_id, [seen.row.run_id for seen in self.rows(who, 12)])


def _seen(row: RunRow, who: Principal) -> bool:
    if who.books is None:
        return True
    return who.sees_all(Books.read(row.rights)) if row.rights else row.parent is None
