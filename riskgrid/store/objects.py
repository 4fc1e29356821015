"""Immutable objects by kind and key in a local folder: written whole or not at all, never changed."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from riskgrid.errors import DamagedObject, StoreError
from riskgrid.store.catalogue import Catalogue
from riskgrid.store.container import from_file, to_chunks
from riskgrid.store.failure import explained

__all__ = ["Store", "Stored"]

KINDS = ("blocks", "sums", "panels", "pieces", "cells", "plans", "inputs", "reads")


@dataclass(frozen=True)
class Stored:
    """A stored object: plain values and arrays, the arrays mapped into memory and read-only."""

    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class Store:
    """A folder of immutable objects. ``put`` is atomic and durable, ``get`` maps; every failure is a StoreError.

    Opening a store a process may not write to succeeds; the first ``put`` says so.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser().absolute()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.root,)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue of runs beside the objects."""
        return Catalogue(self.root)

    def path(self, kind: str, key: str) -> Path:
        """Where an object lies; two hexadecimal digits of the key spread objects over folders."""
        return self.root / kind / key[:2] / key

    def has(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys are stored."""
        wanted = set(keys)
        if len(wanted) < 64:
            return {key for key in wanted if self.path(kind, key).exists()}
        # one listing a folder is cheaper than a look-up a key
        found: set[str] = set()
        for folder in {key[:2] for key in wanted}:
            try:
                found.update(os.listdir(self.root / kind / folder))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise explained("read", self.root / kind / folder, error) from error
        return wanted & found

    def put(
        self, kind: str, key: str, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, durable: bool = True
    ) -> int:
        """Store an object, return its size in bytes; where the key exists it is left alone.

        durable : it is on the disk when this returns.   What can be made anew need not be: reading finds out by its
        checksum if a crash of the machine has damaged it, and it is then written again. Blocks alone have no checksum
        yet: they are too large to be read twice.
        """
        path = self.path(kind, key)
        if path.exists() and (durable or not self.discard_damaged(kind, [key])):
            return 0
        partial = path.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}.{uuid.uuid4().hex[:8]}")
        chunks = to_chunks(meta, arrays, checked=kind != "blocks")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb", buffering=0) as file:
                size = sum(_write_all(file, chunk) for chunk in chunks)
                if durable:
                    os.fsync(file.fileno())
            partial.replace(path)
            if durable:
                _sync_folder(path.parent)
        except BaseException as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise explained("write", path, error) from error
            raise
        return size

    def get(self, kind: str, key: str) -> Stored:
        """The object of a key; StoreError where there is none, DamagedObject where it is not what was written."""
        path = self.path(kind, key)
        try:
            return Stored(*from_file(path))
        except FileNotFoundError:
            raise StoreError(f"no object '{key}' of kind '{kind}' in the store {self.root}") from None
        except OSError as error:
            raise explained("read", path, error) from error
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise DamagedObject(f"{path} is damaged ({error}); ask the same question again, it is made anew") from error

    def discard_damaged(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Forget those of the keys whose objects are there but are not what was written; returns them."""
        damaged = set()
        for key in self.has(kind, keys):
            try:
                self.get(kind, key)
            except DamagedObject:
                self.discard(kind, key)
                damaged.add(key)
        return damaged

    def discard(self, kind: str, key: str) -> None:
        """Forget an object, if it is there."""
        path = self.path(kind, key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise explained("remove", path, error) from error

    def check_writable(self) -> None:
        """Raise the StoreError that a ``put`` would raise, before any work is done."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe.{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise explained("write", self.root, error) from error

    def free_bytes(self) -> int:
        """Bytes free on the disk of the store."""
        return shutil.disk_usage(self.root).free


def _write_all(file: Any, chunk: bytes | memoryview) -> int:
    view = memoryview(chunk)
    done = 0
    while done < len(view):  # the system may take less than it was given
        done += file.write(view[done : done + (1 << 30)])
    return done


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
