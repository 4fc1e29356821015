"""A position in a share, an index or a fund."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Currency, Equity, Float, Positive, Unit, Values


@dataclass(frozen=True)
class CashEquity:
    """Terms of a share position; ``quantity`` of the trade counts the contracts."""

    underlying: Equity
    currency: Currency
    multiplier: Annotated[Float, Unit("shares per contract"), Positive] = 1.0


@instrument("equity", value_in="currency", size=("multiplier", "underlying"), example=CashEquity("AAPL", "USD"))
def price(terms: CashEquity, market: Market) -> Values:
    """Spot price times multiplier. Value in the share's currency, shape (trade, state)."""
    return terms.multiplier * market.spot(terms.underlying)
