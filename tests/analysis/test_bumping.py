"""Sensitivities of a run's book: numbers by node and by trade, spaces, sticky rules, and the spot and vol ladder."""

import numpy as np
import pytest

from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
from riskgrid.engine.size import bump_bits
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.market.bootstrap import calibrate
from riskgrid.market.factor import curve_nodes
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.bucket import bucket
from riskgrid.portfolio import Portfolio
from riskgrid.running import price, run
from riskgrid.scenarios.compose import concatenate
from riskgrid.scenarios.ladder import grid, ladder
from riskgrid.whatif import what_if
from tests.run import made


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    book, market = made.portfolio(count=12), made.market()
    folder = tmp_path_factory.mktemp("bumps")
    return run(book, market, made.scenarios(market, count=3), store=folder, cluster="threads:1", progress=None)


@pytest.fixture(scope="module")
def by_trade(finished):
    return sensitivities(finished, by="trade_id")


@pytest.fixture(scope="module")
def by_desk(finished):
    return sensitivities(finished, by=["region", "desk"])


def priced(finished, levels=None, date=None):
    """Base values (trade) of the book in another market, in portfolio order: surfaces stay with their moneyness."""
    base = finished.market
    every = dict(zip(base.factors, base.levels.tolist(), strict=True)) | (levels or {})
    market = MarketSnapshot(
        date or base.date, base.numeraire, tuple(every), list(every.values()), base.conventions, base.fixings, {}
    )
    return price(finished.portfolio, market)["base_value"].values


@pytest.mark.parametrize(
    ("factor", "move"),
    [
        ("par:USD-TREASURY:5Y", 1e-4),
        ("zero:USD-6M:10Y", 1e-4),
        ("spread:ACME", 1e-4),
        ("dividend:AAPL", 1e-4),
        ("commodity:WTI:6M", 0.48),
    ],
)
def test_delta_and_gamma__are_those_of_a_book_priced_in_the_bumped_market(finished, factor, move):
    level = finished.market.level(factor)
    base = priced(finished)
    up, down = (priced(finished, {factor: level + sign * move}) - base for sign in (1.0, -1.0))
    table = sensitivities(finished, by="trade_id", sticky=None).table.sel(factor=factor)
    assert np.abs(up).max() > 1e-3  # the factor is read
    # values of 1e7 are sums of doubles: a few ulp of them, and half a tick of 2^-32 each way
    scale = 1e-13 * np.abs(base).max() + 2.0**-32
    np.testing.assert_allclose(table["delta"].values, 0.5 * (up - down), rtol=0, atol=scale)
    np.testing.assert_allclose(table["gamma"].values, up + down, rtol=0, atol=2 * scale)


def test_sensitivities__of_trades_add_up_to_those_of_nodes(finished, by_trade, by_desk):
    trades, nodes = by_trade.table, by_desk.table
    assert trades["factor"].values.tolist() == nodes["factor"].values.tolist()
    assert nodes["depth"].values[0] == 0
    for name, tick in (("delta", 2.0**-32), ("gamma", 2.0**-32), ("theta", 2.0**-32), ("base_value", 2.0**-10)):
        close = 2 * tick * len(trades["trade_id"])  # a tick a trade, whose half is lost up and down
        np.testing.assert_allclose(nodes[name].values[0], trades[name].values.sum(axis=0), rtol=0, atol=close)
        deep = np.flatnonzero(nodes["depth"].values == 2)
        for node in deep[:3]:
            own = (trades["region"].values == nodes["region"].values[node]) & (
                trades["desk"].values == nodes["desk"].values[node]
            )
            np.testing.assert_allclose(nodes[name].values[node], trades[name].values[own].sum(axis=0), atol=close)


def test_sensitivities__keep_the_order_of_the_portfolio_and_every_label(finished, by_trade):
    expected = finished.trade_table()
    for label in ("trade_id", "desk", "counterparty", "instrument", "strategy"):
        assert by_trade.table[label].values.tolist() == expected[label].values.tolist()


