"""Floating legs: published fixings for the past, projected rates for the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.conventions import Dates, advance, year_fraction
from riskgrid.market.flows import Flows
from riskgrid.market.objects import Curve, Fixings, RateIndex
from riskgrid.market.stack import Stack, answer, distinct
from riskgrid.quantity import Program, Quantity, evaluate_flow
from riskgrid.terms import Values

__all__ = ["FloatingLeg", "published_fixings"]

type Index = NDArray[np.int64]


class _View(Protocol):
    base_date: np.datetime64
    date: np.datetime64
    trades: int

    def problem(self, trades: NDArray[np.intp], sentence: Callable[[int], str]) -> None: ...


class FloatingLeg:
    """The rates of a block's floating legs: each trade's index, its projection and discount curve, its fixings."""

    def __init__(
        self,
        view: _View,
        *,
        rates: dict[str, RateIndex],
        rate: Index,
        holidays: tuple[Index, list[Dates]],
        projection: tuple[list[Curve], Index],
        discount: tuple[list[Curve], Index],
        fixings: tuple[list[Fixings], Index],
    ) -> None:
        self._view, self._rate, self._holidays = view, rate, holidays
        self._names, self._rates = list(rates), list(rates.values())
        self._projection, self._discount, self._fixings = projection, discount, fixings

    def forward_rate(self, start: Dates, end: Dates) -> Any:
        """Simple forward rate between two dates (trade, 1). Shape (trade, state)."""
        curves, position = self._projection
        first, last = (np.asarray(date, dtype="datetime64[D]")[:, 0] for date in (start, end))
        stack, none = Stack(self._view, curves), np.full(len(position), -1)
        factors = []
        for date in (first, last):
            pairs, row = distinct(position, none, date.astype(np.int64))
            factors.append(answer(stack.discount(pairs), row, self._view.trades))
        years = self._index_accrual(first, last, self._rate).reshape(-1, 1)
        return (factors[0] / factors[1] - 1.0) / years

    def value(self, flows: Flows, accrual: Any, spread: Any) -> Quantity:
        """Value of (rate + spread) * accrual paid on each flow, per unit of notional. Shape (trade, state)."""
        trade, view = flows.trade, self._view
        accruals, spreads = evaluate_flow(accrual, flows), evaluate_flow(spread, flows)
        start, end = flows.schedule.start, flows.schedule.end
        due = flows.payment_dates > view.base_date
        known = self._known_rates(flows, due)
        published = ~np.isnan(known)
        projected = due & ~published
        years = self._index_accrual(start, end, self._rate[trade])
        projected &= years > 0.0  # rolling can leave a period without a day
        weight = np.where(projected, accruals / np.where(projected, years, 1.0), 0.0)
        fixed = np.where(due, (spreads + np.where(published, known, 0.0)) * accruals, 0.0)
        curves, position = self._projection
        none = np.full(len(trade), -1)
        periods, period = distinct(position[trade], start.astype(np.int64), end.astype(np.int64))
        projection = Stack(view, curves)
        each = np.full(len(periods), -1)
        first = projection.discount(np.column_stack([periods[:, 0], each, periods[:, 1]]))
        last = projection.discount(np.column_stack([periods[:, 0], each, periods[:, 2]]))
        curves, position = self._discount
        pairs, paid = distinct(position[trade], none, flows.payment_dates.astype(np.int64))
        tables = (first.table(), last.table(), Stack(view, curves).discount(pairs).table())
        arrays = (period.astype(np.int32), paid.astype(np.int32), weight, fixed)
        offset = flows.offset
        return Quantity(_FloatingSum(arrays), tables, extent="tile", by_trade=(offset[:-1], offset[1:]), scans=True)

    def _known_rates(self, flows: Flows, due: NDArray[np.bool_]) -> Values:
        """Rates fixed before the state date, NaN where still to be projected; marks trades without a past fixing."""
        view, trade = self._view, flows.trade
        dates = self._fixing_dates(flows.schedule.start, trade)
        series, code = self._fixings
        known = published_fixings(series, code[trade], dates)
        known[(dates > view.base_date) | ~due] = np.nan
        lacking = np.flatnonzero(due & (dates < view.base_date) & np.isnan(known))
        first = {int(trade[flow]): dates[flow] for flow in lacking[::-1]}
        view.problem(
            trade[lacking].astype(np.intp),
            lambda at: f"no fixing of index '{self._names[self._rate[at]]}' on {first[at]}, which lies in the past",
        )
        known[lacking] = 0.0
        return self._assumed(known, flows, due & (dates >= view.base_date) & (dates < view.date))

    def _assumed(self, known: Values, flows: Flows, between: NDArray[np.bool_]) -> Values:
        # a rate that fixes between the valuation date and a later state date: the forward of the base curve
        at = np.flatnonzero(between & np.isnan(known))
        if not len(at):
            return known
        curves, position = self._projection
        code = position[flows.trade[at]]
        start, end = flows.schedule.start[at], flows.schedule.end[at]
        clock = _BaseClock(self._view.base_date)
        stack, none = Stack(clock, [curve.take(np.array([0])) for curve in curves]), np.full(len(at), -1)
        factors = []
        for date in (start, end):
            rows = stack.discount(np.column_stack([code, none, date.astype(np.int64)]))
            factors.append(Program(rows.table(), len(at)).replay(slice(0, 1))[:, 0])
        years = self._index_accrual(start, end, self._rate[flows.trade[at]])
        known[at] = (factors[0] / factors[1] - 1.0) / np.where(years > 0.0, years, 1.0)  # rolling can leave no day
        return known

    def _fixing_dates(self, start: Dates, trade: NDArray[np.int32]) -> Dates:
        dates = start.copy()
        codes, values = self._holidays
        for position, rate in enumerate(self._rates):
            at = np.flatnonzero(self._rate[trade] == position)
            dates[at] = advance(start[at], -rate.fixing_lag, (codes[trade[at]], values))
        return dates

    def _index_accrual(self, start: Dates, end: Dates, rate: Index) -> Values:
        years = np.ones(len(start))
        for position, found in enumerate(self._rates):
            at = np.flatnonzero(rate == position)
            years[at] = year_fraction(found.day_count, start[at], end[at])
        return years


class _BaseClock:
    def __init__(self, date: np.datetime64) -> None:
        self.base_date = self.date = date


class _FloatingSum:
    """The sum over each trade's flows, for any range of trades."""

    __name__ = "floating_sum"

    def __init__(self, arrays: tuple[NDArray[Any], ...]) -> None:
        self._arrays = arrays

    def __call__(self, *inputs: Any, out: Any = None) -> Values:
        first, last, discount, head, tail = inputs
        start = np.append(head, tail[-1:]) if len(head) else np.zeros(1, np.int64)
        low, high = int(start[0]), int(start[-1])
        period, paid, weight, fixed = (array[low:high] for array in self._arrays)
        return formulas.floating_sum(first, last, discount, period, paid, weight, fixed, start - low, out=out)


def published_fixings(series: list[Fixings], code: Index, dates: Dates) -> Values:
    """The fixing of ``series[code]`` on each date, NaN where none is published. code, dates : (n,).

    >>> usd = Fixings(np.array(["2016-06-24"], "datetime64[D]"), np.array([0.0064]))
    >>> published_fixings([usd], np.array([0, 0]), np.array(["2016-06-24", "2016-06-25"], "datetime64[D]"))
    array([0.0064,    nan])
    """
    found = np.full(len(dates), np.nan)
    for position, published in enumerate(series):
        here = np.flatnonzero(code == position)
        at = np.minimum(np.searchsorted(published.dates, dates[here]), len(published.dates) - 1)
        hit = published.dates[at] == dates[here]
        found[here[hit]] = published.values[at[hit]]
    return found
