"""What the routes of one process share."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from riskgrid.access import Door
from riskgrid.acting import QUOTA
from riskgrid.api.metrics import Metrics
from riskgrid.api.rate import Rates
from riskgrid.api.readiness import Readiness
from riskgrid.api.tailer import Tailer
from riskgrid.errors import TooMany, Unauthenticated
from riskgrid.portfolio.header import MOST_COLUMNS
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.settings import settings

__all__ = ["Answers", "Service", "Sizes", "Slots"]

#: Who a request comes from, by its headers. Unauthenticated where nobody can tell.
type Authenticate = Callable[[Mapping[str, str]], Principal]


@dataclass(frozen=True)
class Sizes:
    """What one request may bring and take. numbers : of an answer.   body : bytes, decompressed.   depth : of JSON.

    rows, files, columns : of an upload.
    """

    numbers: int = 5_000_000
    valuations: float = 2e7
    body: int = 64_000_000
    depth: int = 32
    rows: int = 1_000_000
    files: int = 100
    columns: int = MOST_COLUMNS


class Answers:
    """Bodies that were made before, by their ETag, the latest used; what is asked again is not computed again."""

    def __init__(self, most_bytes: int = 64_000_000) -> None:
        self._most, self._held = most_bytes, 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._found = self._missed = 0

    def get(self, etag: str) -> bytes | None:
        """A body, None where it is not held."""
        with self._lock:
            body = self._bodies.get(etag)
            if body is None:
                self._missed += 1
            else:
                self._found += 1
                self._bodies.move_to_end(etag)
            return body

    def counts(self) -> tuple[int, int]:
        """How often a body was found, and how often it was not."""
        return self._found, self._missed

    def put(self, etag: str, body: bytes) -> None:
        """Hold a body as long as there is room."""
        with self._lock:
            if etag in self._bodies or 8 * len(body) > self._most:
                return
            self._bodies[etag] = body
            self._held += len(body)
            while self._held > self._most:
                self._held -= len(self._bodies.popitem(last=False)[1])


class Slots:
    """Analyses that price while somebody waits: so many at once in one process."""

    def __init__(self, most: int = 4) -> None:
        self._most, self._free = most, threading.BoundedSemaphore(most)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One of them, for as long as the work lasts; TooMany where none is free."""
        if not self._free.acquire(blocking=False):
            raise TooMany(f"{self._most} analyses are at work in this process, as many as may be at once", 2.0)
        try:
            yield
        finally:
            self._free.release()


def _everybody(headers: Mapping[str, str]) -> Principal:  # noqa: ARG001, of development mode
    return EVERYTHING


@dataclass(frozen=True)
class Service:
    """One process that serves a store. authenticate : by default nobody is asked who he is: development mode.

    development : whether every answer says so.   rates : requests of each principal.   failures : of an address to
    say who it is.   heartbeat : seconds between two signs of life of a stream, at which its reader is asked again who
    it is.
    """

    door: Door
    authenticate: Authenticate = _everybody
    sizes: Sizes = field(default_factory=Sizes)
    quota: int = QUOTA
    answers: Answers = field(default_factory=Answers)
    slots: Slots = field(default_factory=Slots)
    development: bool = False
    rates: Rates = field(default_factory=lambda: Rates(settings().rate, 2.0 * settings().rate))
    failures: Rates = field(default_factory=lambda: Rates(1.0, 20.0))

    heartbeat: float = 15.0

    def __post_init__(self) -> None:
        self.door.made = self.metrics.ran

    @functools.cached_property
    def tailer(self) -> Tailer:
        """Reads events for all streams of this process."""
        return Tailer(self.door.store)

    @functools.cached_property
    def readiness(self) -> Readiness:
        """Whether this process can work."""
        return Readiness(self.door.store)

    @functools.cached_property
    def metrics(self) -> Metrics:
        """What this process counts of itself."""
        return Metrics(self.door.store, self.answers.counts)

    def known(self, headers: Mapping[str, str], address: str) -> Principal:
        """Who a request comes from. Unauthenticated; TooMany for an address that failed to say so too often."""
        try:
            return self.authenticate(headers)  # whoever says rightly who he is may share his address with others
        except Unauthenticated:
            self.failures.take(address)
            raise
