"""A plan of any number of blocks whose valuations take a millisecond each: a real one, under other keys each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from riskgrid.engine.plan import Piece, Pricing, plan_instrument
from riskgrid.hashing import digest
from riskgrid.market.states import MarketStates
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store
from tests.benchmarks import data

__all__ = ["COST", "ExoticPlan", "ExoticStore", "exotic_plan"]

#: Seconds of a valuation: an assumption, that of a small Monte Carlo.
COST = 1e-3
_NAME, _SCENARIOS, _SUMS = "equity_option", 1000, "0" * 64
#: Trades a block, of which a thread has half a minute.
_CUT = 32
#: Most trades that are really planned.
_PLANNED = 50_000


class ExoticStore(Store):
    """A store whose latest run has learned what a valuation costs, and which has one sum for all blocks.

    The planner reads and checks that file for every block, as it does with the sums of workers.
    """

    def fill(self) -> None:
        """Put the sums there: of one cell."""
        each = {name: np.zeros(1, np.int64) for name in ("base", "gross", "gross_known", "trades", "unpriced")}
        self.put("sums", _SUMS, {}, {"pnl": np.zeros((1, _SCENARIOS), np.int64), **each})

    def get(self, kind: str, key: str) -> Any:
        """See :class:`riskgrid.store.Store`."""
        return super().get(kind, _SUMS if kind == "sums" else key)

    @property
    def catalogue(self) -> Any:  # type: ignore[override]
        """Has one run, which has seen a million valuations."""
        labour = {"instruments": {_NAME: {"valuations": 1_000_000, "seconds": 1_000_000 * COST}}}
        return SimpleNamespace(list=lambda most: [SimpleNamespace(manifest={"labour": labour})])

    def __reduce__(self) -> tuple[type[Store], tuple[str, None]]:
        return ExoticStore, (self.where, None)


@dataclass(frozen=True)
class ExoticPlan:
    """States and pricing of a run, and the piece of which there are copies."""

    states: MarketStates
    pricing: Pricing
    piece: Piece

    @property
    def block_seconds(self) -> float:
        """Seconds that a block takes on average."""
        return COST * self.states.count * len(self.piece.rows) / len(self.piece.blocks)

    def pieces(self, blocks: int, name: str = "") -> Iterator[Piece]:
        """Pieces of so many blocks in all, under keys that no other name has."""
        number = 0
        while blocks > 0:
            taken = self.piece.blocks[:blocks]
            again = [replace(block, key=digest(name, number, block.key).hex()) for block in taken]
            yield replace(self.piece, blocks=again)
            blocks, number = blocks - len(taken), number + 1


def exotic_plan(blocks: int) -> ExoticPlan:
    """A plan to repeat, of at most so many blocks' trades."""
    market = data.market()
    states, pricing = MarketStates(market, data.scenarios(market, _SCENARIOS)), Pricing("USD", cut=_CUT)
    book = data.portfolio({_NAME: min(blocks * _CUT, _PLANNED)})
    (piece,) = plan_instrument(INSTRUMENTS[_NAME], book.columns(_NAME), states, pricing)
    piece.cell = np.zeros(len(piece.rows), np.int64)
    return ExoticPlan(states, pricing, piece)
