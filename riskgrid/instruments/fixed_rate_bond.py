"""A bond with fixed coupons, of a government or an issuer that pays a spread over the curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from riskgrid.conventions import DAY_COUNTS
from riskgrid.market.view import Market
from riskgrid.registry import instrument
from riskgrid.terms import (
    Between,
    Choice,
    Currency,
    Date,
    Float,
    Int,
    Issuer,
    NonNegative,
    Positive,
    Text,
    Unit,
    Values,
)


@dataclass(frozen=True)
class FixedRateBond:
    """Terms of a bond; an empty ``issuer`` has no spread. Coupons accrue unrolled and are paid on business days."""

    currency: Currency
    notional: Annotated[Float, Unit("currency"), Positive]
    coupon: Annotated[Float, Unit("a year, decimal")]
    issue: Date
    maturity: Date
    payments_per_year: Annotated[Int, Between(1, 12)]
    day_count: Annotated[Text, Choice(*DAY_COUNTS)]
    calendar: Text
    issuer: Issuer = ""
    settlement_lag: Annotated[Int, Unit("business days"), NonNegative] = 0


@instrument(
    "fixed_rate_bond",
    value_in="currency",
    ends="maturity",
    size=("notional",),
    example=FixedRateBond("USD", 1e6, 0.02, "2016-05-15", "2046-05-15", 2, "ACT/ACT ICMA", "US"),
)
def price(terms: FixedRateBond, market: Market) -> Values:
    """Dirty value for settlement after the lag: coupons and face, discounted at the curve plus the issuer's spread.

    Value in the bond's currency, shape (trade, state). Without a lag it is the present value of all flows after the
    valuation date. Source: Hull (2018), ch. 4.
    """
    flows = market.schedule(terms.issue, terms.maturity, terms.payments_per_year, terms.calendar)
    amount = flows.accrual(terms.day_count) * terms.coupon * terms.notional + flows.is_last * terms.notional
    return market.present_value(terms.currency, flows, amount, issuer=terms.issuer, settlement_lag=terms.settlement_lag)
