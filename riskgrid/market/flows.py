"""Ragged cash flows of a block's trades, as flow quantities."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import Coded, Dates, Schedule, year_fraction_by_code
from riskgrid.quantity import Quantity
from riskgrid.terms import Names, Values

__all__ = ["Flows"]


class Flows:
    """Cash flows ``(flow,)`` of all trades of a block, made by ``market.schedule``; nothing is built before it is read.

    Attributes and methods give flow quantities, which combine with numbers, ``(trade, 1)`` columns and each other.
    """

    def __init__(self, make: Callable[[], tuple[Schedule, Dates]], payments_per_year: Values, holidays: Any) -> None:
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
        periods = self.schedule
        if isinstance(day_count, str):
            day_count = Names(np.zeros((1, 1), np.int32), (day_count,))
        codes = np.broadcast_to(day_count.codes[:, 0], (len(self.offset) - 1,))[periods.trade]
        return year_fraction_by_code(
            codes,
            day_count.names,
            periods.start,
            periods.end,
            reference_start=periods.reference_start,
            reference_end=periods.reference_end,
            payments_per_year=self._payments_per_year[periods.trade],
            is_last=periods.is_last,
            holidays=self._flow_holidays(),
        )

    def _flow_holidays(self) -> Coded[Dates]:
        codes, values = self.holidays
        return codes[self.trade], values

    def _quantity(self, make: Callable[[], NDArray[Any]]) -> Quantity:
        return Quantity(make, (), extent="flow", schedule=self)
