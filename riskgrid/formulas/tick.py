"""Money as integers: rounding to ticks."""

import numpy as np

from riskgrid.formulas.arrays import Array, Mask, Ticks
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


def to_ticks_numpy(values: Array, base: Array, scale: float, out: Ticks) -> Mask:
    """Specification of `to_ticks`."""
    x = np.rint((values - base[:, None]) * scale)
    fits = np.abs(x) <= INT32_LIMIT if out.dtype == np.int32 else np.abs(x) < INT64_LIMIT
    out[...] = np.where(fits, np.where(fits, x, 0.0).astype(out.dtype), np.iinfo(out.dtype).min)
    wide: Mask = np.any(~fits & np.isfinite(x), axis=1) & (out.dtype == np.int32)
    return wide


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
