"""The catalogue of runs in SQL: which run asked what, when, and how it ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.store import tables
from riskgrid.store.clock import arrival, now, stamp
from riskgrid.store.database import Database
from riskgrid.store.journal import changed, lease_lost, noted, told
from riskgrid.store.row import RunRow

__all__ = ["SELECTED", "Catalogue", "RunRow", "inserted", "row_of", "unknown"]

_RUN = tables.run.c

_STATUS = tables.STATUS
_LATEST = (_RUN.created.desc(), arrival().desc())
_FIELDS = tuple(field.name for field in dataclasses.fields(RunRow))

#: The query of whole rows, to be read by ``row_of``.
SELECTED = sa.select(*(_STATUS.label("status") if field == "status" else _RUN[field] for field in _FIELDS))

# every what-if asks these: they are put together once
_PARENT = sa.select(_RUN.run_id).where(_RUN.run_id == sa.bindparam("parent")).with_for_update(read=True)
_ASKED = SELECTED.where(_RUN.content_id == sa.bindparam("question")).order_by(*_LATEST).limit(1)
_FINISHED = _ASKED.where(_RUN.status == "complete")
_ANSWERED = _ASKED.where(_RUN.status.in_(("complete", "partial")))
_MINE = _ASKED.where(
    _RUN.principal == sa.bindparam("principal"),
    _RUN.serves.is_(None),
    sa.or_(sa.bindparam("name", type_=sa.String) == "", _RUN.name == sa.bindparam("name", type_=sa.String)),
)
# what waits in the queue is a runner's, and what was cancelled is meant to be left
_UNFINISHED = _ASKED.where(
    _RUN.status.in_(("running", "interrupted", "failed")), _RUN.principal == sa.bindparam("principal")
)


class Catalogue:
    """Runs of one store. Every write is a transaction that takes its lock first, so none is lost between processes.

    where : a store's folder, or the URL of a database, ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
    """

    def __init__(self, where: Database | Path | str) -> None:
        self.database = Database(where)

    @property
    def path(self) -> Path | None:
        """The file of an embedded catalogue."""
        return self.database.path

    def close(self) -> None:
        """Let go of the connections, which this process else keeps open."""
        self.database.close()

    def add(self, row: RunRow, *, audit: str = "", lease: float | None = None) -> RunRow:
        """Record a run as it stands; returns it with the times that the database gave it.

        audit : verb under which the audit trail notes it.   lease : seconds for which its runner holds it from now.
        """

        def work(connection: sa.Connection) -> RunRow:
            with_parent(connection, row)
            statement, values = inserted(row)
            if lease is not None:
                statement = statement.values(lease_until=now() + lease)
                values.pop("lease_until")
            times = (_RUN.created, _RUN.started, _RUN.ended)
            made = connection.execute(statement.returning(*times), values).one()
            if audit:
                noted(connection, row.principal, audit, row.run_id, {"status": row.status})
            return dataclasses.replace(row, **made._mapping)

        return self.database.write(work)

    def finish(
        self,
        run_id: str,
        status: str,
        *,
        result_id: str | None,
        seconds: float,
        manifest: Mapping[str, Any] | None,
        reason: str = "",
        fence: int | None = None,
    ) -> None:
        """Record how a run ended, in one step. fence : the lease under which it ran; LeaseLost if it is another's.

        manifest : None leaves that of an earlier answer, and with it what the store must keep.
        """
        answered = {} if manifest is None else {"manifest": json.dumps(dict(manifest)), "result_id": result_id}
        ended = {
            **answered,
            "status": status,
            "seconds": seconds,
            "reason": reason,
            "ended": stamp(),
            "lease_until": None,
        }

        def work(connection: sa.Connection) -> None:
            statement = changed(run_id, fence).values(ended).returning(_RUN.events, _RUN.principal)
            found = connection.execute(statement).first()
            if found is None:
                raise unknown(connection, run_id) if fence is None else lease_lost(run_id, fence)
            told(connection, run_id, found.events, status, {"reason": reason} if reason else {})
            noted(connection, found.principal, "finish", run_id, {"status": status})

        self.database.write(work)

    def statuses(self) -> Mapping[str, int]:
        """How many runs there are by status, those that serve others included."""
        query = sa.select(_STATUS.label("shown"), sa.func.count()).group_by("shown").order_by("shown")
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {str(status): int(count) for status, count in rows}

    def serve(self, run_id: str, serves: str | None) -> None:
        """Say which run a run serves from now on; None: none, it is asked in its own right."""
        statement = tables.run.update().where(_RUN.run_id == run_id).values(serves=serves)
        self.database.write(lambda connection: connection.execute(statement))

    def call(self, run_id: str, name: str) -> None:
        """Give a run a further name."""
        statement = tables.name.insert().values(name=name, run_id=run_id, created=stamp())
        self.database.write(lambda connection: connection.execute(statement))

    def get(self, run: str) -> RunRow:
        """A run by its id, its name (the latest finished one of that name), or the beginning of its id."""
        further = sa.select(tables.name.c.run_id).where(tables.name.c.name == run)
        begins = sa.func.substr(_RUN.run_id, 1, len(run)) == run  # no pattern: a name may hold its wildcards
        finished = _RUN.status.in_(("complete", "partial")).desc()  # a later failure does not hide a good run

        def work(connection: sa.Connection) -> RunRow:
            for condition in (_RUN.run_id == run, sa.or_(_RUN.name == run, _RUN.run_id.in_(further)), begins):
                query = SELECTED.where(condition).order_by(finished, *_LATEST).limit(2)
                rows = _rows(connection, query) if run else []
                if len(rows) == 2 and condition is begins:
                    raise BadSpec(f"'{run}' begins more than one run id, e.g. {rows[0].run_id} and {rows[1].run_id}")
                if rows:
                    return rows[0]
            raise unknown(connection, run)

        return self.database.read(work)

    def called(self, prefix: str) -> Mapping[str, RunRow]:
        """The latest finished run of each name that begins with ``prefix``, by name."""
        named = sa.union(sa.select(_RUN.run_id, _RUN.name), sa.select(tables.name.c.run_id, tables.name.c.name))
        names = named.subquery()
        query = (
            SELECTED.add_columns(names.c.name.label("called"))
            .join(names, names.c.run_id == _RUN.run_id)
            .where(sa.func.substr(names.c.name, 1, len(prefix)) == prefix, _RUN.status.in_(("complete", "partial")))
            .order_by(*_LATEST)
        )

        def work(connection: sa.Connection) -> Mapping[str, RunRow]:
            found = [(row.called, row._mapping) for row in connection.execute(query)]
            kept = {called: {name: fields[name] for name in _FIELDS} for called, fields in reversed(found)}
            return {called: _row(fields) for called, fields in kept.items()}

        return self.database.read(work)

    def finished(self, content_id: str, *, partial: bool = False) -> RunRow | None:
        """The latest complete run of the same question, if there is one. partial : or a partial one."""
        return self._first(_ANSWERED if partial else _FINISHED, question=content_id)

    def asked(self, content_id: str, principal: str, name: str, statuses: Sequence[str]) -> RunRow | None:
        """The latest run of the same question by the same principal under that name, which serves no other.

        name : empty for any.   statuses : as they are stored, of which it has one.
        """
        query = _MINE.where(_RUN.status.in_(statuses))
        return self._first(query, question=content_id, principal=principal, name=name)

    def unfinished(self, content_id: str, principal: str = "") -> RunRow | None:
        """The latest run of the same question by the same principal that was left unfinished, if there is one."""
        return self._first(_UNFINISHED, question=content_id, principal=principal)

    def find(self, run_id: str) -> RunRow | None:
        """A run by its whole id, None where there is none."""
        query = SELECTED.where(_RUN.run_id == run_id)
        found = self.database.read(lambda connection: connection.execute(query).first())
        return None if found is None else row_of(found)

    def list(
        self,
        limit: int = 1000,
        *,
        status: str | Collection[str] | None = None,
        before: str | None = None,
        served: bool = True,
        what_ifs: bool = True,
        rights: Collection[str] | None = None,
    ) -> Sequence[RunRow]:
        """Runs, latest first. before : the id of a run, for those that follow it in this list.

        status : any of these.   served : those, too, that only serve another run.   what_ifs : that change another.
        rights : those of all books that change no other, and those of any of these rights; None for every run.
        """

        def work(connection: sa.Connection) -> Sequence[RunRow]:
            chosen: list[sa.ColumnElement[bool]] = []
            if status is not None:
                chosen.append(_STATUS.in_((status,) if isinstance(status, str) else status))
            if not served:
                chosen.append(_RUN.serves.is_(None))
            if not what_ifs:
                chosen.append(_RUN.parent.is_(None))
            if before is not None:
                place = connection.execute(sa.select(_RUN.created, arrival()).where(_RUN.run_id == before)).first()
                if place is None:
                    raise unknown(connection, before)
                chosen.append(sa.tuple_(_RUN.created, arrival()) < sa.tuple_(*place))
            if rights is not None:
                chosen = [_RUN.run_id.in_(_visible(rights, chosen, limit))]
            return _rows(connection, SELECTED.where(*chosen).order_by(*_LATEST).limit(limit))

        return self.database.read(work)

    def rights(self) -> Sequence[str]:
        """The rights under which any run was made, each once. Looks at as many rows as there are rights."""
        least = sa.select(sa.func.min(_RUN.rights).label("rights")).cte("held", recursive=True)
        following = sa.select(sa.func.min(_RUN.rights)).where(_RUN.rights > least.c.rights).scalar_subquery()
        held = least.union_all(sa.select(following).where(least.c.rights.is_not(None)))
        query = sa.select(held.c.rights).where(held.c.rights.is_not(None))
        return self.database.read(lambda connection: connection.scalars(query).all())

    def count(self, *, served: bool = True) -> int:
        """How many runs there are. served : counting those that only serve another run."""
        query = sa.select(sa.func.count()).select_from(tables.run)
        if not served:
            query = query.where(_RUN.serves.is_(None))
        return int(self.database.read(lambda connection: connection.scalar(query) or 0))

    def children(self, run_id: str) -> Sequence[RunRow]:
        """The what-ifs of a run, latest first."""
        query = SELECTED.where(_RUN.parent == run_id).order_by(*_LATEST)
        return self.database.read(lambda connection: _rows(connection, query))

    def what_ifs(self, run_id: str, rights: Collection[str] | None = None) -> Sequence[RunRow]:
        """The what-ifs of a run and of its views, which serve it, latest first; None of rights: of all."""
        views = sa.select(_RUN.run_id).where(_RUN.serves == run_id, _RUN.parent == run_id)
        if rights is not None:
            views = views.where(_RUN.rights.in_(rights))
        query = SELECTED.where(sa.or_(_RUN.parent == run_id, _RUN.parent.in_(views)), _RUN.serves.is_(None))
        if rights is not None:
            query = query.where(_RUN.rights.in_(rights))
        return self.database.read(lambda connection: _rows(connection, query.order_by(*_LATEST)))

    def remove(self, run_id: str) -> None:
        """Forget a run and those that serve it, with their names, events and attempts.

        BadSpec where it has what-ifs, or one of them is running.
        """

        def work(connection: sa.Connection) -> None:
            mine = sa.or_(_RUN.run_id == run_id, _RUN.serves == run_id)
            query = sa.select(_RUN.run_id, _STATUS.label("status")).where(mine).with_for_update()
            found = {row.run_id: row.status for row in connection.execute(query)}
            if run_id not in found:
                raise unknown(connection, run_id)
            for each in (one for one, status in found.items() if status == "running"):
                raise BadSpec(f"run '{each}' is running; only one that has ended can be removed")
            others = sa.select(_RUN.run_id, _RUN.parent).where(_RUN.parent.in_(found), _RUN.run_id.not_in(found))
            children = connection.execute(others.limit(3)).all()
            if children:
                told = ", ".join(child.run_id for child in children)
                raise BadSpec(f"run '{run_id}' has what-ifs, e.g. {told}; remove those first")
            for table in (tables.event, tables.attempt, tables.name, tables.run):
                connection.execute(table.delete().where(table.c.run_id.in_(found)))

        self.database.write(work)

    def _first(self, query: sa.Select[Any], **asked: str) -> RunRow | None:
        found = self.database.read(lambda connection: connection.execute(query, asked).first())
        return None if found is None else row_of(found)


def row_of(found: sa.Row[Any]) -> RunRow:
    """The run of a row that a query found."""
    return _row(dict(found._mapping))


def _row(values: dict[str, Any]) -> RunRow:
    return RunRow(**values | {name: json.loads(values[name]) for name in ("manifest", "request")})


def inserted(row: RunRow, insert: Any = sa.insert) -> tuple[Any, dict[str, Any]]:
    """The statement that inserts a run and its values; times that it does not say are the database's now."""
    values = {field: getattr(row, field) for field in _FIELDS}
    # of shifts the order counts
    values |= {name: json.dumps(values[name]) for name in ("manifest", "request")}
    moments = {"created"}
    if row.status != "queued":
        moments |= {"started"} | ({"ended"} if row.status != "running" else set())
    unsaid = {name for name in moments if not values[name]}
    kept = {name: value for name, value in values.items() if name not in unsaid}
    return insert(tables.run).values({name: stamp() for name in sorted(unsaid)}), kept


