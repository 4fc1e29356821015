"""Ragged cash flows of a block's trades: flow quantities, and their sum over each trade."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.conventions import Coded, Dates, Schedule, advance, take, year_fraction, year_fraction_by_code
from riskgrid.quantity import Quantity
from riskgrid.terms import Names, Values

__all__ = ["Flows", "business_days_later", "coded", "sum_flows"]

type Index = NDArray[np.int64]


class Flows:
    """Cash flows ``(flow,)`` of all trades of a block, made by ``market.schedule``; nothing is built before it is read.

    Attributes and methods give flow quantities, which combine with numbers, ``(trade, 1)`` columns and each other.
    """

    def __init__(
        self, make: Callable[[], tuple[Schedule, Dates]], payments_per_year: NDArray[Any], holidays: Any
    ) -> None:
        self._make, self._payments_per_year, self.holidays = make, payments_per_year, holidays

    @cached_property
    def _made(self) -> tuple[Schedule, Dates]:
        return self._make()

    @property
    def trade(self) -> NDArray[np.int32]:
        """Position of each flow's trade in the block."""
        return self._made[0].trade

    @property
    def offset(self) -> NDArray[np.int64]:
        """Flows of trade t are ``offset[t]`` to ``offset[t + 1]``."""
        return np.asarray(self._made[0].offset)

    @property
    def schedule(self) -> Schedule:
        """The accrual periods."""
        return self._made[0]

    @property
    def payment_dates(self) -> Dates:
        """When each flow is paid, numbers."""
        return self._made[1]

    @property
    def start(self) -> Quantity:
        """First day of each accrual period."""
        return self._quantity(lambda: self.schedule.start)

    @property
    def end(self) -> Quantity:
        """Last day of each accrual period."""
        return self._quantity(lambda: self.schedule.end)

    @property
    def payment(self) -> Quantity:
        """When each flow is paid."""
        return self._quantity(lambda: self.payment_dates)

    @property
    def is_last(self) -> Quantity:
        """1 for a trade's last flow, else 0."""
        return self._quantity(lambda: self.schedule.is_last.astype(np.float64))

    def accrual(self, day_count: Names | str) -> Quantity:
        """Year fraction of each accrual period in the day count of its trade."""
        return self._quantity(lambda: self._accrual(day_count))

    def _accrual(self, day_count: Names | str) -> Values:
        if isinstance(day_count, str):
            day_count = Names(np.zeros((1, 1), np.int32), (day_count,))
        periods, names = self.schedule, day_count.names
        alone = len(names) == 1
        codes = None if alone else np.broadcast_to(day_count.codes[:, 0], (len(self.offset) - 1,))[periods.trade]
        details: dict[str, Any] = {}
        if "ACT/ACT ICMA" in names:
            details |= {"reference_start": periods.reference_start, "reference_end": periods.reference_end}
            details["payments_per_year"] = self._payments_per_year[periods.trade]
        if "30E/360 ISDA" in names:
            details["is_last"] = periods.is_last
        if "BUS/252" in names:
            details["holidays"] = take(self.holidays, periods.trade)
        if codes is None:
            return year_fraction(names[0], periods.start, periods.end, **details)
        return year_fraction_by_code(codes, names, periods.start, periods.end, **details)

    def _quantity(self, make: Callable[[], NDArray[Any]]) -> Quantity:
        return Quantity(make, (), extent="flow", schedule=self)


def coded(value: Names | str) -> Coded[str]:
    """A convention that may differ by trade, in the form of :mod:`riskgrid.conventions`."""
    return value if isinstance(value, str) else (value.codes[:, 0], value.names)


def business_days_later(dates: Dates, days: Index, holidays: Coded[Dates]) -> Dates:
    """Each date moved by its own number of business days of its own calendar; 0 leaves it as it is. All (n,)."""
    moved = np.array(dates, dtype="datetime64[D]")
    for lag in np.unique(days[days != 0]).tolist():
        at = np.flatnonzero(days == lag)
        moved[at] = advance(moved[at], lag, take(holidays, at))
    return moved


def sum_flows(discount: Quantity, row: Index, amount: Values, offset: Index) -> Quantity:
    """Sum of ``amount[f]`` times row ``row[f]`` of the shared table, over the flows of each trade. (trade, state)."""
    index = row.astype(np.int32)
    formulas.check_flows(discount.rows, index, amount, offset)

    def flow_sum(table: Values, first: Index, last: Index, out: Any) -> Values:
        out = np.empty((len(first), table.shape[1])) if out is None else out
        return formulas.checked_flow_sum(table, index, amount, first, last, out)

    return Quantity(flow_sum, (discount,), extent="tile", by_trade=(offset[:-1], offset[1:]), scans=True)
