"""How many workers a run wants: as few as meet its deadline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from riskgrid.errors import BadSpec

__all__ = ["SCHEDULING", "STARTING", "TASK_SECONDS", "Sizing", "sized", "task_seconds"]

#: Seconds of work a task bundles at least: a scheduler spends about a millisecond on each, a hundredth of it.
TASK_SECONDS = 0.1
#: The same by thread: one scheduler sends out 1,500 tasks a second at most, a quarter of which is enough.
SCHEDULING = 2.6e-3
#: Seconds from the wish for a worker to its first task, where the node and the image are there.
STARTING = 20.0
#: Tasks that every thread should get: with fewer, most of them wait for the last.
_ROUNDS = 4


@dataclass(frozen=True)
class Sizing:
    """Workers of a run. threads : of all of them.   tasks : of the run, each of ``task_seconds`` on average.

    starting : seconds before the first task begins.   seconds : of the run in all, which it will not exceed where costs
    hold.   within : what it was asked for.   binds : why there are no more workers: ``deadline`` (these make it),
    ``blocks`` (a block is priced by one thread), ``longest block`` (the rest is done when it is), ``scheduler`` (more
    threads want longer tasks, and wait longer for the last of them), ``most allowed``, or ``nothing to do``.
    """

    workers: int
    threads: int
    tasks: int
    task_seconds: float
    starting: float
    seconds: float
    within: float
    binds: str

    @property
    def met(self) -> bool:
        """Whether the run is over in time."""
        return self.seconds <= self.within


def task_seconds(threads: int) -> float:
    """Seconds of work a task is to bundle, so that one scheduler keeps so many threads busy.

    >>> task_seconds(8), task_seconds(4_000)
    (0.1, 10.4)
    """
    return max(TASK_SECONDS, SCHEDULING * threads)


def sized(
    busy: float, *, within: float, threads: int, most: int, blocks: int, longest: float, starting: float = STARTING
) -> Sizing:
    """The fewest workers that finish in time, or, where none do, as many as still shorten the run by much.

    busy : seconds of one thread for all of the work.   within : seconds in which the run is to be over, ``math.inf``
    where any will do.   threads : of each worker.   most : workers allowed.   blocks : into which the work is cut.
    longest : seconds of the longest of them.   starting : seconds until workers work; 0 where they are there.

    Tasks of at most ``t`` seconds that ``n`` threads take as they come are done within ``busy / n + (1 - 1 / n) t``
    (Graham (1966), Bell System Technical Journal 45, 1563-1581); a bundle of less than :func:`task_seconds` is given
    one more block, at most the longest. Where each thread would get fewer than four tasks, twice the workers save a
    fifth of the time at most: there are no more than that.  BadSpec for a count below 1, a time below 0.

    >>> made = sized(36_000.0, within=300.0, threads=4, most=50, blocks=5_000, longest=9.0)
    >>> made.workers, made.binds, round(made.seconds)
    (34, 'deadline', 294)
    >>> sized(36_000.0, within=30.0, threads=4, most=5_000, blocks=50_000, longest=2.0).binds
    'scheduler'
    """
    counts = {"threads": (threads, 1), "most": (most, 1), "blocks": (blocks, 0)}
    _check(counts, {"busy": busy, "longest": longest, "starting": starting}, within)
    if not busy and not blocks:
        return Sizing(0, 0, 0, 0.0, 0.0, 0.0, within, "nothing to do")
    blocks = max(blocks, 1)
    mean = busy / blocks
    longest = min(max(longest, mean), busy)

    def seconds(workers: int) -> float:
        count = workers * threads
        return starting + busy / count + (1.0 - 1.0 / count) * min(longest + task_seconds(count), busy)

    bounds = {
        "most allowed": float(most),
        "blocks": blocks / threads,
        "longest block": (busy / longest if longest else 1.0) / threads,
        "scheduler": math.floor(math.sqrt(busy / (_ROUNDS * SCHEDULING)) / threads),
    }
    binds = min(bounds, key=lambda name: bounds[name])
    low, workers = 0, min(max(math.ceil(bounds[binds]), 1), most)
    if seconds(workers) <= within:
        binds = "deadline"
        while workers - low > 1:  # fewer workers never take less time, up to any of the bounds
            middle = (low + workers) // 2
            low, workers = (low, middle) if seconds(middle) <= within else (middle, workers)
    each = max(task_seconds(workers * threads), mean)
    tasks = min(max(math.ceil(busy / each), 1), blocks)
    return Sizing(workers, workers * threads, tasks, busy / tasks, starting, seconds(workers), within, binds)


def _check(counts: Mapping[str, tuple[int, int]], times: Mapping[str, float], within: float) -> None:
    """counts : name to the count and the least that is right."""
    for name, (count, least) in counts.items():
        if count < least:
            raise BadSpec(f"workers of a run are sized by '{name}' = {count}; {least} or more is right")
    for name, time in times.items():
        if not 0.0 <= time < math.inf:
            raise BadSpec(f"workers of a run are sized by '{name}' = {time} s; 0 or more is right")
    if not within >= 0.0:
        raise BadSpec(f"workers of a run are sized by 'within' = {within} s; 0 or more is right, math.inf for any time")
