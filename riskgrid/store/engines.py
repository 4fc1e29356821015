"""The open engines of this process, one an address, kept across uses and given up by a forked child."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import sqlalchemy as sa

from riskgrid.errors import StoreError
from riskgrid.store import embedded
from riskgrid.store.address import Address
from riskgrid.store.revision import revision_of
from riskgrid.store.tables import HEAD
from riskgrid.store.versions import make_ready

__all__ = ["ENGINES", "Opened"]


@dataclass(eq=False)
class Opened:
    """An engine to write by, and the same to read by. writing : held by the thread that writes to an embedded file."""

    engine: sa.Engine
    identity: tuple[int, ...] = ()
    ready: bool = False
    writing: threading.RLock | contextlib.nullcontext[None] = field(default_factory=contextlib.nullcontext)

    def __post_init__(self) -> None:
        served = self.engine.dialect.name == "postgresql"
        options = {"isolation_level": "AUTOCOMMIT"} if served else {embedded.READING: True}
        self.reader = self.engine.execution_options(**options)


class Engines:
    """A few open engines, the latest used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[Address, Opened] = OrderedDict()
        self._empty: Opened | None = None
        self._lock = threading.RLock()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._forget_inherited)

    def get(self, address: Address, *, ready: bool = True) -> Opened:
        """The engine of an address, opened where there is none or the file is another by now.

        ready : with the tables that this code knows.
        """
        path = address.path
        alone = path is not None and path.exists() and not os.access(path.parent, os.W_OK)
        with self._lock:
            found = self._open.pop(address, None)
            if found is not None and path is not None and found.identity != _identity(address, alone):
                found.engine.dispose()
                found = None
            if found is None:
                found = _read_only(address) if alone else _opened(address)
            try:
                if ready and not found.ready:
                    make_ready(found.engine, address)
                    found.ready = True
                found.identity = found.identity or _identity(address, alone)
            except BaseException:
                found.engine.dispose()
                raise
            self._open[address] = found
            while len(self._open) > self._most:
                self._open.popitem(last=False)[1].engine.dispose()
            return found

    def empty(self) -> Opened:
        """The engine of a catalogue that is not there."""
        with self._lock:
            if self._empty is None:
                self._empty = Opened(embedded.absent())
            return self._empty

    def close(self, address: Address | None = None) -> None:
        """Close the connections to an address, or all of them."""
        with self._lock:
            for each in [address] if address is not None else list(self._open):
                if each in self._open:
                    self._open.pop(each).engine.dispose()

    def _forget_inherited(self) -> None:
        # a forked child must not close what is its parent's
        self._inherited, self._open = self._open, OrderedDict()
        self._empty = None
        self._lock = threading.RLock()


def _opened(address: Address) -> Opened:
    if address.path is not None:
        return Opened(embedded.writable(address.path), writing=threading.RLock())
    try:
        # the first statement of a connection that was cut would fail: it is tried before it is lent
        engine = sa.create_engine(
            address.url,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "application_name": "riskgrid"},
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL needs psycopg, which is an extra; pip install 'riskgrid[postgres]' installs it"
        ) from error
    return Opened(engine)


def _read_only(address: Address) -> Opened:
    assert address.path is not None
    engine = embedded.readable(address.path)
    with engine.execution_options(**{embedded.READING: True}).connect() as connection:
        found = revision_of(connection)
    if found == HEAD or found is None:
        return Opened(engine, ready=True)
    return Opened(embedded.copied(address.path))


def _identity(address: Address, alone: bool) -> tuple[int, ...]:
    if address.path is None:
        return ()
    # what is read from a copy is another once it is written to
    changed = address.path.stat().st_mtime_ns if alone else 0
    return (*embedded.identity(address.path), changed)


ENGINES = Engines(8)
