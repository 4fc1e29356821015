"""What happens to the runs that this process's clients follow: the database is asked once for all of them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from riskgrid.errors import StoreError, TooMany
from riskgrid.principal import Principal
from riskgrid.store import Event, Store

__all__ = ["Following", "Tailer"]

_LOG = logging.getLogger(__name__)

#: Seconds between two looks, and while the database does not answer.
_POLL, _PATIENCE = 0.1, 1.0

#: Streams of one principal at once.
_STREAMS = 20


@dataclass(eq=False)
class Following:
    """One client that follows a run. events : all there are so far.   gone : nothing comes any more: the run is not
    there, or this process is told to end and another is to be asked.
    """

    run_id: str
    loop: asyncio.AbstractEventLoop
    events: tuple[Event, ...] = ()
    gone: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def changed(self, seconds: float) -> bool:
        """Wait for more events; whether there were any in so many seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def hand(self, events: tuple[Event, ...] | None) -> None:
        """From any thread: all events there are by now, None where none will come."""

        def handed() -> None:
            self.events, self.gone = (self.events, True) if events is None else (events, self.gone)
            self._changed.set()

        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(handed)


class Tailer:
    """Looks for new events as long as anybody follows a run, in a thread of its own. streams : of one principal."""

    def __init__(self, store: Store, *, streams: int = _STREAMS) -> None:
        self._store, self._streams = store, streams
        self._lock = threading.Lock()
        self._followers: dict[str, set[Following]] = {}
        self._known: dict[str, tuple[Event, ...]] = {}
        self._held: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._held.total()

    def take(self, who: Principal) -> None:
        """A stream for a principal. TooMany where it has as many as it may."""
        with self._lock:
            if self._held[who.name] >= self._streams:
                told = f"'{who.name}' has {self._held[who.name]} streams of events, as many as may be at once"
                raise TooMany(f"{told}; end one first", 5.0)
            self._held[who.name] += 1

    def give_back(self, who: Principal) -> None:
        """A stream that has ended."""
        with self._lock:
            self._held[who.name] -= 1
            if not self._held[who.name]:
                del self._held[who.name]

    @contextmanager
    def following(self, run_id: str) -> Iterator[Following]:
        """Follow a run, on the running loop."""
        made = Following(run_id, asyncio.get_running_loop())
        with self._lock:
            self._followers.setdefault(run_id, set()).add(made)
            if run_id in self._known:
                made.hand(self._known[run_id])
            if self._closed:
                made.hand(None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._tail, name="riskgrid-tailer", daemon=True)
                self._thread.start()
        try:
            yield made
        finally:
            with self._lock:
                self._followers[run_id].discard(made)
                if not self._followers[run_id]:
                    del self._followers[run_id]
                    self._known.pop(run_id, None)

    def close(self) -> None:
        """End all streams: they would keep a process that is told to end, and their clients can ask another."""
        with self._lock:
            self._closed = True
            for each in (one for followers in self._followers.values() for one in followers):
                each.hand(None)

    def _tail(self) -> None:
        pause = threading.Event()
        while True:
            with self._lock:
                wanted = list(self._followers)
                if not wanted:
                    self._thread = None
                    return
            try:
                self._look(wanted)
                pause.wait(_POLL)
            except StoreError as error:
                _LOG.warning("%s; events are looked for again in %g s", error, _PATIENCE)
                pause.wait(_PATIENCE)

    def _look(self, wanted: list[str]) -> None:
        counts = self._store.journal.counts(wanted)
        for run_id in wanted:
            known = self._known.get(run_id, ())
            if run_id in counts and counts[run_id] <= len(known):
                continue
            more = self._store.journal.events(run_id, len(known)) if run_id in counts else ()
            with self._lock:
                followers = self._followers.get(run_id, set())
                if followers and run_id in counts:
                    self._known[run_id] = (*known, *more)
                for each in followers:
                    each.hand(self._known[run_id] if run_id in counts else None)
