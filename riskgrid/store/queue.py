"""The queue of runs to execute: submitted once, leased for a while by one runner at a time, cancelled and resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from riskgrid.errors import BadSpec, KeyReused, TooMany, WrongStatus
from riskgrid.store import tables
from riskgrid.store.catalogue import SELECTED, inserted, row_of, unknown, with_parent
from riskgrid.store.clock import age, arrival, now, stamp
from riskgrid.store.database import Database
from riskgrid.store.journal import changed, lease_lost, noted, told
from riskgrid.store.row import RunRow

__all__ = ["KEY_SECONDS", "Queue", "Waiting"]

#: For how long a request key means the run that it was first sent with.
KEY_SECONDS = 86_400.0

_RUN = tables.run.c
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_WAITING = sa.or_(_RUN.status == "queued", tables.LAPSED)


@dataclass(frozen=True)
class Waiting:
    """Runs of one priority that no runner holds. oldest : seconds since the first of them was created."""

    count: int
    oldest: float


class Queue:
    """Runs as jobs. Leases go by the database's clock and carry a number, the fence, that only ever grows: who holds an
    older one can change nothing any more.
    """

    def __init__(self, where: Database | Path | str) -> None:
        self.database = Database(where)

    def submit(self, row: RunRow, *, quota: int | None = None) -> RunRow:
        """Queue a run. Where its principal has used its ``request_key`` before, the earlier run comes back.

        quota : runs of its principal that may wait or work at once; TooMany beyond.
        KeyReused where that earlier one asked for something else.
        """

        if not isinstance(row.priority, int):
            raise BadSpec(f"priority is {row.priority!r}; a whole number is right, larger ones go first")

        def work(connection: sa.Connection) -> RunRow:
            with_parent(connection, row)
            if quota is not None:
                _one_by_one(connection, row.principal)
            _forget_key(connection, row)
            statement, values = inserted(replace(row, status="queued", events=1), _INSERT[connection.dialect.name])
            statement = statement.on_conflict_do_nothing(
                index_elements=[_RUN.principal, _RUN.request_key], index_where=_RUN.request_key.is_not(None)
            )
            made = connection.execute(statement.returning(_RUN.run_id), values).first() is not None
            if not made:
                return self._earlier(connection, row)
            if quota is not None:  # with the one that was just put in, which goes again where it is one too many
                _check_quota(row.principal, _active(connection, row.principal) - 1, quota)
            told(connection, row.run_id, 1, "queued", {"principal": row.principal})
            noted(connection, row.principal, "submit", row.run_id, {"priority": row.priority})
            return self._row(connection, row.run_id)

        return self.database.write(work)

    def lease(self, runner: str, seconds: float, *, least_priority: int | None = None) -> RunRow | None:
        """The next run for a runner, its own for so many seconds; None where none waits.

        Next is the largest priority, then the oldest. A run whose lease has lapsed waits again.
        """
        # a run that was asked directly and left says not enough for another to answer it
        query = sa.select(_RUN.run_id).where(_WAITING, _RUN.request != "{}")
        if least_priority is not None:
            query = query.where(_RUN.priority >= least_priority)
        oldest = query.order_by(_RUN.priority.desc(), _RUN.created, arrival()).limit(1)
        # rendered on PostgreSQL alone; one UPDATE of SQLite is atomic by itself
        first = oldest.with_for_update(skip_locked=True).correlate(None).scalar_subquery()
        return self.database.write(lambda connection: self._leased(connection, _RUN.run_id == first, runner, seconds))

    def claim(self, run_id: str, runner: str, seconds: float) -> RunRow | None:
        """This run for a runner, whether it waits, failed, was cancelled or interrupted, or runs without a lease.

        None where another holds it or it is finished. UnknownName for no run.
        """
        ended = _RUN.status.in_(("failed", "cancelled", "interrupted"))
        unheld = sa.and_(_RUN.status == "running", _RUN.lease_until.is_(None))
        condition = sa.and_(_RUN.run_id == run_id, sa.or_(_WAITING, ended, unheld))
        fresh = {"cancel_asked": False, "reason": "", "ended": None}

        def work(connection: sa.Connection) -> RunRow | None:
            row = self._leased(connection, condition, runner, seconds, fresh)
            if row is None and connection.scalar(sa.select(_RUN.run_id).where(_RUN.run_id == run_id)) is None:
                raise unknown(connection, run_id)
            return row

        return self.database.write(work)

    def reopen(self, run_id: str, runner: str, seconds: float) -> RunRow | None:
        """A complete run for whoever makes it anew, as what it has kept is damaged. None where it is not complete."""
        condition = sa.and_(_RUN.run_id == run_id, _RUN.status == "complete")
        return self.database.write(lambda connection: self._leased(connection, condition, runner, seconds))

    def renew(self, run_id: str, fence: int, seconds: float, *, progressed: bool = False) -> bool:
        """Hold a run for so many seconds from now; returns whether its cancelling was asked for. LeaseLost if lost.

        progressed : blocks were finished meanwhile: it is not this run that ends its runners, whatever came before.
        """
        counted = {"attempts": 1} if progressed else {}
        statement = (
            tables.run.update()
            .where(_RUN.run_id == run_id, _RUN.fence == fence, _RUN.status == "running")
            .values(lease_until=now() + seconds, **counted)
            .returning(_RUN.cancel_asked)
        )
        asked = self.database.write(lambda connection: connection.execute(statement).scalar())
        if asked is None:
            raise lease_lost(run_id, fence)
        return bool(asked)

    def release(self, run_id: str, fence: int, *, reason: str = "") -> None:
        """Give a run back to the queue, which is no attempt. LeaseLost if it is another's."""
        back = changed(run_id, fence).values(
            status="queued", runner=None, lease_until=None, reason=reason, attempts=_RUN.attempts - 1
        )

        def work(connection: sa.Connection) -> None:
            seq = connection.execute(back.returning(_RUN.events)).scalar()
            if seq is None:
                raise lease_lost(run_id, fence)
            told(connection, run_id, seq, "queued", {"reason": reason})

        self.database.write(work)

    def cancel(self, run_id: str, principal: str) -> str:
        """Cancel a run: ``cancelled`` where no runner holds it, else ``cancelling``, which its runner reads.

        WrongStatus where it has ended.
        """

        def work(connection: sa.Connection) -> str:
            row = self._row(connection, run_id, lock=True)
            if row.status not in ("queued", "running", "interrupted") or row.ended:
                raise WrongStatus(
                    f"run '{run_id}' has ended already: it is {row.status}; one that waits or runs can be cancelled"
                )
            if row.status == "running":
                values: dict[str, Any] = {"cancel_asked": True}
            else:
                values = {"status": "cancelled", "ended": stamp(), "lease_until": None, "reason": "cancelled"}
            seq = connection.execute(changed(run_id).values(values).returning(_RUN.events)).scalar_one()
            kind = "cancelling" if row.status == "running" else "cancelled"
            told(connection, run_id, seq, kind, {"principal": principal})
            noted(connection, principal, "cancel", run_id, {"status": kind})
            return kind

        return self.database.write(work)

    def resume(self, run_id: str, principal: str) -> RunRow:
        """Queue a run again that failed, was cancelled or interrupted, or is partial. WrongStatus for any other."""
        values = {
            "status": "queued",
            "runner": None,
            "lease_until": None,
            "cancel_asked": False,
            "reason": "",
            "ended": None,
            "attempts": 0,
        }

        def work(connection: sa.Connection) -> RunRow:
            row = self._row(connection, run_id, lock=True)
            if not row.request:
                raise WrongStatus(f"run '{run_id}' was not queued but asked directly; ask the same question again")
            query = sa.select(_RUN.run_id).where(_RUN.parent == run_id).limit(1)
            if row.status == "partial" and (child := connection.scalar(query)) is not None:
                raise WrongStatus(f"run '{run_id}' has what-ifs that stand on its answer, e.g. {child}; submit it anew")
            if row.status not in ("failed", "cancelled", "interrupted", "partial"):
                raise WrongStatus(
                    f"run '{run_id}' is {row.status}; only one that failed, was cancelled or interrupted, or is "
                    "partial can be resumed"
                )
            seq = connection.execute(changed(run_id).values(values).returning(_RUN.events)).scalar_one()
            told(connection, run_id, seq, "queued", {"principal": principal})
            noted(connection, principal, "resume", run_id, {"status": row.status})
            return self._row(connection, run_id)

        return self.database.write(work)

    def submitted(self, principal: str, key: str) -> RunRow | None:
        """The run that a principal submitted under a request key, if there is one and the key still means it."""
        recent = age(_RUN.created) <= KEY_SECONDS
        query = SELECTED.where(_RUN.principal == principal, _RUN.request_key == key, recent)
        found = self.database.read(lambda connection: connection.execute(query).first())
        return None if found is None else row_of(found)

    def check_quota(self, principal: str, quota: int) -> None:
        """TooMany where as many runs of a principal wait or are being executed as may; ``submit`` looks again."""
        _check_quota(principal, self.database.read(lambda connection: _active(connection, principal)), quota)

    def waiting(self) -> Mapping[int, Waiting]:
        """How many runs wait for a runner and for how long, by priority, the largest first."""
        query = (
            sa.select(_RUN.priority, sa.func.count(), sa.func.max(age(_RUN.created)))
            .where(_WAITING)
            .group_by(_RUN.priority)
            .order_by(_RUN.priority.desc())
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {priority: Waiting(count, max(oldest, 0.0)) for priority, count, oldest in rows}

    def _leased(
        self,
        connection: sa.Connection,
        condition: sa.ColumnElement[bool],
        runner: str,
        seconds: float,
        further: Mapping[str, Any] | None = None,
    ) -> RunRow | None:
        statement = (
            tables.run.update()
            .where(condition)
            .values(
                status="running",
                runner=runner,
                fence=_RUN.fence + 1,
                attempts=_RUN.attempts + 1,
                events=_RUN.events + 1,
                lease_until=now() + seconds,
                started=stamp(),
                **further or {},
            )
            .returning(*(_RUN[column.name] for column in tables.run.columns))
        )
        found = connection.execute(statement).first()
        if found is None:
            return None
        row = row_of(found)
        told(connection, row.run_id, row.events, "running", {"attempt": row.attempts, "runner": runner})
        return row

    def _earlier(self, connection: sa.Connection, row: RunRow) -> RunRow:
        """The run that this principal submitted under the same key."""
        query = SELECTED.where(_RUN.principal == row.principal, _RUN.request_key == row.request_key)
        earlier = row_of(connection.execute(query).one())
        if earlier.request_digest != row.request_digest:
            raise KeyReused.of(str(row.request_key), earlier.run_id)
        return earlier

    def _row(self, connection: sa.Connection, run_id: str, *, lock: bool = False) -> RunRow:
        query = SELECTED.where(_RUN.run_id == run_id)
        found = connection.execute(query.with_for_update() if lock else query).first()
        if found is None:
            raise unknown(connection, run_id)
        return row_of(found)


def _one_by_one(connection: sa.Connection, principal: str) -> None:
    """Hold what others of the principal submit at the same time until this one is counted; SQLite holds everybody."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(principal, 0))))


def _active(connection: sa.Connection, principal: str) -> int:
    unended = _RUN.status.in_(("queued", "running"))
    query = sa.select(sa.func.count()).where(_RUN.principal == principal, unended, _RUN.request != "{}")
    return int(connection.scalar(query) or 0)


def _check_quota(principal: str, active: int, quota: int) -> None:
    if active >= quota:
        raise TooMany(f"'{principal}' has {active} runs waiting or at work, as many as may be at once", 5.0)


def _forget_key(connection: sa.Connection, row: RunRow) -> None:
    """Let a request key go that was used long ago."""
    if row.request_key is None:
        return
    used = sa.and_(_RUN.principal == row.principal, _RUN.request_key == row.request_key)
    connection.execute(tables.run.update().where(used, age(_RUN.created) > KEY_SECONDS).values(request_key=None))
