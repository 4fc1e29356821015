"""Sums of cash flows over distinct dates, in a fixed order."""

import numpy as np

from riskgrid.formulas.arrays import Array, Indices
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop
from riskgrid.formulas.curve import check_rows, output
from riskgrid.formulas.lane import fma, line


@loop("out")
def flow_sum_loop(discount, row, amount, start, out):  # type: ignore[no-untyped-def]
    """Four flows a pass, added one after the other: a quarter of the loads and stores, the same order and bits."""
    for t in range(out.shape[0]):
        out_row = line(out, t)
        first, last = start[t], start[t + 1]
        for j in range(out_row.shape[0]):
            out_row[j] = 0.0
        fours = first + (last - first) // 4 * 4
        for f in range(first, fours, 4):
            d0, d1, d2, d3 = (
                line(discount, row[f]),
                line(discount, row[f + 1]),
                line(discount, row[f + 2]),
                line(discount, row[f + 3]),
            )
            a0, a1, a2, a3 = amount[f], amount[f + 1], amount[f + 2], amount[f + 3]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(a3, d3[j], fma(a2, d2[j], fma(a1, d1[j], fma(a0, d0[j], out_row[j]))))
        for f in range(fours, last):
            d0, a0 = line(discount, row[f]), amount[f]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(a0, d0[j], out_row[j])


@loop("growth", "out")
def floating_sum_loop(  # type: ignore[no-untyped-def]
    projection_start, projection_end, discount, period_row, pay_row, weight, fixed, start, growth, out
):
    """One division per distinct period and state, into `growth`; two flows a pass, added one after the other."""
    for p in range(growth.shape[0]):
        growth_row, start_row, end_row = line(growth, p), line(projection_start, p), line(projection_end, p)
        for j in range(growth_row.shape[0]):
            growth_row[j] = start_row[j] / end_row[j] - 1.0
    for t in range(out.shape[0]):
        out_row = line(out, t)
        first, last = start[t], start[t + 1]
        for j in range(out_row.shape[0]):
            out_row[j] = 0.0
        pairs = first + (last - first) // 2 * 2
        for f in range(first, pairs, 2):
            g0, g1 = line(growth, period_row[f]), line(growth, period_row[f + 1])
            d0, d1 = line(discount, pay_row[f]), line(discount, pay_row[f + 1])
            w0, w1, c0, c1 = weight[f], weight[f + 1], fixed[f], fixed[f + 1]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(fma(w1, g1[j], c1), d1[j], fma(fma(w0, g0[j], c0), d0[j], out_row[j]))
        for f in range(pairs, last):
            g0, d0, w0, c0 = line(growth, period_row[f]), line(discount, pay_row[f]), weight[f], fixed[f]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(fma(w0, g0[j], c0), d0[j], out_row[j])


def flow_sum_numpy(discount: Array, row: Indices, amount: Array, start: Indices, out: Array) -> None:
    """Specification of `flow_sum`."""
    out[...] = 0.0
    for t in range(len(out)):
        for f in range(start[t], start[t + 1]):
            out[t] += amount[f] * discount[row[f]]


def floating_sum_numpy(
    projection_start: Array,
    projection_end: Array,
    discount: Array,
    period_row: Indices,
    pay_row: Indices,
    weight: Array,
    fixed: Array,
    start: Indices,
    growth: Array,
    out: Array,
) -> None:
    """Specification of `floating_sum`."""
    np.divide(projection_start, projection_end, out=growth)
    growth -= 1.0
    out[...] = 0.0
    for t in range(len(out)):
        for f in range(start[t], start[t + 1]):
            out[t] += (weight[f] * growth[period_row[f]] + fixed[f]) * discount[pay_row[f]]


def flow_sum(discount: Array, row: Indices, amount: Array, start: Indices, out: Array | None = None) -> Array:
    """Value of each trade's cash flows: sum over its flows of amount times discount factor, first flow first.

    discount : (date, state), no unit.   row, amount : (flow,), row of the flow's date and currency paid.
    start : (trade + 1,), the flows of trade t are start[t] to start[t + 1].   Returns (trade, state), currency.
    Raises IndexError where a row is not a date, ValueError where `start` does not divide the flows.

    >>> flow_sum(np.array([[1.0], [0.5]]), np.array([0, 1]), np.array([3.0, 104.0]), np.array([0, 2]))
    array([[55.]])
    """
    check_rows("row", row, len(discount))
    check_start(start, len(row), len(amount))
    out = output((len(start) - 1, discount.shape[1]), out)
    with np.errstate(all="ignore"):
        (flow_sum_loop if BACKEND == "numba" else flow_sum_numpy)(discount, row, amount, start, out)
    return out


def floating_sum(
    projection_start: Array,
    projection_end: Array,
    discount: Array,
    period_row: Indices,
    pay_row: Indices,
    weight: Array,
    fixed: Array,
    start: Indices,
    out: Array | None = None,
) -> Array:
    """Value of each trade's floating flows: sum of (weight (P_start/P_end - 1) + fixed) discount, first flow first.

    projection_start, projection_end : (period, state), discount factors of the projection curve at the period's ends.
    discount : (date, state).   period_row, pay_row, weight, fixed : (flow,), the period's row, the payment date's row,
    currency per unit of growth (notional times accrual over the index's own), and currency paid in any case (spread).
    start : (trade + 1,), the flows of trade t are start[t] to start[t + 1].   Returns (trade, state), currency.
    Raises IndexError where a row is not a period or date, ValueError where `start` does not divide the flows.

    >>> one = np.array([[1.0]])
    >>> floating_sum(one, one / 1.25, one, *np.array([[0], [0], [100], [2]]), np.array([0, 1]))
    array([[27.]])
    """
    check_rows("period_row", period_row, len(projection_start))
    check_rows("pay_row", pay_row, len(discount))
    check_start(start, len(period_row), len(pay_row), len(weight), len(fixed))
    if projection_end.shape != projection_start.shape or projection_end.shape[1:] != discount.shape[1:]:
        raise ValueError(
            f"projection_start {projection_start.shape}, projection_end {projection_end.shape} and discount "
            f"{discount.shape}; periods must agree, and states everywhere"
        )
    out = output((len(start) - 1, discount.shape[1]), out)
    growth = np.empty(projection_start.shape)
    with np.errstate(all="ignore"):
        (floating_sum_loop if BACKEND == "numba" else floating_sum_numpy)(
            projection_start, projection_end, discount, period_row, pay_row, weight, fixed, start, growth, out
        )
    return out


def check_start(start: Indices, *flows: int) -> None:
    """Raises ValueError unless `start` ascends within the flows and every flow column has one length."""
    if len(set(flows)) > 1:
        raise ValueError(f"flow columns have lengths {flows}; they must have one")
    if len(start) < 1 or start[0] < 0 or start[-1] > flows[0] or np.any(np.diff(start) < 0):
        raise ValueError(f"start: must ascend from 0 or more to at most {flows[0]}, the number of flows")