def test_sensitivities__have_the_factors_that_the_book_reads_and_no_others(finished):
    options = sensitivities(finished, where={"instrument": "fx_option"}).table
    book = made.portfolio(count=12, only=("fx_forward",))
    forwards = run(book, made.market(), made.scenarios(count=2), store=finished.store, progress=None)
    table = sensitivities(forwards).table
    assert set(table["kind"].values) == {"fx", "par", "zero"}
    assert "zero:USD-6M:1Y" not in table["factor"].values
    assert set(options["factor"].values) > set(table["factor"].values)  # of the whole book, whatever `where` says


def test_sensitivities__of_a_choice_are_of_its_trades(finished, by_trade):
    found = sensitivities(finished, where={"desk": ["Flow", "Macro"]}).table
    own = np.isin(by_trade.table["desk"].values, ["Flow", "Macro"])
    np.testing.assert_allclose(found["delta"].values[0], by_trade.table["delta"].values[own].sum(axis=0), atol=1e-5)
    assert found.attrs["where"] == "desk = Flow or Macro"
    alone = sensitivities(finished, by="trade_id", where={"desk": "Flow"}).table
    assert set(alone["desk"].values) == {"Flow"}
    np.testing.assert_array_equal(
        alone["delta"].values, by_trade.table["delta"].values[by_trade.table["desk"].values == "Flow"]
    )


def test_sensitivities__asked_again_are_found(finished, by_desk):
    again = sensitivities(finished, by="book")
    assert again.run.found
    assert again.run.run_id == by_desk.run.run_id
    assert sensitivities(finished, patterns=["fx:*"]).run.run_id != again.run.run_id


def test_sensitivities__are_counted_as_finely_as_the_book_allows(by_desk, finished):
    market = finished.market
    assert by_desk.run.manifest["bits"] == bump_bits(finished.portfolio, market, "USD") > 28
    both = concatenate({"rates": ladder(market, patterns=["par:*"]), "fx": grid(market, "fx:EUR", [0.1], [0.0])})
    asked = run(finished.portfolio, market, both, store=finished.store, progress=None)
    assert asked.manifest["bits"] == by_desk.run.manifest["bits"]
    mixed = concatenate([ladder(market, patterns=["par:*"]), made.scenarios(market, count=2)])
    assert run(finished.portfolio, market, mixed, store=finished.store, progress=None).manifest["bits"] <= 20


@pytest.mark.parametrize("quantity", [2e6, 2e9, 1e12])
def test_bumps__of_a_book_of_any_size_lose_no_trade(tmp_path, quantity):
    """SPX at 2,100: from 30 % of 4.2 billion dollars up, 32 bits would not hold a trade's P&L."""
    table = made.tables(count=2)["equity"].assign(underlying="SPX", quantity=[quantity, -0.99 * quantity])
    book = Portfolio.from_tables({"equity": table})
    asked = run(book, made.market(), made.scenarios(count=2), store=tmp_path, progress=None)
    grid_of = spot_vol_ladder(asked, "equity:SPX", vols=[0.0])
    assert int(grid_of.run.aggregate()["unpriced"][0]) == 0
    value = 0.01 * quantity * 2100.0
    np.testing.assert_allclose(grid_of.pnl.values[0, :, 0], value * grid_of.pnl["spot_move"].values, rtol=1e-9)
    found = sensitivities(asked, by="trade_id").table["delta"].sel(factor="equity:SPX").values
    np.testing.assert_allclose(found, [21.0 * quantity, -0.99 * 21.0 * quantity], rtol=1e-12)


def test_bumps__of_many_large_trades_do_not_overflow_their_sum(tmp_path):
    table = made.tables(count=40)["equity"].assign(underlying="SPX", quantity=5e5)
    book = Portfolio.from_tables({"equity": table})
    asked = run(book, made.market(), made.scenarios(count=2), store=tmp_path, progress=None)
    found = spot_vol_ladder(asked, "equity:SPX", spots=[-0.3, 0.3], vols=[0.0])
    np.testing.assert_allclose(found.pnl.values[0, :, 0], [-0.3 * 4.2e10, 0.3 * 4.2e10], rtol=1e-12)
    assert 20 < found.run.manifest["bits"] < 32


