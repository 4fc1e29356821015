"""How fine a tick may be: from the largest notional, before anything is priced."""

from __future__ import annotations

from typing import Any

import numpy as np

from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import Names, Values

__all__ = ["TICK_BITS", "largest_notional", "tick_bits"]

#: Choices of a run: the finest at which a fifth of the largest notional fits 32 bits.
TICK_BITS = (20, 10, 4)


def tick_bits(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> int:
    """Bits of a P&L tick: 20, 10 or 4."""
    fifth = 0.2 * largest_notional(portfolio, market, reporting)
    return next((bits for bits in TICK_BITS if fifth * 2.0**bits < 2.0**31), TICK_BITS[-1])


def largest_notional(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> float:
    """Largest notional of a trade in the reporting currency, by the terms its instrument names as its size."""
    levels = {factor: float(level) for factor, level in zip(market.factors, market.levels, strict=True)}
    levels[f"fx:{market.numeraire}"] = 1.0
    largest = 0.0
    for name in portfolio.instruments:
        instrument = INSTRUMENTS[name]
        columns = portfolio.columns(name)
        size = np.abs(np.asarray(columns["quantity"], dtype=np.float64))
        for term in instrument.size:
            column = columns[term]
            size = size * (
                _spot(column, instrument.family(term), levels) if isinstance(column, Names) else np.abs(column)
            )
        size = size * _rate(columns[instrument.value_in], levels) / levels.get(f"fx:{reporting}", 1.0)
        largest = max(largest, float(np.nanmax(size, initial=0.0)))
    return largest


def _spot(column: Names, family: str, levels: dict[str, float]) -> Values:
    spots = [levels.get(f"{family}:{name}", levels.get(f"{family}:{name}:0D", 1.0)) for name in column.names]
    return np.abs(np.array(spots, dtype=np.float64))[column.codes.ravel()]


def _rate(column: Any, levels: dict[str, float]) -> Values:
    rates = np.array([levels.get(f"fx:{name}", 1.0) for name in column.names], dtype=np.float64)
    made: Values = rates[column.codes.ravel()]
    return made