def with_parent(connection: sa.Connection, row: RunRow) -> None:
    """Hold the parent of a what-if until it is recorded. BadSpec where somebody has removed it meanwhile."""
    if row.parent is None:
        return
    if connection.scalar(_PARENT, {"parent": row.parent}) is None:
        raise BadSpec(f"run '{row.parent}' was removed; a what-if of it cannot be kept")


def unknown(connection: sa.Connection, run: str) -> UnknownName:
    """The error of a run that is not there; lists the latest."""
    query = sa.select(_RUN.run_id, _RUN.name).order_by(*_LATEST).limit(1000)
    known = {word for row in connection.execute(query) for word in row}
    return UnknownName("run", run, known - {""})


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[RunRow]:
    return [row_of(found) for found in connection.execute(query)]


def _visible(
    rights: Collection[str], chosen: Sequence[sa.ColumnElement[bool]], limit: int
) -> sa.CompoundSelect[tuple[str]]:
    """Ids of the latest runs of all books, and of the latest of some rights: each from an index that has no others."""
    of_all = sa.and_(_RUN.rights == "", _RUN.parent.is_(None))
    parts = [
        sa.select(_RUN.run_id).where(condition, *chosen).order_by(*_LATEST).limit(limit).subquery()
        for condition in (of_all, _RUN.rights.in_(rights))
    ]
    return sa.union_all(*(sa.select(part.c.run_id) for part in parts))
