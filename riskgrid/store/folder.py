"""A local folder as the place of a store: a file an object, written beside its name and then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from riskgrid.store.backend import Entry
from riskgrid.store.failure import explained

__all__ = ["Folder", "begun_file", "finish_file", "sync_folder", "write_file"]

#: Bytes that are written to see whether any can be.
_PROBE = 4096


class Folder:
    """Objects as ``kind/ab/abcd...``: two hexadecimal digits of the key spread them over folders."""

    torn = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, kind: str, key: str) -> Path:
        """Where an object lies."""
        return self.root / kind / key[:2] / key

    def file(self, kind: str, key: str) -> Path:
        """The object's own file, there or not: opening it tells."""
        return self.path(kind, key)

    def name(self, kind: str, key: str) -> str:
        """The object's path."""
        return str(self.path(kind, key))

    def forget_copy(self, kind: str, key: str) -> bool:  # noqa: ARG002, see Backend
        """There are no copies beside the objects themselves."""
        return False

    def has(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys have a file."""
        wanted = set(keys)
        if len(wanted) < 64:
            place = self.root / kind
            return {key for key in wanted if os.path.exists(f"{place}/{key[:2]}/{key}")}
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

    def put(self, kind: str, key: str, chunks: Sequence[bytes | memoryview], *, durable: bool) -> int:
        """Write a file; see :func:`write_file`."""
        path = self.path(kind, key)
        try:
            return write_file(path, chunks, durable=durable)
        except OSError as error:
            raise explained("write", path, error) from error

    def renew(self, kind: str, keys: Iterable[str]) -> None:
        """Give files the time of now."""
        for key in keys:
            with contextlib.suppress(OSError):  # gone, or a store that may only be read
                os.utime(self.path(kind, key))

    def modified(self, kind: str, key: str) -> float | None:
        """The time of a file."""
        try:
            return self.path(kind, key).stat().st_mtime
        except OSError:
            return None

    def remove(self, kind: str, key: str) -> None:
        """Remove the file, if it is there."""
        path = self.path(kind, key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise explained("remove", path, error) from error

    def list(self, kind: str) -> Iterator[Entry]:
        """Every object of a kind."""
        for found in self._scan(kind):
            if not found.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    yield _entry(found)

    def leftovers(self) -> Iterator[tuple[Path, Entry]]:
        """Files that never got their name."""
        kinds = sorted(path.name for path in self.root.iterdir() if path.is_dir()) if self.root.is_dir() else []
        for kind in kinds:
            for found in self._scan(kind):
                if found.name.startswith("."):
                    with contextlib.suppress(FileNotFoundError):
                        yield Path(found.path), _entry(found)

    def _scan(self, kind: str) -> Iterator[os.DirEntry[str]]:
        try:
            folders = sorted(path for path in (self.root / kind).iterdir() if path.is_dir())
            for folder in folders:
                with os.scandir(folder) as entries:
                    yield from [entry for entry in entries if entry.is_file(follow_symlinks=False)]
        except FileNotFoundError:
            return
        except OSError as error:
            raise explained("read", self.root / kind, error) from error

    def check_writable(self) -> None:
        """Raise the StoreError that a ``put`` would raise, before any work is done."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe.{uuid.uuid4().hex}"
            try:
                with probe.open("wb", buffering=0) as file:
                    _write_all(file, bytes(_PROBE))  # a full disk still takes names
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise explained("write", self.root, error) from error

    def free_bytes(self) -> int:
        """Bytes free on the folder's disk."""
        return shutil.disk_usage(self.root).free


def write_file(path: Path, chunks: Iterable[bytes | memoryview], *, durable: bool) -> int:
    """Write a file whole or not at all, return its size. durable : it is on the disk when this returns. OSError."""
    partial, file, size = begun_file(path, chunks)
    finish_file(partial, file, path, durable=durable)
    if durable:
        sync_folder(path.parent)
    return size


def begun_file(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[Path, Any, int]:
    """Write a file beside its name: where, the open file, its size. OSError, and then nothing is left."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.{uuid.uuid4().hex[:8]}")
    try:
        file = partial.open("wb", buffering=0)
    except FileNotFoundError:  # the first of its folder
        path.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("wb", buffering=0)
    try:
        return partial, file, sum(_write_all(file, chunk) for chunk in chunks)
    except BaseException:
        _give_up(partial, file)
        raise


def finish_file(partial: Path, file: Any, path: Path, *, durable: bool = True) -> None:
    """Give a file its name, once it is on the disk if that is asked. OSError, and then nothing is left."""
    try:
        if durable:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        _give_up(partial, file)
        raise
    file.close()


def _give_up(partial: Path, file: Any) -> None:
    with contextlib.suppress(OSError):
        file.close()
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


def _entry(found: os.DirEntry[str]) -> Entry:
    status = found.stat()
    return Entry("" if found.name.startswith(".") else found.name, status.st_size, status.st_mtime)


def _write_all(file: Any, chunk: bytes | memoryview) -> int:
    view = memoryview(chunk)
    done = 0
    while done < len(view):  # the system may take less than it was given
        done += file.write(view[done : done + (1 << 30)])
    return done


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
