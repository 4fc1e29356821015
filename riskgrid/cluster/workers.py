"""What the engine asks of workers, wherever these are."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["Expected", "Fact", "Workers"]

#: What has happened: a word and its particulars.
type Fact = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Expected:
    """Work that a run has before it. busy : seconds of one thread.   blocks, longest : how many, and of the longest.

    within : seconds in which it is to be over, None where nobody has said.
    """

    busy: float
    blocks: int
    longest: float
    within: float | None = None


class Workers(Protocol):
    """Runs plain functions somewhere. ``in_process`` : whether they share this process's memory."""

    in_process: bool

    @property
    def count(self) -> int:
        """Tasks that run at once; where workers are on their way, with these."""
        ...

    def foreseen(self, work: Expected) -> int:
        """Tasks that would run at once on such work."""
        ...

    def expect(self, work: Expected) -> None:
        """Make ready for such work, which need not be the first word on it: more workers are asked for where these
        can grow. What was asked for ends with the ``with`` block."""
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
