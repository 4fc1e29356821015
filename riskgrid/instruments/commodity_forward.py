"""A forward purchase of a commodity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Commodity, Currency, Date, Float, Positive, Unit, Values


@dataclass(frozen=True)
class CommodityForward:
    """Terms of the purchase of ``lot`` units at ``price`` each, delivered and paid on the delivery date."""

    commodity: Commodity
    currency: Currency
    lot: Annotated[Float, Unit("units per contract"), Positive]
    price: Annotated[Float, Unit("currency per unit")]
    delivery: Date


@instrument(
    "commodity_forward",
    value_in="currency",
    ends="delivery",
    size=("lot", "commodity"),
    example=CommodityForward("WTI", "USD", 1000.0, 50.0, "2027-06-18"),
)
def price(terms: CommodityForward, market: Market) -> Values:
    """Forward price less agreed price, discounted from delivery. Shape (trade, state). Source: Hull (2018), ch. 5."""
    forward = market.forward(terms.commodity, terms.delivery)
    return terms.lot * (forward - terms.price) * market.discount(terms.currency, terms.delivery)
