"""Where a finished run's time went, what its workers did, and what would make it faster."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskgrid.advice import advice
from riskgrid.errors import BadSpec
from riskgrid.spent import Part, Timed, Times

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Part", "Profile", "profile"]


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
    times = Times.of(run)
    parts = (*times.of_workers(), *times.of_caller())
    return Profile(run.run_id, times.wall, times.labour.workers, parts, tuple(advice(times)))
