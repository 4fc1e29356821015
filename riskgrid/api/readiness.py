"""Whether the store of a service can be used, found out every few seconds only: who asks that is not known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from riskgrid.errors import StoreError
from riskgrid.store import Store

__all__ = ["FRESH_SECONDS", "Readiness"]

#: Seconds for which a store that could be written, or could not, is taken to be so.
FRESH_SECONDS = 3.0


class Readiness:
    """Of a store. clock : seconds, for tests."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._tried = -float("inf")
        self._refusal: StoreError | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """StoreError where something cannot be written, or the catalogue does not answer as this version needs it."""
        with self._lock:
            if self._clock() - self._tried >= FRESH_SECONDS:
                self._refusal = self._written()
                self._tried = self._clock()
            refusal = self._refusal
        if refusal is not None:
            raise refusal.with_traceback(None)
        self._store.catalogue.database.check()

    def _written(self) -> StoreError | None:
        try:
            self._store.check_writable()
        except StoreError as error:
            return error
        return None
