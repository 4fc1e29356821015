import itertools

import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from riskgrid.schema import Status
from tests.instruments.oracle import CURVES, assert_close, curve, date_of, day, snapshot

PRICES = {0: 48.0, 30: 48.7, 182: 51.0, 365: 49.5, 1460: 55.0}
DAYS = (1, 15, 29, 30, 31, 100, 182, 364, 366, 1459, 1461, 7300)
AGREED = (-40.0, 0.0, 0.05, 48.0, 5e4)
GRID = list(itertools.product(DAYS, AGREED))


def market(prices=PRICES, **more):
    return snapshot({f"commodity:WTI:{days}D": price for days, price in prices.items()}, **more)


def table(grid):
    return {
        "commodity": "WTI",
        "currency": "USD",
        "lot": 1000.0,
        "price": [agreed for _, agreed in grid],
        "delivery": [day(days) for days, _ in grid],
    }


@pytest.mark.parametrize("nodes", [CURVES["USD"], CURVES["EUR"]], ids=["sloped", "negative"])
@pytest.mark.parametrize("prices", [PRICES, {91: 40.0}, {30: -37.63, 60: 20.0}], ids=["strip", "one", "below zero"])
def test_value__is_the_discounted_difference_of_prices(value, nodes, prices):
    found = value("commodity_forward", table(GRID), market(prices, curves={"USD": nodes}))
    rates = curve(nodes)
    lines = list(prices.values())
    if len(prices) > 1:
        spline = make_interp_spline(list(prices), lines, k=1)
        forwards = [float(spline(np.clip(days, min(prices), max(prices)))) for days, _ in GRID]
    else:
        forwards = lines * len(GRID)
    expected = [
        1000.0 * (forward - agreed) * rates.discount(date_of(day(days)))
        for forward, (days, agreed) in zip(forwards, GRID, strict=True)
    ]
    assert_close(found.base, expected, [1000.0 * max(55.0, abs(agreed)) for _, agreed in GRID])


@pytest.mark.parametrize("days", [-10, 0])
def test_value__is_nothing_from_the_delivery_on(value, days):
    found = value("commodity_forward", table([(days, 10.0)]), market())
    assert found.base.tolist() == [0.0]
    assert found.status.tolist() == [Status.EXPIRED]


def test_value__without_prices_says_so(value):
    found = value("commodity_forward", {**table(GRID[:2]), "commodity": ["WTI", "BRENT"]}, market())
    assert found.problems == {1: "no commodity price 'commodity:BRENT'; known: 'commodity:WTI'"}
    assert np.isfinite(found.base[0])
