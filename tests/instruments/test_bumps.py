"""Bumps of the engine against closed-form Greeks and against QuantLib, each within the error that theory leaves them.

A central difference of a function V misses h^3 V'''(x) / 6 for some x within the bump h, a second difference
h^4 V''''(x) / 12, a day's difference h^2 V''(x) / 2. The bounds below are these, the derivatives taken as differences
of the closed forms on a grid over the bump; a tenth is added for the grid, and rounding: 1e-15 of the notional.
"""

import numpy as np
import pytest
import xarray as xr

from riskgrid.formulas import forward_greeks, spot_greeks
from riskgrid.instruments.equity_option import EquityOption
from riskgrid.measures.sensitivity import delta, gamma, theta
from riskgrid.registry import MEASURES, instrument
from riskgrid.scenarios.ladder import ladder
from tests.instruments.oracle import CURVES, TODAY, date_of, snapshot
from tests.instruments.swap_oracle import PUBLISHED, swap_values
from tests.instruments.test_fixed_rate_bond import SPREADS, dirty, engine_of, random_bonds
from tests.instruments.test_interest_rate_swap import random_swaps

ql = pytest.importorskip("QuantLib")

TRADES = 200
SPOT, FX, OIL, VOL, YIELD = 100.0, 1.11, 48.0, 0.24, 0.02
RATES = {"USD": 0.013, "EUR": -0.004}
LEVELS = {"equity:ACME": SPOT, "dividend:ACME": YIELD, "fx:EUR": FX, "commodity:WTI:0D": OIL}
LEVELS |= {f"vol:{name}:1Y:1.00": VOL for name in ("ACME", "EURUSD", "WTI")}
FLAT = {name: {365: rate} for name, rate in RATES.items()}
STICKY = {"surfaces": {"default": {"sticky": "sticky_strike"}}}
EXAMPLE = EquityOption("ACME", "USD", "call", 100.0, "2027-06-18")
GRID = np.linspace(-1.0, 1.0, 9)


@pytest.fixture(scope="module")
def market():
    return snapshot(LEVELS, curves=FLAT, indices={}, **STICKY)


@pytest.fixture
def bumped(value, market):
    """Delta, gamma (trade, factor) and theta (trade) of a table, by the engine."""

    def made(instrument, table, of=market):
        bumps = ladder(of, next_day=True)
        found = value(instrument, table, of, bumps, bits=32)
        assert not found.problems
        pnl = xr.DataArray(found.pnl, dims=("trade", "scenario"))
        return delta(pnl, bumps), gamma(pnl, bumps), theta(pnl, bumps)

    return made


def options(seed=21):
    """Expiries of a week to ten years, strikes of half to twice the spot (1), both sides."""
    rng = np.random.default_rng(seed)
    days = rng.integers(7, 3650, TRADES)
    return {
        "days": days,
        "expiry": TODAY + days.astype("timedelta64[D]"),
        "relative": np.exp(rng.normal(0.0, 0.3, TRADES)),
        "call": rng.random(TRADES) < 0.5,
        "quantity": rng.choice([1.0, -2.0], TRADES),
    }


def slope_error(first, order):
    """max |second difference of ``first``| over the bump, times 1.1: bounds V''' where ``first`` gives h V'.

    first : moves in bumps -> what one bump does there.   order : 6 for a central difference, 12 for a second one.
    """
    values = np.stack([first(at) for at in GRID])
    step = GRID[1] - GRID[0]
    curvature = np.abs(np.diff(values, 2, axis=0)).max(axis=0) / step**2
    return 1.1 * curvature / order


def assert_within(found, closed, bound, size, errors, name):
    """Every trade within its own bound; remembers the worst error as a share of ``size``."""
    error = np.abs(np.asarray(found) - closed)
    allowed = bound + 1e-15 * size + 2.0**-31
    worst = int(np.argmax(error - allowed))
    assert np.sum(bound) <= 0.02 * np.abs(closed).sum() + 1e-30, f"the bound of {name} allows everything"
    assert error[worst] <= allowed[worst], (
        f"{name} of trade {worst}: {error[worst]:.3g} off, {allowed[worst]:.3g} allowed"
    )
    errors[name] = float((error / size).max())


