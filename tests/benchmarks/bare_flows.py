"""What a kernel written by hand for cash flows alone needs: the limit that a chain of linear trades is held against.

Everything that can be prepared is: schedules, distinct dates, weights, rows sorted by trade. What is left is a table of
discount factors, the growths between them, sums of flows, P&L in ticks and sums by cell, 32 states at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from riskgrid.formulas.curve import discount_number
from tests.benchmarks.plain_flows import Flows

type Array = Any
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz", "arcp"}, "cache": True}
_STATES = 32


@dataclass(frozen=True)
class Bare:
    """Flows, and the two nodes of each date with a spread beside them; index, weight : (date, 3)."""

    flows: Flows
    index: Array
    weight: Array

    @classmethod
    def of(cls, flows: Flows) -> Bare:
        """All that is not on the clock."""
        weights = flows.table.log_discount
        weights.sum_duplicates()
        flows.amounts.sum_duplicates()
        counts = np.diff(weights.indptr)
        index, weight = np.zeros((len(counts), 3), np.int32), np.zeros((len(counts), 3))
        column = np.arange(len(weights.data)) - np.repeat(weights.indptr[:-1], counts)
        row = np.repeat(np.arange(len(counts)), counts)
        index[row, column], weight[row, column] = weights.indices, weights.data
        return cls(flows, index, weight)

    def __call__(self, bits: int, cell: Array, _: Path) -> Array:
        """P&L by cell in ticks (cell, scenario) int64; that of each trade is made too, in memory."""
        flows, table = self.flows, self.flows.table
        amounts, states = flows.amounts, flows.rates.shape[1]
        ticks = np.empty((amounts.shape[0], states - 1), np.int32)
        cells = np.zeros((int(cell.max()) + 1, states - 1), np.int64)
        room = np.empty((len(self.index) + len(table.starts), _STATES))
        base = np.empty(len(ticks))
        of_trades = amounts.indptr, amounts.indices, amounts.data, flows.rates, flows.currency
        for low in range(0, states, _STATES):
            begin = min(low, states - _STATES)  # the last range overlaps the one before
            _discount(table.panel, self.index, self.weight, begin, room)
            _grow(room, len(self.index), table.starts, table.ends, table.pays)
            _add(*of_trades, room, begin, base, 2.0**bits, ticks)
        _cells(ticks, cell, cells)
        return cells


@numba.njit(**_OPTIONS)  # type: ignore[misc]
def _discount(panel, index, weight, begin, room):  # type: ignore[no-untyped-def]
    for i in range(index.shape[0]):
        first = panel[index[i, 0], begin : begin + _STATES]
        second = panel[index[i, 1], begin : begin + _STATES]
        w0, w1, w2, out = weight[i, 0], weight[i, 1], weight[i, 2], room[i]
        if w2 == 0.0:
            for j in range(_STATES):
                out[j] = discount_number(w0 * first[j] + w1 * second[j])
        else:
            third = panel[index[i, 2], begin : begin + _STATES]
            for j in range(_STATES):
                out[j] = discount_number(w0 * first[j] + w1 * second[j] + w2 * third[j])


@numba.njit(**_OPTIONS)  # type: ignore[misc]
def _grow(room, rows, starts, ends, pays):  # type: ignore[no-untyped-def]
    for i in range(len(starts)):
        first, last, paid, out = room[starts[i]], room[ends[i]], room[pays[i]], room[rows + i]
        for j in range(_STATES):
            out[j] = (first[j] / last[j] - 1.0) * paid[j]


@numba.njit(**_OPTIONS)  # type: ignore[misc]
def _add(start, row, amount, rates, currency, room, begin, base, scale, ticks):  # type: ignore[no-untyped-def]
    total = np.empty(_STATES)
    for t in range(ticks.shape[0]):
        first, last = start[t], start[t + 1]
        fours = first + (last - first) // 4 * 4
        total[:] = 0.0
        for f in range(first, fours, 4):
            d0, d1, d2, d3 = room[row[f]], room[row[f + 1]], room[row[f + 2]], room[row[f + 3]]
            a0, a1, a2, a3 = amount[f], amount[f + 1], amount[f + 2], amount[f + 3]
            for j in range(_STATES):
                total[j] += a0 * d0[j] + a1 * d1[j] + a2 * d2[j] + a3 * d3[j]
        for f in range(fours, last):
            d0, a0 = room[row[f]], amount[f]
            for j in range(_STATES):
                total[j] += a0 * d0[j]
        rate = rates[currency[t], begin : begin + _STATES]
        if begin == 0:
            base[t] = total[0] * rate[0]
        from_state = 1 if begin == 0 else 0
        for j in range(from_state, _STATES):
            ticks[t, begin + j - 1] = np.int32(np.rint((total[j] * rate[j] - base[t]) * scale))


@numba.njit(**_OPTIONS)  # type: ignore[misc]
def _cells(ticks, cell, cells):  # type: ignore[no-untyped-def]
    for t in range(ticks.shape[0]):
        here, there = ticks[t], cells[cell[t]]
        for s in range(len(here)):
            there[s] += here[s]
