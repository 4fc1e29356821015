"""Trades to values through the real path: portfolio, plan, blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskgrid.engine.block import price_block
from riskgrid.engine.plan import Pricing, plan_instrument
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.scenarios.set import shifts
from riskgrid.schema import Status
from tests.instruments.oracle import TODAY, date_of

ql = pytest.importorskip("QuantLib")


@dataclass
class Valuation:
    """Rows as in the table handed in. base : (trade,).   ticks, pnl : (trade, scenario).   status : (trade,).

    problems : trade to sentence.   roles : what the block of each trade was given, a set per trade.
    """

    base: Any
    ticks: Any
    pnl: Any
    status: Any
    problems: dict[int, str]
    roles: list[set[str]]


@pytest.fixture(autouse=True)
def _quantlib_state() -> Iterator[None]:
    ql.Settings.instance().evaluationDate = date_of(TODAY)
    ql.IndexManager.instance().clearHistories()
    yield
    ql.IndexManager.instance().clearHistories()


@pytest.fixture
def nothing_moves() -> Any:
    return shifts([], [], 1.0, 0.0, name="base", kind="test", provenance={})


@pytest.fixture
def value(nothing_moves) -> Callable[..., Valuation]:
    """``value(instrument, table, market, scenarios=None, reporting="USD", bits=20, withheld=())``."""

    def valued(
        instrument: str,
        table: Mapping[str, Any],
        market: MarketSnapshot,
        scenarios: Any = None,
        *,
        reporting: str = "USD",
        bits: int = 20,
        withheld: tuple[str, ...] = (),
    ) -> Valuation:
        frame = pd.DataFrame({"trade_date": "2016-06-01", **table})
        trades = len(frame)
        frame.insert(0, "trade_id", [f"T-{row}" for row in range(trades)])
        portfolio = Portfolio.from_tables({instrument: frame})
        states = MarketStates(market, nothing_moves if scenarios is None else scenarios)
        pricing = Pricing(reporting, bits, wide=True)
        found = Valuation(
            np.full(trades, np.nan),
            np.full((trades, states.count - 1), np.iinfo(np.int64).min),
            np.full((trades, states.count - 1), np.nan),
            np.full(trades, Status.FAILED, np.uint8),
            {},
            [set() for _ in range(trades)],
        )
        for piece in plan_instrument(INSTRUMENTS[instrument], portfolio.columns(instrument), states, pricing):
            found.problems.update(piece.problems)
            for block in piece.blocks:
                _price(found, piece, block, states, pricing, withheld)
        return found

    return valued


def _price(found: Valuation, piece: Any, block: Any, states: MarketStates, pricing: Pricing, withheld: Any) -> None:
    rows = piece.rows[block.start : block.stop]
    given = {role: states[role] for role in block.roles if role not in withheld}
    objects = {role: one and one.take(block.states) for role, one in given.items()}
    columns = {name: column[block.start : block.stop] for name, column in piece.columns.items()}
    numeraire = states.snapshot.numeraire
    priced = price_block(piece.instrument, columns, objects, states.dates[block.states], pricing, numeraire)
    found.base[rows], found.status[rows] = priced.base_value, priced.status
    found.problems.update({int(rows[row]): sentence for row, sentence in priced.problems.items()})
    found.ticks[rows] = 0  # the states that were pruned cannot move the block
    kept = block.states[1:] - 1
    found.ticks[np.ix_(rows, kept)] = priced.ticks
    missing = found.ticks[rows] == np.iinfo(np.int64).min
    found.pnl[rows] = np.where(missing, np.nan, found.ticks[rows] * 2.0**-pricing.bits)
    for row in rows.tolist():
        found.roles[row] = set(block.roles)