def test_theta__is_the_change_of_value_to_the_next_day(finished, by_trade):
    later = finished.market.date + np.timedelta64(1, "D")
    base = priced(finished)
    scale = 1e-13 * np.abs(base).max() + 2.0**-32
    theta = by_trade.table["theta"].values
    np.testing.assert_allclose(theta, priced(finished, date=later) - base, rtol=0, atol=scale)
    assert (np.abs(theta) > 0.01).sum() > 50


def test_theta__counts_the_cash_that_the_day_settles(tmp_path):
    tomorrow = made.TODAY + np.timedelta64(1, "D")
    table = made.tables(count=4)["fx_forward"].assign(maturity=tomorrow)
    book = Portfolio.from_tables({"fx_forward": table})
    found = sensitivities(
        run(book, made.market(), made.scenarios(count=2), store=tmp_path, progress=None), by="trade_id"
    )
    value, theta = found.table["base_value"].values, found.table["theta"].values
    # what it is worth is paid: all that a day adds is its interest, at rates of a tenth of a per cent to 1 % a year
    assert (np.abs(value) > 1000.0).all()
    notional = table["notional"].values * np.abs(table["quantity"].values)
    assert (np.abs(theta) <= 1.4 * notional * 0.01 / 365.0).all()
    assert (np.abs(theta) > 0.0).all()


def test_theta__of_cash_equity_is_nothing(by_trade):
    assert (by_trade.table["theta"].values[by_trade.table["instrument"].values == "equity"] == 0.0).all()


def test_ladders__are_sticky_strike_unless_asked_otherwise(finished):
    assert finished.market.conventions["surfaces"]["default"]["sticky"] == "sticky_moneyness"
    found = {rule: sensitivities(finished, patterns=["equity:*"], sticky=rule) for rule in ("sticky_strike", None)}
    assert [one.table.attrs["sticky"] for one in found.values()] == ["sticky_strike", "sticky_moneyness"]
    assert found[None].run.market == finished.market
    strike, money = (one.table["delta"].sel(factor="equity:SPX").values for one in found.values())
    assert abs(strike - money) > 1e-3 * abs(money)
    values = [one.table["base_value"].values[0] for one in found.values()]
    assert values[0] == values[1]  # in the base both rules say the same
    with pytest.raises(UnknownName, match="unknown sticky rule 'sticky_delta'"):
        sensitivities(finished, sticky="sticky_delta")


def test_space__says_where_a_rate_is_bumped(finished, by_desk):
    assert set(by_desk.table["space"].values) == {"", "par", "zero"}
    assert by_desk.table.attrs["space"] == "par"
    zero = sensitivities(finished, space="zero").table
    assert set(zero["space"].values) == {"", "zero"}
    assert {"zero:USD-TREASURY:30Y", "zero:EUR:10Y"} <= set(zero["factor"].values)
    with pytest.raises(UnknownName, match="unknown space 'swap'; known: 'par', 'zero'"):
        sensitivities(finished, space="swap")
    chosen = sensitivities(finished, patterns=["zero:USD-TREASURY:*", "par:USD-TREASURY:30Y"]).table
    assert chosen.attrs["space"] == "as chosen"


