"""Events of a run as they happen: taken up again after a cut, none missing and none twice."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from riskgrid.client.exchange import EVENTS, Ask, backoff
from riskgrid.errors import RiskgridError, ServiceLost, TooMany

__all__ = ["ENDS", "Event", "Following"]

#: Kinds of events after which none follows, unless somebody has the run resumed.
ENDS = ("complete", "partial", "finished", "failed", "cancelled")

#: Seconds of silence after which a stream counts as cut: the service says something every fifteen.
_SILENCE = 40.0

#: Seconds without a word from the service after which following ends.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Event:
    """One thing that happened to a run. seq : 1, 2, 3, ... of those one sees.   at : ISO 8601, UTC."""

    seq: int
    at: str
    kind: str
    data: dict[str, Any]

    @property
    def last(self) -> bool:
        """Whether none follows, unless somebody has the run resumed."""
        return self.kind in ENDS


@dataclass
class Following:
    """Where one is in the events of a run. path : of the run.   seen : the number of the last one.

    until : by :func:`time.monotonic`, None for no end.   ended : whether none is to follow the last one; where more do,
    the run was resumed.
    """

    path: str
    seen: int = 0
    until: float | None = None
    ended: bool = False
    _cuts: int = field(default=0, init=False)
    _data: list[str] = field(default_factory=list, init=False)
    _heard: float = field(default_factory=time.monotonic, init=False)

    def ask(self) -> Ask:
        """The stream from where one is."""
        left = _SILENCE if self.until is None else max(min(_SILENCE, self.until - time.monotonic()), 0.01)
        headers = {"Last-Event-ID": str(self.seen), "Cache-Control": "no-store"}
        self._data = []
        return Ask("GET", f"{self.path}/events", accept=EVENTS, headers=headers, silence=left)

    def heard(self) -> None:
        """The service has answered."""
        self._heard = time.monotonic()

    def read(self, line: str) -> Event | None:
        """The event that a line of the stream ends; None for any other line, and for an event that was read before.

        TimeoutError after ``until``.
        """
        self.heard()
        if line:
            field_, _, value = line.partition(":")
            if field_ == "data":  # which tells number and kind, too
                self._data.append(value.removeprefix(" "))
            self._check_time()
            return None
        if not self._data:
            return None
        told = json.loads("\n".join(self._data))
        self._data = []
        event = Event(int(told["seq"]), str(told["at"]), str(told["kind"]), dict(told["data"]))
        if event.seq <= self.seen:
            return None
        self._cuts, self.seen, self.ended = 0, event.seq, event.last
        return event

    def cut(self, fault: RiskgridError | None) -> float:
        """Seconds to pause after a stream that broke off. What broke it is raised where it lasts, or will not pass."""
        self._check_time()
        passing = fault is None or isinstance(fault, (ServiceLost, TooMany))
        if fault is not None and (not passing or time.monotonic() - self._heard > _PATIENCE):
            raise fault
        self._cuts += 1
        return backoff(min(self._cuts, 5), getattr(fault, "seconds", None))

    def _check_time(self) -> None:
        if self.until is not None and time.monotonic() >= self.until:
            raise TimeoutError(f"run '{self.path.rpartition('/')[2]}' has not ended in the time that was given")
