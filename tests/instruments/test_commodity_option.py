import itertools

import numpy as np
import pytest

from riskgrid.schema import Status
from tests.instruments.oracle import CURVES, assert_close, curve, date_of, day, snapshot

ql = pytest.importorskip("QuantLib")

PRICE, LATER = 50.0, 56.0  # now, and for delivery in a thousand days
VOLS = (0.0, 1e-8, 0.05, 0.35, 3.0)
DAYS = (1, 30, 365, 1826, 10957)
LAGS = (0, 1, 35, 400)
MONEYNESS = (1e-3, 0.5, 0.99, 1.0, 1.01, 2.0, 1e3)
GRID = list(itertools.product(range(len(VOLS)), ("call", "put"), DAYS, LAGS, MONEYNESS))


def market(**more):
    levels = {f"commodity:C{i}:{tenor}": price for i in range(5) for tenor, price in (("0D", PRICE), ("1000D", LATER))}
    return snapshot({**levels, **{f"vol:C{i}:365D:1.00": vol for i, vol in enumerate(VOLS)}}, **more)


def forward(days):
    return PRICE + (LATER - PRICE) * min(days, 1000) / 1000


def table(grid):
    return {
        "commodity": [f"C{i}" for i, *_ in grid],
        "currency": "USD",
        "option_type": [kind for _, kind, *_ in grid],
        "strike": [PRICE * m for *_, m in grid],
        "lot": 1000.0,
        "expiry": [day(days) for _, _, days, _, _ in grid],
        "delivery": [day(days + lag) for _, _, days, lag, _ in grid],
    }


@pytest.mark.parametrize("nodes", [CURVES["USD"], CURVES["EUR"]], ids=["sloped", "negative"])
def test_value__is_that_of_quantlib_with_a_forward_that_outlives_the_option(value, nodes):
    found = value("commodity_option", table(GRID), market(curves={"USD": nodes}))
    rates = curve(nodes)
    expected = []
    for i, kind, days, lag, m in GRID:
        option = ql.Option.Call if kind == "call" else ql.Option.Put
        spread, discount = VOLS[i] * (days / 365.0) ** 0.5, rates.discount(date_of(day(days)))
        expected.append(1000.0 * ql.blackFormula(option, PRICE * m, forward(days + lag), spread, discount))
    assert_close(found.base, expected, [1000.0 * max(LATER, PRICE * m) for *_, m in GRID])


def test_value__is_that_of_quantlibs_engine_where_both_dates_are_one(value):
    grid = [trade for trade in GRID if trade[3] == 0 and trade[2] < 10_000]
    found = value("commodity_option", {k: v for k, v in table(grid).items() if k != "delivery"}, market())
    rates, expected = curve(CURVES["USD"]), []
    for i, kind, days, _, m in grid:
        option = ql.VanillaOption(
            ql.PlainVanillaPayoff(ql.Option.Call if kind == "call" else ql.Option.Put, PRICE * m),
            ql.EuropeanExercise(date_of(day(days))),
        )
        vol = ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(date_of(day(0)), ql.NullCalendar(), VOLS[i], ql.Actual365Fixed())
        )
        process = ql.BlackProcess(ql.QuoteHandle(ql.SimpleQuote(forward(days))), rates, vol)
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
        expected.append(1000.0 * option.NPV())
    assert_close(found.base, expected, [1000.0 * max(LATER, PRICE * m) for *_, m in grid])


def test_value__of_call_less_put_is_the_forward(value):
    options = value("commodity_option", table(GRID), market())
    calls = np.array([kind == "call" for _, kind, *_ in GRID])
    rates = curve(CURVES["USD"])
    expected = [
        1000.0 * (forward(days + lag) - PRICE * m) * rates.discount(date_of(day(days)))
        for i, kind, days, lag, m in GRID
        if kind == "call"
    ]
    unit = [1000.0 * max(LATER, PRICE * m) for _, kind, *_, m in GRID if kind == "call"]
    assert_close(options.base[calls] - options.base[~calls], expected, np.array(unit))


@pytest.mark.parametrize("days", [-3, 0])
def test_value__is_nothing_from_the_expiry_on_whatever_the_delivery(value, days):
    found = value("commodity_option", table([(3, "call", days, 60, 0.5)]), market())
    assert found.base.tolist() == [0.0]
    assert found.status.tolist() == [Status.EXPIRED]
