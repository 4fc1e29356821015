"""How far a remote run has come, for people who wait for it."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Literal, Self

from riskgrid.client.following import Event

__all__ = ["Watching"]

#: Seconds between the last event of a run and a look at it.
_PAUSE = 0.05


class Watching:
    """A bar fed by the events of a run. seen : the number of the last event.   timeout : seconds, None for no end."""

    def __init__(self, progress: Literal["auto"] | None, timeout: float | None) -> None:
        self.seen = 0
        self._until = None if timeout is None else time.monotonic() + timeout
        self._progress = progress
        self._closing = contextlib.ExitStack()

    def left(self) -> float | None:
        """Seconds that are left."""
        return None if self._until is None else max(self._until - time.monotonic(), 0.0)

    def saw(self, event: Event) -> None:
        """Show an event."""
        from riskgrid.engine.outcome import Progress

        self.seen = event.seq
        if self._bar is not None and event.kind == "progress":
            # of a run of some books it is not told which blocks were found
            told = {"priced": event.data.get("done"), "found": 0, "valuations": 0, **event.data}
            self._bar(Progress(**{name: told[name] for name in Progress.__dataclass_fields__}))

    def pause(self) -> float:
        """Seconds before one looks again at a run whose events have ended; TimeoutError where none are left."""
        left = self.left()
        if left == 0.0:
            raise TimeoutError("the run has not ended in the time that was given")
        return _PAUSE if left is None else min(_PAUSE, left)

    def __enter__(self) -> Self:
        from riskgrid.progress import shown

        self._bar = self._closing.enter_context(shown(self._progress))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)
