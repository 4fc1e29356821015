"""The Bachelier value of an option on a normal forward."""

import numpy as np

from riskgrid.formulas.arrays import Flags, Values
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.elementary import exp_decay
from riskgrid.formulas.kernel import kernel
from riskgrid.formulas.lane import at, line, row
from riskgrid.formulas.memory import widest
from riskgrid.formulas.normal import INVERSE_ROOT_TWO_PI, TAIL_END, tail_fraction
from riskgrid.formulas.reference import ndtr


@scalar
def bachelier_number(forward, strike, total_vol, is_call):  # type: ignore[no-untyped-def]
    """Intrinsic value plus the out-of-the-money option v (n(d) - d N(-d)), d = abs(forward - strike)/v."""
    valid = (abs(forward) < np.inf) & (abs(strike) < np.inf) & (total_vol >= 0.0) & (total_vol < np.inf)
    moneyness = forward - strike if is_call else strike - forward
    vol = total_vol if total_vol > 0.0 else 1.0
    distance = abs(moneyness) / vol
    distance = TAIL_END if distance > TAIL_END else distance
    p, q = tail_fraction(distance)
    option = total_vol * exp_decay(-0.5 * distance * distance) * (INVERSE_ROOT_TWO_PI - distance * (p / q))
    option = option if option > 0.0 else 0.0
    return (moneyness if moneyness > 0.0 else 0.0) + option if valid else np.nan


@loop("out")
def bachelier_loop(forward, strike, total_vol, is_call, out):  # type: ignore[no-untyped-def]
    """Bachelier value of every lane."""
    widest()
    for i in range(out.shape[0]):
        out_row = line(out, i)
        forward_row, strike_row = row(forward, i), row(strike, i)
        vol_row, call_row = row(total_vol, i), row(is_call, i)
        for j in range(out_row.shape[0]):
            out_row[j] = bachelier_number(at(forward_row, j), at(strike_row, j), at(vol_row, j), at(call_row, j))


@kernel(bachelier_loop)
def bachelier_value(forward: Values, strike: Values, total_vol: Values, is_call: Flags) -> Values:
    """Undiscounted Bachelier option value. Error at most 1e-15 of the greater of total_vol and abs(forward - strike).

    forward, strike : (trade, state), one unit, finite, of either sign.   total_vol : absolute volatility * sqrt(time),
    in the same unit, >= 0 and finite.   is_call : (trade, state).   A lane outside this domain is NaN; at
    ``total_vol == 0`` the value is the intrinsic value.  Source: Bachelier (1900), Theorie de la speculation.

    >>> round(float(bachelier_value(0.03, 0.03, 0.01, True)), 8)
    0.00398942
    """
    valid = np.isfinite(forward) & np.isfinite(strike) & (total_vol >= 0) & np.isfinite(total_vol)
    moneyness = np.where(is_call, 1.0, -1.0) * (np.asarray(forward) - strike)
    d = moneyness / total_vol
    value = moneyness * ndtr(d) + total_vol * INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d * d)
    intrinsic = np.maximum(moneyness, 0.0)
    return np.where(valid, np.where(total_vol > 0, np.maximum(value, intrinsic), intrinsic), np.nan)
