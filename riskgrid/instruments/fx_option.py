"""A European option on an exchange rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from riskgrid.formulas import black_value
from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Currency, Date, Float, Positive, Unit, Values, same_as


@dataclass(frozen=True)
class FxOption:
    """Terms of the right to buy ``notional`` of the call currency at ``strike``; the holder pays the premium."""

    call_currency: Currency
    put_currency: Currency
    notional: Annotated[Float, Unit("call currency"), Positive]
    strike: Annotated[Float, Unit("put currency per call currency"), Positive]
    expiry: Date
    delivery: Date = same_as("expiry")
    premium: Annotated[Float, Unit("premium currency")] = 0.0
    premium_currency: Currency = same_as("put_currency")
    premium_date: Date = same_as("trade_date")


@instrument(
    "fx_option",
    value_in="put_currency",
    ends="delivery",
    size=("notional", "strike"),
    example=FxOption("EUR", "USD", 1e6, 1.12, "2027-06-16", "2027-06-18"),
)
def price(terms: FxOption, market: Market) -> Values:
    """Garman-Kohlhagen on the forward for delivery, less a premium still to be paid. Value in the put currency.

    Shape (trade, state). Source: Garman, Kohlhagen (1983), J. International Money and Finance 2, 231-237.
    """
    discount = market.discount(terms.put_currency, terms.delivery)
    forward = market.forward((terms.call_currency, terms.put_currency), terms.delivery)
    vol = market.vol((terms.call_currency, terms.put_currency), terms.expiry, terms.strike, forward)
    total_vol = vol * np.sqrt(market.time_to(terms.expiry))
    option = terms.notional * discount * black_value(forward, terms.strike, total_vol, True)
    rate = market.fx(terms.premium_currency, terms.put_currency)
    return option - terms.premium * rate * market.discount(terms.premium_currency, terms.premium_date)
