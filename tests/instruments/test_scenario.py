"""Every instrument in moved markets: P&L, what was read, and what stays in its own trade."""

import numpy as np
import pytest

from riskgrid.errors import UnrecordedRead
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.scenarios.set import shifts
from riskgrid.schema import Status
from tests.instruments.oracle import HOLIDAYS, TODAY, day

ql = pytest.importorskip("QuantLib")

LEVELS = {
    "fx:EUR": 1.11,
    "fx:JPY": 0.0097,
    "equity:AAPL": 95.0,
    "equity:SAP": 68.0,
    "dividend:AAPL": 0.022,
    "spread:ACME": 0.015,
    "spread:NEST": 0.004,
    "index:VIX": 15.0,
    **{f"commodity:WTI:{tenor}": price for tenor, price in (("0D", 48.0), ("6M", 50.0), ("1Y", 51.0))},
    **{f"commodity:XAU:{tenor}": price for tenor, price in (("0D", 1340.0), ("1Y", 1350.0))},
    **{f"par:USD-TREASURY:{t}": r for t, r in (("3M", 0.003), ("1Y", 0.005), ("5Y", 0.011), ("10Y", 0.016))},
    **{f"zero:USD-PROJECTION:{t}": r for t, r in (("3M", 0.006), ("2Y", 0.009), ("10Y", 0.02))},
    **{f"zero:EUR-POLICY:{t}": r for t, r in (("1Y", -0.004), ("10Y", 0.002))},
    "zero:JPY:1Y": -0.001,
    **{
        f"vol:{name}:{tenor}:{m}": 0.2 + slope * (1.0 - float(m))
        for name, slope in (("AAPL", 0.2), ("SAP", 0.1), ("EURUSD", 0.05), ("USDJPY", 0.04), ("WTI", 0.3), ("XAU", 0.1))
        for tenor in ("3M", "1Y", "3Y")
        for m in ("0.80", "1.00", "1.20")
    },
}
CONVENTIONS = {
    "curves": {
        "USD-TREASURY": {"quotes": "par"},
        "USD-PROJECTION": {"quotes": "zero", "interpolation": "monotone_cubic"},
        "EUR-POLICY": {"quotes": "zero"},
        "JPY": {"quotes": "zero"},
    },
    "discount": {"USD": "USD-TREASURY", "EUR": "EUR-POLICY", "JPY": "JPY"},
    "indices": {
        "USD-3M": {
            "currency": "USD",
            "curve": "USD-PROJECTION",
            "tenor": "3M",
            "day_count": "ACT/360",
            "calendar": "US",
        }
    },
    "calendars": {"US": HOLIDAYS.tolist()},
}
FIXINGS = {"USD-3M": Fixings(np.array(["2016-06-14"], "datetime64[D]"), np.array([0.0065]))}
BOOK = {
    "equity": {"underlying": ["AAPL", "SAP"], "currency": ["USD", "EUR"], "quantity": [100.0, -50.0]},
    "equity_option": {
        "underlying": ["AAPL", "SAP", "AAPL"],
        "currency": ["USD", "EUR", "USD"],
        "option_type": ["call", "put", "put"],
        "strike": [100.0, 66.0, 80.0],
        "expiry": [day(200), day(500), day(2000)],
        "multiplier": 100.0,
    },
    "fx_forward": {
        "bought": ["EUR", "USD", "JPY"],
        "sold": ["USD", "JPY", "EUR"],
        "notional": [1e4, 1e4, 1e6],
        "rate": [1.12, 101.0, 0.0088],
        "maturity": [day(90), day(400), day(1000)],
    },
    "fx_option": {
        "call_currency": ["EUR", "JPY", "USD"],
        "put_currency": ["USD", "USD", "EUR"],
        "notional": [1e4, 1e6, 1e4],
        "strike": [1.1, 0.0099, 0.93],
        "expiry": [day(100), day(400), day(900)],
        "delivery": [day(102), day(402), day(902)],
        "premium": [100.0, 0.0, 30.0],
        "premium_currency": ["JPY", "USD", "EUR"],
        "premium_date": [day(2), day(-10), day(20)],
    },
    "commodity_forward": {
        "commodity": ["WTI", "XAU"],
        "currency": ["USD", "EUR"],
        "lot": [100.0, 1.0],
        "price": [49.0, 1300.0],
        "delivery": [day(100), day(300)],
    },
    "commodity_option": {
        "commodity": ["WTI", "XAU"],
        "currency": ["USD", "EUR"],
        "option_type": ["call", "put"],
        "strike": [50.0, 1360.0],
        "lot": [100.0, 1.0],
        "expiry": [day(150), day(330)],
        "delivery": [day(180), day(330)],
    },
    "fixed_rate_bond": {
        "currency": ["USD", "EUR", "USD"],
        "notional": 1e4,
        "coupon": [0.02, 0.01, 0.06],
        "issue": "2014-02-15",
        "maturity": ["2024-02-15", "2026-08-20", "2017-02-15"],
        "payments_per_year": [2, 1, 4],
        "day_count": ["ACT/ACT ICMA", "30E/360", "ACT/360"],
        "calendar": "US",
        "issuer": ["", "NEST", "ACME"],
        "settlement_lag": [1, 2, 0],
    },
    "interest_rate_swap": {
        "currency": "USD",
        "side": ["pay", "receive"],
        "notional": 1e4,
        "fixed_rate": [0.012, 0.02],
        "index": "USD-3M",
        "start": ["2016-06-16", "2016-09-01"],
        "maturity": ["2021-06-16", "2025-09-01"],
        "fixed_payments_per_year": 2,
        "fixed_day_count": "30/360",
        "floating_payments_per_year": 4,
        "floating_day_count": "ACT/360",
        "calendar": "US",
    },
}
INSTRUMENTS = list(BOOK)


