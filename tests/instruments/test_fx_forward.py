import itertools

import numpy as np
import pytest

from riskgrid.schema import Status
from tests.instruments.oracle import CURVES, assert_close, curve, date_of, day, quote, snapshot

ql = pytest.importorskip("QuantLib")

FX = {"USD": 1.0, "EUR": 1.11, "JPY": 0.0097}
LEVELS = {f"fx:{name}": level for name, level in FX.items() if name != "USD"}
PAIRS = list(itertools.permutations(FX, 2))
DAYS = (1, 2, 30, 91, 364, 730, 3650, 10957)
RATES = (1e-3, 0.5, 1.0, 2.0, 1e3)
GRID = list(itertools.product(PAIRS, DAYS, RATES))


def table(grid):
    return {
        "bought": [pair[0] for pair, _, _ in grid],
        "sold": [pair[1] for pair, _, _ in grid],
        "notional": 1e6,
        "rate": [rate * FX[pair[0]] / FX[pair[1]] for pair, _, rate in grid],
        "maturity": [day(days) for _, days, _ in grid],
    }


def quantlib(grid, schemes=("linear_zero", "flat_zero")):
    """Value of one unit bought, in the sold currency."""
    curves = {name: curve(CURVES[name], schemes=schemes) for name in FX}
    for (bought, sold), days, rate in grid:
        spot, when = FX[bought] / FX[sold], date_of(day(days))
        yield spot * curves[bought].discount(when) - rate * spot * curves[sold].discount(when)


@pytest.mark.parametrize("scheme", ["linear_zero", "log_linear_discount"])
@pytest.mark.parametrize("reporting", ["USD", "JPY"])
def test_value__is_that_of_quantlibs_curves(value, scheme, reporting):
    schemes = (scheme, "flat_zero" if scheme == "linear_zero" else "flat_forward")
    found = value("fx_forward", table(GRID), snapshot(LEVELS, schemes=schemes), reporting=reporting)
    unit = np.array([FX[bought] * max(1.0, rate) for (bought, _), _, rate in GRID]) * 1e6 / FX[reporting]
    sold = np.array([FX[sold] for (_, sold), _, _ in GRID]) / FX[reporting]
    assert_close(found.base, 1e6 * sold * list(quantlib(GRID, schemes)), unit)
    assert not found.problems


@pytest.mark.parametrize("pair", PAIRS)
def test_value__is_that_of_quantlibs_engine(value, pair):
    forwards = [trade for trade in GRID if trade[0] == pair]
    bought, sold = pair
    found = value("fx_forward", table(forwards), snapshot(LEVELS), reporting=sold)
    spot = FX[bought] / FX[sold]
    currency = {"USD": ql.USDCurrency(), "EUR": ql.EURCurrency(), "JPY": ql.JPYCurrency()}
    engine = ql.DiscountingFxForwardEngine(curve(CURVES[sold]), curve(CURVES[bought]), quote(1 / spot))
    expected = []
    for _, days, rate in forwards:
        sums = (1e6 * rate * spot, currency[sold], 1e6, currency[bought])
        forward = ql.FxForward(*sums, date_of(day(days)), True, 0)
        forward.setPricingEngine(engine)
        expected.append(forward.NPV())
    assert_close(found.base, expected, [1e6 * spot * max(1.0, rate) for *_, rate in forwards])


def test_value__at_the_forward_rate_is_nothing(value):
    dollars, euros = curve(CURVES["USD"]), curve(CURVES["EUR"])
    fair = [1.11 * euros.discount(date_of(day(d))) / dollars.discount(date_of(day(d))) for d in DAYS]
    trades = {"bought": "EUR", "sold": "USD", "notional": 1e12, "rate": fair, "maturity": [day(d) for d in DAYS]}
    assert_close(value("fx_forward", trades, snapshot(LEVELS)).base, np.zeros(len(DAYS)), 1e12)


def test_value__of_the_other_side_is_the_same_with_the_other_sign(value):
    ours = value("fx_forward", table(GRID), snapshot(LEVELS))
    theirs = value("fx_forward", {**table(GRID), "quantity": -1.0}, snapshot(LEVELS))
    np.testing.assert_array_equal(theirs.base, -ours.base)


@pytest.mark.parametrize("days", [-400, -1, 0])
def test_value__is_nothing_from_the_maturity_on(value, days):
    found = value("fx_forward", table([(pair, days, 1.5) for pair in PAIRS]), snapshot(LEVELS))
    np.testing.assert_array_equal(found.base, 0.0)
    assert (found.status == Status.EXPIRED).all()


def test_value__without_a_discount_curve_says_so(value):
    trades = {**table(GRID[:2]), "bought": ["CHF", "EUR"], "sold": ["USD", "USD"]}
    found = value("fx_forward", trades, snapshot({**LEVELS, "fx:CHF": 1.02}))
    known = ", ".join(f"'discount:{name}'" for name in sorted(FX))
    assert found.problems == {0: f"no discount curve 'discount:CHF'; known: {known}"}
    assert np.isfinite(found.base[1])
