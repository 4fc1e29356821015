"""Swaps and bonds with plain NumPy: a table of discount factors on distinct dates, then a sparse matrix of flows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from riskgrid.conventions import adjust, make_schedule, year_fraction
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks.data import TODAY

type Array = Any


@dataclass(frozen=True)
class Table:
    """Discount factors of distinct (curve, date), then the growths of distinct periods, discounted from payment.

    panel : (node, state) of all curves and spreads.   log_discount : sparse (row, node).   starts, ends, pays :
    (growth,), rows of the discount factors.
    """

    panel: Array
    log_discount: csr_array
    starts: Array
    ends: Array
    pays: Array

    def __call__(self, states: slice) -> Array:
        """(row + growth, state)."""
        rows = self.log_discount.shape[0]
        made = np.empty((rows + len(self.starts), states.stop - states.start))
        np.exp(self.log_discount @ np.ascontiguousarray(self.panel[:, states]), out=made[:rows])
        growth = made[rows:]
        np.divide(made[self.starts], made[self.ends], out=growth)
        growth -= 1.0
        growth *= made[self.pays]
        return made


@dataclass(frozen=True)
class Flows:
    """Amounts (trade, row of the table), and the rates (currency, state) of each trade's currency to the reporting one.

    step : states at a time.
    """

    table: Table
    amounts: csr_array
    rates: Array
    currency: Array
    step: int

    def values(self, rows: slice) -> Array:
        """Value in the reporting currency (trade, state) of these trades."""
        amounts, currency, states = self.amounts[rows], self.currency[rows], self.rates.shape[1]
        made = np.empty((amounts.shape[0], states))
        for low in range(0, states, self.step):
            part = slice(low, min(low + self.step, states))
            made[:, part] = amounts @ self.table(part)
            if len(self.rates) > 1:
                made[:, part] *= self.rates[:, part][currency]
        return made


def swaps(portfolio: Portfolio, states: MarketStates, step: int) -> Flows:
    """All flows of vanilla swaps; schedules and day counts come from riskgrid, and are on the clock of both."""
    columns: dict[str, Any] = portfolio.columns("interest_rate_swap")
    names, code = columns["currency"].names, columns["currency"].codes
    side = np.array([1.0 if name == "pay" else -1.0 for name in columns["side"].names])[columns["side"].codes]
    size = side * columns["notional"] * columns["quantity"]
    fixed, floating = (_periods(columns["start"], columns["maturity"], months) for months in (6, 3))
    coupon = size[fixed.trade] * columns["fixed_rate"][fixed.trade] * year_fraction("30/360", fixed.start, fixed.end)
    curves, discount, projection = _curves(states, names)
    earn = code[floating.trade]
    keys = [
        (discount[code[fixed.trade]], _paid(fixed.end)),
        (projection[earn], floating.start),
        (projection[earn], floating.end),
        (discount[earn], _paid(floating.end)),
    ]
    pairs, row = _distinct(keys)
    bounds = np.cumsum([0, *(len(date) for _, date in keys)])
    paid, start, end, due = (row[low:high] for low, high in itertools.pairwise(bounds))
    _, sample, growth = np.unique((start * len(row) + end) * len(row) + due, return_index=True, return_inverse=True)
    # accrual and index agree on the day count, so an accrual times a simple rate is the growth itself
    amount = np.concatenate([-coupon, size[floating.trade]])
    column = np.concatenate([paid, pairs.shape[1] + growth])
    trade = np.concatenate([fixed.trade, floating.trade])
    table = _table(curves, [None] * len(curves), pairs, (start[sample], end[sample], due[sample]))
    shape = (len(size), pairs.shape[1] + len(sample))
    rates = np.concatenate([_rate(states, name) for name in names])
    return Flows(table, csr_array((amount, (trade, column)), shape=shape), rates, code, step)


def bonds(portfolio: Portfolio, states: MarketStates, step: int) -> Flows:
    """All flows of USD bonds of several issuers."""
    columns: dict[str, Any] = portfolio.columns("fixed_rate_bond")
    names, code = columns["issuer"].names, columns["issuer"].codes
    periods = _periods(columns["issue"], columns["maturity"], 6, roll="unadjusted")
    face = columns["notional"] * columns["quantity"]
    accrual = year_fraction("30/360", periods.start, periods.end)
    amount = face[periods.trade] * (columns["coupon"][periods.trade] * accrual + periods.is_last)
    paid = _paid(periods.end)
    due = paid > TODAY
    pairs, row = _distinct([(code[periods.trade[due]], paid[due])])
    spreads = [states[f"spread:{name}"] if name else None for name in names]
    none = np.zeros(0, np.int64)
    table = _table([states["discount:USD"]] * len(names), spreads, pairs, (none, none, none))
    amounts = csr_array((amount[due], (periods.trade[due], row)), shape=(len(face), pairs.shape[1]))
    return Flows(table, amounts, np.ones((1, states.count)), np.zeros(len(face), np.int64), step)


def _curves(states: MarketStates, names: Sequence[str]) -> tuple[list[Any], Array, Array]:
    """Distinct curves, and of each currency the one that discounts and the one that projects."""
    of_index: list[Any] = [states[f"index:{name}-3M"] for name in names]
    wanted = [*(states[f"discount:{name}"] for name in names), *(states[f"curve:{one.curve}"] for one in of_index)]
    curves = list({id(curve): curve for curve in wanted}.values())
    place = np.array([next(at for at, curve in enumerate(curves) if curve is one) for one in wanted])
    return curves, place[: len(names)], place[len(names) :]


def _table(curves: list[Any], spreads: list[Any], pairs: Array, periods: tuple[Array, Array, Array]) -> Table:
    """Zero rates are linear in time, flat outside the nodes."""
    code, years = pairs[0], pairs[1] / 365.0
    panels = [*(curve.panel for curve in curves), *(spread.panel for spread in spreads if spread is not None)]
    first = np.cumsum([0, *(len(panel) for panel in panels)])
    spread_row = iter(first[len(curves) :])
    parts = []
    for at, (curve, spread) in enumerate(zip(curves, spreads, strict=True)):
        rows, times = np.flatnonzero(code == at), curve.times
        inside = np.clip(years[rows], times[0], times[-1])
        high = np.clip(np.searchsorted(times, inside), 1, len(times) - 1)
        share = (inside - times[high - 1]) / (times[high] - times[high - 1])
        parts += [
            (rows, first[at] + high - 1, (share - 1.0) * years[rows]),
            (rows, first[at] + high, -share * years[rows]),
        ]
        if spread is not None:
            parts.append((rows, np.full(len(rows), next(spread_row)), -years[rows]))
    row, node, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    weights = csr_array((weight, (row, node)), shape=(len(code), int(first[-1])))
    return Table(np.concatenate(panels), weights, *periods)


def _periods(start: Array, end: Array, months: int, roll: str = "modified_following") -> Any:
    no_holidays = np.zeros(len(start), np.int64), [np.array([], "datetime64[D]")]
    month_end = (end + 1).astype("datetime64[M]") != end.astype("datetime64[M]")
    how = {"roll": (np.zeros(len(start), np.int64), (roll,)), "end_of_month": month_end}
    return make_schedule(start, end, np.full(len(start), months), holidays=no_holidays, **how)


def _paid(end: Array) -> Array:
    return adjust(end, "following", (np.zeros(len(end), np.int64), [np.array([], "datetime64[D]")]))


def _distinct(keys: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    code = np.concatenate([one for one, _ in keys]).astype(np.int64)
    days = np.concatenate([(date - TODAY).astype(np.int64) for _, date in keys])
    pairs, row = np.unique(code * 100_000 + days, return_inverse=True)
    return np.stack(np.divmod(pairs, 100_000)), row


def _rate(states: MarketStates, name: str) -> Array:
    return np.ones((1, states.count)) if name == "USD" else states[f"fx:{name}"].panel
