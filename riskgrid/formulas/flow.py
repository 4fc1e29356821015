"""Sums of cash flows over distinct dates, in a fixed order."""

import numpy as np

from riskgrid.formulas.arrays import Array, Indices
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop
from riskgrid.formulas.curve import check_rows, output
from riskgrid.formulas.lane import fma, lanes, line, line_from
from riskgrid.formulas.memory import widest

STATES = 32  # of one pass: a number known to the compiler leaves neither tests nor remainders inside


@loop("out")
def flow_sum_loop(discount, row, amount, start, stop, out):  # type: ignore[no-untyped-def]
    """`STATES` states at a time, the last ones overlapping; four flows a pass, added one after the other."""
    widest()
    states, total = out.shape[1], lanes()
    for t in range(out.shape[0]):
        first, last = start[t], stop[t]
        fours = first + (last - first) // 4 * 4
        for chunk in range((states + STATES - 1) // STATES):
            b = min(chunk * STATES, states - STATES)
            out_row = line_from(out, t, b)
            for j in range(STATES):
                total[j] = 0.0
            for f in range(first, fours, 4):
                d0, d1 = line_from(discount, row[f], b), line_from(discount, row[f + 1], b)
                d2, d3 = line_from(discount, row[f + 2], b), line_from(discount, row[f + 3], b)
                a0, a1, a2, a3 = amount[f], amount[f + 1], amount[f + 2], amount[f + 3]
                for j in range(STATES):
                    early = fma(a1, d1[j], fma(a0, d0[j], total[j]))
                    total[j] = fma(a3, d3[j], fma(a2, d2[j], early))
            for f in range(fours, last):
                d0, a0 = line_from(discount, row[f], b), amount[f]
                for j in range(STATES):
                    total[j] = fma(a0, d0[j], total[j])
            for j in range(STATES):
                out_row[j] = total[j]


@loop("out")
def flow_sum_of_few_loop(discount, row, amount, start, stop, out):  # type: ignore[no-untyped-def]
    """The same, with the same bits, of fewer than `STATES` states."""
    for t in range(out.shape[0]):
        out_row = line(out, t)
        for j in range(out_row.shape[0]):
            out_row[j] = 0.0
        for f in range(start[t], stop[t]):
            d0, a0 = line(discount, row[f]), amount[f]
            for j in range(out_row.shape[0]):
                out_row[j] = fma(a0, d0[j], out_row[j])


def flow_sum_numpy(discount: Array, row: Indices, amount: Array, start: Indices, stop: Indices, out: Array) -> None:
    """Specification of `flow_sum`."""
    out[...] = 0.0
    for t in range(len(out)):
        for f in range(start[t], stop[t]):
            out[t] += amount[f] * discount[row[f]]


def flow_sum(discount: Array, row: Indices, amount: Array, start: Indices, out: Array | None = None) -> Array:
    """Value of each trade's cash flows: sum over its flows of amount times discount factor, first flow first.

    discount : (date, state), no unit.   row, amount : (flow,), row of the flow's date and currency paid.
    start : (trade + 1,), the flows of trade t are start[t] to start[t + 1].   Returns (trade, state), currency.
    Raises IndexError where a row is not a date, ValueError where `start` does not divide the flows.

    >>> flow_sum(np.array([[1.0], [0.5]]), np.array([0, 1]), np.array([3.0, 104.0]), np.array([0, 2]))
    array([[55.]])
    """
    check_flows(len(discount), row, amount, start)
    out = output((len(start) - 1, discount.shape[1]), out)
    return checked_flow_sum(discount, row, amount, start[:-1], start[1:], out)


def checked_flow_sum(discount: Array, row: Indices, amount: Array, start: Indices, stop: Indices, out: Array) -> Array:
    """As `flow_sum`, where the flows of trade t are start[t] to stop[t], all known to be right: of a tile's trades."""
    compiled = flow_sum_loop if out.shape[1] >= STATES else flow_sum_of_few_loop
    with np.errstate(all="ignore"):
        (compiled if BACKEND == "numba" else flow_sum_numpy)(discount, row, amount, start, stop, out)
    return out


def check_flows(dates: int, row: Indices, amount: Array, start: Indices) -> None:
    """Raises what `flow_sum` says it raises, for a table of so many dates."""
    check_rows("row", row, dates)
    if len(row) != len(amount):
        raise ValueError(f"flow columns have lengths {(len(row), len(amount))}; they must have one")
    if len(start) < 1 or start[0] < 0 or start[-1] > len(row) or np.any(np.diff(start) < 0):
        raise ValueError(f"start: must ascend from 0 or more to at most {len(row)}, the number of flows")
