"""Swaps and bonds with plain NumPy: a table of discount factors on distinct dates, then a sparse matrix of flows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from riskgrid.conventions import adjust, make_schedule, year_fraction
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks.data import TODAY
from tests.benchmarks.plain_curve import discount_table

type Array = Any


@dataclass(frozen=True)
class Table:
    """Discount factors of distinct (curve, date), and the growth between some of them. curve, years : (row,)."""

    curves: tuple[Any, ...]
    spreads: tuple[Any, ...]  # (state,) each, None without
    curve: Array
    years: Array
    starts: Array  # rows of the table, as are ends and pays: each growth is discounted from its payment date
    ends: Array
    pays: Array

    def __call__(self, states: slice) -> Array:
        """(row + growth, state)."""
        made = np.empty((len(self.years), states.stop - states.start))
        for code, (curve, spread) in enumerate(zip(self.curves, self.spreads, strict=True)):
            here = self.curve == code
            cut = type(curve)(curve.times, curve.panel[:, states], curve.interpolation, curve.extrapolation)
            made[here] = discount_table(cut, self.years[here])
            if spread is not None:
                made[here] *= np.exp(-spread[states] * self.years[here].reshape(-1, 1))
        growth = (made[self.starts] / made[self.ends] - 1.0) * made[self.pays]
        return np.concatenate([made, growth])


@dataclass(frozen=True)
class Flows:
    """Amounts (trade, row of the table), and the rate to the reporting currency (trade, state), None where it is 1."""

    table: Table
    amounts: csr_array
    to_reporting: Array
    states: int
    step: int  # states at a time

    def values(self, rows: slice) -> Array:
        """Value in the reporting currency (trade, state) of these trades."""
        amounts = self.amounts[rows]
        parts = [slice(low, min(low + self.step, self.states)) for low in range(0, self.states, self.step)]
        made = np.concatenate([amounts @ self.table(part) for part in parts], axis=1)
        return made if self.to_reporting is None else made * self.to_reporting[rows]


def swaps(portfolio: Portfolio, states: MarketStates, step: int) -> Flows:
    """All flows of vanilla swaps; schedules and day counts come from riskgrid, and are on the clock of both."""
    columns: dict[str, Any] = portfolio.columns("interest_rate_swap")
    names, code = columns["currency"].names, columns["currency"].codes
    side = np.array([1.0 if name == "pay" else -1.0 for name in columns["side"].names])[columns["side"].codes]
    size = side * columns["notional"] * columns["quantity"]
    fixed, floating = (_periods(columns["start"], columns["maturity"], months) for months in (6, 3))
    coupon = size[fixed.trade] * columns["fixed_rate"][fixed.trade] * year_fraction("30/360", fixed.start, fixed.end)
    pay = _paid(fixed.end)
    keys = [
        (code[fixed.trade], pay),
        *((code[floating.trade], date) for date in (floating.start, floating.end, _paid(floating.end))),
    ]
    pairs, row = _distinct(keys)
    bounds = np.cumsum([0, *(len(date) for _, date in keys)])
    paid, start, end, due = (row[low:high] for low, high in itertools.pairwise(bounds))
    triples, growth = np.unique(np.stack([start, end, due]), axis=1, return_inverse=True)
    # accrual and index agree on the day count, so an accrual times a simple rate is the growth itself
    amount = np.concatenate([-coupon, size[floating.trade]])
    column = np.concatenate([paid, pairs.shape[1] + growth.ravel()])
    trade = np.concatenate([fixed.trade, floating.trade])
    curves = tuple(states[f"discount:{name}"] for name in names)
    table = Table(curves, (None,) * len(names), pairs[0], pairs[1] / 365.0, *triples)
    shape = (len(size), pairs.shape[1] + triples.shape[1])
    rates = np.concatenate([_rate(states, name) for name in names])[code]
    return Flows(table, csr_array((amount, (trade, column)), shape=shape), rates, states.count, step)


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
    spreads = tuple(states[f"spread:{name}"].panel[0] if name else None for name in names)
    curves, none = (states["discount:USD"],) * len(names), np.zeros(0, np.int64)
    table = Table(curves, spreads, pairs[0], pairs[1] / 365.0, none, none, none)
    amounts = csr_array((amount[due], (periods.trade[due], row)), shape=(len(face), pairs.shape[1]))
    return Flows(table, amounts, None, states.count, step)


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
