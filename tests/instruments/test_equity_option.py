import itertools

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from riskgrid.schema import Status
from tests.instruments.oracle import (
    CURVES,
    TODAY,
    assert_close,
    curve,
    date_of,
    day,
    european,
    flat_vol,
    quote,
    snapshot,
)

ql = pytest.importorskip("QuantLib")

SPOT = 100.0
VOLS = (0.0, 1e-8, 0.01, 0.2, 0.8, 3.0)
DAYS = (1, 7, 91, 365, 1826, 10957)
MONEYNESS = (1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0, 1e3)
GRID = list(itertools.product(range(len(VOLS)), ("call", "put"), DAYS, MONEYNESS))
SMILE_DAYS, SMILE_MONEYNESS = (30, 182, 365, 1095), (0.7, 0.9, 1.0, 1.1, 1.5)
SMILE = np.array(
    [[0.45, 0.3, 0.22, 0.2, 0.26], [0.4, 0.28, 0.23, 0.21, 0.2], [0.36, 0.27, 0.24, 0.22, 0.19], [0.3] * 5]
)


def market(dividend=None, nodes=CURVES["USD"], **more):
    levels = {f"equity:E{i}": SPOT for i in range(len(VOLS))}
    levels |= {f"vol:E{i}:365D:1.00": vol for i, vol in enumerate(VOLS)}
    levels |= {} if dividend is None else {f"dividend:E{i}": dividend for i in range(len(VOLS))}
    return snapshot(levels, curves={"USD": nodes}, **more)


def smile(**more):
    nodes = {
        f"vol:SMILE:{days}D:{m:.2f}": SMILE[i, k]
        for i, days in enumerate(SMILE_DAYS)
        for k, m in enumerate(SMILE_MONEYNESS)
    }
    return snapshot({"equity:SMILE": SPOT, "dividend:SMILE": 0.02, **nodes}, **more)


def table(grid):
    return {
        "underlying": [f"E{i}" for i, _, _, _ in grid],
        "currency": "USD",
        "option_type": [kind for _, kind, _, _ in grid],
        "strike": [SPOT * m for *_, m in grid],
        "expiry": [day(days) for _, _, days, _ in grid],
    }


def unit(strikes):
    """The larger of spot and strike: a put is a share of its strike."""
    return np.maximum(SPOT, strikes)


@pytest.mark.parametrize("dividend", [None, 0.0, 0.03, -0.01])
@pytest.mark.parametrize("nodes", [CURVES["USD"], CURVES["EUR"], {365: 0.05}], ids=["sloped", "negative", "flat"])
def test_value__is_that_of_quantlib_from_no_volatility_to_three_hundred_percent(value, dividend, nodes):
    trades = table(GRID)
    found = value("equity_option", trades, market(dividend, nodes))
    rates = curve(nodes)
    carry = ql.YieldTermStructureHandle(ql.FlatForward(date_of(TODAY), float(dividend or 0.0), ql.Actual365Fixed()))
    processes = [ql.BlackScholesMertonProcess(quote(SPOT), carry, rates, flat_vol(vol)) for vol in VOLS]
    expected = [european(processes[i], kind, SPOT * m, day(days)) for i, kind, days, m in GRID]
    assert not found.problems
    assert_close(found.base, expected, unit(trades["strike"]))


def test_value__counts_multiplier_and_short_positions(value):
    one = value("equity_option", table(GRID), market(0.02))
    many = value("equity_option", {**table(GRID), "multiplier": 1e9, "quantity": -3.0}, market(0.02))
    # two more roundings
    np.testing.assert_allclose(many.base, -3e9 * one.base, rtol=5e-16)


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("days", [-30, -1, 0])
def test_value__is_nothing_on_the_expiry_date_and_after_it(value, kind, days):
    found = value("equity_option", table([(3, kind, days, m) for m in MONEYNESS]), market())
    np.testing.assert_array_equal(found.base, 0.0)
    assert (found.status == Status.EXPIRED).all()


