"""A catalogue's database: transactions, readings and the sentences that its errors become."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from riskgrid.errors import StoreError
from riskgrid.store.address import Address, address_of
from riskgrid.store.clock import now
from riskgrid.store.engines import ENGINES, Opened
from riskgrid.store.failure import explained
from riskgrid.store.revision import revision_of
from riskgrid.store.tables import HEAD

__all__ = ["ConnectionCut", "Database", "now"]

#: With less than this free, what SQLite calls an I/O error is a full disk.
_ROOM = 1 << 18

#: Seconds before a server that refused a connection is asked once more.
_PAUSE = 0.2

#: Times that work is tried again which a cut connection ended.
_TRIES = 3


class ConnectionCut(StoreError):
    """The connection to a served catalogue ended while it was used."""

    transient = True


class Database:
    """An SQLite file or a PostgreSQL database by URL. Connections are kept open by the process; every error is a
    StoreError that names the place without its secrets.
    """

    def __init__(self, where: Database | Path | str) -> None:
        self.address: Address = where.address if isinstance(where, Database) else address_of(where)

    def __repr__(self) -> str:
        return f"Database({str(self.address)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Database) and other.address == self.address

    def __hash__(self) -> int:
        return hash(self.address)

    @property
    def path(self) -> Path | None:
        """The file of an embedded catalogue."""
        return self.address.path

    def close(self) -> None:
        """Let go of the connections, which this process else keeps open."""
        ENGINES.close(self.address)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that has its lock from the start (SQLite); what is read to be changed is read for update."""
        with self._told():
            opened = self._opened()
            with opened.writing, contextlib.ExitStack() as stack:
                yield self._begun(stack, opened.engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read by. A file that is not there is not made and reads as empty."""
        with self._told(), contextlib.ExitStack() as stack:
            absent = self.path is not None and not self.path.exists()
            opened = ENGINES.empty() if absent else self._opened()
            yield self._begun(stack, opened.reader)

    @contextlib.contextmanager
    def unprepared(self) -> Iterator[sa.Engine]:
        """The engine, its tables left as they are found; what it is used for ends the connections kept open."""
        with self._told():
            ENGINES.close(self.address)
            try:
                opened = ENGINES.get(self.address, ready=False)
                with opened.writing:
                    yield opened.engine
            finally:
                ENGINES.close(self.address)

    def check(self) -> None:
        """StoreError where the database does not answer, or its tables are not those that this code knows."""
        if self.path is not None and not self.path.exists():
            return  # made with the first run
        found = self.read(revision_of)
        if found not in (None, HEAD):
            other = StoreError(
                f"the catalogue {self.address} is at revision {found} and this riskgrid needs {HEAD}; run `riskgrid "
                "migrate`, or the riskgrid that fits"
            )
            other.outward = (
                f"the catalogue is at revision {found} and this riskgrid needs {HEAD}; run `riskgrid migrate`"
            )
            raise other

    def write[T](self, work: Callable[[sa.Connection], T]) -> T:
        """What ``work`` returns, done in one transaction; again where the connection was cut before its commit."""
        return _again(lambda: self._written(work))

    def read[T](self, work: Callable[[sa.Connection], T]) -> T:
        """What ``work`` reads; again where the connection was cut."""

        def reading() -> T:
            with self.reading() as connection:
                return work(connection)

        return _again(reading)

    def _written[T](self, work: Callable[[sa.Connection], T]) -> T:
        done = False
        try:
            with self.transaction() as connection:
                result = work(connection)
                done = True
        except ConnectionCut as cut:
            if done:
                unknown = StoreError(f"{cut}; whether its last change was kept is not known")
                unknown.transient = True
                raise unknown from cut
            raise
        return result

    def _opened(self) -> Opened:
        """The engine with its tables; where the connection that looks at them is cut, it is tried again."""
        for _ in range(_TRIES):
            try:
                return ENGINES.get(self.address)
            except sa.exc.OperationalError:
                if self.address.embedded:
                    raise
                time.sleep(_PAUSE)
        return ENGINES.get(self.address)

    def _begun(self, stack: contextlib.ExitStack, engine: sa.Engine) -> sa.Connection:
        """A connection in a transaction; where none was to be had it is asked for once more."""
        try:
            return _enter(stack, engine)
        except sa.exc.OperationalError:
            if self.address.embedded:
                raise
            time.sleep(_PAUSE)
            return _enter(stack, engine)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._sentence(error) from error
        except sa.exc.TimeoutError as error:
            raise StoreError(f"the catalogue {self.address} was busy for too long") from error
        except sqlite3.Error as error:
            raise StoreError(f"the catalogue {self.address} refused: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot open the catalogue {self.address}: {error}") from error

    def _sentence(self, error: sa.exc.DBAPIError) -> StoreError:
        reason = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        if self.path is None:
            if error.connection_invalidated:
                return ConnectionCut(f"the connection to the catalogue {self.address} was cut: {reason}")
            if error.statement is None:
                closed = StoreError(f"cannot open the catalogue {self.address}: {reason}")
                closed.transient = True  # a database that starts again
                return closed
        elif self.path.parent.exists() and shutil.disk_usage(self.path.parent).free < _ROOM:
            return explained("write", self.path, OSError(errno.ENOSPC, ""))
        refused = StoreError(f"the catalogue {self.address} refused: {reason}")
        refused.transient = "locked" in reason  # by another process, for longer than one waits at once
        return refused


def _again[T](work: Callable[[], T]) -> T:
    for _ in range(_TRIES):
        try:
            return work()
        except ConnectionCut:
            pass
    return work()


def _enter(stack: contextlib.ExitStack, engine: sa.Engine) -> sa.Connection:
    with contextlib.ExitStack() as entering:
        connection = entering.enter_context(engine.connect())
        entering.push(_Broken(connection))
        entering.enter_context(connection.begin())
        stack.push(entering.pop_all())
    return connection


class _Broken:
    """Gives up a connection to a file that failed for another reason than its contents: the next is opened anew."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if (
            isinstance(error, sa.exc.DBAPIError)
            and isinstance(error.orig, sqlite3.Error)
            and not isinstance(error.orig, sqlite3.IntegrityError)
        ):
            self._connection.invalidate()
