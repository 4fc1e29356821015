"""A European option on a commodity forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from riskgrid.formulas import black_value
from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Choice, Commodity, Currency, Date, Float, Positive, Text, Unit, Values, same_as


@dataclass(frozen=True)
class CommodityOption:
    """Terms of an option that expires before the delivery of its forward, settled in cash on the expiry date."""

    commodity: Commodity
    currency: Currency
    option_type: Annotated[Text, Choice("call", "put")]
    strike: Annotated[Float, Unit("currency per unit"), Positive]
    lot: Annotated[Float, Unit("units per contract"), Positive]
    expiry: Date
    delivery: Date = same_as("expiry")


@instrument(
    "commodity_option",
    value_in="currency",
    ends="expiry",
    size=("lot", "strike"),
    example=CommodityOption("WTI", "USD", "put", 45.0, 1000.0, "2027-05-14", "2027-06-18"),
)
def price(terms: CommodityOption, market: Market) -> Values:
    """Black-76 on the forward for delivery, discounted from expiry. Value in the option's currency, (trade, state).

    Source: Black (1976), J. Financial Economics 3, 167-179.
    """
    forward = market.forward(terms.commodity, terms.delivery)
    vol = market.vol(terms.commodity, terms.expiry, terms.strike, forward)
    total_vol = vol * np.sqrt(market.time_to(terms.expiry))
    undiscounted = black_value(forward, terms.strike, total_vol, terms.option_type == "call")
    return terms.lot * market.discount(terms.currency, terms.expiry) * undiscounted