def equity_options():
    made = options()
    table = {
        "underlying": "ACME",
        "currency": "USD",
        "option_type": np.where(made["call"], "call", "put"),
        "strike": SPOT * made["relative"],
        "expiry": made["expiry"],
        "multiplier": 100.0,
        "quantity": made["quantity"],
    }
    units = 100.0 * made["quantity"]
    strike, time = table["strike"], made["days"] / 365.0

    def greeks(spot=0.0, vol=0.0, rate=0.0, income=0.0, day=0.0):
        return spot_greeks(
            SPOT * (1.0 + 0.01 * spot), strike, VOL + 0.01 * vol, time - day / 365.0, rate=RATES["USD"] + 1e-4 * rate,
            income=YIELD + 1e-4 * income, is_call=made["call"],
        )  # fmt: skip

    moves = {
        "equity:ACME": ("spot", "delta", 0.01 * SPOT),
        "vol:ACME:1Y:1.00": ("vol", "vega", 0.01),
        "zero:USD:365D": ("rate", "rho", 1e-4),
        "dividend:ACME": ("income", "yield_rho", 1e-4),
    }
    return table, greeks, moves, units, np.abs(units) * SPOT


def fx_options():
    made = options(22)
    table = {
        "call_currency": "EUR",
        "put_currency": "USD",
        "notional": 1e6,
        "strike": FX * made["relative"],
        "expiry": made["expiry"],
        "quantity": made["quantity"],
    }
    units = 1e6 * made["quantity"]
    strike, time = table["strike"], made["days"] / 365.0

    def greeks(spot=0.0, vol=0.0, rate=0.0, income=0.0, day=0.0):
        return spot_greeks(
            FX * (1.0 + 0.01 * spot), strike, VOL + 0.01 * vol, time - day / 365.0, rate=RATES["USD"] + 1e-4 * rate,
            income=RATES["EUR"] + 1e-4 * income, is_call=True,
        )  # fmt: skip

    moves = {
        "fx:EUR": ("spot", "delta", 0.01 * FX),
        "vol:EURUSD:1Y:1.00": ("vol", "vega", 0.01),
        "zero:USD:365D": ("rate", "rho", 1e-4),
        "zero:EUR:365D": ("income", "yield_rho", 1e-4),
    }
    return table, greeks, moves, units, np.abs(units) * FX


def commodity_options():
    made = options(23)
    table = {
        "commodity": "WTI",
        "currency": "USD",
        "option_type": np.where(made["call"], "call", "put"),
        "strike": OIL * made["relative"],
        "lot": 1000.0,
        "expiry": made["expiry"],
        "quantity": made["quantity"],
    }
    units = 1000.0 * made["quantity"]
    strike, time = table["strike"], made["days"] / 365.0

    def greeks(spot=0.0, vol=0.0, rate=0.0, day=0.0):
        return forward_greeks(
            OIL * (1.0 + 0.01 * spot), strike, VOL + 0.01 * vol, time - day / 365.0, rate=RATES["USD"] + 1e-4 * rate,
            is_call=made["call"],
        )  # fmt: skip

    moves = {
        "commodity:WTI:0D": ("spot", "delta", 0.01 * OIL),
        "vol:WTI:1Y:1.00": ("vol", "vega", 0.01),
        "zero:USD:365D": ("rate", "rho", 1e-4),
    }
    return table, greeks, moves, units, np.abs(units) * OIL


BOOKS = {"equity_option": equity_options, "fx_option": fx_options, "commodity_option": commodity_options}


