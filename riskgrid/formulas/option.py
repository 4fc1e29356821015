"""Value and Greeks of a European option in closed form, per unit of what it is on, of numbers and of quantities."""

from typing import Any, NamedTuple

import numpy as np

from riskgrid.formulas.arrays import Flags, Values
from riskgrid.formulas.black import black_value
from riskgrid.formulas.greek import black_delta, black_gamma, black_vega


class Greeks(NamedTuple):
    """Derivatives of ``value``: ``delta`` and ``gamma`` by the price of the underlying, ``vega`` by the volatility.

    rho : by the rate.   yield_rho : by the yield of the underlying, 0 where it has none.   theta : by calendar time.
    Rates and volatilities count in units of 1, time in years; ``theta / 365`` is about a day's P&L.
    """

    value: Any
    delta: Any
    gamma: Any
    vega: Any
    rho: Any
    yield_rho: Any
    theta: Any


def spot_greeks(
    spot: Values, strike: Values, vol: Values, time: Values, *, rate: Values, income: Values, is_call: Flags
) -> Greeks:
    """Of an option on a share with a dividend yield, or on a currency whose rate is ``income``: Black-Scholes-Merton.

    spot, strike, vol : (trade, state).   time : years to expiry, >= 0.   rate, income : continuously compounded to
    expiry. ``rho`` holds the income, ``yield_rho`` the rate. NaN outside the domain of
    :func:`riskgrid.formulas.black.black_value`. Source: Hull (2018), ch. 19; Garman and Kohlhagen (1983).

    >>> found = spot_greeks(49.0, 50.0, 0.2, 20 / 52, rate=0.05, income=0.0, is_call=True)  # Hull's example 19.1
    >>> [round(float(number), 3) for number in (found.delta, found.gamma, found.vega, found.rho, found.theta)]
    [0.522, 0.066, 12.105, 8.907, -4.305]
    """
    growth = np.exp((rate - income) * time)
    of = forward_greeks(spot * growth, strike, vol, time, rate=rate, is_call=is_call)
    delta = of.delta * growth
    moved = time * (spot * delta)  # the forward moves by time times itself per unit of either rate
    carried = (rate - income) * (spot * delta)
    return Greeks(of.value, delta, of.gamma * growth * growth, of.vega, of.rho + moved, -moved, of.theta - carried)


def forward_greeks(
    forward: Values, strike: Values, vol: Values, time: Values, *, rate: Values, is_call: Flags
) -> Greeks:
    """Of an option on a forward or a future, whose price the rate does not move: Black (1976).

    forward, strike, vol : (trade, state).   time : years to expiry, >= 0.   rate : continuously compounded to expiry.
    NaN outside the domain of :func:`riskgrid.formulas.black.black_value`. Source: Hull (2018), ch. 18 and 19.

    >>> found = forward_greeks(20.0, 20.0, 0.25, 4 / 12, rate=0.09, is_call=False)
    >>> round(float(found.value), 4), round(float(found.rho), 4)
    (1.1166, -0.3722)
    """
    root, discount = np.sqrt(time), np.exp(-(rate * time))
    total_vol = vol * root
    value = discount * black_value(forward, strike, total_vol, is_call)
    vega = discount * black_vega(forward, strike, total_vol)
    with np.errstate(divide="ignore", invalid="ignore"):
        # without time left there is no decay but at the money, where it has no bound
        decay = np.where(vega == 0.0, 0.0, vega * vol / (2.0 * root))
    return Greeks(
        value,
        discount * black_delta(forward, strike, total_vol, is_call),
        discount * black_gamma(forward, strike, total_vol),
        vega * root,
        -(time * value),
        0.0 * value,
        rate * value - decay,
    )
