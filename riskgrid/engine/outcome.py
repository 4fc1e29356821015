"""What an execution tells on its way, and what it gives in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from riskgrid.engine.plan import Piece
from riskgrid.engine.timing import Labour

__all__ = ["USED", "CellSums", "Outcome", "Progress"]

#: Kinds of objects of the store that an execution relies on or writes.
USED = ("blocks", "sums", "panels", "pieces", "reads", "quarantine")


@dataclass(frozen=True)
class Progress:
    """How far a run has come. Blocks: done = priced + found; seconds since the start."""

    total: int
    priced: int
    found: int
    failed: int
    valuations: int
    seconds: float
    planned: bool

    @property
    def done(self) -> int:
        """Blocks that need nothing more."""
        return self.priced + self.found + self.failed


@dataclass
class CellSums:
    """Exact sums by cell: pnl (cell, scenario) and base values (cell,) in ticks, counts (cell,)."""

    pnl: NDArray[np.int64]
    base: NDArray[np.int64]
    gross: NDArray[np.int64]
    gross_known: NDArray[np.int64]
    trades: NDArray[np.int64]
    unpriced: NDArray[np.int64]
    unshocked: NDArray[np.int64]
    stale: NDArray[np.int64]

    @classmethod
    def zeros(cls, cells: int, scenarios: int) -> CellSums:
        """Nothing added yet."""
        return cls(np.zeros((cells, scenarios), np.int64), *(np.zeros(cells, np.int64) for _ in range(7)))


@dataclass
class Outcome:
    """What a run of the engine gives: sums, where each trade lies, what could not be priced, and where time went.

    unshocked : factors that some trade reads and no scenario moves for want of history.
    seconds : by part, see ``riskgrid.profiling``.   labour : what workers did.
    pieces : with the blocks of each instrument, in plan order.   failed : block key to the sentence.
    notices : what happened on the way, a sentence each.   used : kind to the keys of the objects that the numbers rest
    on or that were written for them.
    """

    sums: CellSums
    pieces: list[Piece] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unshocked: list[str] = field(default_factory=list)
    found: int = 0
    priced: int = 0
    valuations: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    labour: Labour = field(default_factory=Labour)
    notices: list[str] = field(default_factory=list)
    used: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in USED})
