"""What the pages of one process share: the door to the store, and room for analyses that price."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from riskgrid.access import Door
from riskgrid.acting import QUOTA

__all__ = ["Desk", "Results", "Turns"]

#: Views that are worked out at once, those of all sessions together.
_AT_ONCE = 4

#: Results of analyses that are kept, those used last.
_KEPT = 48

#: Cards that are priced at once.
_PRICED_AT_ONCE = 2


class Results:
    """What analyses have found, those used last; two that ask the same at once have it found once."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """A result, None where it is not kept."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """A result, made where it is not kept."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                found = self.get(key)
                if found is None:
                    found = make()
                    with self._lock:
                        self._found[key] = found
                        while len(self._found) > self._most:
                            self._found.popitem(last=False)
        finally:
            with self._lock:
                self._making.pop(key, None)
        return found


class Turns:
    """Work of several people, some of it at once; they take turns, however much each has waiting."""

    def __init__(self, at_once: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._waiting: OrderedDict[str, deque[Callable[[], object]]] = OrderedDict()
        self._lock = threading.Lock()

    def submit(self, who: str, do: Callable[[], object]) -> None:
        """Do something for somebody, after those who have waited longer for their turn."""
        with self._lock:
            self._waiting.setdefault(who, deque()).append(do)
        self._pool.submit(self._next)

    def _next(self) -> None:
        with self._lock:
            who, waiting = self._waiting.popitem(last=False)
            do = waiting.popleft()
            if waiting:
                self._waiting[who] = waiting
        do()


@dataclass(frozen=True)
class Desk:
    """One process that shows a store. quota : runs that somebody may have waiting.

    slots : taken by each analysis that prices while somebody waits; TooMany where none is free.
    development : whether nobody is asked who he is.
    """

    door: Door
    quota: int = QUOTA
    slots: Callable[[], AbstractContextManager[None]] = nullcontext
    development: bool = False

    @functools.cached_property
    def results(self) -> Results:
        """What sessions have asked, for others of the same rights."""
        return Results()

    @functools.cached_property
    def views(self) -> Turns:
        """Works out what pages show, away from the loop that answers."""
        return Turns(_AT_ONCE, "riskgrid-desk")

    @functools.cached_property
    def pricing(self) -> Turns:
        """Makes what has to be priced first, so that no view waits for it."""
        return Turns(_PRICED_AT_ONCE, "riskgrid-pricing")

    @functools.cached_property
    def coverage(self) -> dict[tuple[str, str | None], float]:
        """Coverage of whole runs that somebody has looked at, by run and answer: it never changes."""
        return {}
