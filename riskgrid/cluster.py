"""Where workers are: threads of this process, processes of this machine, or a scheduler's address."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

from riskgrid.errors import BadSpec
from riskgrid.settings import settings

__all__ = ["Here", "Threads", "Workers", "connect"]

#: Set before a worker process starts: handing memory back after every block costs a cluster a quarter of its time.
WORKER_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Workers(Protocol):
    """Runs plain functions somewhere. ``in_process`` : whether they share this process's memory."""

    in_process: bool

    @property
    def count(self) -> int:
        """Tasks that run at once."""
        ...

    def submit(self, function: Callable[..., Any], *args: Any, key: str, done: queue.SimpleQueue[Any]) -> Any:
        """Start a call; its future is put into ``done`` when it has ended. ``future.result()`` gives or raises."""
        ...

    def cancel(self, futures: list[Any]) -> None:
        """Forget calls that have not started."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Threads:
    """Threads of this process: kernels and NumPy release the interpreter lock, and nothing has to start."""

    in_process = True

    def __init__(self, count: int | None = None) -> None:
        self.count = count or settings().threads
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="riskgrid")

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
        """Forget calls that have not started."""
        for future in futures:
            future.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class Here:
    """The calling thread, at once: for work that is over before a thread has started."""

    in_process = True
    count = 1

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class _Dask:
    """Workers of a Dask scheduler, one that this object started or one that was there."""

    in_process = False

    def __init__(self, client: Any, owned: tuple[Any, ...] = ()) -> None:
        self._client, self._owned = client, owned

    @property
    def count(self) -> int:
        return max(sum(map(int, self._client.nthreads().values())), 1)

    def submit(self, function: Callable[..., Any], *args: Any, key: str, done: queue.SimpleQueue[Any]) -> Any:
        future = self._client.submit(function, *args, key=key, pure=False)
        future.add_done_callback(done.put)
        return future

    def cancel(self, futures: list[Any]) -> None:
        self._client.cancel(futures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for owned in self._owned:
            owned.close()


def connect(where: str | Workers | Any = "threads") -> Workers:
    """Workers from one word: ``threads``, ``threads:4``, ``processes:2``, ``tcp://host:8786`` or a Dask client.

    BadSpec for anything else. Use as a context manager: what was started here is stopped on leaving.
    """
    if not isinstance(where, str):
        return _Dask(where) if hasattr(where, "scheduler_info") else where
    kind, _, rest = where.partition(":")
    if kind in ("threads", "processes"):
        if rest and not (rest.isdecimal() and int(rest) > 0):
            raise BadSpec(f"cluster '{where}' asks for '{rest}' workers; a count above 0 is right, e.g. '{kind}:2'")
        count = int(rest) if rest else None
        return Threads(count) if kind == "threads" else _processes(count or settings().threads)
    if "://" in where:
        return _address(where)
    raise BadSpec(f"unknown cluster '{where}'; known: 'threads', 'threads:N', 'processes:N', a scheduler's address")


def _processes(count: int) -> Workers:
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set({"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}):
        cluster = LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
        )
    client = Client(cluster)
    return _Dask(client, (client, cluster))


def _address(address: str) -> Workers:
    from distributed import Client

    try:
        client = Client(address, timeout="20s")
    except (OSError, ValueError) as error:
        raise BadSpec(f"no scheduler answers at '{address}': {error}") from error
    return _Dask(client, (client,))
