"""How fine a tick may be: from the notionals of the trades, before anything is priced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import Names, Values

__all__ = ["TICK_BITS", "bump_bits", "gross_notional", "largest_notional", "tick_bits"]

#: Choices of a run: the finest at which a fifth of the largest notional fits 32 bits.
TICK_BITS = (20, 10, 4)

#: Fewest and most of a set of bumps.
_BUMP_BITS = (4, 32)


def tick_bits(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> int:
    """Bits of a P&L tick: 20, 10 or 4."""
    fifth = 0.2 * largest_notional(portfolio, market, reporting)
    return next((bits for bits in TICK_BITS if fifth * 2.0**bits < 2.0**31), TICK_BITS[-1])


def bump_bits(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> int:
    """Bits of a tick of bumps: the most, from 4 to 32, at which twice the gross notional fits 62 bits.

    A bump moves a trade by far less than history does, and gamma is a difference of two such moves, each counted to
    half a tick: a trade's gamma is off by one tick at most. Above 20 bits ticks are 64-bit. As bits are lost only where
    the book is large, a tick is at most 2^-60 of the gross notional, far below what float64 keeps of its value; 32 bits
    hold 500 million, 26 hold 30 billion, where a tick is 1.5e-8.
    """
    doubled = 2.0 * gross_notional(portfolio, market, reporting)
    return next(
        (bits for bits in range(_BUMP_BITS[1], _BUMP_BITS[0], -1) if doubled * 2.0**bits < 2.0**62), _BUMP_BITS[0]
    )


def largest_notional(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> float:
    """Largest notional of a trade in the reporting currency, by the terms its instrument names as its size."""
    sizes = _notionals(portfolio, market, reporting)
    return max((float(np.nanmax(size, initial=0.0)) for size in sizes), default=0.0)


def gross_notional(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> float:
    """Sum of the notionals of all trades, long or short, in the reporting currency."""
    return float(sum(np.nansum(size) for size in _notionals(portfolio, market, reporting)))


def _notionals(portfolio: Portfolio, market: MarketSnapshot, reporting: str) -> Iterator[Values]:
    """Notionals of the trades of one instrument after the other; NaN where a term is missing."""
    levels = {factor: float(level) for factor, level in zip(market.factors, market.levels, strict=True)}
    levels[f"fx:{market.numeraire}"] = 1.0
    for name in portfolio.instruments:
        instrument = INSTRUMENTS[name]
        columns = portfolio.columns(name)
        size = np.abs(np.asarray(columns["quantity"], dtype=np.float64))
        for term in instrument.size:
            column = columns[term]
            size = size * (
                _spot(column, instrument.family(term), levels) if isinstance(column, Names) else np.abs(column)
            )
        yield size * _rate(columns[instrument.value_in], levels) / levels.get(f"fx:{reporting}", 1.0)


def _spot(column: Names, family: str, levels: dict[str, float]) -> Values:
    spots = [levels.get(f"{family}:{name}", levels.get(f"{family}:{name}:0D", 1.0)) for name in column.names]
    return np.abs(np.array(spots, dtype=np.float64))[column.codes.ravel()]


def _rate(column: Any, levels: dict[str, float]) -> Values:
    rates = np.array([levels.get(f"fx:{name}", 1.0) for name in column.names], dtype=np.float64)
    made: Values = rates[column.codes.ravel()]
    return made
