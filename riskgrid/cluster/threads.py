"""Workers in this process: kernels and NumPy release the interpreter lock, and nothing has to start."""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from riskgrid.cluster.workers import Expected, Fact, Workers
from riskgrid.settings import settings

__all__ = ["Here", "Threads"]


class Threads:
    """Threads of this process. count : default as many as the settings say."""

    in_process = True

    def __init__(self, count: int | None = None) -> None:
        self.count = count or settings().threads
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="riskgrid")

    def foreseen(self, work: Expected) -> int:  # noqa: ARG002, they are as many as they are
        """See :class:`Workers`."""
        return self.count

    def expect(self, work: Expected) -> None:
        """Threads are there."""

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        key: str,  # noqa: ARG002, threads need no name for a call
        done: queue.SimpleQueue[Any],
    ) -> Any:
        """See :class:`Workers`."""
        future = self._pool.submit(function, *args)
        future.add_done_callback(done.put)
        return future

    def cancel(self, futures: list[Any]) -> None:
        """See :class:`Workers`."""
        concurrent.futures.wait([future for future in futures if not future.cancel()])

    def pulse(self) -> list[Fact]:
        """Threads come and go with this process."""
        return []

    def lent(self, priority: int = 0) -> Workers:  # noqa: ARG002, the operating system shares out threads
        """As many threads of its own: what waits in one pool does not keep another waiting."""
        return Threads(self.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class Here:
    """The calling thread, at once: for work that is over before a thread has started."""

    in_process = True
    count = 1

    def foreseen(self, work: Expected) -> int:  # noqa: ARG002
        """One."""
        return 1

    def expect(self, work: Expected) -> None:
        """This thread is here."""

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        key: str,  # noqa: ARG002
        done: queue.SimpleQueue[Any],
    ) -> Any:
        """See :class:`Workers`."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        done.put(future)
        return future

    def cancel(self, futures: list[Any]) -> None:
        """Nothing waits."""

    def pulse(self) -> list[Fact]:
        """This thread is here."""
        return []

    def lent(self, priority: int = 0) -> Workers:  # noqa: ARG002, there is one thread
        """This thread."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None
