"""A folder whose files reach the disk behind their writer's back, and get their names once they are there."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from riskgrid.errors import StoreError
from riskgrid.store.failure import explained
from riskgrid.store.folder import Folder, begun_file, finish_file, sync_folder

__all__ = ["Deferred"]

#: Files on their way to the disk at once: it orders them itself, and each of them waits.
_AT_ONCE = 8

#: Files that may wait; whoever writes more waits, too.
_MOST_WAITING = 32


class Deferred(Folder):
    """``put`` hands a file over; :meth:`flush` waits until all are on the disk under their names.

    Until then nobody sees a file, and a process that ends loses it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._waiting: list[Future[None]] = []
        self._room = threading.BoundedSemaphore(_MOST_WAITING)
        self._folders: set[Path] = set()
        self._failed: StoreError | None = None

    def put(self, kind: str, key: str, chunks: Sequence[bytes | memoryview], *, durable: bool) -> int:
        """Hand a file over; what need not be durable is written at once."""
        if not durable:
            return super().put(kind, key, chunks, durable=False)
        if self._failed is not None:  # there is no use in going on
            raise self._failed
        path = self.path(kind, key)
        self._room.acquire()
        try:
            partial, file, size = begun_file(path, chunks)
        except BaseException as error:
            self._room.release()
            if isinstance(error, OSError):
                raise explained("write", path, error) from error
            raise
        self._folders.add(path.parent)
        self._waiting.append(_flushers().submit(self._finish, partial, file, path))
        return size

    def wait(self) -> None:
        """Until no file is on its way any more, however it ended."""
        concurrent.futures.wait(self._waiting)

    def flush(self) -> None:
        """Wait for every file and for its name. StoreError for the first that did not get there."""
        self.wait()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.result()
        folders, self._folders = self._folders, set()
        for future in [_flushers().submit(self._sync, folder) for folder in sorted(folders)]:
            future.result()

    def _finish(self, partial: Path, file: Any, path: Path) -> None:
        try:
            finish_file(partial, file, path)
        except OSError as error:
            self._failed = explained("write", path, error)
            raise self._failed from error
        finally:
            self._room.release()

    def _sync(self, folder: Path) -> None:
        try:
            sync_folder(folder)
        except OSError as error:
            raise explained("write", folder, error) from error


@functools.cache
def _flushers() -> ThreadPoolExecutor:
    """Threads of this process: all they do is wait."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="riskgrid-flush")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_flushers.cache_clear)  # a forked child has no threads but its own
