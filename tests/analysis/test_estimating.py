"""P&L estimated from sensitivities where levels allow no usual bump."""

import dataclasses

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.scenarios.set import shifts
from tests.run import made

BASE = shifts(["base"], [], 1.0, 0.0, name="base", kind="none", provenance={})


def estimated(store, levels, later, only, days=0):
    """Explain the made book between two markets that differ in these levels."""
    first = made.market(levels)
    second = dataclasses.replace(first, date=first.date + np.timedelta64(days, "D")).replace(later)
    runs = [rg.run(made.portfolio(only=only), one, BASE, store=store, progress=None) for one in (first, second)]
    return rg.explain(*runs, by=(), sensitivities=True)


def test_estimate__of_a_price_below_zero_is_by_an_absolute_bump(tmp_path):
    """A forward is linear in prices of any sign; what moves is -20 to 5, through zero."""
    prices = {f"commodity:WTI:{tenor}": -20.0 for tenor in ("0D", "6M", "1Y")}
    found = estimated(tmp_path, prices, dict.fromkeys(prices, 5.0), ("commodity_forward",))
    table, tick = found.estimated.by(()), 2.0**-found.estimated.bits
    assert float(found.pnl["total"].sum()) != 0.0
    assert abs(float(table["pnl"].sel(piece="unexplained")[0])) <= tick * len(found.pnl["trade_id"])


def test_estimate__of_a_price_of_zero_is_by_an_absolute_bump(tmp_path):
    prices = {f"commodity:WTI:{tenor}": 0.0 for tenor in ("0D", "6M", "1Y")}
    found = estimated(tmp_path, prices, dict.fromkeys(prices, 1.0), ("commodity_forward",))
    table, tick = found.estimated.by(()), 2.0**-found.estimated.bits
    assert abs(float(table["pnl"].sel(piece="unexplained")[0])) <= tick * len(found.pnl["trade_id"])


def test_estimate__of_a_volatility_under_a_point_bumps_it_by_less(tmp_path):
    factors = [factor for factor in made.market().factors if factor.startswith("vol:SPX:")]
    found = estimated(tmp_path, dict.fromkeys(factors, 0.008), dict.fromkeys(factors, 0.0082), ("equity_option",))
    whole = found.estimated.by(())["pnl"].to_series().droplevel(0)
    assert whole["volatility"] != 0.0
    assert abs(whole["unexplained"]) < 0.2 * abs(whole["volatility"])  # half the level is a long way


def test_estimate__of_time_alone_is_theta_of_a_day_times_the_days(tmp_path):
    found = estimated(tmp_path, {}, {}, ("fx_forward", "equity_option"), days=3)
    whole = found.estimated.by(())["pnl"].to_series().droplevel(0)
    assert {name for name, value in whole.items() if value} <= {"theta", "unexplained"}
    alive = found.attribution.by(())["pnl"].to_series().droplevel(0)
    assert whole["theta"] == pytest.approx(alive["theta"] + alive["expired"] + alive["cash and carry"], rel=0.05)


def test_estimate__leaves_new_trades_out_and_counts_only_what_was_revalued(tmp_path):
    first = made.market()
    second = first.replace({"equity:SPX": 2000.0})
    one = rg.run(made.portfolio(only=("equity",)), first, BASE, store=tmp_path, progress=None)
    book = rg.Changes(resize={"equity-0": 7.0}, drop=["equity-1"]).portfolio(
        made.portfolio(only=("equity", "fx_forward"))
    )
    other = rg.run(book, second, BASE, store=tmp_path, progress=None)
    found = rg.explain(one, other, sensitivities=True)
    table = found.estimated.to_dataset()
    assert set(table["instrument"].values) == {"equity"}
    assert found.pnl["pnl"].sel(piece="new").values.any()
    np.testing.assert_allclose(table["pnl"].sel(piece="unexplained"), 0.0, atol=2.0**-found.estimated.bits)
    np.testing.assert_allclose(
        table["total"].values, found.pnl["pnl"].sel(piece="spot").values[: table.sizes["trade"]], atol=1e-9
    )


def test_estimate__of_a_book_of_any_size_loses_no_trade(tmp_path):
    """A share is linear: delta alone is its P&L, be it one of 1e13 dollars."""
    first = made.market()
    table = made.tables(count=2)["equity"].assign(underlying="SPX", quantity=[5e9, 1.0])
    book = rg.Portfolio.from_tables({"equity": table})
    levels = {"equity:SPX": 2000.0}
    runs = [rg.run(book, one, BASE, store=tmp_path, progress=None) for one in (first, first.replace(levels))]
    found = rg.explain(*runs, by=(), sensitivities=True).estimated.by(())["pnl"].to_series().droplevel(0)
    assert found["spot"] == pytest.approx(-100.0 * (5e9 + 1.0), rel=1e-9)
