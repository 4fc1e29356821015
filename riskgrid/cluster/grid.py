"""Workers of a Dask scheduler, one that this process started or one that was there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Self

from riskgrid.cluster.elastic import Elastic
from riskgrid.cluster.workers import Expected, Fact, Workers
from riskgrid.errors import ClusterLost, WorkerLost
from riskgrid.settings import settings

__all__ = ["Grid"]

#: Seconds between two looks at which workers there are.
_LOOK = 1.0
#: Seconds without any worker before anyone is told: one that is started anew takes as long.
_RESTART = 3.0


class Grid:
    """Workers of one scheduler. owned : what is closed with it.   elastic : what adds workers and retires them."""

    in_process = False

    def __init__(
        self, client: Any, owned: tuple[Any, ...] = (), *, priority: int = 0, elastic: Elastic | None = None
    ) -> None:
        self._client, self._owned, self._priority, self._elastic = client, owned, priority, elastic
        self._address = client.scheduler.address
        self._sent: dict[Future[Any], Any] = {}
        self._workers: dict[str, int] = client.nthreads()
        self._look: Future[dict[str, int]] | None = None
        self._looked = self._last_seen = time.monotonic()
        self._told = False
        self._heard = 0 if elastic is None else len(elastic.facts)
        self._asked = 0

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._address)

    @property
    def client(self) -> Any:
        """Dask's client."""
        return self._client

    @property
    def elastic(self) -> Elastic | None:
        """What adds workers and retires them."""
        return self._elastic

    @property
    def count(self) -> int:
        """See :class:`Workers`."""
        return max(sum(self._workers.values()), self._asked, 1)

    def foreseen(self, work: Expected) -> int:
        """See :class:`Workers`."""
        return self.count if self._elastic is None else max(self.count, self._elastic.threads_for(work))

    def expect(self, work: Expected) -> None:
        """See :class:`Workers`."""
        if self._elastic is not None:
            threads = self._elastic.threads_for(work)
            if threads > self._asked:
                self._asked = threads
                self._elastic.wish(self, threads)

    def submit(self, function: Callable[..., Any], *args: Any, key: str, done: queue.SimpleQueue[Any]) -> Any:
        """See :class:`Workers`."""
        self._check()
        calls = (self._called(f"{key}{again}", function, args) for again in ("", "-again", "-once-more"))
        sent = next(calls)
        # collected on the client's own loop: whoever waits for the answer can be called away at any time
        future = asyncio.run_coroutine_threadsafe(self._collected(sent, calls), self._client.loop.asyncio_loop)
        self._sent[future] = sent
        future.add_done_callback(lambda ended: self._sent.pop(ended, None))
        future.add_done_callback(done.put)
        return future

    def _called(self, key: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return self._client.submit(function, *args, key=key, pure=False, priority=self._priority)

    async def _collected(self, sent: Any, calls: Iterator[Any]) -> Any:
        """What a call gives. calls : the same once more, for when its worker was sent away over it."""
        from distributed import KilledWorker

        try:
            return await self._client.gather(sent, asynchronous=True)
        except KilledWorker as error:
            sent_away = self._elastic is not None and self._elastic.retiring
            if sent_away and (again := next(calls, None)) is not None:
                return await self._collected(again, calls)
            raise WorkerLost(error.last_worker.address) from None
        except concurrent.futures.CancelledError as error:
            raise self._lost() from error
        except Exception as error:
            if self._client.status != "running":  # what it says is of the connection, not of the call
                raise self._lost() from error
            raise

    def cancel(self, futures: list[Any]) -> None:
        """See :class:`Workers`."""
        if self._client.status == "running":
            self._client.cancel([self._sent[future] for future in futures if future in self._sent])

    def pulse(self) -> list[Fact]:
        """See :class:`Workers`."""
        self._check()
        facts = self._scaled()
        if self._look is None:
            if time.monotonic() - self._looked >= _LOOK:
                self._look = asyncio.run_coroutine_threadsafe(
                    self._client.scheduler.ncores(), self._client.loop.asyncio_loop
                )
            return facts
        if not self._look.done():
            return facts
        look, self._look, self._looked = self._look, None, time.monotonic()
        if look.exception() is not None:  # a scheduler that has gone is noticed by its connection
            return facts
        before, self._workers = self._workers, look.result()
        word = "worker retired" if self._elastic is not None and self._elastic.retiring else "worker lost"
        facts += [(word, {"worker": gone}) for gone in sorted(before.keys() - self._workers.keys())]
        return facts + self._waiting()

    def lent(self, priority: int = 0) -> Workers:
        """See :class:`Workers`."""
        self._check()
        return Grid(self._client, priority=priority, elastic=self._elastic)

    def _scaled(self) -> list[Fact]:
        """What has been done about the number of workers since it was last asked."""
        if self._elastic is None:
            return []
        since, self._heard = self._heard, len(self._elastic.facts)
        return self._elastic.facts[since : self._heard]

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
        if self._elastic is not None:
            self._elastic.withdraw(self)
        for owned in self._owned:
            with contextlib.suppress(TimeoutError):  # a lost scheduler says no goodbye
                owned.close()
