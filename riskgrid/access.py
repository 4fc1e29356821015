"""What a principal sees of a store: the one way in which doors come to runs, events and named inputs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from riskgrid.books import Books
from riskgrid.change import Changes
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, NotFinished, UnknownName
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot
from riskgrid.lease import Lease, Released
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.result import Run
from riskgrid.showing import shown_to
from riskgrid.store import ENDINGS, Audited, Event, NamedInput, RunRow, Store

__all__ = ["Door", "Seen", "SeenEvent", "narrowed", "told_of"]

#: Open runs that a door keeps: their cells are in memory.
_KEPT = 64

#: Named inputs that a door keeps, which are read from the store for each run that is asked of them.
_INPUTS = 12

#: What-ifs that are made in this process at once.
_AT_ONCE = 4

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


class Door:
    """A store as principals see it. What one may not see is not there: it answers as what never was.

    A run of all books is seen by everybody, each sees its own books of it. A what-if, and a run that was asked under
    narrower rights, is seen by those who may see all that its maker could.   limits : of what a measure may revalue.
    made : called with each run that was made here.
    """

    def __init__(
        self, store: Store, *, kept: int = _KEPT, at_once: int = _AT_ONCE, limits: Limits | None = None
    ) -> None:
        self.store, self.limits = store, limits
        #: Room for what-ifs that are made in this process while somebody waits.
        self.room = threading.BoundedSemaphore(at_once)
        self._most = kept
        self._open: OrderedDict[Any, Run] = OrderedDict()
        self._inputs: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
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

    # -- named inputs ------------------------------------------------------------------------------------------

    def names(self, kind: str, who: Principal) -> dict[str, NamedInput]:
        """Named inputs of a kind, by name.

        What one has named oneself, under the rights one has, comes before everybody's, these before what others of
        the same rights have named, and last come principals who see less: none takes the place of another's name.
        """
        latest = {(entry.name, entry.rights): entry for entry in self._named(kind, who)}

        def rank(entry: NamedInput) -> tuple[bool, bool, bool]:
            same = entry.rights == who.rights
            return same and entry.principal == who.name, not entry.rights, same

        found = {entry.name: entry for entry in sorted(latest.values(), key=rank)}
        return dict(sorted(found.items()))

    def named(self, kind: str, name: str, who: Principal) -> NamedInput:
        """A named input. UnknownName lists those that one sees."""
        known = self.names(kind, who)
        if name not in known:
            raise UnknownName(f"named {kind}", name, known)
        return known[name]

    def load(self, kind: str, name: str | Mapping[str, str], who: Principal) -> Any:
        """A named input itself: of a portfolio the trades in one's books.   name : also ``{"of": RUN}``, of a run."""
        if not isinstance(name, str):
            if set(name) != {"of"}:
                raise BadSpec(f"{kind} is {dict(name)!r}; a name, or {{'of': RUN}} for that of a run, is right")
            return getattr(self.run(name["of"], who), kind)
        entry = self.named(kind, name, who)
        key = (kind, entry.key, "" if entry.rights else who.rights)
        with self._lock:
            found = self._inputs.get(key)
        if found is None:
            found = self._loaded(entry, who)
            with self._lock:
                self._inputs[key] = found
                while len(self._inputs) > _INPUTS:
                    self._inputs.popitem(last=False)
        return found

    def _loaded(self, entry: NamedInput, who: Principal) -> Any:
        if entry.kind == "portfolio":
            found = load_portfolio(self.store, entry.key)
            return found if entry.rights or who.books is None else narrowed(found, who.books)
        return (load_snapshot if entry.kind == "market" else load_scenarios)(self.store, entry.key)

    def _named(self, kind: str, who: Principal) -> Iterator[NamedInput]:
        for row in self.store.names.given(kind):
            if not row.rights or who.sees_all(Books.read(row.rights)):
                yield row


def told_of(seen: Seen, events: Sequence[Event], after: int = 0) -> Sequence[SeenEvent]:
    """All events of a run as who has ``seen`` it sees them, those after a number."""
    if seen.whole:
        outward = _outward_of_some if seen.row.rights else _outward
        return [SeenEvent(event.seq, event.at, event.kind, outward(event.data)) for event in events[after:]]
    course = (event for event in events if event.kind in _COURSE)
    told = [SeenEvent(at, event.at, _COURSE[event.kind], {}) for at, event in enumerate(course, 1)]
    return told[after:]


def narrowed(portfolio: Portfolio, books: Books) -> Portfolio:
    """The trades of a portfolio in some books; a label that no trade has holds nobody."""
    return Changes(only=books.among((*portfolio.label_names, "instrument", "currency"))).portfolio(portfolio)


def _seen(row: RunRow, who: Principal) -> bool:
    if who.books is None:
        return True
    return who.sees_all(Books.read(row.rights)) if row.rights else row.parent is None


def _outward(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _WITHIN}


def _outward_of_some(data: dict[str, Any]) -> dict[str, Any]:
    """Of a run of some books: which blocks it found in the store tells what others, who see more, have had priced."""
    told = _outward(data)
    if _PRICED.issubset(told):
        told["done"] = told["priced"] + told["found"]
    return {name: value for name, value in told.items() if name not in _PRICED}
