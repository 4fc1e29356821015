"""Immutable objects by kind and key, in a local folder or an object store: written whole or not at all."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from riskgrid.errors import BadSpec, DamagedObject, StoreError
from riskgrid.settings import settings
from riskgrid.store.backend import Backend, Entry
from riskgrid.store.container import Summed, from_file, to_chunks
from riskgrid.store.deferred import Deferred
from riskgrid.store.failure import explained
from riskgrid.store.folder import Folder
from riskgrid.store.stored import Stored

if TYPE_CHECKING:
    from riskgrid.store.catalogue import Catalogue
    from riskgrid.store.journal import Journal
    from riskgrid.store.keys import Keys
    from riskgrid.store.names import Names
    from riskgrid.store.queue import Queue

__all__ = ["KINDS", "Store", "Stored", "store_of"]

KINDS = ("blocks", "sums", "panels", "pieces", "cells", "plans", "changes", "inputs", "reads", "quarantine")

#: Arrays so large that they are verified row by row, by whoever reads the row.
_BY_ROW = {"blocks": ("wide_ticks", "ticks")}

#: Kinds whose arrays stay in their files: what processes of a machine share, or read a little of.
_MAPPED = frozenset({"blocks", "pieces"})


class Store:
    """Immutable objects of a folder or bucket. ``put`` is atomic and durable; every failure is a StoreError.

    where : a folder, or ``s3://bucket/prefix``.   catalogue : URL of the database of runs; by default a folder has its
    own, and a bucket that of ``$RISKGRID_CATALOGUE``.
    Opening a store a process may not write to succeeds; the first ``put`` says so.
    """

    def __init__(self, where: Path | str, catalogue: str | None = None) -> None:
        self.remote = isinstance(where, str) and "://" in where
        self.where = str(where).rstrip("/") if self.remote else str(Path(where).expanduser().absolute())
        self._catalogue = catalogue

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and (other.where, other._catalogue) == (self.where, self._catalogue)

    def __hash__(self) -> int:
        return hash(self.where)

    def __repr__(self) -> str:
        return f"Store({self.where!r})"

    def __reduce__(self) -> tuple[type[Store], tuple[str, str | None]]:
        return Store, (self.where, self._catalogue)

    @property
    def root(self) -> Path:
        """The folder. BadSpec where the store is a bucket."""
        if self.remote:
            raise BadSpec(f"the store {self.where} is no folder of this machine")
        return Path(self.where)

    @functools.cached_property
    def backend(self) -> Backend:
        """Where the objects lie. BadSpec for a URL of another kind, or without the extra that reads it."""
        if not self.remote:
            return Folder(self.root)
        from riskgrid.store.bucket import bucket_of

        return bucket_of(self.where)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[Store]:
        """The same store for a while, in which ``put`` does not wait for the disk: all is there when the block ends.

        StoreError then for what did not get there. Until then nobody sees what was put.
        """
        if self.remote:
            yield self
            return
        made, backend = Store(self.where, self._catalogue), Deferred(self.root)
        made.__dict__["backend"] = backend
        try:
            yield made
            backend.flush()
        finally:
            backend.wait()

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue of runs beside the objects. BadSpec where nobody says which database has it."""
        from riskgrid.store.catalogue import Catalogue

        return Catalogue(self._database)

    @functools.cached_property
    def names(self) -> Names:
        """Names of inputs, in the same database."""
        from riskgrid.store.names import Names

        return Names(self._database)

    @functools.cached_property
    def queue(self) -> Queue:
        """The queue of runs that are to be executed, in the same database."""
        from riskgrid.store.queue import Queue

        return Queue(self._database)

    @functools.cached_property
    def journal(self) -> Journal:
        """Events, attempts and the audit trail, in the same database."""
        from riskgrid.store.journal import Journal

        return Journal(self._database)

    @functools.cached_property
    def keys(self) -> Keys:
        """Keys of services, in the same database."""
        from riskgrid.store.keys import Keys

        return Keys(self._database)

    @property
    def _database(self) -> Any:
        if self._catalogue is not None:
            return self._catalogue
        if self.remote:
            raise BadSpec(
                f"the store {self.where} has no database of runs of its own; set RISKGRID_CATALOGUE to the URL of one, "
                "e.g. postgresql://user@host/riskgrid, or say Store(where, catalogue=URL)"
            )
        return self.root

    def for_workers(self) -> Store:
        """The same objects alone: the URL of a database may hold a password, and workers have nothing to ask of it."""
        made = copy.copy(self)
        made._catalogue = None
        return made

    def path(self, kind: str, key: str) -> Path:
        """Where an object of a folder lies. BadSpec where the store is a bucket."""
        return Folder(self.root).path(kind, key)

    def has(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys are stored."""
        return self.backend.has(kind, keys)

    def list(self, kind: str) -> Iterator[Entry]:
        """Every object of a kind, with its size and age."""
        return self.backend.list(kind)

    def put(
        self,
        kind: str,
        key: str,
        meta: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any] | Summed],
        *,
        durable: bool = True,
    ) -> int:
        """Store an object, return its size in bytes; where the key exists it is left alone.

        durable : it is on the disk when this returns.   What can be made anew need not be: reading finds out by its
        checksum if a crash of the machine has damaged it, and it is then written again.
        """
        backend = self.backend
        if backend.has(kind, [key]):
            backend.renew(kind, [key])
            trusted = durable or not backend.torn
            if trusted or not self.discard_damaged(kind, [key]):
                return 0
        chunks = to_chunks(meta, arrays, by_row=_BY_ROW.get(kind, ()))
        return backend.put(kind, key, chunks, durable=durable)

    def get(self, kind: str, key: str) -> Stored:
        """The object of a key; StoreError where there is none, DamagedObject where it is not what was written.

        Rows of a block are verified as they are read; a block with a damaged row is thrown away on the spot, as else
        nobody would find out before they read that row again.
        """
        return self._opened(kind, key, lambda reason: self._thrown_away(kind, key, reason))

    def check(self, kind: str, key: str) -> None:
        """Read all of an object. StoreError where there is none, DamagedObject where it is not what was written."""
        self._opened(kind, key, lambda reason: self._damage(kind, key, reason)).check()

    def discard_damaged(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Forget those of the keys whose objects are there but cannot be opened as they were written; returns them."""
        damaged = set()
        for key in self.has(kind, keys):
            try:
                self.get(kind, key)
            except DamagedObject:
                self.discard(kind, key)
                damaged.add(key)
        return damaged

    def renew(self, kind: str, keys: Iterable[str]) -> None:
        """Somebody is about to refer to these objects: :func:`riskgrid.keeping.gc` is to see them as new."""
        self.backend.renew(kind, keys)

    def discard(self, kind: str, key: str) -> None:
        """Forget an object, if it is there."""
        self.backend.remove(kind, key)

    def check_writable(self) -> None:
        """Raise the StoreError that a ``put`` would raise, before any work is done."""
        self.backend.check_writable()

    def free_bytes(self) -> int | None:
        """Bytes free on the disk of the store; None of a bucket."""
        return self.backend.free_bytes()

    def _opened(self, kind: str, key: str, damaged: Callable[[str], DamagedObject]) -> Stored:
        try:
            try:
                return self._read(kind, key, damaged)
            except (ValueError, KeyError, TypeError, EOFError):
                if not self.backend.forget_copy(kind, key):
                    raise
                return self._read(kind, key, damaged)  # it may be this machine's copy alone that is damaged
        except FileNotFoundError:
            raise StoreError(f"no object '{key}' of kind '{kind}' in the store {self.where}") from None
        except OSError as error:
            raise explained("read", self.backend.name(kind, key), error) from error
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise self._damage(kind, key, str(error)) from error

    def _read(self, kind: str, key: str, damaged: Callable[[str], DamagedObject]) -> Stored:
        try:
            return Stored(*from_file(self.backend.file(kind, key), mapped=kind in _MAPPED), damaged)
        except FileNotFoundError:
            if not self.remote:
                raise
            # another process may have needed the room of the copy
            return Stored(*from_file(self.backend.file(kind, key), mapped=kind in _MAPPED), damaged)

    def _damage(self, kind: str, key: str, reason: str) -> DamagedObject:
        place = self.backend.name(kind, key)
        return DamagedObject(f"{place} is damaged ({reason}); ask the same question again, it is made anew")

    def _thrown_away(self, kind: str, key: str, reason: str) -> DamagedObject:
        with contextlib.suppress(StoreError):  # a store that may only be read
            self.discard(kind, key)
        return self._damage(kind, key, reason)


def store_of(where: Store | Path | str | None = None) -> Store:
    """The store of a folder or URL; by default ``$RISKGRID_STORE`` with the database ``$RISKGRID_CATALOGUE``."""
    if isinstance(where, Store):
        return where
    chosen = settings()
    if where is None:
        return Store(chosen.store, chosen.catalogue)
    made = Store(where)
    return Store(where, chosen.catalogue) if made.remote else made
