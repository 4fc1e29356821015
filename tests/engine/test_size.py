import pytest

from riskgrid.engine.size import bump_bits, gross_notional, largest_notional, tick_bits
from riskgrid.portfolio import Portfolio
from tests.run import made


def portfolio(**tables):
    made_up = {}
    for name, table in tables.items():
        count = len(next(iter(table.values())))
        ids = [f"{name}-{at}" for at in range(count)]
        made_up[name] = {"trade_id": ids, "trade_date": ["2016-06-01"] * count, **table}
    return Portfolio.from_tables(made_up)


def equity(quantity, underlying="SPX", multiplier=1.0):
    return {"underlying": [underlying], "currency": ["USD"], "quantity": [quantity], "multiplier": [multiplier]}


FORWARD = {"bought": ["EUR"], "sold": ["GBP"], "notional": [1e6], "rate": [0.8], "maturity": ["2017-01-02"]}
COMMODITY = {"commodity": ["WTI"], "currency": ["USD"], "lot": [1000.0], "price": [40.0], "delivery": ["2017-01-02"]}


def test_largest_notional__is_of_the_largest_trade_long_or_short():
    twice = {name: 2 * column for name, column in equity(0.0).items()}
    book = portfolio(equity={**twice, "quantity": [2.0, -3.0]})
    assert largest_notional(book, made.market(), "USD") == 3.0 * 2100.0


def test_largest_notional__is_in_the_reporting_currency():
    book = portfolio(fx_forward=FORWARD)
    assert largest_notional(book, made.market(), "USD") == pytest.approx(1e6 * 0.8 * 1.33)
    assert largest_notional(book, made.market(), "GBP") == pytest.approx(1e6 * 0.8)


def test_largest_notional__of_no_trades_is_nothing():
    assert largest_notional(Portfolio({}), made.market(), "USD") == 0.0
    assert tick_bits(Portfolio({}), made.market(), "USD") == 20


def test_largest_notional__counts_what_the_market_does_not_know_as_one():
    assert largest_notional(portfolio(equity=equity(5.0, "NOBODY")), made.market(), "USD") == 5.0


def test_largest_notional__of_a_commodity_is_at_its_price():
    assert largest_notional(portfolio(commodity_forward=COMMODITY), made.market(), "USD") in (48_000.0, 40_000.0)


@pytest.mark.parametrize(("quantity", "bits"), [(4.0, 20), (-5.0, 10), (4900.0, 10), (5000.0, 4), (1e9, 4)])
def test_tick_bits__are_the_most_at_which_a_fifth_of_the_largest_fits_32_bits(quantity, bits):
    assert tick_bits(portfolio(equity=equity(quantity)), made.market(), "USD") == bits


def test_gross_notional__adds_long_and_short_of_every_instrument():
    twice = {name: 2 * column for name, column in equity(0.0).items()}
    book = portfolio(equity={**twice, "quantity": [2.0, -3.0]}, fx_forward=FORWARD)
    assert gross_notional(book, made.market(), "USD") == pytest.approx(5.0 * 2100.0 + 1e6 * 0.8 * 1.33)
    assert gross_notional(book, made.market(), "GBP") == pytest.approx(5.0 * 2100.0 / 1.33 + 1e6 * 0.8)
    assert gross_notional(Portfolio({}), made.market(), "USD") == 0.0


@pytest.mark.parametrize(
    ("gross", "bits"), [(1.0, 32), (2.0**29 - 1, 32), (2.0**29, 31), (2.0**40, 20), (2.0**57, 4), (2.0**70, 4)]
)
def test_bump_bits__are_the_most_at_which_twice_the_gross_notional_fits_62(gross, bits):
    halves = {name: 2 * column for name, column in equity(0.0, "NOBODY").items()}  # counts as one each
    book = portfolio(equity={**halves, "quantity": [gross / 2, -gross / 2]})
    assert bump_bits(book, made.market(), "USD") == bits


def test_bump_bits__of_no_trades_are_32():
    assert bump_bits(Portfolio({}), made.market(), "USD") == 32
