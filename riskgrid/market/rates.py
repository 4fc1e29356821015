"""Floating legs: published fixings for the past, projected rates for the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import Dates, advance, take, year_fraction
from riskgrid.market.flows import Flows, sum_flows
from riskgrid.market.objects import Curve, Fixings, RateIndex
from riskgrid.market.stack import Stack, answer, distinct
from riskgrid.market.table import DiscountTable
from riskgrid.program import Program
from riskgrid.quantity import Quantity, evaluate_flow
from riskgrid.terms import Values

__all__ = ["FloatingLeg", "published_fixings"]

type Index = NDArray[np.int64]


class _View(Protocol):
    base_date: np.datetime64
    date: np.datetime64
    trades: int
    table: DiscountTable

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
        trade, table = flows.trade, self._view.table
        accruals, spreads = evaluate_flow(accrual, flows), evaluate_flow(spread, flows)
        due = flows.payment_dates > self._view.base_date
        known, rates = self._known_rates(flows, due)
        fixed = np.where(due, spreads * accruals, 0.0) if spreads.any() else np.zeros(len(trade))
        fixed[known] += rates * accruals[known]
        years = self._index_accrual(flows.schedule.start, flows.schedule.end, self._rate[trade])
        due &= years > 0.0  # rolling can leave a period without a day
        due[known] = False
        moving, cash = _true(due), np.flatnonzero(fixed)  # a NaN is no zero
        row, amount = self._growth(flows, moving), accruals[moving] / years[moving]
        offset = flows.offset if isinstance(moving, slice) else np.searchsorted(moving, flows.offset)
        if not len(cash):
            return sum_flows(table.quantity, row, amount, offset)
        curves, position = self._discount
        paid = table.dates(curves, position, flows.payment_dates[cash], owner=trade[cash])
        # of each trade first what moves, then what is fixed
        place = np.arange(len(cash)) + offset[1:][trade[cash]]
        rows, amounts = np.empty(len(row) + len(cash), np.int64), np.empty(len(row) + len(cash))
        others = np.ones(len(rows), np.bool_)
        others[place] = False
        rows[place], amounts[place] = paid, fixed[cash]
        rows[others], amounts[others] = row, amount
        return sum_flows(table.quantity, rows, amounts, offset + np.searchsorted(cash, flows.offset))

    def _growth(self, flows: Flows, at: Index | slice) -> Index:
        """Rows of the growth over these flows' periods, paid when they are; alike ones are one row."""
        table, (projections, projection), (curves, discount) = self._view.table, self._projection, self._discount
        pairs, pair = distinct(projection, discount)
        start, end, payment = (
            dates[at].view(np.int64) for dates in (flows.schedule.start, flows.schedule.end, flows.payment_dates)
        )
        # differences of days span little, so that finding the distinct periods needs no sorting
        code = pair[flows.trade[at]] if len(pairs) > 1 else np.zeros(len(start), np.int64)
        periods, place = distinct(code, start, end - start, payment - end)
        code, first, length, wait = periods.T
        (projected, discounted), last = pairs[code].T, first + length
        bounds = table.dates(projections, np.append(projected, projected), _days(np.append(first, last)))
        paid = table.dates(curves, discounted, _days(last + wait))
        return table.periods(bounds[: len(first)], bounds[len(first) :], paid)[place]

    def _known_rates(self, flows: Flows, due: NDArray[np.bool_]) -> tuple[Index, Values]:
        """Flows whose rate is fixed before the state date, and their rates; marks trades without a past fixing."""
        view, starts = self._view, flows.schedule.start
        near = np.flatnonzero(due & (starts <= self._last_start()))
        trade = flows.trade[near]
        dates = self._fixing_dates(starts[near], trade)
        series, code = self._fixings
        rates = published_fixings(series, code[trade], dates)
        rates[dates > view.date] = (
            np.nan
        )  # a state knows what is published by its own date; the base is of the base date
        lacking = np.flatnonzero((dates < view.base_date) & np.isnan(rates))
        first = {int(trade[flow]): dates[flow] for flow in lacking[::-1]}
        view.problem(
            trade[lacking].astype(np.intp),
            lambda at: f"no fixing of index '{self._names[self._rate[at]]}' on {first[at]}, which lies in the past",
        )
        rates[lacking] = 0.0
        between = np.flatnonzero((dates >= view.base_date) & (dates < view.date) & np.isnan(rates))
        rates[between] = self._assumed(flows, near[between])
        known = np.flatnonzero(~np.isnan(rates))
        return near[known], rates[known]

    def _last_start(self) -> np.datetime64:
        """A day after which no period starts whose rate is fixed up to the state date: fixing dates ascend."""
        week, last = np.timedelta64(7, "D"), self._view.date
        for rate in self._rates:
            for closed in self._holidays[1]:
                while (advance(last, -rate.fixing_lag, closed) <= self._view.date).any():
                    last = last + week
        return last

    def _assumed(self, flows: Flows, at: Index) -> Values:
        # a rate that fixes between the valuation date and a later state date: the forward of the base curve
        if not len(at):
            return np.empty(0)
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
        return np.asarray((factors[0] / factors[1] - 1.0) / np.where(years > 0.0, years, 1.0))  # as in value

    def _fixing_dates(self, start: Dates, trade: NDArray[np.int32]) -> Dates:
        dates = start.copy()
        codes, values = self._holidays
        for position, rate in enumerate(self._rates):
            at = np.flatnonzero(self._rate[trade] == position)
            dates[at] = advance(start[at], -rate.fixing_lag, take((codes, values), trade[at]))
        return dates

    def _index_accrual(self, start: Dates, end: Dates, rate: Index) -> Values:
        years = np.ones(len(start))
        for position, found in enumerate(self._rates):
            at = slice(None) if len(self._rates) == 1 else np.flatnonzero(rate == position)
            years[at] = year_fraction(found.day_count, start[at], end[at])
        return years


class _BaseClock:
    def __init__(self, date: np.datetime64) -> None:
        self.base_date = self.date = date


def _true(flags: NDArray[np.bool_]) -> Index | slice:
    """Where flags are set, in the form that takes all without a copy."""
    return slice(None) if flags.all() else np.flatnonzero(flags)


def _days(count: Index) -> Dates:
    return count.view("datetime64[D]")


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