@pytest.fixture(scope="module")
def market():
    return MarketSnapshot(TODAY, "USD", tuple(LEVELS), list(LEVELS.values()), CONVENTIONS, FIXINGS, {})


def moves(factors, seed=1, random=8):
    """Scenarios that move all factors at once, and for each factor one that moves it alone."""
    rng = np.random.default_rng(seed)
    additive = np.array([factor.split(":")[0] in ("par", "zero", "spread", "dividend") for factor in factors])
    scale, offset = np.ones((random + len(factors), len(factors))), np.zeros((random + len(factors), len(factors)))
    scale[:random, ~additive] = np.exp(rng.normal(0.0, 0.05, (random, (~additive).sum())))
    offset[:random, additive] = rng.normal(0.0, 0.002, (random, additive.sum()))
    alone = np.arange(len(factors))
    scale[random + alone, alone] = np.where(additive, 1.0, 1.01)
    offset[random + alone, alone] = np.where(additive, 0.001, 0.0)
    labels = [*(f"all {i}" for i in range(random)), *factors]
    return shifts(labels, factors, scale, offset, name="moves", kind="test", provenance={})


def owners(factor):
    """Roles that a pricer reads when it depends on a factor."""
    kind, name, *_ = factor.split(":")
    if kind in ("par", "zero"):
        currencies = [currency for currency, curve in CONVENTIONS["discount"].items() if curve == name]
        return {f"curve:{name}", *(f"discount:{currency}" for currency in currencies)}
    return {f"{kind}:{name}"}


def single(table, row):
    """The table of one of its trades."""
    return {name: [column[row]] if isinstance(column, list) else [column] for name, column in table.items()}


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_pnl__is_the_difference_of_two_base_valuations_to_the_tick(value, market, instrument):
    """And every factor that makes a difference was recorded as read."""
    scenarios = moves(market.factors)
    found = value(instrument, BOOK[instrument], market, scenarios)
    assert not found.problems
    # one trade at a time: its block reads nothing on behalf of others
    roles = [value(instrument, single(BOOK[instrument], row), market).roles[0] for row in range(len(found.base))]
    reached = set()
    for column, label in enumerate(scenarios.scenario.values.tolist()):
        scale, offset = scenarios.scale.values[column], scenarios.offset.values[column]
        levels = dict(zip(market.factors, (scale * market.levels + offset).tolist(), strict=True))
        moved = value(instrument, BOOK[instrument], market.replace(levels))
        expected = np.rint((moved.base - found.base) * 2.0**20)
        np.testing.assert_array_equal(found.ticks[:, column], expected, err_msg=label)
        for row in np.flatnonzero(moved.base != found.base).tolist():
            reached.add((row, label))
            assert label not in market.factors or owners(label) & roles[row], label
    everywhere = {(row, f"all {i}") for row in range(len(found.base)) for i in range(8)}
    assert everywhere < reached  # and some by a factor alone


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_value__a_role_that_was_withheld_is_an_unrecorded_read(value, market, instrument):
    roles = set().union(*value(instrument, BOOK[instrument], market).roles)
    for role in roles:
        with pytest.raises(UnrecordedRead, match=role):
            value(instrument, BOOK[instrument], market, withheld=(role,))


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_pnl__of_a_factor_that_nobody_reads_is_nothing(value, market, instrument):
    up = shifts(["up"], ["index:VIX"], 2.0, 0.0, name="up", kind="test", provenance={})
    np.testing.assert_array_equal(value(instrument, BOOK[instrument], market, up).ticks, 0)


