"""Par quotes to zero rates and back, in any number of states at once; no state's bits depend on its company."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import tenor_years
from riskgrid.errors import BadMarket
from riskgrid.formulas import exp, log
from riskgrid.market.curves import curve_panel, curve_weights, weighted_sum
from riskgrid.terms import Values

__all__ = ["bootstrap_par", "calibrate", "par_quotes"]

_NEWTON_STEPS = 50
_NEWTON_STEP = 1e-11  # the step after one this small is below the last bit: Newton squares it
_SWEEPS = 200
_SWEEP_STEP = 1e-14  # sweeps converge by a factor, not by squaring
_SLACK = 1e-9  # years; 18 / 12 and 1.5 are the same tenor


@dataclass(frozen=True)
class _Bond:
    """One par bond: payment ``dates`` and ``accruals`` (payment,), weights of its log discount factors (payment, k)."""

    row: int
    accruals: Values
    index: NDArray[np.int32]
    weight: Values


def calibrate(times: Values, quotes: Values, conventions: Mapping[str, Any]) -> Values:
    """Zero rates (node, state) of a curve from what is quoted, by its entry in the conventions.

    times : (node,), nominal years.   quotes : (node, state); ``zero`` quotes are the answer already.
    """
    if conventions["quotes"] == "zero":
        return quotes
    return bootstrap_par(
        times,
        quotes,
        payments_per_year=conventions["payments_per_year"],
        simple_up_to=tenor_years(conventions["simple_up_to"]),
        interpolation=conventions["interpolation"],
    )


def bootstrap_par(
    times: Values, quotes: Values, *, payments_per_year: int = 2, simple_up_to: float = 0.5, interpolation: str
) -> Values:
    """Zero rates (node, state), continuously compounded, that reprice every quote to 1e-12.

    times : (node,), nominal years, increasing.   quotes : (node, state), decimals.
    Up to ``simple_up_to`` years a quote q is a simple rate, df = 1 / (1 + q t).  A longer one is the coupon, paid
    ``payments_per_year`` times, at which a bond (or a swap's fixed leg) is worth 1; payments count back from maturity,
    and a first period shorter than the others pays its share.  Nothing is extrapolated.
    A NaN quote, or one that no rate reprices, leaves NaN from its node on (monotone_cubic: in the whole curve), in its
    own state only.  Raises UnknownName on an unknown interpolation, BadMarket on impossible times or payments.
    Source: Hagan, West (2006), Applied Mathematical Finance 13, 89-129.

    >>> zeros = bootstrap_par(np.array([0.5, 1.0]), np.array([[0.02], [0.02]]), interpolation="linear_zero")
    >>> [round(float(rate), 10) for rate in zeros[:, 0]]  # 2 ln(1.01), twice
    [0.0199006617, 0.0199006617]
    """
    quotes = _checked(times, quotes, payments_per_year)
    cubic = interpolation == "monotone_cubic"
    local = "linear_zero" if cubic else interpolation
    with np.errstate(all="ignore"):
        guess = log(1.0 + quotes / payments_per_year) * payments_per_year
        zeros = curve_panel(times, guess.copy(), local)
        simple = _simple(times, simple_up_to)
        zeros[simple] = log(1.0 + quotes[simple] * times[simple, None]) / times[simple, None]
        for bond in _bonds(times, simple_up_to, payments_per_year, local):
            zeros[bond.row] = _solved(bond, zeros, quotes[bond.row])
        if cubic:
            return _swept(times, zeros, quotes, _bonds(times, simple_up_to, payments_per_year, interpolation))
    return np.where(np.logical_or.accumulate(~np.isfinite(zeros), axis=0), np.nan, zeros)


def par_quotes(
    times: Values, zeros: Values, *, payments_per_year: int = 2, simple_up_to: float = 0.5, interpolation: str
) -> Values:
    """The quotes (node, state) that zero rates reprice; the inverse of :func:`bootstrap_par`, with its conventions.

    >>> flat = np.full((2, 1), 2 * np.log(1.01))
    >>> [round(float(q), 10) for q in par_quotes(np.array([0.5, 1.0]), flat, interpolation="linear_zero")[:, 0]]
    [0.02, 0.02]
    """
    zeros = _checked(times, zeros, payments_per_year)
    panel = curve_panel(times, zeros, interpolation)
    quotes = np.empty_like(zeros)
    simple = _simple(times, simple_up_to)
    quotes[simple] = (exp(zeros[simple] * times[simple, None]) - 1.0) / times[simple, None]
    for bond in _bonds(times, simple_up_to, payments_per_year, interpolation):
        factors = exp(weighted_sum(panel, bond.index, bond.weight))
        quotes[bond.row] = (1.0 - factors[-1]) / _ordered_sum(bond.accruals, factors)
    return quotes


def _checked(times: Values, values: Values, payments_per_year: int) -> Values:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or len(values) != len(times):
        raise BadMarket(f"a curve with {len(times)} nodes has numbers of shape {values.shape}; (node, state) is right")
    if payments_per_year not in (1, 2, 3, 4, 6, 12):
        raise BadMarket(f"a curve's bonds pay {payments_per_year!r} times a year; 1, 2, 3, 4, 6 or 12 is right")
    return values


def _simple(times: Values, simple_up_to: float) -> NDArray[np.bool_]:
    return np.asarray(times <= simple_up_to + _SLACK)


def _bonds(times: Values, simple_up_to: float, payments_per_year: int, interpolation: str) -> list[_Bond]:
    bonds = []
    for row in np.flatnonzero(~_simple(times, simple_up_to)):
        count = math.ceil(times[row] * payments_per_year - _SLACK)
        dates = times[row] - np.arange(count - 1, -1, -1) / payments_per_year
        accruals = np.full(count, 1.0 / payments_per_year)
        accruals[0] = dates[0]
        bonds.append(_Bond(int(row), accruals, *curve_weights(times, dates, interpolation, "flat_zero")))
    return bonds


def _solved(bond: _Bond, zeros: Values, quote: Values) -> Values:
    """The node's zero rate (state,) by Newton from the value it has; NaN where that does not converge."""
    terms = _Terms.of(bond, zeros)
    rate = zeros[bond.row].copy()
    active = np.isfinite(rate)
    for _ in range(_NEWTON_STEPS):
        step = terms.newton_step(rate, quote)
        rate = np.where(active, rate - step, rate)  # a state that is done stands still: company cannot move its bits
        active &= np.abs(step) > _NEWTON_STEP
        if not active.any():
            break
    return np.where(active, np.nan, rate)


def _swept(times: Values, zeros: Values, quotes: Values, bonds: list[_Bond]) -> Values:
    """Zero rates of the monotone cubic: one Newton step per node with the slopes held, then the slopes, until still."""
    result = np.full_like(zeros, np.nan)
    states = np.flatnonzero(np.isfinite(zeros).all(axis=0))
    panel = curve_panel(times, zeros[:, states], "monotone_cubic")
    quotes = quotes[:, states]
    for _ in range(_SWEEPS):
        largest = np.zeros(len(states))
        for bond in bonds:
            step = _Terms.of(bond, panel).newton_step(panel[bond.row], quotes[bond.row])
            panel[bond.row] -= step
            largest = np.maximum(largest, np.abs(step))
        done = largest <= _SWEEP_STEP
        result[:, states[done]] = panel[: len(times), done]
        moving = ~done & np.isfinite(largest)
        states, quotes = states[moving], quotes[:, moving]
        if not len(states):
            break
        panel = curve_panel(times, panel[: len(times), moving], "monotone_cubic")
    return result


@dataclass(frozen=True)
class _Terms:
    """A bond's value as a function of its own node: ``early`` is the annuity that the node does not move (state,).

    ``accruals``, ``own`` (late,) : of the payments it moves, own the derivative of the log discount factor.
    ``fixed`` (late, state) : that log discount factor without the node.
    """

    early: Values
    accruals: Values
    own: Values
    fixed: Values

    @classmethod
    def of(cls, bond: _Bond, panel: Values) -> _Terms:
        is_own = bond.index == bond.row
        own = np.where(is_own, bond.weight, 0.0).sum(axis=1)
        late = own != 0.0
        rest = np.where(is_own, 0.0, bond.weight)
        fixed = weighted_sum(panel, bond.index, rest)
        early = _ordered_sum(bond.accruals[~late], exp(fixed[~late]))
        return cls(early, bond.accruals[late], own[late], fixed[late])

    def newton_step(self, rate: Values, quote: Values) -> Values:
        """Value over derivative (state,) at this zero rate of the node."""
        factors = exp(self.fixed + self.own[:, None] * rate)
        annuity = self.early + _ordered_sum(self.accruals, factors)
        slope = _ordered_sum(self.accruals * self.own, factors)
        step: Values = (quote * annuity + factors[-1] - 1.0) / (quote * slope + self.own[-1] * factors[-1])
        return step


def _ordered_sum(weights: Values, rows: Values) -> Values:
    total = np.zeros(rows.shape[1])
    for weight, row in zip(weights, rows, strict=True):  # an axis sum's order depends on the number of states
        total += weight * row
    return total