@pytest.mark.parametrize("instrument", BOOKS)
def test_bumps_of_options__are_the_closed_forms_within_the_error_of_a_difference(bumped, instrument):
    table, greeks, moves, units, size = BOOKS[instrument]()
    deltas, gammas, thetas = bumped(instrument, table)
    errors: dict[str, float] = {}
    for factor, (move, greek, bump) in moves.items():
        closed = units * getattr(greeks(), greek) * bump
        bound = slope_error(lambda at, move=move, greek=greek: units * getattr(greeks(**{move: at}), greek) * bump, 6)  # noqa: B023
        assert_within(deltas.sel(factor=factor), closed, bound, size, errors, greek)
    spot = next(iter(moves))
    square = units * moves[spot][2] ** 2
    bound = slope_error(lambda at: square * greeks(spot=at).gamma, 12)
    assert_within(gammas.sel(factor=spot), square * greeks().gamma, bound, size, errors, "gamma")
    # one-sided: what theta changes by within the day, half of it; with a week to go decay is steepest at the money
    days = np.linspace(0.0, 1.0, 9)
    along = np.stack([units * greeks(day=at).theta / 365.0 for at in days])
    bound = 1.1 * np.abs(np.diff(along, axis=0)).max(axis=0) * (len(days) - 1) / 2.0
    assert_within(thetas, along[0], bound, size, errors, "theta")
    for name, error in errors.items():  # with a week to go and v = 24 % sqrt(7/365): 0.01^3/6 max|n'| / v^2 = 4e-5 ...
        assert error <= MEASURES["rho" if name == "yield_rho" else name].error, name


def test_the_error_of_a_delta__falls_with_the_square_of_the_bump(value, market):
    """Twice the bump, four times the error of delta per unit: what is left is of the order that theory names."""
    table, greeks, _, units, _ = equity_options()
    errors = []
    for number in (1.0, 2.0, 4.0):
        bumps = ladder(market, patterns=["equity:ACME"], sizes={"equity:*": (number, "%")})
        found = value("equity_option", table, market, bumps, bits=32)
        pnl = xr.DataArray(found.pnl, dims=("trade", "scenario"))
        slope = delta(pnl, bumps).values[:, 0] / (0.01 * number * SPOT)
        errors.append(np.abs(slope - units * greeks().delta).sum())
    assert errors[1] / errors[0] == pytest.approx(4.0, rel=0.02)
    assert errors[2] / errors[1] == pytest.approx(4.0, rel=0.08)


def test_bumps_of_what_is_linear__are_its_derivatives(bumped):
    rng = np.random.default_rng(24)
    days = rng.integers(7, 3650, TRADES)
    time, quantity = days / 365.0, rng.choice([1.0, -2.0], TRADES)
    ends, strike = TODAY + days.astype("timedelta64[D]"), rng.uniform(0.5, 2.0, TRADES)
    home, abroad = (np.exp(-RATES[name] * time) for name in ("USD", "EUR"))
    errors: dict[str, float] = {}

    shares = {"underlying": "ACME", "currency": "USD", "multiplier": 10.0, "quantity": quantity}
    found, second, _ = bumped("equity", shares)
    size = np.abs(quantity) * 10.0 * SPOT
    assert_within(found.sel(factor="equity:ACME"), 0.1 * quantity * SPOT, 0.0, size, errors, "equity")
    assert_within(second.sel(factor="equity:ACME"), 0.0, 0.0, size, errors, "equity gamma")

    forwards = {"bought": "EUR", "sold": "USD", "notional": 1e6, "rate": FX * strike, "maturity": ends}
    found, second, _ = bumped("fx_forward", {**forwards, "quantity": quantity})
    units, size = 1e6 * quantity, 1e6 * np.abs(quantity) * FX * np.maximum(strike, 1.0)
    cube = 1.1 * (time * 1e-4) ** 3 / 6.0  # of exp(-r t), e^(t h) of it within the bump
    assert_within(found.sel(factor="fx:EUR"), 0.01 * units * FX * abroad, 0.0, 2 * size, errors, "fx forward, spot")
    assert_within(second.sel(factor="fx:EUR"), 0.0, 0.0, 4 * size, errors, "fx forward, gamma")
    rho = 1e-4 * time * units * FX * strike * home
    assert_within(
        found.sel(factor="zero:USD:365D"), rho, np.abs(rho) * cube / (time * 1e-4), 2 * size, errors, "fx, rho"
    )
    rho = -1e-4 * time * units * FX * abroad
    bound = np.abs(rho) * cube / (time * 1e-4)
    assert_within(found.sel(factor="zero:EUR:365D"), rho, bound, 2 * size, errors, "fx forward, foreign rho")

    oil = {"commodity": "WTI", "currency": "USD", "lot": 1000.0, "price": OIL * strike, "delivery": ends}
    found, second, _ = bumped("commodity_forward", {**oil, "quantity": quantity})
    units, size = 1000.0 * quantity, 1000.0 * np.abs(quantity) * OIL * np.maximum(strike, 1.0)
    assert_within(found.sel(factor="commodity:WTI:0D"), 0.01 * units * OIL * home, 0.0, 2 * size, errors, "oil, price")
    rho = -1e-4 * time * units * OIL * (1.0 - strike) * home
    bound = np.abs(rho) * cube / (time * 1e-4)
    assert_within(found.sel(factor="zero:USD:365D"), rho, bound, 2 * size, errors, "oil forward, rho")


