"""Money as integers: rounding to ticks, and exact sums of them."""

from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Array, Indices, Mask, Ticks
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop
from riskgrid.formulas.lane import line

INT32_LIMIT = 2147483647.0
INT64_LIMIT = 9223372036854775808.0  # 2^63, the first float64 that does not fit
MISSING_INT32 = np.int32(-2147483648)
MISSING_INT64 = np.int64(-9223372036854775808)


@loop("out", "wide")
def to_int32_loop(values, base, scale, out, wide):  # type: ignore[no-untyped-def]
    """The range is tested before the cast, because casting NaN or a number out of range means nothing."""
    for t in range(out.shape[0]):
        out_row, values_row, level = line(out, t), line(values, t), base[t]
        outside = 0
        for j in range(out_row.shape[0]):
            x = np.rint((values_row[j] - level) * scale)
            size = abs(x)
            fits = size <= INT32_LIMIT
            outside |= (size > INT32_LIMIT) & (size < np.inf)
            out_row[j] = np.int32(x if fits else 0.0) if fits else MISSING_INT32
        wide[t] = outside != 0


@loop("out")
def to_int64_loop(values, base, scale, out):  # type: ignore[no-untyped-def]
    """The range is tested before the cast, because casting NaN or a number out of range means nothing."""
    for t in range(out.shape[0]):
        out_row, values_row, level = line(out, t), line(values, t), base[t]
        for j in range(out_row.shape[0]):
            x = np.rint((values_row[j] - level) * scale)
            fits = abs(x) < INT64_LIMIT
            out_row[j] = np.int64(x if fits else 0.0) if fits else MISSING_INT64


@loop("out")
def sum_cells_loop(ticks, cell, use, out):  # type: ignore[no-untyped-def]
    """Adds rows where they belong; a sum overflowed where its sign differs from that of both its terms."""
    overflow = np.int64(0)
    for t in range(ticks.shape[0]):
        if use[t]:
            total, part = line(out, cell[t]), line(ticks, t)
            for j in range(total.shape[0]):
                before, added = total[j], np.int64(part[j])
                after = before + added
                overflow |= (before ^ after) & (added ^ after)
                total[j] = after
    return overflow >= 0


def to_ticks_numpy(values: Array, base: Array, scale: float, out: Ticks) -> Mask:
    """Specification of `to_ticks`."""
    x = np.rint((values - base[:, None]) * scale)
    fits = np.abs(x) <= INT32_LIMIT if out.dtype == np.int32 else np.abs(x) < INT64_LIMIT
    out[...] = np.where(fits, np.where(fits, x, 0.0).astype(out.dtype), np.iinfo(out.dtype).min)
    wide: Mask = np.any(~fits & np.isfinite(x), axis=1) & (out.dtype == np.int32)
    return wide


def sum_cells_numpy(ticks: Ticks, cell: Indices, use: Mask, out: Ticks) -> bool:
    """Specification of `sum_cells`."""
    fits = True
    for t in np.flatnonzero(use):
        before = out[cell[t]].copy()
        out[cell[t]] += ticks[t]
        fits &= not np.any((before ^ out[cell[t]]) & (ticks[t] ^ out[cell[t]]) < 0)
    return fits


def to_ticks(values: Array, base: Array, scale: float, out: Ticks) -> Mask:
    """Rounds (value - base) * scale half to even into `out`, and says which rows do not fit.

    values : (trade, state), currency.   base : (trade,), currency.   scale : ticks per unit of currency.
    out : (trade, state), int32 or int64; a missing pair (NaN or infinite) becomes its least number, as does a pair of
    2^63 or beyond in int64.   Returns wide (trade,): rows with a finite pair outside int32; their content is void.
    Raises ValueError for other shapes or types.

    >>> ticks = np.empty((1, 2), np.int32)
    >>> bool(to_ticks(np.array([[1.5, np.nan]]), np.array([1.0]), 16.0, ticks)[0]), ticks.tolist()
    (False, [[8, -2147483648]])
    """
    if out.dtype not in (np.int32, np.int64) or out.shape != values.shape or base.shape != (len(values),):
        raise ValueError(
            f"out is {out.dtype} {out.shape}, base {base.shape}; "
            f"they must be int32 or int64 {values.shape} and ({len(values)},)"
        )
    wide = np.zeros(len(values), np.bool_)
    with np.errstate(all="ignore"):
        if BACKEND == "numpy":
            return to_ticks_numpy(values, base, scale, out)
        if out.dtype == np.int32:
            to_int32_loop(values, base, float(scale), out, wide)
        else:
            to_int64_loop(values, base, float(scale), out)
    return wide


def sum_cells(ticks: Ticks, cell: Indices, use: Mask, out: Any) -> bool:
    """Adds rows of ticks to the rows of `out` that `cell` names, exactly; False says that a sum left int64.

    ticks : (trade, state), int32 or int64.   cell : (trade,), int64 rows of `out`.   use : (trade,), rows to add.
    out : (cell, state), int64, changed in place.   Raises IndexError where a cell is not a row, ValueError for other
    shapes or types.

    >>> total = np.zeros((1, 2), np.int64)
    >>> sum_cells(np.array([[1, 2], [3, 4]]), np.array([0, 0]), np.array([True, True]), total), total.tolist()
    (True, [[4, 6]])
    """
    if out.dtype != np.int64 or out.shape[1:] != ticks.shape[1:] or cell.shape != use.shape or len(cell) != len(ticks):
        raise ValueError(
            f"out is {out.dtype} {out.shape}, cell {cell.shape}, use {use.shape}; "
            f"they must be int64 (cell, {ticks.shape[1]}) and ({len(ticks)},)"
        )
    used = cell[use]
    if used.size and not (used.min() >= 0 and used.max() < len(out)):
        raise IndexError(f"cell: rows {used.min()} to {used.max()} are asked for; known: 0 to {len(out) - 1}")
    with np.errstate(over="ignore"):
        return bool((sum_cells_loop if BACKEND == "numba" else sum_cells_numpy)(ticks, cell, use, out))


def add_exactly(total: Any, part: Any) -> bool:
    """Adds one matrix of ticks to another in place; False says that a sum left int64.

    total, part : (cell, state), int64.

    >>> add_exactly(np.array([[2**62]]), np.array([[2**62]]))
    False
    """
    return sum_cells(part, np.arange(len(part)), np.ones(len(part), np.bool_), total)
