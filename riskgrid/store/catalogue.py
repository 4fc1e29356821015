"""The catalogue of runs in SQLite: which run asked what, when, and how it ended."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import errno
import json
import os
import shutil
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from riskgrid.errors import BadSpec, StoreError, UnknownName
from riskgrid.store.failure import explained

__all__ = ["Catalogue", "RunRow"]

#: With less than this free, what SQLite calls an I/O error is a full disk.
_ROOM = 1 << 18

#: Seconds to wait for others that write.
_PATIENCE = 30.0

_SCHEMA = """
create table if not exists run (
  run_id text primary key, content_id text not null, result_id text, parent text, name text not null,
  as_of text not null, created text not null, status text not null, trades integer not null,
  scenarios integer not null, seconds real not null, manifest text not null
);
create index if not exists run_by_content on run (content_id, status);
create table if not exists name (name text not null, run_id text not null, created text not null);
"""


@dataclass(frozen=True)
class RunRow:
    """One execution. status : ``running``, ``complete``, ``partial``, ``failed`` or ``interrupted``.

    manifest : JSON object.
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


class Catalogue:
    """Runs of one store. Every write is a transaction that takes its lock first, so none is lost between processes."""

    def __init__(self, root: Path) -> None:
        self.path = root / "catalogue.sqlite"

    def close(self) -> None:
        """Let go of the file, which this process else keeps open."""
        _OPEN.close(self.path)

    def add(self, row: RunRow) -> None:
        """Record that a run has started."""
        created = row.created or datetime.now(UTC).isoformat(timespec="milliseconds")
        values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
        values |= {"created": created, "manifest": json.dumps(row.manifest, sort_keys=True)}
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as connection:
            connection.execute(f"insert into run ({columns}) values ({marks})", values)

    def finish(
        self, run_id: str, status: str, *, result_id: str | None, seconds: float, manifest: dict[str, Any]
    ) -> None:
        """Record how a run ended, in one step."""
        with self._transaction() as connection:
            connection.execute(
                "update run set status = ?, result_id = ?, seconds = ?, manifest = ? where run_id = ?",
                (status, result_id, seconds, json.dumps(manifest, sort_keys=True), run_id),
            )

    def call(self, run_id: str, name: str) -> None:
        """Give a run a further name."""
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._transaction() as connection:
            connection.execute("insert into name values (?, ?, ?)", (name, run_id, created))

    def get(self, run: str) -> RunRow:
        """A run by its id, its name (the latest finished one of that name), or the beginning of its id."""
        begins = "instr(run_id, :run) = 1"  # no pattern: a name may hold its wildcards
        named = "(name = :run or run_id in (select run_id from name where name.name = :run))"
        finished = "status in ('complete', 'partial') desc"  # a later failure does not hide a good run
        for condition in ("run_id = :run", named, begins) if run else ():
            rows = self._rows(f"where {condition} order by {finished}, created desc, rowid desc limit 2", {"run": run})
            if len(rows) == 2 and condition == begins:
                raise BadSpec(f"'{run}' begins more than one run id, e.g. {rows[0].run_id} and {rows[1].run_id}")
            if rows:
                return rows[0]
        raise UnknownName("run", run, {row.run_id for row in self.list()} | {row.name for row in self.list()} - {""})

    def finished(self, content_id: str) -> RunRow | None:
        """The latest complete run of the same question, if there is one."""
        query = "where content_id = :content_id and status = 'complete' order by created desc, rowid desc limit 1"
        rows = self._rows(query, {"content_id": content_id})
        return rows[0] if rows else None

    def list(self, limit: int = 1000) -> Sequence[RunRow]:
        """Runs, latest first."""
        return self._rows(f"order by created desc, rowid desc limit {int(limit)}")

    def _rows(self, tail: str, values: Mapping[str, Any] | None = None) -> Sequence[RunRow]:
        if not self.path.exists():
            return []
        with self._connection() as connection:
            found = connection.execute(f"select * from run {tail}", values or {}).fetchall()
        return [RunRow(**{**dict(row), "manifest": json.loads(row["manifest"])}) for row in found]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            if self.path.exists() and not os.access(self.path.parent, os.W_OK):
                # a store that may only be read: without the files that SQLite would lay beside it
                connection = sqlite3.connect(f"file:{self.path}?immutable=1", uri=True, isolation_level=None)
                connection.row_factory = sqlite3.Row
                with contextlib.closing(connection):
                    yield connection
            else:
                with _OPEN.connection(self.path) as connection:
                    yield connection
        except sqlite3.Error as error:
            if shutil.disk_usage(self.path.parent).free < _ROOM:
                raise explained("write", self.path, OSError(errno.ENOSPC, "")) from error
            raise StoreError(f"the catalogue {self.path} refused: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot open the catalogue {self.path}: {error}") from error


class _Connections:
    """A few open connections, one a file, lent to one thread at a time.

    The last connection that closes has SQLite write its log back into the file, which costs more than a commit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[Path, tuple[tuple[int, ...], sqlite3.Connection]] = OrderedDict()
        self._lock = threading.RLock()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget)

    @contextlib.contextmanager
    def connection(self, path: Path) -> Iterator[sqlite3.Connection]:
        """The connection to a file, opened where there is none or the file is another by now."""
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            found = self._open.pop(path, None)
            if found is not None and found[0] != _identity(path):
                found[1].close()
                found = None
            if found is None:
                connection = _opened(path)
                found = _identity(path), connection
            self._open[path] = found
            while len(self._open) > self._most:
                self._open.popitem(last=False)[1][1].close()
            try:
                yield found[1]
            except sqlite3.Error:
                self._open.pop(path)[1].close()  # what is broken is opened anew
                raise

    def _forget(self) -> None:
        # a forked child must not close what is its parent's
        self._inherited, self._open, self._lock = self._open, OrderedDict(), threading.RLock()

    def close(self, path: Path | None = None) -> None:
        """Close the connection to a file, or all of them."""
        with self._lock:
            for each in [path] if path is not None else list(self._open):
                if each in self._open:
                    self._open.pop(each)[1].close()


def _opened(path: Path) -> sqlite3.Connection:
    until = time.monotonic() + _PATIENCE
    while True:
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            connection.close()
            # a new file that others open too: SQLite does not wait for the lock while the journal's mode changes
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def _identity(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
        return found.st_dev, found.st_ino
    except FileNotFoundError:
        return ()


_OPEN = _Connections(8)
