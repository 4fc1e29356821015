"""What a run has before it, so that workers can be made ready while its plan is still being made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from riskgrid.cluster import Expected

__all__ = ["Outlook"]


@dataclass
class Outlook:
    """Work that is planned, and for trades that are not yet, as much in proportion.

    trades : of the whole run by instrument, nothing where nobody has said.   within : seconds until it is to be over.

    >>> ahead = Outlook({"swap": 300, "equity": 1_000}, within=60.0)
    >>> ahead.add("swap", 100, {"swap": 2e-6, "equity": 1e-6}.__getitem__, [0.5, 1.5])
    Expected(busy=16.0, blocks=16, longest=1.5, within=60.0)
    """

    trades: Mapping[str, int] = field(default_factory=dict)
    within: float | None = None
    planned: dict[str, int] = field(default_factory=dict)
    busy: float = 0.0
    blocks: int = 0
    longest: float = 0.0

    def add(self, instrument: str, trades: int, cost: Callable[[str], float], seconds: Iterable[float]) -> Expected:
        """Work of a piece, and what is to be expected by now.

        cost : seconds of a valuation of an instrument.   seconds : of each block that the store lacks.
        """
        found = list(seconds)
        self.planned[instrument] = self.planned.get(instrument, 0) + trades
        self.busy, self.blocks = self.busy + sum(found), self.blocks + len(found)
        self.longest = max(self.longest, *found) if found else self.longest
        known = sum(count * cost(name) for name, count in self.planned.items())
        whole = sum(count * cost(name) for name, count in self.trades.items())
        more = max(whole / known, 1.0) if known else 1.0
        return Expected(self.busy * more, round(self.blocks * more), self.longest, self.within)
