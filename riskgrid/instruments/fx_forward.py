"""A forward exchange of one currency for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Currency, Date, Float, Positive, Unit, Values


@dataclass(frozen=True)
class FxForward:
    """Terms of an FX forward: ``notional`` of the bought currency for ``notional * rate`` of the sold one."""

    bought: Currency
    sold: Currency
    notional: Annotated[Float, Unit("bought currency"), Positive]
    rate: Annotated[Float, Unit("sold per bought"), Positive]
    maturity: Date


@instrument(
    "fx_forward",
    value_in="sold",
    ends="maturity",
    size=("notional", "rate"),
    example=FxForward("EUR", "USD", 1e6, 1.10, "2027-06-30"),
)
def price(terms: FxForward, market: Market) -> Values:
    """Covered interest parity. Value in the sold currency, shape (trade, state). Source: Hull (2018), ch. 5."""
    received = market.fx(terms.bought, terms.sold) * market.discount(terms.bought, terms.maturity)
    return terms.notional * (received - terms.rate * market.discount(terms.sold, terms.maturity))
