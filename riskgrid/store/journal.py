"""What happened to a run, in order; which attempts its blocks took; and who asked for what."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from riskgrid.errors import LeaseLost, UnknownName
from riskgrid.store import tables
from riskgrid.store.clock import stamp
from riskgrid.store.database import Database
from riskgrid.store.row import ENDINGS

__all__ = ["Attempt", "Audited", "Event", "Journal", "changed", "lease_lost", "noted", "told"]


@dataclass(frozen=True)
class Event:
    """One thing that happened to a run. seq : 1, 2, 3, ... without gaps.   at : ISO 8601, UTC, the database's clock."""

    seq: int
    at: str
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One attempt of a block that failed. number : 1, 2, 3, ... of that block."""

    block: str
    number: int
    at: str
    runner: str
    reason: str


@dataclass(frozen=True)
class Audited:
    """Who asked for what, when. number : grows from line to line."""

    at: str
    principal: str
    verb: str
    subject: str
    detail: dict[str, Any]
    number: int = 0


class Journal:
    """Events, attempts and the audit trail of a catalogue."""

    def __init__(self, where: Database | Path | str) -> None:
        self.database = Database(where)

    def tell(self, run_id: str, kind: str, data: Mapping[str, Any], *, fence: int | None = None) -> int:
        """Add an event to a run, return its number. fence : the lease of who tells; LeaseLost if it is another's."""

        def work(connection: sa.Connection) -> int:
            found = connection.execute(changed(run_id, fence).returning(tables.run.c.events)).scalar()
            if found is None:
                raise _unknown(connection, run_id) if fence is None else lease_lost(run_id, fence)
            told(connection, run_id, found, kind, data)
            return int(found)

        return self.database.write(work)

    def events(self, run_id: str, after: int = 0) -> Sequence[Event]:
        """The events of a run in order, those after a number."""
        event = tables.event.c
        query = (
            sa.select(event.seq, event.at, event.kind, event.data)
            .where(event.run_id == run_id, event.seq > after)
            .order_by(event.seq)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [Event(row.seq, row.at, row.kind, json.loads(row.data)) for row in rows]

    def counts(self, run_ids: Iterable[str]) -> Mapping[str, int]:
        """How many events each of these runs has; one that is not there is left out."""
        run = tables.run.c
        query = sa.select(run.run_id, run.events).where(run.run_id.in_(list(run_ids)))
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.run_id: row.events for row in rows}

    def follow(self, run_id: str, after: int = 0, *, poll: float = 0.1) -> Iterator[Event]:
        """The events of a run as they come, until it has ended or its holder is not heard of any more.

        poll : seconds between looks.   UnknownName for no run.
        """
        while True:
            # before the events: the one that ends the run is written together with its status
            ended = self._status(run_id) in (*ENDINGS, "interrupted")
            found = self.events(run_id, after)
            yield from found
            if found:
                after = found[-1].seq
            if found[-1].kind in ENDINGS if found else ended:
                return
            time.sleep(poll)

    def attempt(self, run_id: str, block: str, reason: str, runner: str = "") -> int:
        """Count an attempt of a block that failed, return how many there are now."""

        def work(connection: sa.Connection) -> int:
            attempt = tables.attempt.c
            # the run's row is the lock of its attempts
            locked = sa.select(tables.run.c.run_id).where(tables.run.c.run_id == run_id).with_for_update()
            if connection.execute(locked).first() is None:
                raise _unknown(connection, run_id)
            made = sa.select(sa.func.max(attempt.number)).where(attempt.run_id == run_id, attempt.block == block)
            number = int(connection.scalar(made) or 0) + 1
            values = {"run_id": run_id, "block": block, "number": number, "runner": runner, "reason": reason}
            connection.execute(tables.attempt.insert().values(at=stamp()), values)
            return number

        return self.database.write(work)

    def attempts(self, run_id: str) -> Sequence[Attempt]:
        """The failed attempts of a run's blocks, by block and number."""
        attempt = tables.attempt.c
        query = (
            sa.select(attempt.block, attempt.number, attempt.at, attempt.runner, attempt.reason)
            .where(attempt.run_id == run_id)
            .order_by(attempt.block, attempt.number)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [Attempt(*row) for row in rows]

    def note(self, principal: str, verb: str, subject: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note in the audit trail who asked for what."""
        self.database.write(lambda connection: noted(connection, principal, verb, subject, detail))

    def audit(
        self,
        *,
        subject: str | None = None,
        principal: str | None = None,
        limit: int = 1000,
        before: int | None = None,
    ) -> Sequence[Audited]:
        """The audit trail, latest first. before : number of a line, for those that follow it in this list."""
        audit = tables.audit.c
        query = sa.select(audit.at, audit.principal, audit.verb, audit.subject, audit.detail, audit.id)
        if before is not None:
            query = query.where(audit.id < before)
        if subject is not None:
            query = query.where(audit.subject == subject)
        if principal is not None:
            query = query.where(audit.principal == principal)
        query = query.order_by(audit.id.desc()).limit(limit)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [Audited(row.at, row.principal, row.verb, row.subject, json.loads(row.detail), row.id) for row in rows]

    def _status(self, run_id: str) -> str:
        query = sa.select(tables.STATUS).where(tables.run.c.run_id == run_id)

        def work(connection: sa.Connection) -> str:
            found = connection.scalar(query)
            if found is None:
                raise _unknown(connection, run_id)
            return str(found)

        return self.database.read(work)


def changed(run_id: str, fence: int | None = None) -> sa.Update:
    """The update that takes a run's next event number; with a fence, only for who holds the lease of that number."""
    run = tables.run.c
    update = tables.run.update().where(run.run_id == run_id).values(events=run.events + 1)
    return update if fence is None else update.where(run.fence == fence, run.status == "running")


def told(connection: sa.Connection, run_id: str, seq: int, kind: str, data: Mapping[str, Any] | None = None) -> None:
    """Write the event whose number was taken in this transaction."""
    values = {"run_id": run_id, "seq": seq, "kind": kind, "data": json.dumps(dict(data or {}), sort_keys=True)}
    connection.execute(tables.event.insert().values(at=stamp()), values)


def noted(
    connection: sa.Connection, principal: str, verb: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write a line of the audit trail in this transaction."""
    values = {"principal": principal, "verb": verb, "subject": subject}
    values["detail"] = json.dumps(dict(detail or {}), sort_keys=True)
    connection.execute(tables.audit.insert().values(at=stamp()), values)


def lease_lost(run_id: str, fence: int) -> LeaseLost:
    """The error of who acts on a lease that is another's by now."""
    return LeaseLost(
        f"run '{run_id}' is no longer leased by number {fence}: another runner took it over or it was ended; "
        "what this one holds of it is to be dropped"
    )


def _unknown(connection: sa.Connection, run_id: str) -> UnknownName:
    return UnknownName("run", run_id, connection.scalars(sa.select(tables.run.c.run_id).limit(1000)))
