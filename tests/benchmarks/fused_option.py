"""The chain of European options written by hand for itself: what riskgrid's general machinery is held against.

Trades stand sorted by share and expiry, 64 states of a trade are in hand at a time, and nothing but ticks is written to
memory. Row by row, every trade goes from moneyness to ticks and cells alone, with riskgrid's own Black; it walks only
over the strikes that its moneyness can reach in those states. By expiry, what trades of one expiry share (forward, its
logarithm, payment, variance at every strike) is made once for all of them and stays in the first cache.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from riskgrid.formulas import discount_factors
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from tests.benchmarks.data import TODAY
from tests.benchmarks.fused_kernel import price_by_expiry, price_by_row

type Array = Any
_ROWS = 512  # ticks of so many trades stay in the cache until they are written


def by_row(
    portfolio: Portfolio, states: MarketStates, bits: int, cell: Array, file: Path, *, two_passes: bool = False
) -> Array:
    """Whole chain: ticks on disk in the order of share and expiry, sums by cell (cell, scenario) returned."""
    groups, terms, (spot, zero, fx, variance, grid) = _prepared(portfolio, states, cell)
    _, which, weight = groups
    key = np.rint(weight[:, 4] * 365.0).astype(np.int64) * 100 + which[:, 3]
    _, first, pair = np.unique(key, return_index=True, return_inverse=True)
    growth = discount_factors(zero, which[first, 1:3].astype(np.int32), np.ascontiguousarray(weight[first, :2]))
    which[:, 6] = pair
    shared = spot, growth, fx[which[first, 3]] / growth, variance, grid
    return _on_file(lambda *what: price_by_row(*what, two_passes), groups, terms, shared, 2.0**bits, file)


def by_expiry(portfolio: Portfolio, states: MarketStates, bits: int, cell: Array, file: Path) -> Array:
    """The same, sharing more."""
    return _on_file(price_by_expiry, *_prepared(portfolio, states, cell), 2.0**bits, file)


def _prepared(portfolio: Portfolio, states: MarketStates, cell: Array) -> tuple[Array, Array, Array]:
    """groups, terms and shared of the kernels."""
    columns: dict[str, Any] = portfolio.columns("equity_option")
    day = (columns["expiry"] - TODAY).astype(np.int64)
    shares, currencies = columns["underlying"], columns["currency"]
    order = np.lexsort((day, shares.codes))
    key = shares.codes[order].astype(np.int64) * 100_000 + day[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    starts = np.append(first, len(order))
    head = order[first]
    spot = np.concatenate([states[f"equity:{name}"].panel for name in shares.names])
    curves = [states[f"discount:{name}"] for name in currencies.names]
    surfaces = [states[f"vol:{name}"] for name in shares.names]
    one = np.ones((1, spot.shape[1]))
    fx = np.concatenate([one if name == "USD" else states[f"fx:{name}"].panel for name in currencies.names])
    zero = np.concatenate([curve.panel for curve in curves])
    variance = np.concatenate([surface.panel for surface in surfaces])
    curve_row = np.cumsum([0, *(len(curve.panel) for curve in curves)]).tolist()
    surface_row = np.cumsum([0, *(len(surface.panel) for surface in surfaces)]).tolist()
    strikes = len(surfaces[0].moneyness)
    nodes, expiries = [curve.times.tolist() for curve in curves], [surface.expiries.tolist() for surface in surfaces]
    rows, weights = [], []
    heads = zip(shares.codes[head].tolist(), currencies.codes[head].tolist(), (day[head] / 365.0).tolist(), strict=True)
    for code, money, years in heads:
        node, share, _ = _between(nodes[money], years)
        times = expiries[code]
        expiry, part, inside = _between(times, years)
        row, zeros = surface_row[code] + expiry * strikes, curve_row[money] + node
        rows.append((code, zeros, zeros + 1, money, row, row + strikes, 0))
        early, late = (1.0 - part) * times[expiry] / inside, part * times[expiry + 1] / inside
        weights.append(((1.0 - share) * years, share * years, early, late, years))
    groups = starts, np.array(rows, np.int64), np.array(weights)
    ordered = [np.asarray(columns[name], np.float64)[order] for name in ("strike", "multiplier", "quantity")]
    is_call = np.array([name == "call" for name in columns["option_type"].names])[columns["option_type"].codes][order]
    terms = ordered[0], np.log(ordered[0]), is_call, ordered[1] * ordered[2], cell[order], np.empty(len(order))
    return groups, terms, (spot, zero, fx, variance, surfaces[0].moneyness)


def _on_file(
    kernel: Callable[..., None], groups: Array, terms: Array, shared: Array, scale: float, file: Path
) -> Array:
    totals = np.zeros((int(terms[4].max()) + 1, shared[0].shape[1] - 1), np.int64)
    with file.open("wb", buffering=0) as out:
        _write(out, kernel, (groups, terms, shared), totals, scale)
        os.fsync(out.fileno())
    return totals


def _write(out: BinaryIO, kernel: Callable[..., None], what: Array, totals: Array, scale: float) -> None:
    (starts, which, weight), terms, shared = what
    buffer = np.empty((0, totals.shape[1]), np.int32)
    low = 0
    while low < len(which):
        high = max(int(np.searchsorted(starts, starts[low] + _ROWS, side="right")) - 1, low + 1)
        rows = int(starts[high] - starts[low])
        buffer = buffer if len(buffer) >= rows else np.empty((rows, totals.shape[1]), np.int32)
        kernel((starts[low : high + 1], which[low:high], weight[low:high]), terms, shared, buffer, totals, scale)
        out.write(buffer[:rows].data)
        low = high


def _between(times: list[float], years: float) -> tuple[int, float, float]:
    """The node before, the share of the one after, and the time held inside the nodes."""
    inside = min(max(years, times[0]), times[-1])
    high = min(max(bisect_left(times, inside), 1), len(times) - 1)
    return high - 1, (inside - times[high - 1]) / (times[high] - times[high - 1]), inside
