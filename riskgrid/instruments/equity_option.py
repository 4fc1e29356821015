"""A European option on a share or an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from riskgrid.formulas import black_value
from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Choice, Currency, Date, Equity, Float, Positive, Text, Unit, Values


@dataclass(frozen=True)
class EquityOption:
    """Terms of a European equity option, settled in cash on the expiry date."""

    underlying: Equity
    currency: Currency
    option_type: Annotated[Text, Choice("call", "put")]
    strike: Annotated[Float, Unit("currency per share"), Positive]
    expiry: Date
    multiplier: Annotated[Float, Unit("shares per contract"), Positive] = 1.0


@instrument(
    "equity_option",
    value_in="currency",
    ends="expiry",
    size=("multiplier", "strike"),
    example=EquityOption("AAPL", "USD", "call", 25.0, "2027-06-18", 100.0),
)
def price(terms: EquityOption, market: Market) -> Values:
    """Black on the forward, discounted from expiry. Value in the option's currency, shape (trade, state).

    Source: Black (1976), J. Financial Economics 3, 167-179; Hull (2018), ch. 18.
    """
    forward = market.forward(terms.underlying, terms.expiry, terms.currency)
    vol = market.vol(terms.underlying, terms.expiry, terms.strike, forward)
    total_vol = vol * np.sqrt(market.time_to(terms.expiry))
    undiscounted = black_value(forward, terms.strike, total_vol, terms.option_type == "call")
    return terms.multiplier * market.discount(terms.currency, terms.expiry) * undiscounted
