"""Times of contenders that take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: One call of a contender: seconds of wall clock, and of this process's processor time.
type Spent = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``value`` in ``unit``; ``against`` says what ``ratio`` compares it with."""

    workload: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    note: str = ""


@dataclass(frozen=True)
class Medians:
    """Of one contender: median seconds of wall clock and processor, and the processor seconds of every round."""

    wall: float
    cpu: float
    rounds: tuple[float, ...]


def timed(action: Callable[[], Any]) -> Spent:
    """How long a call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def in_turns(contenders: Mapping[str, Callable[[], Spent]], repeats: int) -> dict[str, Medians]:
    """Call each contender once to warm it up, then all of them in turn, ``repeats`` times."""
    for contender in contenders.values():
        contender()
    spent: dict[str, list[Spent]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            spent[name].append(contender())
    return {
        name: Medians(
            statistics.median(wall for wall, _ in rounds),
            statistics.median(cpu for _, cpu in rounds),
            tuple(cpu for _, cpu in rounds),
        )
        for name, rounds in spent.items()
    }


def ratio(one: Medians, other: Medians) -> float:
    """How many times ``one``'s processor time ``other`` takes: the median over rounds, so that load cancels."""
    return statistics.median(theirs / ours for ours, theirs in zip(one.rounds, other.rounds, strict=True))


@contextmanager
def cold_store(*, in_memory: bool = False) -> Iterator[Path]:
    """An empty folder, gone afterwards; ``in_memory`` : on a memory file system where the machine has one."""
    parent = "/dev/shm" if in_memory and os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="riskgrid-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def assert_equal(what: str, found: Any, expected: Any, tolerance: float) -> None:
    """Contenders answer one question: raises AssertionError where a number is off by more than ``tolerance``."""
    error = np.abs(np.asarray(found, dtype=np.float64) - np.asarray(expected, dtype=np.float64))
    if not np.all(error <= tolerance):
        raise AssertionError(f"{what}: off by {np.nanmax(error):.3g}, more than {tolerance:.3g}; no race is run")


def machine() -> str:
    """One sentence on where the figures were measured."""
    load = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}, NumPy {np.__version__}{load}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
