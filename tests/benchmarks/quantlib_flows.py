"""The same swaps and bonds as QuantLib objects, valued on curves that are relinked in every state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks.data import TODAY
from tests.benchmarks.quantlib_option import ql_date

type Array = Any
_CALENDAR, _FAR = ql.WeekendsOnly(), 40_000


def swaps(portfolio: Portfolio, states: MarketStates, trades: int, count: int) -> Callable[[], Array]:
    """A function that values the first swaps in the first states; making the objects is not on its clock."""
    rows = portfolio.to_pandas("interest_rate_swap").iloc[:trades].to_dict("records")
    names = sorted({row["currency"] for row in rows})
    roles = {name: f"curve:{states[f'index:{name}-3M'].curve}" for name in names}
    handles = {role: ql.RelinkableYieldTermStructureHandle() for role in [*roles.values(), *map(_discount, names)]}
    ql.Settings.instance().evaluationDate = ql_date(TODAY)
    _relink(handles, states, 0)
    made = [_swap(row, handles[_discount(row["currency"])], handles[roles[row["currency"]]]) for row in rows]
    side = np.array([[1.0 if name == "USD" else 0.0] for name in (row["currency"] for row in rows)])
    euro = states["fx:EUR"].panel[:, :count]
    scale = np.array([[row["quantity"]] for row in rows]) * (side + (1.0 - side) * euro)

    def value() -> Array:
        columns = []
        for state in range(count):
            _relink(handles, states, state)
            columns.append([swap.NPV() for swap in made])
        return np.array(columns).T * scale

    return value


def bonds(portfolio: Portfolio, states: MarketStates, trades: int, count: int) -> Callable[[], Array]:
    """The same for bonds."""
    rows = portfolio.to_pandas("fixed_rate_bond").iloc[:trades].to_dict("records")
    handle = ql.RelinkableYieldTermStructureHandle()
    ql.Settings.instance().evaluationDate = ql_date(TODAY)
    _relink({_discount("USD"): handle}, states, 0)
    issuers = sorted({row["issuer"] for row in rows} - {""})
    quotes = {name: ql.SimpleQuote(0.0) for name in issuers}
    curves = {
        name: ql.YieldTermStructureHandle(ql.ZeroSpreadedTermStructure(handle, ql.QuoteHandle(quote)))
        for name, quote in quotes.items()
    }
    made = [_bond(row, curves.get(row["issuer"], handle)) for row in rows]
    scale = np.array([[row["quantity"]] for row in rows])

    def value() -> Array:
        columns = []
        for state in range(count):
            _relink({_discount("USD"): handle}, states, state)
            for name, quote in quotes.items():
                quote.setValue(float(states[f"spread:{name}"].panel[0, state]))
            columns.append([bond.NPV() for bond in made])
        return np.array(columns).T * scale

    return value


def _relink(handles: dict[str, Any], states: MarketStates, state: int) -> None:
    for role, handle in handles.items():
        curve: Any = states[role]
        zeros = curve.panel[: len(curve.times), state].tolist()
        days = [0, *np.rint(curve.times * 365.0).astype(int).tolist(), _FAR]
        dates = [ql_date(TODAY + day) for day in days]
        made = ql.ZeroCurve(dates, [zeros[0], *zeros, zeros[-1]], ql.Actual365Fixed())
        handle.linkTo(made)


def _discount(name: str) -> str:
    return f"discount:{name}"


def _swap(row: dict[str, Any], handle: Any, projection: Any) -> ql.VanillaSwap:
    roll = ql.ModifiedFollowing
    currency = {"USD": ql.USDCurrency, "EUR": ql.EURCurrency}[row["currency"]]()
    index = ql.IborIndex("3M", ql.Period("3M"), 2, currency, _CALENDAR, roll, False, ql.Actual360(), projection)
    side = ql.VanillaSwap.Payer if row["side"] == "pay" else ql.VanillaSwap.Receiver
    fixed, floating = (_schedule(row["start"], row["maturity"], months, roll) for months in (6, 3))
    thirty = ql.Thirty360(ql.Thirty360.BondBasis)
    made = ql.VanillaSwap(side, row["notional"], fixed, row["fixed_rate"], thirty, floating, index, 0.0, ql.Actual360())
    made.setPricingEngine(ql.DiscountingSwapEngine(handle))
    return made


def _bond(row: dict[str, Any], handle: Any) -> ql.FixedRateBond:
    schedule = _schedule(row["issue"], row["maturity"], 6, ql.Unadjusted)
    thirty = ql.Thirty360(ql.Thirty360.BondBasis)
    made = ql.FixedRateBond(0, row["notional"], schedule, [row["coupon"]], thirty, ql.Following)
    made.setPricingEngine(ql.DiscountingBondEngine(handle))
    return made


def _schedule(start: Any, end: Any, months: int, roll: int) -> ql.Schedule:
    last = ql_date(end)
    how = (ql.DateGeneration.Backward, ql.Date.isEndOfMonth(last))
    return ql.Schedule(ql_date(start), last, ql.Period(months, ql.Months), _CALENDAR, roll, roll, *how)