def test_par_ladder__is_the_jacobian_applied_to_the_zero_ladder(finished, by_trade):
    """dV/dpar_j = sum_i dV/dzero_i dzero_i/dpar_j; what is left is the third derivative, of the size of a bump squared.

    Zero rates move by about a bump, and a value's derivatives along a curve grow as its horizon: a central difference
    at h = 1 bp errs by V''' h^3 / 6, and V''' is at most T^3 N for a flow in T years, T <= 30: (30 h)^3 / 6 = 4.5e-9 of
    the notional; the Jacobian's own bumps, here 1e-6, and the curvature of the calibration add less.
    """
    market = finished.market
    names, times = curve_nodes("par", "USD-TREASURY", market.factors)
    quotes, how = np.array([market.level(name) for name in names]), market.conventions["curves"]["USD-TREASURY"]
    step = 1e-6
    bumped = np.concatenate([quotes[:, None] + side * step * np.eye(len(names)) for side in (1.0, -1.0)], axis=1)
    zeros = calibrate(times, bumped, how)
    jacobian = (zeros[:, : len(names)] - zeros[:, len(names) :]) / (2.0 * step)  # (zero node, par node)
    zero = sensitivities(finished, by="trade_id", space="zero").table["delta"]
    in_zero = zero.sel(factor=["zero" + name.removeprefix("par") for name in names]).values
    in_par = by_trade.table["delta"].sel(factor=list(names)).values
    notional = 1.2e7 * 3.0  # the largest, in dollars, times the largest quantity
    error = np.abs(in_par - in_zero @ jacobian).max() / notional
    assert np.abs(in_par).max() / notional > 1e-5
    assert error <= 4.5e-9
    assert np.abs(in_par - in_zero).max() / notional > 100 * error  # the two spaces are not the same


def test_buckets__of_credit_and_commodities(by_desk):
    delta = by_desk.table["delta"].isel(node=0)
    issuers = bucket(delta.isel(factor=delta["kind"].values == "spread"), by=["name"])
    assert issuers["name"].values.tolist() == ["ACME"]
    assert float(issuers[0]) == float(delta.sel(factor="spread:ACME"))
    oil = bucket(delta.isel(factor=delta["kind"].values == "commodity"), by=["name", "tenor"])
    assert oil["tenor"].values.tolist()[:3] == ["0D", "6M", "1Y"]
    assert set(oil["name"].values) == {"BRENT", "WTI"}


def test_a_volatility_below_the_bump__is_named(tmp_path):
    market = made.market().replace({"vol:SPX:1M:1.00": 0.009})
    made_run = run(made.portfolio(count=3), market, made.scenarios(market, 2), store=tmp_path, progress=None)
    with pytest.raises(BadScenarios, match=r"the bump 'vol:SPX:1M:1.00 -1 vol' takes the volatility 0.009 to -0.001"):
        sensitivities(made_run)
    small = sensitivities(made_run, sizes={"vol:*": (0.5, "vol")}).table
    assert set(small["bump"].values[small["kind"].values == "vol"]) == {0.5}


def test_spot_vol_ladder__is_the_book_priced_at_every_point(finished):
    found = spot_vol_ladder(
        finished, "equity:SPX", spots=[-0.1, 0.0, 0.1], vols=[-0.02, 0.0, 0.03], by="desk", sticky=None
    ).pnl
    assert found.dims == ("node", "spot_move", "vol_move")
    assert (found.sel(spot_move=0.0, vol_move=0.0) == 0.0).all()
    market = finished.market
    base = priced(finished)
    for spot, vol in ((-0.1, -0.02), (0.1, 0.03), (0.0, 0.03), (-0.1, 0.0)):
        moved = {name: market.level(name) + vol for name in market.factors if name.startswith("vol:SPX:")}
        moved["equity:SPX"] = market.level("equity:SPX") * (1.0 + spot)
        value = (priced(finished, moved) - base).sum()
        assert float(found.sel(spot_move=spot, vol_move=vol)[0]) == pytest.approx(value, abs=1e-5)
    whole = found.isel(node=0).values
    np.testing.assert_allclose(whole, found.values[found["depth"].values == 1].sum(axis=0), atol=1e-6)
    assert found.attrs["underlying"] == "equity:SPX"
    assert found.attrs["sticky"] == "sticky_moneyness"
    assert spot_vol_ladder(finished, "equity:SPX").pnl.attrs["sticky"] == "sticky_strike"


def test_spot_vol_ladder__of_no_vol_move_agrees_with_the_delta(finished, by_desk):
    small = spot_vol_ladder(finished, "commodity:WTI", spots=[-0.01, 0.0, 0.01], vols=[0.0]).pnl.values[0, :, 0]
    deltas = by_desk.table["delta"].isel(node=0)
    oil = deltas.isel(factor=deltas["name"].values == "WTI")
    flat = float(oil.isel(factor=oil["kind"].values == "commodity").sum())
    # a parallel move against the sum of single ones: cross gammas are even, so the central difference misses them
    assert 0.5 * (small[2] - small[0]) == pytest.approx(flat, rel=1e-3)


