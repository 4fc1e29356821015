"""What holds of any run: parity, tails, sums, mirrors."""

import tempfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskgrid.engine.plan import Pricing, plan_instrument
from riskgrid.market.states import MarketStates
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.running import run
from tests.contract.checks import priced
from tests.run import made

bounded = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def ticks_of(name, columns, states, pricing):
    """Ticks (scenario) and base value of one trade."""
    table = {"trade_id": ["T"], "trade_date": "2016-06-01", **{key: [value] for key, value in columns.items()}}
    book = Portfolio.from_tables({name: pd.DataFrame(table)})
    piece = next(iter(plan_instrument(INSTRUMENTS[name], book.columns(name), states, pricing)))
    result = priced(name, piece.columns, piece.blocks[0].roles, states, pricing=pricing)
    return result.ticks[0], result.base_value[0]


@bounded
@given(
    strike=st.floats(20.0, 90.0),
    days=st.integers(1, 700),
    quantity=st.sampled_from([-3.0, 1.0, 7.0]),
    seed=st.integers(0, 10**6),
)
def test_a_call_less_a_put_is_a_forward_in_every_scenario(strike, days, quantity, seed):
    states = MarketStates(made.market(), made.scenarios(count=16, seed=seed))
    when = str(made.TODAY + np.timedelta64(days, "D"))
    terms = {"commodity": "WTI", "currency": "USD", "lot": 1000.0, "delivery": when, "quantity": quantity}
    option = terms | {"strike": strike, "expiry": when}
    pricing = Pricing("USD", 20, 4096, wide=True)
    call, call_value = ticks_of("commodity_option", option | {"option_type": "call"}, states, pricing)
    put, put_value = ticks_of("commodity_option", option | {"option_type": "put"}, states, pricing)
    forward, forward_value = ticks_of("commodity_forward", terms | {"price": strike}, states, pricing)
    assert abs(call_value - put_value - forward_value) < 1e-8
    assert np.abs(call - put - forward).max() <= 2  # half a tick each


@bounded
@given(count=st.integers(3, 60), seed=st.integers(0, 10**6), level=st.sampled_from([0.9, 0.95, 0.975, 0.99]))
def test_expected_shortfall_is_at_least_value_at_risk(count, seed, level):
    with tempfile.TemporaryDirectory() as folder:
        book = made.portfolio(5, seed=seed, only=("equity", "equity_option", "fx_forward"))
        done = run(book, made.market(), made.scenarios(count=count, seed=seed), store=folder, cluster="threads:1")
        for by in (None, "desk", ["region", "book"]):
            pnl = done.pnl(by=by)
            worst = -pnl.min("scenario")
            var, shortfall = value_at_risk(pnl, level), expected_shortfall(pnl, level)
            slack = 1e-9 * (1.0 + np.abs(worst))
            assert (shortfall >= var - slack).all()
            assert (shortfall <= worst + slack).all()


@settings(bounded, max_examples=8)
@given(seed=st.integers(0, 10**6), cut=st.sampled_from([16, 64, 1024]), parts=st.integers(1, 4))
def test_a_portfolio_in_parts_is_the_portfolio_whole(seed, cut, parts):
    frames = made.tables(20, seed)
    names = ["equity_option", "fixed_rate_bond", "fx_option"]
    asked = {"bits": 10, "cluster": "threads:1"}
    states = made.scenarios(count=5, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Portfolio.from_tables({name: frames[name] for name in names})
        total = run(whole, made.market(), states, store=f"{folder}/whole", cut=cut, **asked).pnl().values
        summed = np.zeros(5)
        for part in range(parts):
            some = Portfolio.from_tables({name: frames[name].iloc[part::parts] for name in names})
            summed += run(some, made.market(), states, store=f"{folder}/parts", **asked).pnl().values
    assert (summed == total).all()


@bounded
@given(seed=st.integers(0, 10**6), scale=st.floats(0.7, 1.4))
def test_a_price_is_homogeneous_in_spot_and_strike(seed, scale):
    frame = made.tables(10, seed)["equity_option"]
    frame = frame[frame.underlying == "SPX"].reset_index(drop=True)
    if frame.empty:
        return
    market = made.market()
    values = []
    for factor in (1.0, scale):
        states = MarketStates(market.replace({"equity:SPX": factor * 2100.0}), made.scenarios(count=0))
        book = Portfolio.from_tables({"equity_option": frame.assign(strike=factor * frame.strike)})
        columns, pricing = book.columns("equity_option"), Pricing("USD", 10)
        base = np.empty(len(frame))
        for piece in plan_instrument(INSTRUMENTS["equity_option"], columns, states, pricing):
            for block in piece.blocks:
                part = {name: column[block.start : block.stop] for name, column in piece.columns.items()}
                base[piece.rows[block.start : block.stop]] = priced(
                    "equity_option", part, block.roles, states, pricing=pricing
                ).base_value
        values.append(base)
    assert values[1] == pytest.approx(scale * values[0], rel=1e-9, abs=1e-9)
