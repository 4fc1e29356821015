"""Where workers are: threads of this process, processes of this machine, or a scheduler's address."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

from riskgrid.errors import BadSpec, ClusterLost, WorkerLost
from riskgrid.settings import settings

__all__ = ["Fact", "Here", "Threads", "Workers", "connect"]

#: What has happened: a word and its particulars.
type Fact = tuple[str, Mapping[str, Any]]

#: Set before a worker process starts: handing memory back after every block costs a cluster a quarter of its time.
WORKER_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
#: Seconds between two looks at which workers there are.
_LOOK = 1.0
#: Seconds without any worker before anyone is told: one that is started anew takes as long.
_RESTART = 3.0


class Workers(Protocol):
    """Runs plain functions somewhere. ``in_process`` : whether they share this process's memory."""

    in_process: bool

    @property
    def count(self) -> int:
        """Tasks that run at once."""
        ...

    def submit(self, function: Callable[..., Any], *args: Any, key: str, done: queue.SimpleQueue[Any]) -> Any:
        """Start a call; its future is put into ``done`` when it has ended. ``future.result()`` gives or raises.

        WorkerLost where the process that worked on it ended, ClusterLost where nobody can work on it any more.
        """
        ...

    def cancel(self, futures: list[Any]) -> None:
        """Forget calls that have not started; where they share this process's memory, wait for those that have."""
        ...

    def pulse(self) -> list[Fact]:
        """What has happened to workers since the last call, at once. ClusterLost where nobody is left to wait for."""
        ...

    def lent(self, priority: int = 0) -> Workers:
        """The same workers for one run, which leaves them open. priority : of its tasks, larger ones first."""
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


class _Dask:
    """Workers of a Dask scheduler, one that this object started or one that was there."""

    in_process = False

    def __init__(self, client: Any, owned: tuple[Any, ...] = (), priority: int = 0) -> None:
        self._client, self._owned, self._priority = client, owned, priority
        self._address = client.scheduler.address
        self._sent: dict[Future[Any], Any] = {}
        self._workers: dict[str, int] = client.nthreads()
        self._look: Future[dict[str, int]] | None = None
        self._looked = self._last_seen = time.monotonic()
        self._told = False

    @property
    def count(self) -> int:
        return max(sum(self._workers.values()), 1)

    def submit(self, function: Callable[..., Any], *args: Any, key: str, done: queue.SimpleQueue[Any]) -> Any:
        self._check()
        sent = self._client.submit(function, *args, key=key, pure=False, priority=self._priority)
        # collected on the client's own loop: whoever waits for the answer can be called away at any time
        future = asyncio.run_coroutine_threadsafe(self._collected(sent), self._client.loop.asyncio_loop)
        self._sent[future] = sent
        future.add_done_callback(lambda ended: self._sent.pop(ended, None))
        future.add_done_callback(done.put)
        return future

    async def _collected(self, sent: Any) -> Any:
        from distributed import KilledWorker

        try:
            return await self._client.gather(sent, asynchronous=True)
        except KilledWorker as error:
            raise WorkerLost(error.last_worker.address) from None
        except concurrent.futures.CancelledError as error:
            raise self._lost() from error
        except Exception as error:
            if self._client.status != "running":  # what it says is of the connection, not of the call
                raise self._lost() from error
            raise

    def cancel(self, futures: list[Any]) -> None:
        if self._client.status == "running":
            self._client.cancel([self._sent[future] for future in futures if future in self._sent])

    def pulse(self) -> list[Fact]:
        self._check()
        if self._look is None:
            if time.monotonic() - self._looked >= _LOOK:
                self._look = asyncio.run_coroutine_threadsafe(
                    self._client.scheduler.ncores(), self._client.loop.asyncio_loop
                )
            return []
        if not self._look.done():
            return []
        look, self._look, self._looked = self._look, None, time.monotonic()
        if look.exception() is not None:  # a scheduler that has gone is noticed by its connection
            return []
        before, self._workers = self._workers, look.result()
        facts: list[Fact] = [("worker lost", {"worker": gone}) for gone in sorted(before.keys() - self._workers.keys())]
        return facts + self._waiting()

    def lent(self, priority: int = 0) -> Workers:
        """See :class:`Workers`."""
        self._check()
        return _Dask(self._client, priority=priority)

    def _waiting(self) -> list[Fact]:
        if self._workers:
            self._last_seen, self._told = time.monotonic(), False
            return []
        seconds, patience = time.monotonic() - self._last_seen, settings().patience
        if seconds > patience:
            raise ClusterLost(f"there has been no worker at {self._address} for {seconds:.0f} s")
        if seconds < _RESTART or self._told:
            return []
        self._told = True
        return [("waiting for workers", {"scheduler": self._address, "patience": patience})]

    def _check(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    def _lost(self) -> ClusterLost:
        return ClusterLost(f"the scheduler at {self._address} was lost")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for owned in self._owned:
            with contextlib.suppress(TimeoutError):  # a lost scheduler says no goodbye
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

    # else a worker that is just starting anew 15 s after one was lost is given up
    patient = contextlib.ExitStack()
    patient.enter_context(dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"}))
    with dask.config.set({"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            # who is at fault when a worker dies is found out by the engine, which knows the blocks
            scheduler_kwargs={"allowed_failures": 0},
        )
    # not the default of this process: its own Dask arrays, a run's trades among them, are no business of these workers
    client = Client(cluster, set_as_default=False)
    return _Dask(client, (client, cluster, patient))


def _address(address: str) -> Workers:
    from distributed import Client

    try:
        client = Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadSpec(f"no scheduler answers at '{address}': {error}") from error
    return _Dask(client, (client,))