@pytest.mark.usefixtures("_registry")
def test_greeks__are_quantities_in_a_pricer(value, market):
    @instrument("option_gamma", value_in="currency", ends="expiry", version="1", example=EXAMPLE)
    def price(terms, of):
        vol = of.vol(
            terms.underlying, terms.expiry, terms.strike, of.forward(terms.underlying, terms.expiry, terms.currency)
        )
        rate, time = of.zero_rate(terms.currency, terms.expiry), of.time_to(terms.expiry)
        call, spot = terms.option_type == "call", of.spot(terms.underlying)
        found = spot_greeks(spot, terms.strike, vol, time, rate=rate, income=YIELD, is_call=call)
        return terms.multiplier * (found.delta + found.gamma + found.theta)

    table, greeks, _, units, _ = equity_options()
    found = value("option_gamma", table, market, ladder(market, patterns=["equity:ACME"]), bits=32)
    base, up = greeks(), greeks(spot=1.0)
    expected = units * (base.delta + base.gamma + base.theta)
    np.testing.assert_allclose(found.base, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    np.testing.assert_allclose(found.pnl[:, 0], units * (up.delta + up.gamma + up.theta) - expected, rtol=0, atol=1e-9)


def bumps_by_quantlib(valued, nodes):
    """Half of up less down (trade, node) of one basis point, ``valued`` on bumped copies of ``nodes``."""
    columns = []
    for day in nodes:
        up, down = (np.array(valued({**nodes, day: nodes[day] + side * 1e-4})) for side in (1.0, -1.0))
        columns.append(0.5 * (up - down))
    return np.stack(columns, axis=1)


def test_rho_of_bonds__is_that_of_quantlib_bumped(bumped):
    trades = {
        name: column[:60] if isinstance(column, np.ndarray) else column
        for name, column in random_bonds("30/360").items()
    }
    trades["notional"] = np.full(60, 1e6)
    of = snapshot({"spread:ACME": SPREADS["ACME"], "spread:NEST": SPREADS["NEST"], "fx:EUR": FX})
    found, _, _ = bumped("fixed_rate_bond", trades, of)

    def valued(nodes):
        engines = {issuer: engine_of(issuer, nodes) for issuer in SPREADS}
        return [dirty(trades, row, engines) for row in range(60)]

    expected = bumps_by_quantlib(valued, CURVES["USD"])
    ours = found.sel(factor=[f"zero:USD:{day}D" for day in CURVES["USD"]]).values
    error = np.abs(ours - expected).max() / 1e6
    assert np.abs(expected).max() > 100.0
    assert error <= 2e-12  # two values of 1e-12 of the notional


def test_rho_of_swaps__is_that_of_quantlib_bumped(bumped):
    before = ql.IborCoupon.usingAtParCoupons()
    ql.IborCoupon.createAtParCoupons()
    ql.Settings.instance().evaluationDate = date_of(TODAY)
    made = random_swaps(9, notional=1e6)
    trades = {name: column[:40] if isinstance(column, np.ndarray) else column for name, column in made.items()}
    trades["notional"] = np.full(40, 1e6)
    found, _, _ = bumped("interest_rate_swap", trades, snapshot(fixings={"USD-3M": PUBLISHED}))
    curves = {"discount": "USD", "projection": "PROJECTION"}
    for role, name in curves.items():
        expected = bumps_by_quantlib(lambda nodes, role=role: swap_values(trades, **{role: nodes}), CURVES[name])
        ours = found.sel(factor=[f"zero:{name}:{day}D" for day in CURVES[name]]).values
        error = np.abs(ours - expected).max() / 1e6
        assert np.abs(expected).max() > 50.0
        assert error <= 4e-12  # two legs, each a difference of two values of 1e-12 of the notional
    if not before:
        ql.IborCoupon.createIndexedCoupons()
