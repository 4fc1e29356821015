"""What a finished run says of its time: its seconds by part, of the workers and of who asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from riskgrid.engine.timing import Labour

__all__ = ["Part", "Timed", "Times"]

_CALLER = ("loading", "panels", "looking up", "submitting", "reducing")
_NOTES = {
    "loading": "compiled kernels, once a process",
    "panels": "market objects and terms made ready for workers",
    "looking up": "which blocks and sums the store has",
    "reducing": "cell sums of all blocks added up",
    "waiting": "for workers",
    "commit": "inputs, plan and cells kept",
    "compiling": "kernels, once per machine and version",
    "reading": "terms, market objects and blocks from the store",
    "summing": "cell sums of blocks, made and stored",
}


class Timed(Protocol):
    """What a profile needs of a run."""

    @property
    def run_id(self) -> str:
        """Id of the execution."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """With ``seconds``, ``labour`` and ``blocks``."""

    @property
    def row(self) -> Any:
        """With ``seconds`` from the start to the commit."""


@dataclass(frozen=True)
class Part:
    """One line. ``where`` : ``workers`` or ``caller``.   ``share`` : of wall x workers, or of the caller's wall."""

    where: str
    name: str
    seconds: float
    share: float
    note: str = ""


@dataclass(frozen=True)
class Times:
    """The account of a run. spent : seconds by name.   blocks : priced and found.   wall : from start to commit."""

    spent: Mapping[str, float]
    labour: Labour
    blocks: int
    cut: int
    wall: float

    @classmethod
    def of(cls, run: Timed) -> Times:
        """Of a run that has kept its times."""
        manifest = run.manifest
        spent = {name: float(seconds) for name, seconds in manifest["seconds"].items()}
        blocks = int(manifest["blocks"]["priced"]) + int(manifest["blocks"]["found"])
        wall = max(float(run.row.seconds), spent["all"] + spent.get("commit", 0.0))
        return cls(spent, Labour.of(manifest), blocks, int(manifest["cut"]), wall)

    def __getitem__(self, name: str) -> float:
        return self.spent.get(name, 0.0)

    @property
    def pricing(self) -> dict[str, float]:
        """Seconds by instrument, dearest first."""
        known = {name.removeprefix("pricing "): s for name, s in self.spent.items() if name.startswith("pricing ")}
        return dict(sorted(known.items(), key=lambda item: -item[1]))

    @property
    def busy(self) -> float:
        """Worker-seconds inside tasks."""
        return sum(self.pricing.values()) + sum(map(self.__getitem__, ("compiling", "reading", "writing", "summing")))

    @property
    def between(self) -> float:
        """Worker-seconds in which tasks were on their way and no worker ran them."""
        idle = self.labour.workers * self["all"] - self.busy
        return max(idle - self["short while planning"] - self["short at the end"], 0.0)

    def around(self) -> float:
        """Seconds spent around each block beside pricing and writing it."""
        own = sum(map(self.__getitem__, (*_CALLER, "hashing", "reading"))) + self.between / self.labour.workers
        return own / max(self.blocks, 1)

    def median(self) -> float:
        """Seconds of pricing the block in the middle."""
        kept = sorted((one["median"], one["blocks"]) for one in self.labour.instruments.values() if one["blocks"])
        half = sum(count for _, count in kept) / 2
        for seconds, count in kept:
            half -= count
            if half <= 0:
                return float(seconds)
        return 0.0

    def of_workers(self) -> Iterator[Part]:
        """Lines of the workers."""
        count = self.labour.workers
        whole = self.wall * count
        for name, seconds in self.pricing.items():
            yield Part("workers", f"pricing {name}", seconds, seconds / whole, self._told(name, seconds))
        for name in ("compiling", "reading", "writing", "summing"):
            note = f"{self.labour.bytes_written / 1e6:,.0f} MB of blocks" if name == "writing" else _NOTES[name]
            if name == "writing" and self[name] > 0.0:
                note += f", {self.labour.bytes_written / 1e6 / self[name]:,.0f} MB/s"
            yield Part("workers", name, self[name], self[name] / whole, note)
        each = self.between / max(self.labour.tasks, 1)
        outside = max(self.wall - self["all"], 0.0) * count
        for name, seconds, note in (
            ("scheduler and transport", self.between, f"{self.labour.tasks:,} tasks, {1e3 * each:.1f} ms each"),
            ("idle while planning", self["short while planning"], "fewer tasks than workers yet"),
            ("idle at the end", self["short at the end"], "fewer tasks than workers left"),
            ("idle before and after", outside, "market states, starting workers, commit"),
        ):
            yield Part("workers", name, seconds, seconds / whole, note)

    def of_caller(self) -> Iterator[Part]:
        """Lines of the process that asked."""
        spent = {
            "planning: recording": max(self["planning"] - self["hashing"], 0.0),
            "planning: hashing": self["hashing"],
            **{name: self[name] for name in (*_CALLER, "waiting", "commit")},
        }
        spent["before and between"] = max(self.wall - sum(spent.values()), 0.0)
        notes = _NOTES | {"before and between": "market states, starting workers, all else"}
        for name, seconds in spent.items():
            yield Part("caller", name, seconds, seconds / self.wall, notes.get(name, ""))

    def _told(self, name: str, seconds: float) -> str:
        one = self.labour.instruments[name]
        if not one["valuations"]:
            return "nothing priced"
        each = 1e9 * seconds / one["valuations"]
        middle = f"median {1e3 * one['median']:.1f} ms"
        return f"{one['valuations']:,} valuations, {each:.1f} ns each; {one['blocks']:,} blocks, {middle}"
