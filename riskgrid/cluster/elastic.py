"""Workers that come when a run wants them and go when nobody does."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
import uuid
from typing import Any, Protocol

from riskgrid.cluster.sizing import sized
from riskgrid.cluster.workers import Expected, Fact
from riskgrid.errors import ClusterLost
from riskgrid.settings import WorkerRange, settings

__all__ = ["Elastic", "Group"]

_LOG = logging.getLogger(__name__)

#: Seconds between two looks at what is wanted.
_TICK = 1.0
#: Seconds that the scheduler may take to answer, and the thread that looks to end.
_PATIENCE = 5.0
#: Seconds for which a wish that is not said again counts: clocks of machines may differ by less.
_LAPSE = 30.0
#: Seconds after fewer workers were asked for in which one that goes is one of those.
_GOING = 60.0
#: Where the scheduler keeps what processes wish.
_NAME = "riskgrid-wishes"


class Group(Protocol):
    """Workers of one kind whose number can be set. ``starting`` : seconds that a new one takes to start, about."""

    starting: float

    def size(self) -> int:
        """Workers that are there or on their way. ClusterLost where nobody can tell."""
        ...

    def scale(self, workers: int) -> None:
        """Have so many. ClusterLost where that cannot be asked."""
        ...


class Elastic:
    """Gives a group as many workers as the runs on it wish, together and within bounds, and takes them back.

    client : Dask's, of the scheduler at which the workers are.   shared : others may use the same scheduler: wishes are
    kept there, so that each of them counts what all wish.   keep : workers stay when this is closed, for whoever comes
    next.

    More are asked for at once, fewer after the idle time of the settings. A worker that is retired hands its tasks
    back; what it has finished is in the store.
    """

    def __init__(
        self, client: Any, group: Group, bounds: WorkerRange, *, shared: bool = False, keep: bool = False
    ) -> None:
        self.group, self.bounds, self.facts = group, bounds, list[Fact]()
        self._client, self._shared, self._keep = client, shared, keep
        self._wishes: dict[int, int] = {}
        self._name = uuid.uuid4().hex
        self._enough_since = time.monotonic()
        self._failing = ""
        self._shrunk = -math.inf
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="riskgrid-scaling", daemon=True)
        self._thread.start()

    def threads_for(self, work: Expected) -> int:
        """Threads that such work wants, of the workers that there may be."""
        wanted = sized(
            work.busy,
            within=work.within or settings().deadline,
            threads=self.bounds.threads,
            most=self.bounds.most,
            blocks=work.blocks,
            longest=work.longest,
            starting=self.group.starting,
        )
        return wanted.workers * self.bounds.threads

    def wish(self, who: object, threads: int) -> None:
        """Somebody wants so many threads, in place of what it wanted before."""
        self._wishes[id(who)] = threads
        self._wake.set()

    def withdraw(self, who: object) -> None:
        """Somebody wants nothing any more."""
        self._wishes.pop(id(who), None)

    @property
    def retiring(self) -> bool:
        """Whether a worker that goes now was sent away."""
        return time.monotonic() - self._shrunk < _GOING

    def close(self) -> None:
        """Stop looking; where nobody else wants workers and they are not kept, they are retired."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_PATIENCE)
        self._wishes.clear()
        with contextlib.suppress(ClusterLost, OSError, TimeoutError):
            least, size = self._bounds()[0], self.group.size()
            if not self._keep and least < size:
                self._set(least, size)

    def _watch(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(_TICK)
            self._wake.clear()
            if self._closing.is_set():
                return
            try:
                self._tick()
                self._failing = ""
            except (ClusterLost, OSError, TimeoutError) as error:  # the next look may find it mended
                if str(error) != self._failing:
                    self._failing = str(error)
                    _LOG.warning("the number of workers cannot be set: %s", error)
                    self.facts.append(("scaling failed", {"reason": str(error)}))
            except Exception:
                _LOG.exception("the number of workers cannot be set")

    def _tick(self) -> None:
        (least, most), size, now = self._bounds(), self.group.size(), time.monotonic()
        if least >= size:
            self._enough_since = now
        if most > size:
            self._set(most, size)
        elif least < size and now - self._enough_since >= settings().idle:
            self._set(least, size)

    def _bounds(self) -> tuple[int, int]:
        """How many workers are not too many for what all wish together, and how many of them are asked for here:
        another process may be allowed more than this one."""
        threads = sum(list(self._wishes.values()))
        others = self._others(threads) if self._shared else 0
        wanted = max(math.ceil((threads + others) / self.bounds.threads), self.bounds.least)
        return wanted, min(wanted, self.bounds.most)

    def _others(self, threads: int) -> int:
        """Threads that others wish of the same scheduler; says there what is wished here."""
        if self._client.status != "running":
            raise ClusterLost("the scheduler was lost")
        now, at = time.time(), self._client.scheduler
        said = self._client.sync(at.get_metadata, keys=[_NAME], default={}, callback_timeout=_PATIENCE)
        others = {name: wish for name, wish in said.items() if name != self._name and wish[1] > now}
        # whole, so that what has lapsed goes; one that was written between the two is written again in a second
        mine = {} if self._closing.is_set() else {self._name: [threads, now + _LAPSE]}
        self._client.sync(at.set_metadata, keys=[_NAME], value={**others, **mine}, callback_timeout=_PATIENCE)
        return sum(int(count) for count, _ in others.values())

    def _set(self, wanted: int, size: int) -> None:
        self._enough_since = time.monotonic()
        if wanted < size:
            self._shrunk = time.monotonic()
        self.group.scale(wanted)
        _LOG.info("workers: %d asked for in place of %d", wanted, size)
        self.facts.append(("scaled", {"before": size, "workers": wanted}))
