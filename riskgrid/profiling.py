"""Where a finished run's time went, what its workers did, and what would make it faster."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from riskgrid.engine.timing import Labour
from riskgrid.errors import BadSpec

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Part", "Profile", "profile"]

#: Valuations below which a block costs more to send, store and find than to price, on any machine.
_TINY = 20_000
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
        ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """With ``seconds``, ``labour`` and ``blocks``."""
        ...

    @property
    def row(self) -> Any:
        """With ``seconds`` from the start to the commit."""
        ...


@dataclass(frozen=True)
class Part:
    """One line. ``where`` : ``workers`` or ``caller``.   ``share`` : of wall x workers, or of the caller's wall."""

    where: str
    name: str
    seconds: float
    share: float
    note: str = ""


@dataclass(frozen=True, repr=False)
class Profile:
    """Parts of a run's time: those of the workers add up to wall x workers, those of the caller to wall."""

    run_id: str
    wall: float
    workers: int
    parts: tuple[Part, ...]
    advice: tuple[str, ...]

    def seconds(self, where: str, begins: str = "") -> float:
        """Of the parts there whose names begin so."""
        return sum(part.seconds for part in self.parts if part.where == where and part.name.startswith(begins))

    def to_dataset(self) -> xr.Dataset:
        """``seconds, share, note (part)``; ``where`` and ``name`` of each are coordinates."""
        import xarray as xr

        def column(name: str) -> tuple[str, list[Any]]:
            return "part", [getattr(part, name) for part in self.parts]

        data = {name: column(name) for name in ("seconds", "share", "note")}
        return xr.Dataset(data, {name: column(name) for name in ("where", "name")})

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        out = Console(file=io.StringIO(), width=140, highlight=False, force_jupyter=False)
        out.print(f"Run {self.run_id}: {self.wall:.2f} s wall clock, {self.workers} worker{'s' * (self.workers != 1)}")
        for where, of in (("workers", "wall x workers"), ("caller", "wall")):
            table = Table(where, "seconds", f"share of {of}", "", box=None, pad_edge=False, header_style="bold")
            for column in (1, 2):
                table.columns[column].justify = "right"
            for part in self.parts:
                if part.where == where:
                    table.add_row(part.name, f"{part.seconds:.3f}", f"{part.share:.1%}", part.note)
            out.print()
            out.print(table)
        out.print()
        for sentence in self.advice:
            out.print(f"* {sentence}")
        return str(out.file.getvalue())  # type: ignore[attr-defined]

    __repr__ = __str__


def profile(run: Timed) -> Profile:
    """Where the time of a finished run went, with advice where something stands out.

    Only durations are compared, each of one clock. BadSpec where the run has kept no times.
    """
    if not run.manifest.get("labour", {}).get("workers"):
        raise BadSpec(
            f"run '{run.run_id}' has kept no times: it was made by another verb or an earlier version; a run of "
            "riskgrid.run on an empty store keeps them"
        )
    times = _Times.of(run)
    parts = (*times.of_workers(), *times.of_caller())
    return Profile(run.run_id, times.wall, times.labour.workers, parts, tuple(_advice(times)))


@dataclass(frozen=True)
class _Times:
    spent: Mapping[str, float]
    labour: Labour
    blocks: int
    cut: int
    wall: float

    @classmethod
    def of(cls, run: Timed) -> _Times:
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


def _advice(times: _Times) -> Iterator[str]:
    said = [sentence for rule in _RULES if (sentence := rule(times))]
    if not said:
        share = sum(times.pricing.values()) / (times.wall * times.labour.workers)
        said = [f"Nothing stands out: {share:.0%} of the workers' time is pricing."]
    yield from said


def _nothing_priced(times: _Times) -> str:
    return "Every block was found in the store; nothing was priced." if not times.labour.valuations() else ""


def _small_blocks(times: _Times) -> str:
    median, around = times.median(), times.around()
    few = times.labour.valuations() < _TINY * times.blocks
    if times.blocks < 16 * times.labour.workers or median <= 0.0 or not (few or median < 2.0 * around):
        return ""
    return (
        f"Blocks are tiny: half of {times.blocks:,} price within {1e3 * median:.2f} ms, and {1e3 * around:.2f} ms goes "
        f"into all that is around each; raise cut (it is {times.cut:,})."
    )


def _slow_store(times: _Times) -> str:
    if times["writing"] < 0.25 * times.busy or times["writing"] < 0.05:
        return ""
    speed = times.labour.bytes_written / 1e6 / times["writing"]
    return (
        f"The store is slow: workers spend {times['writing'] / times.busy:.0%} of their busy time writing, at "
        f"{speed:,.0f} MB/s; put it on a faster disk (RISKGRID_HOME)."
    )


def _one_dominates(times: _Times) -> str:
    priced = {name: s for name, s in times.pricing.items() if times.labour.instruments[name]["valuations"]}
    if len(priced) < 2:
        return ""
    (name, seconds), *others = priced.items()
    count = {one: times.labour.instruments[one]["valuations"] for one in priced}
    each = seconds / count[name]
    rest = sum(s for _, s in others) / sum(count[one] for one, _ in others)
    if seconds < 0.6 * sum(priced.values()) or each < 3.0 * rest:
        return ""
    share = seconds / sum(priced.values())
    return (
        f"One instrument dominates: {name} takes {share:.0%} of all pricing, {1e9 * each:.0f} ns a valuation against "
        f"{1e9 * rest:.0f} of the others; its pricer is where time can be won."
    )


def _few_blocks(times: _Times) -> str:
    whole = times.wall * times.labour.workers
    if times["short at the end"] < 0.2 * whole or times["short at the end"] < 0.1:
        return ""
    return (
        f"Workers ran out of work: {times['short at the end'] / whole:.0%} of their time lies after the last task was "
        f"sent; {times.blocks:,} blocks for {times.labour.workers} workers are few, lower cut (it is {times.cut:,}) or "
        "ask for fewer workers."
    )


def _planning_bound(times: _Times) -> str:
    whole = times.wall * times.labour.workers
    if times["short while planning"] < 0.25 * whole or times["planning"] < max(0.25 * times.wall, 0.1):
        return ""
    return (
        f"Workers waited for the plan: planning takes {times['planning']:.2f} of {times.wall:.2f} s; a what-if on a "
        "finished run plans only what changed."
    )


def _starting(times: _Times) -> str:
    outside = times.wall - times["all"] - times["commit"]
    if outside < max(0.4 * times.wall, 1.0):
        return ""
    return (
        f"{outside:.1f} of {times.wall:.1f} s passed before any work could start: where that is the start of worker "
        "processes, keep them standing and hand run their address or client."
    )


def _compiled(times: _Times) -> str:
    if times["compiling"] < max(0.2 * times.busy, 0.1):
        return ""
    return (
        f"Kernels were compiled for {times['compiling']:.1f} s: that happens once per machine and version; where it "
        "comes back, keep __pycache__ of riskgrid or NUMBA_CACHE_DIR between processes, or in the image."
    )


def _transport(times: _Times) -> str:
    if times.between < 0.25 * times.wall * times.labour.workers or times.between < 0.1:
        return ""
    return (
        f"Scheduler and transport take {times.between / (times.wall * times.labour.workers):.0%} of the workers' time, "
        f"{1e3 * times.between / max(times.labour.tasks, 1):.0f} ms a task; work this small is faster in threads."
    )


_RULES = (
    _nothing_priced,
    _small_blocks,
    _slow_store,
    _one_dominates,
    _few_blocks,
    _planning_bound,
    _starting,
    _compiled,
    _transport,
)
