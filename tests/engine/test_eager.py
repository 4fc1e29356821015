"""An eager pricer asks the market whatever it likes, with answers among its questions, and gets the same bits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import riskgrid as rg
from riskgrid.change import Changes
from riskgrid.engine import block as engine_block
from riskgrid.engine.eager import EagerMarket
from riskgrid.errors import NotAQuantity
from riskgrid.market.states import MarketStates
from riskgrid.market.view import Market
from riskgrid.portfolio import Portfolio
from riskgrid.registry import instrument
from riskgrid.schema import Status
from riskgrid.terms import Commodity, Currency, CurveName, Date, Equity, Float, Index, Issuer, Names
from tests.run import made

pytestmark = pytest.mark.usefixtures("_registry")

STICKY = {"AAPL": {"sticky": "sticky_strike"}, "EURUSD": {"sticky": "sticky_strike"}}
MARKET = made.market(surfaces={"default": {"sticky": "sticky_moneyness"}, **STICKY})


@dataclass(frozen=True)
class Asking:
    """Something of every family that a market can be asked about."""

    underlying: Equity
    commodity: Commodity
    of: Currency
    to: Currency
    currency: Currency
    curve: CurveName
    index: Index
    moneyness: Float
    notional: Float
    start: Date
    expiry: Date
    issuer: Issuer = ""


EXAMPLE = Asking("AAPL", "WTI", "EUR", "USD", "USD", "EUR", "USD-3M", 1.05, 1e4, "2016-05-02", "2017-06-30", "ACME")


def frame(rows, seed=5):
    """A table of ``rows`` trades, most fields drawn; the first is the example."""
    rng = np.random.default_rng(seed)
    pair = np.array([("EUR", "USD"), ("USD", "EUR"), ("GBP", "USD"), ("USD", "GBP")])[rng.integers(0, 4, rows)]
    drawn = {
        "underlying": rng.choice(["AAPL", "SPX"], rows),
        "commodity": rng.choice(["WTI", "BRENT"], rows),
        "of": pair[:, 0],
        "to": pair[:, 1],
        "currency": rng.choice(["USD", "EUR", "GBP"], rows),
        "curve": rng.choice(["EUR", "USD-6M"], rows),
        "index": rng.choice(["USD-3M", "USD-6M"], rows),
        "issuer": rng.choice(["ACME", ""], rows),
        "moneyness": rng.uniform(0.7, 1.3, rows),
        "notional": rng.uniform(1e3, 1e5, rows),
        "start": np.datetime64("2016-01-04") + rng.integers(0, 170, rows).astype("timedelta64[D]"),
        "expiry": np.datetime64("2016-07-05") + rng.integers(0, 900, rows).astype("timedelta64[D]"),
    }
    first = dataclasses.asdict(EXAMPLE)
    return pd.DataFrame(
        {"trade_id": [f"T-{row:03d}" for row in range(rows)], "trade_date": np.datetime64("2016-06-01")}
        | {name: np.append(np.asarray([first[name]], column.dtype), column[1:]) for name, column in drawn.items()}
    )


def flows_of(terms, market):
    """Quarterly flows, adjusted, paid two business days later."""
    names = Names(np.zeros((1, 1), np.int32), ("US",))
    every = np.full((1, 1), 4)
    lag = np.full((1, 1), 2)
    return market.schedule(terms.start, terms.expiry, every, names, roll="modified_following", payment_lag=lag)


def present_value(terms, market, **options):
    """Coupons of 3 % on one unit."""
    flows = flows_of(terms, market)
    return market.present_value(terms.currency, flows, flows.accrual("ACT/360") * 0.03, **options)


def equity_vol(terms, market, shift=1.0):
    """At a strike that is a column, of a forward that moves."""
    forward = market.forward(terms.underlying, terms.expiry, terms.currency)
    strike = np.where(terms.underlying == "SPX", 2100.0, 95.0) * terms.moneyness
    return market.vol(terms.underlying, terms.expiry, strike, forward * shift)


def pair_vol(terms, market):
    """Both orders of a pair, in a portfolio of one row the order in which it is quoted."""
    forward = market.forward((terms.of, terms.to), terms.expiry)
    level = np.where(terms.to == "USD", 1.2, 1.0 / 1.2) * terms.moneyness
    return market.vol((terms.of, terms.to), terms.expiry, level, forward)


QUESTIONS = {
    "spot": lambda terms, market: market.spot(terms.underlying),
    "spot of a commodity": lambda terms, market: market.spot(terms.commodity),
    "fx": lambda terms, market: market.fx(terms.of, terms.to),
    "forward of an equity": lambda terms, market: market.forward(terms.underlying, terms.expiry, terms.currency),
    "forward of a commodity": lambda terms, market: market.forward(terms.commodity, terms.expiry),
    "forward of a pair": lambda terms, market: market.forward((terms.of, terms.to), terms.expiry),
    "discount": lambda terms, market: market.discount(terms.currency, terms.expiry),
    "discount on a curve": lambda terms, market: market.discount(terms.currency, terms.expiry, terms.curve),
    "zero_rate": lambda terms, market: market.zero_rate(terms.currency, terms.expiry),
    "forward_rate": lambda terms, market: market.forward_rate(terms.index, terms.start, terms.expiry),
    "vol of an equity": equity_vol,
    "vol at a strike that moves": lambda terms, market: market.vol(
        terms.underlying,
        terms.expiry,
        strike=market.spot(terms.underlying) * terms.moneyness,
        forward=market.forward(terms.underlying, terms.expiry, terms.currency),
    ),
    "vol at a forward of the pricer's own": lambda terms, market: equity_vol(terms, market, shift=terms.moneyness),
    "vol of a commodity": lambda terms, market: market.vol(
        terms.commodity, terms.expiry, 48.0 * terms.moneyness, market.forward(terms.commodity, terms.expiry)
    ),
    "vol of a pair": pair_vol,
    "vol at a column": lambda terms, market: market.vol(
        terms.underlying, terms.expiry, terms.moneyness, np.ones((1, 1))
    ),
    "vol of a vol": lambda terms, market: market.vol(
        terms.underlying, terms.expiry, terms.moneyness, 5.0 * equity_vol(terms, market)
    ),
    "present_value": present_value,
    "present_value with a spread": lambda terms, market: present_value(
        terms, market, issuer=terms.issuer, curve=terms.curve
    ),
    "present_value for settlement": lambda terms, market: present_value(
        terms, market, settlement_lag=np.full((1, 1), 2)
    ),
    "floating_value": lambda terms, market: market.floating_value(
        terms.index, terms.currency, flows := flows_of(terms, market), flows.accrual("ACT/360"), terms.moneyness / 100
    ),
}


def asked(question, *, eager):
    """The instrument of a question, valued as so much of the notional."""

    def price(terms, market):
        return terms.notional * question(terms, market)

    options = {"value_in": "currency", "example": EXAMPLE, "eager": eager, "version": "1"}
    instrument("asking", **options)(price)


def priced(question, rows, scenarios, store, *, eager, **options):
    """The run of ``rows`` trades that ask the question; 2^-30 of a dollar is a tick."""
    asked(question, eager=eager)
    book = Portfolio.from_tables({"asking": frame(rows)})
    options = {"bits": 30, "cluster": "threads:2", "cut": 128, **options}
    return rg.run(book, MARKET, scenarios, store=store, progress=None, **options)


def moved(count, days=0):
    """Scenarios in which every factor moves, every other one some days later."""
    dates = made.TODAY + np.where(np.arange(count) % 2, days, 0).astype("timedelta64[D]")
    return made.scenarios(MARKET, count=count, date=dates)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(("rows", "count", "days"), [(1, 3, 0), (1, 40, 0), (300, 3, 40), (300, 40, 0)])
def test_eager_market__answers_in_the_same_bits(question, rows, count, days, tmp_path, monkeypatch):
    states = moved(count, days)
    monkeypatch.setattr(engine_block, "tile_shape", lambda *_, **__: (7, 16))
    monkeypatch.setattr(engine_block, "_EAGER_ROWS", 64)
    numbers = priced(question, rows, states, tmp_path / "eager", eager=True)
    quantities = priced(question, rows, states, tmp_path / "other", eager=False)
    table = quantities.trade_table()
    assert set(table.status.values.tolist()) == {Status.PRICED}, table.problem.values
    assert made.bits_by_trade(numbers) == made.bits_by_trade(quantities)
    assert (quantities.cube.trade_pnl(np.arange(rows)) != 0).any(
        axis=1
    ).mean() > 0.7  # a rate in its own currency is still


@pytest.mark.parametrize("name", ["vol of an equity", "vol of a pair", "floating_value"])
def test_eager_instrument__of_answers_asked_with_answers_replays_and_what_ifs(name, tmp_path):
    shift = {"equity:AAPL": "-5%", "fx:EUR": "+2%", "vol:*": "x1.2", "par:*": "+10bp"}
    changes = Changes(shift=shift, resize={"T-003": 2.0})
    children = {}
    for eager in (False, True):
        parent = priced(QUESTIONS[name], 40, moved(20), tmp_path / f"{eager}", eager=eager)
        children[eager] = rg.what_if(parent, changes)
        for replayed in map(rg.replay, (parent, children[eager])):
            assert replayed.equal, replayed
    assert made.bits_by_trade(children[True]) == made.bits_by_trade(children[False])
    book, market = changes.portfolio(parent.portfolio), changes.market(parent.market)
    full = rg.run(book, market, parent.scenarios, store=tmp_path / "full", bits=30, progress=None)
    assert made.bits_by_trade(children[True]) == made.bits_by_trade(full)
    assert made.bits_by_trade(full) != made.bits_by_trade(parent)


def test_eager_instrument__may_write_into_its_answers(tmp_path):
    def writing(terms, market):
        forward = market.forward(terms.underlying, terms.expiry, terms.currency)
        first = market.vol(terms.underlying, terms.expiry, terms.moneyness * 95.0, forward)
        if isinstance(forward, np.ndarray):
            forward *= 2.0
        return first + market.forward(terms.underlying, terms.expiry, terms.currency)

    numbers, quantities = (priced(writing, 5, moved(3), tmp_path / f"{eager}", eager=eager) for eager in (True, False))
    assert made.bits_by_trade(numbers) == made.bits_by_trade(quantities)


def eager_market(trades=3, states=4):
    """Of SPX and USD."""
    over = MarketStates(MARKET, moved(states - 1))
    names = (Names(np.zeros((trades, 1), np.int32), (name,), kind) for name, kind in (("SPX", "equity"), ("USD", "")))
    return EagerMarket(Market(over, trades, base_date=made.TODAY), states), *names


def test_eager_market__takes_a_row_that_all_trades_share():
    market, name, _ = eager_market()
    expiry, strike = np.full((3, 1), "2017-06-30", "datetime64[D]"), np.array([[1800.0], [2100.0], [2500.0]])
    forward = np.array([[2000.0, 2100.0, 2200.0, np.nan]])
    found = market.vol(name, expiry, strike, forward)
    np.testing.assert_array_equal(found, market.vol(name, expiry, strike, np.repeat(forward, 3, axis=0)))
    np.testing.assert_array_equal(np.isnan(found), np.tile([False, False, False, True], (3, 1)))
    counts = np.array([[1900, 2000, 2100, 2200]])
    np.testing.assert_array_equal(
        market.vol(name, expiry, counts, forward=2000), market.vol(name, expiry, counts.astype(float), 2000.0)
    )


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 2), (3, 4, 1)])
def test_eager_market__refuses_numbers_of_another_shape(shape):
    market, name, _ = eager_market()
    expiry = np.full((3, 1), "2017-06-30", "datetime64[D]")
    with pytest.raises(NotAQuantity) as raised:
        market.vol(name, expiry, 2000.0, forward=np.full(shape, 2000.0))
    sentence = f"a pricer asked market.vol with an array of shape {shape}; (trade, 1) and (trade, state), here (3, 4), "
    assert str(raised.value) == sentence + "are right"


def test_eager_market__refuses_an_amount_that_moves_with_the_state():
    market, name, currency = eager_market()
    start, end = (np.full((3, 1), day, "datetime64[D]") for day in ("2016-05-02", "2017-05-02"))
    weekends = Names(np.zeros((1, 1), np.int32), ("weekends",))
    flows = market.schedule(start, end, np.full(3, 4), weekends, payment_lag=np.array([1, 2, 3]))
    assert market.present_value(currency, flows, np.full((3, 1), 2.0)).shape == (3, 4)
    with pytest.raises(NotAQuantity, match="an amount of a cash flow moves with the state"):
        market.present_value(currency, flows, market.spot(name))


def test_eager_market__of_the_base_alone_takes_columns_and_answers():
    market, name, _ = eager_market(states=1)
    expiry = np.full((3, 1), "2017-06-30", "datetime64[D]")
    columns = np.array([[1800.0], [2100.0], [2500.0]])
    found = market.vol(name, expiry, columns, market.spot(name))
    every, same, _ = eager_market(states=4)
    np.testing.assert_array_equal(found, every.vol(same, expiry, columns, every.spot(same))[:, :1])
