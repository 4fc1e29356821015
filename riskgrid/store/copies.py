"""Copies of a bucket's objects on this machine, the least recently used of which make room for others."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from riskgrid.errors import StoreError
from riskgrid.store.folder import write_file

__all__ = ["Copies"]

#: Seconds for which a copy stays whatever happens: somebody may be about to open it.
_HANDED_OUT = 60.0

#: Seconds after which what a killed process left half written goes.
_LEFT = 3600.0


class Copies:
    """A folder of copies, shared by the processes of a machine. most : bytes it may hold, about.

    What is copied never changes, so a copy that is there is used as it is.
    """

    def __init__(self, root: Path, most: int) -> None:
        self.root, self.most = root, most
        self._grown = most  # the first copy of a process counts what others left
        self._lock = threading.Lock()

    def path(self, kind: str, key: str) -> Path:
        """Where the copy of an object lies, if there is one."""
        return self.root / kind / key[:2] / key

    def found(self, kind: str, key: str) -> Path | None:
        """The copy of an object, used now."""
        path = self.path(kind, key)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError:  # it may be read but not touched
            return path
        return path

    def keep(self, kind: str, key: str, chunks: Iterable[bytes | memoryview]) -> Path:
        """Make a copy. StoreError where the folder cannot hold it."""
        path = self.path(kind, key)
        try:
            size = write_file(path, chunks, durable=False)
        except OSError as error:
            raise StoreError(
                f"cannot keep a copy of an object at {path}: {error.strerror or error}; set RISKGRID_CACHE to a folder "
                "with room, or RISKGRID_CACHE_GB to less than it has"
            ) from error
        with self._lock:
            self._grown += size
            if self._grown <= self.most // 20:
                return path
            self._grown = 0
        self.make_room()
        return path

    def forget(self, kind: str, key: str) -> bool:
        """Remove a copy; whether there was one."""
        try:
            self.path(kind, key).unlink()
        except FileNotFoundError:
            return False
        except OSError:  # of another user: it is good for them, or they find out
            return False
        return True

    def make_room(self) -> None:
        """Remove the copies that were used longest ago until nine tenths of the room suffice, where it does not."""
        now, files = time.time(), []
        for entry in self._files():
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat()
                if not entry.name.startswith("."):
                    files.append((status.st_mtime, status.st_size, entry.path))
                elif status.st_mtime < now - _LEFT:
                    _unlink(entry.path)
        total = sum(size for _, size, _ in files)
        if total <= self.most:
            return
        for used, size, path in sorted(files):
            if total <= self.most * 9 // 10 or used > now - _HANDED_OUT:
                return
            _unlink(path)
            total -= size

    def _files(self) -> Iterator[os.DirEntry[str]]:
        for folder in self.root.glob("*/*"):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                yield from [entry for entry in entries if entry.is_file(follow_symlinks=False)]


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
