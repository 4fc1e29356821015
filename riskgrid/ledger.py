"""Trades of a run and of the what-ifs below it, each at a place of its own, without copying the run's tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from riskgrid.change import Delta
from riskgrid.errors import BadChanges
from riskgrid.portfolio import Portfolio

__all__ = ["Ledger"]


@dataclass(frozen=True)
class Ledger:
    """A portfolio and the deltas after it. ``moved`` : trade_id to the delta that holds it now, -1 where it has gone.

    Places count the trades of the root in portfolio order, then those of each delta.
    """

    root: Portfolio
    deltas: tuple[Portfolio, ...] = ()
    moved: dict[str, int] = field(default_factory=dict)

    def after(self, delta: Delta) -> Ledger:
        """The ledger once trades have left and come."""
        moved = self.moved | dict.fromkeys(delta.gone, -1)
        moved |= dict.fromkeys(delta.new.places(), len(self.deltas))
        return Ledger(self.root, (*self.deltas, delta.new), moved)

    def select(self, trade_ids: Iterable[str]) -> Portfolio:
        """These trades as they are now. UnknownName or BadChanges where one is not there."""
        trade_ids = list(trade_ids)
        self._refuse_gone(trade_ids)
        by_delta: dict[int | None, list[str]] = {}
        for trade in trade_ids:
            by_delta.setdefault(self.moved.get(trade), []).append(trade)
        parts = [(self.root if at is None else self.deltas[at]).select(ids) for at, ids in by_delta.items()]
        return Portfolio.concat(parts)

    def known(self, trade_ids: Iterable[str]) -> set[str]:
        """Which of these trade_ids are there."""
        asked = set(trade_ids)
        held = {trade for trade in asked if self.moved.get(trade, -1) >= 0}
        return held | self.root.known(asked - self.moved.keys())

    def places(self, trade_ids: Iterable[str]) -> NDArray[np.int64]:
        """Where trades stand. UnknownName for one that never was, BadChanges for one that has gone."""
        asked = list(trade_ids)
        self._refuse_gone(asked)
        starts = np.cumsum([len(self.root), *map(len, self.deltas)])
        root = self.root.places([trade for trade in asked if trade not in self.moved])
        own = [portfolio.places() for portfolio in self.deltas]
        found = [
            root[trade] if trade not in self.moved else int(starts[self.moved[trade]]) + own[self.moved[trade]][trade]
            for trade in asked
        ]
        return np.array(found, np.int64)

    def _refuse_gone(self, trade_ids: Iterable[str]) -> None:
        gone = next((trade for trade in trade_ids if self.moved.get(trade) == -1), None)
        if gone is not None:
            raise BadChanges(f"trade '{gone}' has gone by an earlier what-if; add it to have it back")
