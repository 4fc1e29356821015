"""Connections to the file of an embedded catalogue."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from riskgrid.store.tables import METADATA

__all__ = ["PATIENCE", "READING", "absent", "copied", "identity", "readable", "writable"]

#: Seconds to wait for others that write.
PATIENCE = 30.0

#: The execution option of a connection that will only read.
READING = "riskgrid_reading"


def writable(path: Path) -> sa.Engine:
    """An engine whose connections stay open.

    The last connection that closes has SQLite write its log back into the file, which costs more than a commit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return _engine(lambda: _opened(path), QueuePool, pool_size=4, max_overflow=16, pool_timeout=PATIENCE)


def readable(path: Path) -> sa.Engine:
    """An engine for a folder one may not write to: without the files that SQLite would lay beside the catalogue."""
    return _engine(lambda: _connected(f"{path.as_uri()}?immutable=1"), NullPool)


def copied(path: Path) -> sa.Engine:
    """An engine on a copy in memory, which can be upgraded where the file cannot."""
    copy = _connected(":memory:")
    with contextlib.closing(_connected(f"{path.as_uri()}?immutable=1")) as source:
        source.backup(copy)
    return _engine(lambda: copy, StaticPool)


def absent() -> sa.Engine:
    """An engine of empty tables: what a catalogue that was never written reads as."""

    def empty() -> sqlite3.Connection:
        connection = _connected(":memory:")
        connection.executescript(_definitions())
        return connection

    return _engine(empty, QueuePool)


def identity(path: Path) -> tuple[int, ...]:
    """Which file lies at a path, () for none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_dev, found.st_ino


def _engine(creator: Callable[[], sqlite3.Connection], pool: type[sa.Pool], **options: object) -> sa.Engine:
    engine = sa.create_engine("sqlite://", creator=creator, poolclass=pool, hide_parameters=True, **options)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # who reads first and takes the lock when writing may find that another has written in between
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("begin" if reading else "begin immediate")


def _connected(place: str) -> sqlite3.Connection:
    # isolation_level None: the driver begins nothing by itself
    return sqlite3.connect(place, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=True)


def _opened(path: Path) -> sqlite3.Connection:
    until = time.monotonic() + PATIENCE
    while True:
        connection = _connected(path.as_uri())
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute("pragma foreign_keys = on")
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


def _definitions() -> str:
    dialect = sa.create_engine("sqlite://").dialect
    tables = METADATA.sorted_tables
    return ";\n".join(str(sa.schema.CreateTable(table).compile(dialect=dialect)) for table in tables)
