"""Curves, ticks and cells as they are written with plain NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

type Array = Any


def discount_table(curve: Any, years: Array) -> Array:
    """Discount factors (date, state): zero rates linear in time, flat outside the nodes."""
    times, zeros = curve.times, curve.panel
    inside = np.clip(years, times[0], times[-1])
    high = np.clip(np.searchsorted(times, inside), 1, len(times) - 1)
    share = ((inside - times[high - 1]) / (times[high] - times[high - 1])).reshape(-1, 1)
    rates = (1.0 - share) * zeros[high - 1] + share * zeros[high]
    return np.exp(-rates * years.reshape(-1, 1))


def count(
    values: Callable[[slice], Array], shape: tuple[int, int], step: int, bits: int, cell: Array, file: Path
) -> Array:
    """The rest of the chain: P&L in ticks, kept on disk, and added up by cell; returns (cell, scenario) int64.

    values : of rows (trade, state).   shape : trades, states.   step : rows at a time.   cell : (trade,).
    """
    ticks = np.empty((shape[0], shape[1] - 1), np.int32)
    for start in range(0, shape[0], step):
        rows = slice(start, min(start + step, shape[0]))
        value = values(rows)
        ticks[rows] = np.rint((value[:, 1:] - value[:, :1]) * 2.0**bits)
    with file.open("wb") as out:
        np.save(out, ticks)
        out.flush()
        os.fsync(out.fileno())
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(cell.max() + 1))
    return np.add.reduceat(ticks[order], starts, axis=0, dtype=np.int64)
