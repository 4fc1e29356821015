"""A swap of fixed for floating interest in one currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from riskgrid.conventions import DAY_COUNTS, ROLLS, STUBS
from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import Between, Choice, Currency, Date, Float, Index, Int, NonNegative, Positive, Text, Unit, Values


@dataclass(frozen=True)
class InterestRateSwap:
    """Terms of a swap; ``side`` is that of the fixed leg, ``spread`` is paid on top of the index."""

    currency: Currency
    side: Annotated[Text, Choice("pay", "receive")]
    notional: Annotated[Float, Unit("currency"), Positive]
    fixed_rate: Annotated[Float, Unit("a year, decimal")]
    index: Index
    start: Date
    maturity: Date
    fixed_payments_per_year: Annotated[Int, Between(1, 12)]
    fixed_day_count: Annotated[Text, Choice(*DAY_COUNTS)]
    floating_payments_per_year: Annotated[Int, Between(1, 12)]
    floating_day_count: Annotated[Text, Choice(*DAY_COUNTS)]
    calendar: Text
    spread: Annotated[Float, Unit("a year, decimal")] = 0.0
    payment_lag: Annotated[Int, Unit("business days"), NonNegative] = 0
    roll: Annotated[Text, Choice(*ROLLS)] = "modified_following"
    stub: Annotated[Text, Choice(*STUBS)] = "short_front"


@instrument(
    "interest_rate_swap",
    value_in="currency",
    ends="maturity",
    size=("notional",),
    example=InterestRateSwap(
        "USD", "pay", 1e7, 0.015, "USD-3M", "2016-07-05", "2026-07-05", 2, "30/360", 4, "ACT/360", "US"
    ),
)
def price(terms: InterestRateSwap, market: Market) -> Values:
    """Floating less fixed leg for the payer of fixed. Value in the swap's currency, shape (trade, state).

    Discount and projection curves are separate names. Source: Hull (2018), ch. 7; Ametrano, Bianchetti (2013).
    """
    fixed, floating = (
        market.schedule(
            terms.start,
            terms.maturity,
            payments_per_year,
            terms.calendar,
            roll=terms.roll,
            stub=terms.stub,
            payment_lag=terms.payment_lag,
        )
        for payments_per_year in (terms.fixed_payments_per_year, terms.floating_payments_per_year)
    )
    coupons = market.present_value(terms.currency, fixed, fixed.accrual(terms.fixed_day_count) * terms.fixed_rate)
    accrual = floating.accrual(terms.floating_day_count)
    interest = market.floating_value(terms.index, terms.currency, floating, accrual, terms.spread)
    return terms.notional * np.where(terms.side == "pay", 1.0, -1.0) * (interest - coupons)
