import itertools

import numpy as np
import pytest

from riskgrid.schema import Status
from tests.instruments.oracle import CURVES, assert_close, curve, date_of, day, european, flat_vol, quote, snapshot

ql = pytest.importorskip("QuantLib")

SPOT = 1.11
VOLS = (0.0, 1e-8, 0.02, 0.1, 0.6, 3.0)
DAYS = (1, 7, 91, 365, 1826, 10957)
MONEYNESS = (1e-3, 0.5, 0.9, 1.0, 1.1, 2.0, 1e3)
GRID = list(itertools.product(DAYS, MONEYNESS))
SMILE_DAYS, SMILE_MONEYNESS = (30, 365), (0.8, 1.0, 1.25)
SMILE = np.array([[0.14, 0.1, 0.11], [0.12, 0.09, 0.13]])


def market(vol, pair="EURUSD", **levels):
    return snapshot({"fx:EUR": SPOT, "fx:JPY": 0.0097, f"vol:{pair}:365D:1.00": vol, **levels})


def smile(pair):
    nodes = itertools.product(enumerate(SMILE_DAYS), enumerate(SMILE_MONEYNESS))
    return snapshot({"fx:EUR": SPOT} | {f"vol:{pair}:{d}D:{m:.2f}": SMILE[i, k] for (i, d), (k, m) in nodes})


def table(grid, call="EUR", put="USD"):
    spot = SPOT if call == "EUR" else 1 / SPOT
    return {
        "call_currency": call,
        "put_currency": put,
        "notional": 1e6,
        "strike": [spot * m for _, m in grid],
        "expiry": [day(days) for days, _ in grid],
    }


@pytest.mark.parametrize("vol", VOLS)
@pytest.mark.parametrize(("call", "put"), [("EUR", "USD"), ("USD", "EUR")])
@pytest.mark.parametrize("pair", ["EURUSD", "USDEUR"])
def test_value__is_that_of_quantlib_whichever_way_the_surface_is_quoted(value, vol, call, put, pair):
    found = value("fx_option", table(GRID, call, put), market(vol, pair), reporting=put)
    spot = SPOT if call == "EUR" else 1 / SPOT
    process = ql.GarmanKohlagenProcess(quote(spot), curve(CURVES[call]), curve(CURVES[put]), flat_vol(vol))
    expected = [1e6 * european(process, "call", spot * m, day(days)) for days, m in GRID]
    assert_close(found.base, expected, 1e6 * np.array([spot * max(1.0, m) for _, m in GRID]))


def forward_and_discount(days):
    dollars, euros = (curve(CURVES[name]) for name in ("USD", "EUR"))
    discount = dollars.discount(date_of(day(days)))
    return SPOT * euros.discount(date_of(day(days))) / discount, discount


@pytest.mark.parametrize("lag", [0, 2, 30])
def test_value__is_on_the_forward_for_delivery(value, lag):
    trades = {**table(GRID), "delivery": [day(days + lag) for days, _ in GRID]}
    found = value("fx_option", trades, market(0.1))
    expected = []
    for days, m in GRID:
        forward, discount = forward_and_discount(days + lag)
        spread = 0.1 * (days / 365.0) ** 0.5
        expected.append(1e6 * ql.blackFormula(ql.Option.Call, SPOT * m, forward, spread, discount))
    assert_close(found.base, expected, 1e6 * SPOT * np.maximum(1.0, [m for _, m in GRID]))


@pytest.mark.parametrize("pair", ["EURUSD", "USDEUR"])
def test_value__reads_the_smile_at_the_moneyness_of_the_way_it_is_quoted(value, pair):
    grid = list(itertools.product((10, 30, 200, 365, 900), np.linspace(0.6, 1.6, 31).tolist()))
    found = value("fx_option", table(grid), smile(pair))
    times = np.array(SMILE_DAYS) / 365.0
    expected = []
    for days, m in grid:
        forward, discount = forward_and_discount(days)
        asked = SPOT * m / forward if pair == "EURUSD" else forward / (SPOT * m)
        at = min(max(days / 365.0, times[0]), times[1])
        variance = [np.interp(asked, SMILE_MONEYNESS, row**2) for row in SMILE]
        rate = np.interp(at, times, times * variance) / at
        spread = (rate * days / 365.0) ** 0.5
        expected.append(1e6 * ql.blackFormula(ql.Option.Call, SPOT * m, forward, spread, discount))
    assert_close(found.base, expected, 1e6 * SPOT * np.maximum(1.0, [m for _, m in grid]))


@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY"])
@pytest.mark.parametrize(("days", "owed"), [(-5, False), (0, False), (1, True), (400, True)])
def test_value__is_less_by_a_premium_still_to_be_paid_in_any_currency(value, currency, days, owed):
    without = value("fx_option", table(GRID), market(0.1))
    premium = {"premium": 2e4, "premium_currency": currency, "premium_date": [day(days)] * len(GRID)}
    found = value("fx_option", {**table(GRID), **premium}, market(0.1))
    rate = {"EUR": SPOT, "USD": 1.0, "JPY": 0.0097}[currency]
    cost = 2e4 * rate * curve(CURVES[currency]).discount(date_of(day(days))) if owed else 0.0
    assert_close(found.base, without.base - cost, 1e6 * SPOT)


def test_value__by_default_the_premium_is_in_the_put_currency_and_was_paid_on_the_trade_date(value):
    paid = value("fx_option", {**table(GRID), "premium": 1e4, "trade_date": "2016-06-30"}, market(0.1))
    owed = value("fx_option", {**table(GRID), "premium": 1e4, "trade_date": "2016-07-04"}, market(0.1))
    dollars = curve(CURVES["USD"]).discount(ql.Date(4, 7, 2016))
    assert_close(paid.base - owed.base, np.full(len(GRID), 1e4 * dollars), 1e6 * SPOT)


def test_value__between_expiry_and_delivery_is_what_was_exercised(value):
    """Whether it was exercised is told by the forward of today."""
    trades = {**table([(-1, 0.5), (-1, 2.0)]), "delivery": [day(1)] * 2}
    forward, discount = forward_and_discount(1)
    expected = [1e6 * (forward - 0.5 * SPOT) * discount, 0.0]
    assert_close(value("fx_option", trades, market(0.1)).base, expected, 1e6 * SPOT)


@pytest.mark.parametrize("days", [-20, 0])
def test_value__is_nothing_from_the_delivery_on(value, days):
    found = value("fx_option", table([(days, m) for m in MONEYNESS]), market(0.1))
    np.testing.assert_array_equal(found.base, 0.0)
    assert (found.status == Status.EXPIRED).all()


def test_value__without_a_surface_either_way_says_so(value):
    trades = {**table(GRID[:2]), "call_currency": ["EUR", "JPY"]}
    found = value("fx_option", trades, market(0.1))
    assert found.problems == {1: "no surface 'vol:JPYUSD'; known: 'vol:EURUSD'"}
    assert np.isfinite(found.base[0])
