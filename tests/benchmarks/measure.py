"""Times of contenders that take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import riskgrid

#: One call of a contender: seconds of wall clock, and of this process's processor time.
type Spent = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    value : in ``unit``.   ratio : against what ``against`` says.   at_least, at_most : the target of the ratio where
    there is one, else of the value.   rounds : what was measured round by round, of the same.
    """

    workload: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    note: str = ""
    at_least: float | None = None
    at_most: float | None = None
    rounds: tuple[float, ...] = ()
    less_is_better: bool = False

    @property
    def id(self) -> str:
        """Stays the same from one version to the next."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.workload} {self.what}".lower()).strip("-")

    @property
    def judged(self) -> float:
        """What targets and comparisons are about."""
        return self.value if self.ratio is None else self.ratio

    @property
    def lower_wins(self) -> bool:
        """Whether less of what is judged is better: seconds and bytes, and ratios that are declared so."""
        return self.less_is_better or (self.ratio is None and self.unit in ("s", "ms", "us", "ns", "GB", "MB"))

    @property
    def target(self) -> str:
        """The target in words, "" where there is none."""
        told = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {bound:g}" for word, bound in told if bound is not None)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if not self.target:
            return None
        low, high = self.at_least, self.at_most
        return (low is None or self.judged >= low) and (high is None or self.judged <= high)


@dataclass(frozen=True)
class Medians:
    """Of one contender: median seconds of wall clock and processor, and the seconds of every round."""

    wall: float
    cpu: float
    rounds: tuple[float, ...]
    walls: tuple[float, ...] = ()

    def times(self, shares: Sequence[float]) -> Medians:
        """A part of the same rounds."""
        rounds = tuple(share * one for share, one in zip(shares, self.rounds, strict=True))
        walls = tuple(share * one for share, one in zip(shares, self.walls, strict=True))
        return Medians(statistics.median(walls), statistics.median(rounds), rounds, walls)


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
            tuple(wall for wall, _ in rounds),
        )
        for name, rounds in spent.items()
    }


def ratio(one: Medians, other: Medians) -> float:
    """How many times ``one``'s processor time ``other`` takes: the median over rounds, so that load cancels."""
    return statistics.median(ratios(one, other))


def ratios(one: Medians, other: Medians) -> tuple[float, ...]:
    """The same round by round."""
    return tuple(theirs / ours for ours, theirs in zip(one.rounds, other.rounds, strict=True))


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


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    what = {"cores": os.cpu_count(), "processor": _processor(), "system": platform.platform(terse=True)}
    return {**what, "load": load}


def versions() -> dict[str, str]:
    """Of everything that takes part."""
    parts = ("numpy", "scipy", "numba", "distributed", "QuantLib")
    known = {part: metadata.version(part) for part in parts if _installed(part)}
    return {"riskgrid": riskgrid.__version__, "python": platform.python_version(), **known}


def commit() -> str | None:
    """The commit of the checkout, with a plus where files differ from it; None outside one."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
