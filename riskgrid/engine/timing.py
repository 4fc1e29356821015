"""Where the time of a run goes: durations alone, so that clocks of different machines never meet."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from riskgrid.formulas.backend import BACKEND

__all__ = ["Arrivals", "Labour", "compile_seconds", "shortage", "spending"]


#: Fewer valuations than this tell what a block costs, not what a valuation costs.
_ENOUGH = 100_000


@dataclass
class Labour:
    """What workers did. instruments : name to ``valuations``, ``seconds`` busy (compiling apart) and ``blocks``.

    blocks : seconds of pricing each, as they came; the manifest keeps their count and median.
    """

    workers: int = 0
    tasks: int = 0
    bytes_written: int = 0
    instruments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, instrument: str, valuations: int, seconds: float, blocks: list[float], written: int) -> None:
        """Count one task."""
        self.tasks += 1
        self.bytes_written += written
        one = self.instruments.setdefault(instrument, {"valuations": 0, "seconds": 0.0, "blocks": []})
        one["blocks"].extend(blocks)
        if valuations:
            one["valuations"] += valuations
            one["seconds"] += seconds

    def join(self, other: Labour) -> None:
        """Count what workers of another execution did."""
        self.workers, self.tasks = max(self.workers, other.workers), self.tasks + other.tasks
        self.bytes_written += other.bytes_written
        for name, found in other.instruments.items():
            one = self.instruments.setdefault(name, {"valuations": 0, "seconds": 0.0, "blocks": []})
            self.instruments[name] = {key: one[key] + found[key] for key in one}

    def valuations(self) -> int:
        """Of all instruments."""
        return sum(one["valuations"] for one in self.instruments.values())

    def cost(self, instrument: str) -> float | None:
        """Seconds that a valuation takes, where that is known."""
        one = self.instruments.get(instrument, {"valuations": 0})
        return float(one["seconds"] / one["valuations"]) if one["valuations"] >= _ENOUGH else None

    def costs(self) -> dict[str, float]:
        """The cost of every instrument for which it is known."""
        known = {name: self.cost(name) for name in self.instruments}
        return {name: cost for name, cost in known.items() if cost is not None}

    def to_manifest(self) -> dict[str, Any]:
        """Plain values, small."""
        told = {
            name: {
                "valuations": one["valuations"],
                "seconds": round(one["seconds"], 4),
                "blocks": len(one["blocks"]),
                "median": round(float(np.median(one["blocks"])), 6) if one["blocks"] else 0.0,
            }
            for name, one in sorted(self.instruments.items())
        }
        return {"workers": self.workers, "tasks": self.tasks, "bytes": self.bytes_written, "instruments": told}

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """From a run's manifest; nothing where the run has kept none."""
        kept = manifest.get("labour", {})
        return cls(kept.get("workers", 0), kept.get("tasks", 0), kept.get("bytes", 0), kept.get("instruments", {}))


@contextlib.contextmanager
def spending(spent: dict[str, float], name: str) -> Iterator[None]:
    """Add the wall-clock seconds of a block of code to ``spent[name]``."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun


class Arrivals(queue.SimpleQueue[Any]):
    """Finished futures, each with the time it came in: whoever takes them out may be busy by then."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Called by whichever thread ends a future."""
        super().put((item, time.perf_counter()), block, timeout)


def shortage(spans: Sequence[tuple[float, float]], workers: int, begun: float, ended: float) -> float:
    """Worker-seconds from ``begun`` to ``ended`` in which fewer tasks were on their way than there are workers.

    spans : when each task was sent and when its answer came, seconds of one clock.

    >>> shortage([(0.0, 4.0), (1.0, 2.0)], workers=2, begun=0.0, ended=5.0)
    5.0
    """
    if ended <= begun:
        return 0.0
    moves = np.clip(np.array(spans, dtype=np.float64).reshape(-1, 2), begun, ended)
    at = np.concatenate([[begun], moves[:, 0], moves[:, 1], [ended]])
    step = np.concatenate([[0], np.ones(len(moves), np.int64), -np.ones(len(moves), np.int64), [0]])
    order = np.argsort(at, kind="stable")
    flying = np.cumsum(step[order])[:-1]
    return float(np.maximum(workers - flying, 0) @ np.diff(at[order]))


def compile_seconds() -> float:
    """Seconds for which Numba has compiled or loaded kernels in this thread, since the first call in this process."""
    return float(_watch().spent.get(threading.get_ident(), 0.0)) if BACKEND == "numba" else 0.0


@functools.cache
def _watch() -> Any:
    """Adds up compilation by thread. What is compiled within another counts once."""
    from numba.core import event

    class Watch(event.Listener):  # type: ignore[misc]
        def __init__(self) -> None:
            self.spent: dict[int, float] = {}
            self.open: dict[int, list[float]] = {}

        def on_start(self, _event: Any) -> None:
            self.open.setdefault(threading.get_ident(), []).append(time.perf_counter())

        def on_end(self, _event: Any) -> None:
            thread = threading.get_ident()
            began = self.open[thread].pop() if self.open.get(thread) else None
            if began is not None and not self.open[thread]:
                self.spent[thread] = self.spent.get(thread, 0.0) + time.perf_counter() - began

    made = Watch()
    # held while a function is compiled, and while its compiled form is loaded for the first time
    event.register("numba:compiler_lock", made)
    return made