@pytest.mark.parametrize(
    ("instrument", "factors", "row"),
    [
        ("equity_option", [f for f in LEVELS if f.startswith("vol:SAP:")], 1),
        ("fx_option", [f for f in LEVELS if f.startswith("vol:USDJPY:")], 1),
        ("commodity_option", [f for f in LEVELS if f.startswith("vol:WTI:")], 0),
        ("commodity_option", [f for f in LEVELS if f.startswith("commodity:XAU:")], 1),
        ("equity_option", ["equity:SAP"], 1),
    ],
)
def test_pnl__a_scenario_without_a_number_stays_in_its_own_trade_and_state(value, market, instrument, factors, row):
    others = [f for f in LEVELS if f not in factors]
    scale = np.ones((3, len(factors) + len(others)))
    scale[1, : len(factors)] = -1.0  # a volatility or a forward below zero
    scale[2, :] = 1.01
    found = value(
        instrument,
        BOOK[instrument],
        market,
        shifts(["same", "below", "up"], factors + others, scale, 0.0, name="below", kind="test", provenance={}),
    )
    missing = np.zeros(found.pnl.shape, bool)
    missing[row, 1] = True
    np.testing.assert_array_equal(np.isnan(found.pnl), missing)
    assert found.status[row] == Status.NO_NUMBER
    assert (np.delete(found.status, row) == Status.PRICED).all()
    np.testing.assert_array_equal(found.pnl[:, 0], 0.0)
    rest = shifts(["up"], factors + others, scale[2:], 0.0, name="up", kind="test", provenance={})
    np.testing.assert_array_equal(found.ticks[:, 2:], value(instrument, BOOK[instrument], market, rest).ticks)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_value__of_one_trade_does_not_depend_on_its_company(value, market, instrument):
    scenarios = moves(market.factors)
    found = value(instrument, BOOK[instrument], market, scenarios)
    for row in range(len(found.base)):
        one = value(instrument, single(BOOK[instrument], row), market, scenarios)
        np.testing.assert_array_equal(one.base, found.base[row : row + 1])
        np.testing.assert_array_equal(one.ticks, found.ticks[row : row + 1])


def smile(rule):
    """Two steep smiles, of which the first follows the rule."""
    names, smiles = ("AAPL", "SAP"), (("0.50", 0.5), ("1.50", 0.1))
    levels = {f"vol:{name}:1Y:{m}": vol for name in names for m, vol in smiles}
    levels |= {"equity:AAPL": 95.0, "equity:SAP": 95.0, "zero:USD:1Y": 0.02}
    conventions = {
        "curves": {"USD": {"quotes": "zero"}},
        "discount": {"USD": "USD"},
        "surfaces": {"AAPL": {"sticky": rule}, "default": {"sticky": "sticky_moneyness"}},
    }
    return MarketSnapshot(TODAY, "USD", tuple(levels), list(levels.values()), conventions, {}, {})


@pytest.mark.parametrize("rule", ["sticky_strike", "sticky_moneyness"])
@pytest.mark.parametrize("spot_move", [0.8, 1.0, 1.1])
def test_pnl__a_surface_moves_with_the_spot_by_its_own_rule(value, rule, spot_move):
    """Two surfaces of different rules in one block, in a state where volatilities rise by a tenth as well."""
    trades = {
        "underlying": ["AAPL", "SAP"],
        "currency": "USD",
        "option_type": "call",
        "strike": [100.0, 100.0],
        "expiry": day(365),
    }
    market = smile(rule)
    factors = ["equity:AAPL", "equity:SAP", *(factor for factor in market.factors if factor.startswith("vol:"))]
    scale = [spot_move, spot_move, *[1.1] * 4]
    moved = shifts(["moved"], factors, scale, 0.0, name="moved", kind="test", provenance={})
    found = value("equity_option", trades, market, moved)
    discount = np.exp(-0.02)
    base, forward = 95.0 / discount, 95.0 * spot_move / discount
    expected = []
    for asked in (base if rule == "sticky_strike" else forward, forward):
        variance = np.interp(100.0 / asked, [0.5, 1.5], [0.25, 0.01])  # linear in variance
        expected.append(ql.blackFormula(ql.Option.Call, 100.0, forward, 1.1 * variance**0.5, discount))
    np.testing.assert_allclose(found.base + found.pnl[:, 0], expected, rtol=0, atol=0.51 * 2.0**-20)
    assert (found.pnl[0, 0] == found.pnl[1, 0]) == (rule == "sticky_moneyness" or spot_move == 1.0)