def test_value__reads_the_smile_in_total_variance(value):
    every = (1, 29, 30, 31, 100, 182, 300, 365, 800, 1095, 1096, 3000)
    grid = list(itertools.product(every, (SPOT * np.geomspace(0.2, 5.0, 41)).tolist()))
    trades = {
        "underlying": "SMILE",
        "currency": "USD",
        "option_type": np.where(np.arange(len(grid)) % 2, "call", "put"),
        "strike": [strike for _, strike in grid],
        "expiry": [day(days) for days, _ in grid],
    }
    found = value("equity_option", trades, smile())
    rates = curve(CURVES["USD"])
    times = np.array(SMILE_DAYS) / 365.0
    # total variance is 0 today, and both ends of the expiries keep their volatility
    grown = np.vstack([np.zeros(5), SMILE**2 * times[:, None], SMILE[-1] ** 2 * 100.0])
    surface = RegularGridInterpolator(([0.0, *times, 100.0], SMILE_MONEYNESS), grown)
    expected = []
    for (days, strike), kind in zip(grid, trades["option_type"], strict=True):
        discount = rates.discount(date_of(day(days)))
        forward = SPOT / discount * np.exp(-0.02 * days / 365.0)
        variance = surface([days / 365.0, np.clip(strike / forward, 0.7, 1.5)]).item()
        option = ql.Option.Call if kind == "call" else ql.Option.Put
        expected.append(ql.blackFormula(option, strike, forward, variance**0.5, discount))
    assert_close(found.base, expected, unit(trades["strike"]))


def test_value__reads_the_surface_of_quantlib(value):
    """On forwards that are all the spot, a grid by moneyness is QuantLib's grid by strike."""
    grid = list(itertools.product(np.arange(3, 2000, 97).tolist(), np.linspace(60.0, 160.0, 23).tolist()))
    trades = {
        "underlying": "SMILE",
        "currency": "USD",
        "option_type": "call",
        "strike": [strike for _, strike in grid],
        "expiry": [day(days) for days, _ in grid],
    }
    flat = smile(curves={"USD": {365: 0.02}})  # the yield is the rate
    found = value("equity_option", trades, flat)
    matrix = ql.Matrix(len(SMILE_MONEYNESS), len(SMILE_DAYS))
    for i, k in itertools.product(range(len(SMILE_DAYS)), range(len(SMILE_MONEYNESS))):
        matrix[k][i] = SMILE[i, k]
    surface = ql.BlackVarianceSurface(
        date_of(TODAY),
        ql.NullCalendar(),
        [date_of(day(days)) for days in SMILE_DAYS],
        [SPOT * m for m in SMILE_MONEYNESS],
        matrix,
        ql.Actual365Fixed(),
        ql.BlackVarianceSurface.ConstantExtrapolation,
        ql.BlackVarianceSurface.ConstantExtrapolation,
    )
    surface.enableExtrapolation()
    rates = curve({365: 0.02})
    process = ql.BlackScholesMertonProcess(quote(SPOT), rates, rates, ql.BlackVolTermStructureHandle(surface))
    expected = [european(process, "call", strike, day(days)) for days, strike in grid]
    assert_close(found.base, expected, unit(trades["strike"]))


def test_value__without_a_surface_says_so_and_leaves_the_others_alone(value):
    grid = [(3, "call", 365, 1.0), (4, "put", 91, 0.9)]
    trades = table(grid)
    alone = value("equity_option", trades, market())
    trades = {**trades, "underlying": ["E3", "GHOST"]}
    found = value("equity_option", trades, market())
    assert found.problems == {
        1: "no equity price 'equity:GHOST'; known: " + ", ".join(f"'equity:E{i}'" for i in range(len(VOLS)))
    }
    assert found.base[0] == alone.base[0]
    assert np.isnan(found.base[1])
    assert found.status.tolist() == [Status.PRICED, Status.FAILED]
