"""How often somebody may ask: a bucket of tokens for each name, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from riskgrid.errors import TooMany

__all__ = ["Rates"]

#: Names that are remembered; one that is forgotten begins with a full bucket.
_KEPT = 10_000


class Rates:
    """So many requests a second for each name, and so many at once. clock : seconds, for tests.

    >>> rates = Rates(1.0, 2.0, clock=lambda: 0.0)
    >>> [rates.take("kim"), rates.take("kim"), rates.take("lee")]
    [None, None, None]
    >>> rates.take("kim")
    Traceback (most recent call last):
    ...
    riskgrid.errors.TooMany: 'kim' asks more than 1 times a second; ask again in 1.0 s
    """

    def __init__(self, per_second: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second, self.burst, self._clock = per_second, burst, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, cost: float = 1.0) -> None:
        """Count a request of a name. TooMany says when to ask again. cost : 0 only looks whether it would be let in."""
        now = self._clock()
        with self._lock:
            left, at = self._held.pop(name, (self.burst, now))
            left = min(left + (now - at) * self.per_second, self.burst)
            self._held[name] = (max(left - cost, 0.0) if left >= 1.0 else left, now)
            if len(self._held) > _KEPT:
                self._held.popitem(last=False)
        if left < 1.0:
            seconds = (1.0 - left) / self.per_second
            raise TooMany(
                f"'{name}' asks more than {self.per_second:g} times a second; ask again in {seconds:.1f} s", seconds
            )