def test_spot_vol_ladder__takes_21_by_21_and_no_more(finished):
    moves = [0.01 * at for at in range(-10, 11)]
    found = spot_vol_ladder(finished, "fx:EUR", spots=moves, vols=[0.002 * at for at in range(21)])
    assert found.pnl.shape == (1, 21, 21)
    with pytest.raises(BadScenarios, match="spots has 22 moves; 1 to 21 are right"):
        spot_vol_ladder(finished, "fx:EUR", spots=[*moves, 0.5], vols=[0.0])
    with pytest.raises(BadScenarios, match="vols has 0 moves; 1 to 21 are right"):
        spot_vol_ladder(finished, "fx:EUR", vols=[])


def test_a_trade_without_a_number__has_no_sensitivities_and_leaves_the_sums_alone(tmp_path):
    market = made.market()
    table = made.tables(count=6)["equity_option"]
    lost = table.assign(underlying=["GONE", *table["underlying"][1:]])
    whole = run(
        Portfolio.from_tables({"equity_option": lost}), market, made.scenarios(count=2), store=tmp_path, progress=None
    )
    trades, total = sensitivities(whole, by="trade_id").table, sensitivities(whole)
    assert np.isnan(trades["delta"].values[0]).all()
    assert np.isnan(trades["theta"].values[0])
    assert not np.isnan(trades["delta"].values[1:]).any()
    np.testing.assert_allclose(total.table["delta"][0], np.nansum(trades["delta"].values, axis=0), rtol=0, atol=1e-8)
    assert int(total.table["unpriced"][0]) == 1
    assert any(sentence.startswith("* 1 trade without a number") for sentence in total.sentences())


def test_an_expired_trade__has_no_sensitivities(tmp_path):
    table = made.tables(count=3)["equity_option"].assign(expiry=made.TODAY - np.timedelta64(1, "D"))
    book = Portfolio.from_tables({"equity_option": table})
    found = sensitivities(
        run(book, made.market(), made.scenarios(count=2), store=tmp_path, progress=None), by="trade_id"
    )
    for name in ("delta", "gamma", "theta"):
        assert not found.table[name].values.any()


def test_a_book_of_no_trades__has_none(tmp_path):
    asked = run(Portfolio({}), made.market(), made.scenarios(count=2), store=tmp_path, progress=None)
    found = sensitivities(asked)
    assert found.table.sizes["factor"] == 0
    assert float(found.table["theta"][0]) == 0.0
    assert "P&L in USD per bump: none." in found.sentences()
    assert len(found.sections()) == 1


def test_a_what_if__has_sensitivities_of_its_own(finished, by_desk):
    changed = what_if(finished, {"shift": {"equity:SPX": "-10%"}, "drop": ["equity-0"]})
    found = sensitivities(changed, by=["region", "desk"])
    assert found.table.attrs["run_id"] == changed.run_id
    assert int(found.table["trades"][0]) == int(by_desk.table["trades"][0]) - 1
    assert not np.array_equal(found.table["delta"].values[0], by_desk.table["delta"].values[0])


def test_in_another_reporting_currency__a_currency_moves_what_is_reported(tmp_path):
    """In euros a dollar share loses what the euro gains: 1 / 1.01 of it up, 1 / 0.99 down."""
    shares = Portfolio.from_tables({"equity": made.tables(count=3)["equity"]})
    asked = run(shares, made.market(), made.scenarios(count=2), reporting="EUR", store=tmp_path, progress=None)
    table = sensitivities(asked).table
    value = float(table["base_value"][0])
    assert table.attrs["currency"] == "EUR"
    expected = 0.5 * value * (1.0 / 1.01 - 1.0 / 0.99)
    assert float(table["delta"].sel(factor="fx:EUR")[0]) == pytest.approx(expected, rel=1e-6)
