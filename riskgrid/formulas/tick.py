"""Money as integers: rounding to ticks."""

import numpy as np

from riskgrid.formulas.arrays import Array, Mask, Ticks
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.lane import line
from riskgrid.formulas.memory import ahead, widest

INT32_LIMIT = 2147483647.0
INT64_LIMIT = 9223372036854775808.0  # 2^63, the first float64 that does not fit
NARROW = 128  # states of rows that end before the processor guesses what comes next
AHEAD = 16  # rows
MISSING_INT32 = np.int32(-2147483648)
WIDE, MISSING = 1, 2  # flags of a row
MISSING_INT64 = np.int64(-9223372036854775808)


@scalar
def narrow_lines(states):  # type: ignore[no-untyped-def]
    """Cache lines of a row of ticks to be asked for ahead; of a long row none, the processor sees it coming."""
    return states // 16 + 2 if states <= NARROW else 0


@scalar
def tick_row(values, level, scale, out):  # type: ignore[no-untyped-def]
    """Ticks of one row; returns `WIDE` where a number does not fit, plus `MISSING` where one is missing or too large.

    The range is tested before the cast, because casting NaN or a number out of range means nothing.
    """
    widest()
    outside = lacking = 0
    for j in range(out.shape[0]):
        x = np.rint((values[j] - level) * scale)
        size = abs(x)
        fits = size <= INT32_LIMIT
        outside |= (size > INT32_LIMIT) & (size < np.inf)
        lacking |= not fits
        out[j] = np.int32(x if fits else 0.0) if fits else MISSING_INT32
    return (WIDE if outside != 0 else 0) + (MISSING if lacking != 0 else 0)


@scalar
def summed_tick_row(values, level, scale, multipliers, out):  # type: ignore[no-untyped-def]
    """The same, and the sum of ticks times multipliers as :func:`riskgrid.formulas.checksum.row_checksums` has it.

    Here, where the ticks are at hand: reading them again would wait until what was just written is in the cache.
    """
    widest()
    outside = lacking = 0
    total = np.uint64(0)
    for j in range(out.shape[0]):
        x = np.rint((values[j] - level) * scale)
        size = abs(x)
        fits = size <= INT32_LIMIT
        outside |= (size > INT32_LIMIT) & (size < np.inf)
        lacking |= not fits
        tick = np.int32(x if fits else 0.0) if fits else MISSING_INT32
        total += np.uint64(np.uint32(tick)) * np.uint64(multipliers[j])
        out[j] = tick
    return (WIDE if outside != 0 else 0) + (MISSING if lacking != 0 else 0), total


@loop("out", "flags")
def to_int32_loop(values, base, scale, out, flags):  # type: ignore[no-untyped-def]
    """Row by row, each asked for ahead of its turn."""
    widest()
    lines = narrow_lines(out.shape[1])
    for t in range(out.shape[0]):
        ahead(out, t + AHEAD, lines)
        flags[t] = tick_row(line(values, t), base[t], scale, line(out, t))


@loop("out", "missing")
def to_int64_loop(values, base, scale, out, missing):  # type: ignore[no-untyped-def]
    """The range is tested before the cast, because casting NaN or a number out of range means nothing."""
    widest()
    for t in range(out.shape[0]):
        out_row, values_row, level = line(out, t), line(values, t), base[t]
        lacking = 0
        for j in range(out_row.shape[0]):
            x = np.rint((values_row[j] - level) * scale)
            fits = abs(x) < INT64_LIMIT
            lacking |= not fits
            out_row[j] = np.int64(x if fits else 0.0) if fits else MISSING_INT64
        missing[t] = lacking != 0


def to_ticks_numpy(values: Array, base: Array, scale: float, out: Ticks) -> tuple[Mask, Mask]:
    """Specification of `to_ticks`."""
    x = np.rint((values - base[:, None]) * scale)
    fits = np.abs(x) <= INT32_LIMIT if out.dtype == np.int32 else np.abs(x) < INT64_LIMIT
    out[...] = np.where(fits, np.where(fits, x, 0.0).astype(out.dtype), np.iinfo(out.dtype).min)
    wide: Mask = np.any(~fits & np.isfinite(x), axis=1) & (out.dtype == np.int32)
    return wide, np.any(~fits, axis=1)


def to_ticks(values: Array, base: Array, scale: float, out: Ticks) -> tuple[Mask, Mask]:
    """Rounds (value - base) * scale half to even into `out`, and says which rows do not fit, and which lack a pair.

    values : (trade, state), currency.   base : (trade,), currency.   scale : ticks per unit of currency.
    out : (trade, state), int32 or int64; a missing pair (NaN or infinite) becomes its least number, as does a pair of
    2^63 or beyond in int64.   Returns wide (trade,): rows with a finite pair outside int32; their content is void; and
    missing (trade,): rows that hold the least number.
    Raises ValueError for other shapes or types.

    >>> ticks = np.empty((1, 2), np.int32)
    >>> wide, missing = to_ticks(np.array([[1.5, np.nan]]), np.array([1.0]), 16.0, ticks)
    >>> wide.tolist(), missing.tolist(), ticks.tolist()
    ([False], [True], [[8, -2147483648]])
    """
    if out.dtype not in (np.int32, np.int64) or out.shape != values.shape or base.shape != (len(values),):
        raise ValueError(
            f"out is {out.dtype} {out.shape}, base {base.shape}; "
            f"they must be int32 or int64 {values.shape} and ({len(values)},)"
        )
    with np.errstate(all="ignore"):
        if BACKEND == "numpy":
            return to_ticks_numpy(values, base, scale, out)
        if out.dtype == np.int32:
            flags = np.zeros(len(values), np.uint8)
            to_int32_loop(values, base, float(scale), out, flags)
            return (flags & WIDE) != 0, (flags & MISSING) != 0
        missing = np.zeros(len(values), np.bool_)
        to_int64_loop(values, base, float(scale), out, missing)
        return np.zeros(len(values), np.bool_), missing
