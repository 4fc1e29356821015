"""Whatever is wrong is said in one whole sentence, and the rest is priced."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from riskgrid.engine import block as engine_block
from riskgrid.engine.block import price_block, sum_block
from riskgrid.engine.plan import Pricing
from riskgrid.errors import BadMarket, BadRows, BadScenarios, BadSpec, StoreError, UnknownName
from riskgrid.market.history import MarketHistory
from riskgrid.market.objects import Level
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS, instrument
from riskgrid.reporting import report
from riskgrid.running import run
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.set import shifts
from riskgrid.schema import Status
from riskgrid.terms import Currency, Equity, Float
from tests.run import made


@pytest.fixture
def ask(book, market, scenarios, tmp_path):
    """The question with something changed."""

    def ask(**changed):
        inputs = {"portfolio": book, "market": market, "scenarios": scenarios}
        inputs |= {name: changed.pop(name) for name in list(changed) if name in inputs}
        return run(*inputs.values(), **{"store": tmp_path, "cluster": "threads:1", **changed})

    return ask


def without(market, *beginnings):
    """The market without the factors that begin so."""
    kept = [factor for factor in market.factors if not factor.startswith(beginnings)]
    levels = [market.level(factor) for factor in kept]
    return MarketSnapshot(market.date, market.numeraire, tuple(kept), levels, market.conventions, market.fixings, {})


# -- refused before any work ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"reporting": "CHF"}, UnknownName, "unknown reporting currency 'CHF'; known: 'EUR', 'GBP', 'USD'"),
        ({"cut": 48}, BadSpec, "cut is 48; a power of two, 16 or above, is right"),
        ({"bits": 40}, BadSpec, "bits is 40; 0 to 32 is right"),
        ({"cell_labels": ["dekst"]}, UnknownName, "unknown label 'dekst'; did you mean 'desk'? known: "),
        ({"cluster": "treads"}, BadSpec, "unknown cluster 'treads'; known: 'threads', 'threads:N', 'processes:N'"),
        ({"cluster": "threads:none"}, BadSpec, "asks for 'none' workers; a count above 0 is right"),
    ],
)
def test_an_impossible_setting_is_refused_with_what_is_right(ask, changed, error, sentence):
    with pytest.raises(error) as raised:
        ask(**changed)
    assert sentence in str(raised.value)


def test_scenarios_that_name_an_unknown_factor_are_refused(ask):
    with pytest.raises(BadScenarios, match=r"market of 2016-07-01 does not have: 'equity:AAPLE' \(did you mean") as e:
        ask(scenarios=made.one_factor("equity:AAPLE", 1.1))
    assert "'equity:AAPL'" in str(e.value)


def test_par_and_zero_shifts_of_one_curve_in_one_scenario_are_refused(ask):
    factors = ["par:USD-TREASURY:5Y", "zero:USD-TREASURY:5Y"]
    both = np.array([[0.001, 0.001]])
    with pytest.raises(BadScenarios, match="'both' shifts curve 'USD-TREASURY' in par and in zero space"):
        ask(scenarios=shifts(["both"], factors, 1.0, both, name="s", kind="test", provenance={}))
    ask(scenarios=shifts(["par", "zero"], factors, 1.0, 0.001 * np.eye(2), name="s", kind="test", provenance={}))


def test_a_scenario_set_without_a_scenario_is_refused(ask):
    with pytest.raises(BadSpec, match="the scenario set has no scenario; a run needs one or more"):
        ask(scenarios=made.scenarios(count=0))


def test_a_history_without_the_valuation_date_is_refused():
    dates = np.array(["2016-06-29", "2016-06-30"], dtype="datetime64[D]")
    history = MarketHistory(dates, ("equity:AAPL",), [[95.0], [96.0]], [[False], [False]], "USD")
    with pytest.raises(BadMarket, match="2016-07-01"):
        history.snapshot(made.TODAY)


def test_a_quote_that_is_no_number_is_refused(market):
    with pytest.raises(BadMarket, match="factor 'equity:AAPL' has no level"):
        market.replace({"equity:AAPL": np.nan})
    with pytest.raises(BadMarket, match=r"factor 'equity:AAPL' is -1\.0; a level that is above 0 is right"):
        market.replace({"equity:AAPL": -1.0})


def test_a_shift_that_is_no_number_is_refused(scenarios):
    with pytest.raises(BadScenarios, match="'equity:AAPL' in scenario 'shock' is nan; a shift is finite"):
        made.one_factor("equity:AAPL", np.nan)


def test_every_bad_row_of_a_portfolio_is_listed():
    frame = made.tables(5)["equity_option"]
    frame["strike"] = [1.0, -2.0, np.nan, 4.0, 5.0]
    with pytest.raises(BadRows, match="2 problems in the portfolio") as raised:
        Portfolio.from_tables({"equity_option": frame})
    assert [row.column for row in raised.value.rows] == ["strike", "strike"]
    assert len(Portfolio.from_tables({"equity_option": frame}, on_bad="keep")) == 3


@pytest.mark.parametrize("below", [False, True])
def test_a_store_that_cannot_be_written_is_refused_before_any_work(ask, tmp_path, below):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    with pytest.raises(StoreError, match=f"cannot write {in_the_way}"):
        ask(store=in_the_way / "store" if below else in_the_way)


def test_a_portfolio_without_trades_runs(ask):
    for _ in range(2):
        done = ask(portfolio=Portfolio({}))
        assert done.pnl().values.tolist() == [0.0] * 30
        assert len(done.portfolio) == done.trade_table().sizes["trade"] == done.trades.sizes["trade"] == 0
        assert "Total" in str(report(done, by="desk"))


# -- a status in the row, and the rest priced -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "instruments", "sentence"),
    [
        ("vol:AAPL", {"equity_option"}, "no surface 'vol:AAPL'; known: "),
        ("equity:SPX", {"equity", "equity_option"}, "no equity price 'equity:SPX'; known: 'equity:AAPL'"),
        ("fx:GBP", {"fx_forward", "fx_option"}, "no FX rate 'fx:GBP'; known: 'fx:EUR'"),
        ("zero:GBP", {"fx_forward", "fx_option"}, "no discount curve 'discount:GBP'; known: "),
        ("spread:ACME", {"fixed_rate_bond"}, "no issuer spread 'spread:ACME'; known: none"),
        ("commodity:BRENT", {"commodity_option"}, "no commodity price 'commodity:BRENT'; known: 'commodity:WTI'"),
    ],
)
def test_a_missing_factor_fails_the_trades_that_need_it(ask, book, market, gone, instruments, sentence):
    less = without(market, gone)
    done = ask(market=less, scenarios=made.scenarios(less, 5))
    table = done.trade_table()
    failed = table.status.values == Status.FAILED
    assert set(table.instrument.values[failed].tolist()) == instruments
    assert all(sentence in problem for problem in table.problem.values[failed])
    assert (table.status.values[~failed] <= Status.EXPIRED).all()
    total = done.aggregate()
    assert int(total.unpriced[0]) == failed.sum() > 0
    assert float(total.coverage[0]) == 1.0 - failed.sum() / len(book)


def test_a_missing_fixing_fails_the_swaps_that_need_it(ask, market):
    bare = MarketSnapshot(market.date, "USD", market.factors, market.levels, market.conventions, {}, {})
    table = ask(market=bare).trade_table()
    failed = table.isel(trade=table.status.values == Status.FAILED)
    assert set(failed.instrument.values.tolist()) == {"interest_rate_swap"}
    assert all("fixing" in problem and "USD-" in problem for problem in failed.problem.values)


def test_a_volatility_below_zero_is_no_number_for_its_own_trades(ask, market):
    surface = [factor for factor in market.factors if factor.startswith("vol:SPX")]
    sunk = shifts(["sunk", "fine"], surface, 1.0, [[-1.0], [0.01]], name="sunk", kind="test", provenance={})
    done = ask(scenarios=sunk)
    table = done.trade_table()
    lost = table.status.values == Status.NO_NUMBER
    assert set(table.instrument.values[lost].tolist()) == {"equity_option"}
    assert set(table.problem.values[lost].tolist()) == {"no number in at least one scenario"}
    pnl = done.cube.trade_pnl(np.flatnonzero(lost))
    assert np.isnan(pnl[:, 0]).all()
    assert np.isfinite(pnl[:, 1]).all()
    assert int(done.aggregate().unpriced[0]) == lost.sum() > 0
    assert np.isfinite(done.pnl().values).all()


def test_a_factor_without_history_is_shown_as_unshocked_in_the_report(ask, book, market):
    rng = np.random.default_rng(2)
    dates = made.TODAY - np.arange(59, -1, -1) * np.timedelta64(1, "D")
    with_history = [factor for factor in market.factors if factor != "spread:ACME"]
    paths = np.exp(np.cumsum(rng.normal(0.0, 0.001, (60, len(with_history))), axis=0))
    levels = np.array([market.level(factor) for factor in with_history]) * paths
    history = MarketHistory(dates, tuple(with_history), levels, np.zeros(levels.shape, bool), "USD", market.conventions)
    found = historical(history, market)
    assert found.factor.values[found.unshocked.values].tolist() == ["spread:ACME"]
    made_report = report(ask(scenarios=found), by="instrument")
    table = made_report.table
    share = dict(zip(table.instrument.values.tolist(), table.unshocked.values.tolist(), strict=True))
    assert {name for name, part in share.items() if part > 0} == {"", "fixed_rate_bond"}
    assert any("read a factor without history (unshocked)" in sentence for sentence in made_report.sentences())


# -- pricers at fault -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fragile:
    """A share whose pricer may dislike a number."""

    underlying: Equity
    currency: Currency
    number: Float


def fragile(price, numbers, **options):
    """A portfolio of a new instrument, one trade a number, and the instrument."""
    instrument("fragile", value_in="currency", example=Fragile("AAPL", "USD", 1.0), **options)(price)
    columns = {"underlying": "AAPL", "currency": "USD", "number": numbers, "trade_date": "2016-06-01"}
    frame = pd.DataFrame({"trade_id": [f"F-{row}" for row in range(len(numbers))], **columns})
    return Portfolio.from_tables({"fragile": frame})


def refusing(terms, market):
    """Cannot stand 13."""
    if (terms.number == 13.0).any():
        raise ValueError("13 is no number")
    return terms.number * market.spot(terms.underlying)


def scaling(terms, market):
    """Any size."""
    return terms.number * market.spot(terms.underlying)


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("eager", [False, True])
def test_a_pricer_that_raises_for_one_trade_fails_that_trade(ask, eager):
    done = ask(portfolio=fragile(refusing, [1.0, 13.0, *np.arange(20.0, 318.0)], eager=eager))
    table = done.trade_table()
    assert table.status.values.tolist() == [Status.PRICED, Status.FAILED, *[Status.PRICED] * 298]
    assert "13 is no number" in table.problem.values[1]
    assert np.isfinite(done.pnl().values).all()


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("value", ["nothing", None, np.zeros((7, 3))])
def test_a_pricer_that_returns_no_value_fails_its_trades(ask, value):
    done = ask(portfolio=fragile(lambda terms, market: value, [1.0, 2.0]) + made.portfolio(5, only=("equity",)))
    status = done.trade_table()
    assert (status.isel(trade=status.instrument.values == "fragile").status == Status.FAILED).all()
    assert (status.isel(trade=status.instrument.values == "equity").status == Status.PRICED).all()
    assert all(status.problem.values[status.instrument.values == "fragile"])


@pytest.mark.usefixtures("_registry")
def test_a_value_beyond_32_bits_is_wide_and_exact(ask, market):
    done = ask(
        portfolio=fragile(scaling, [1.0, 1e6, -1e9, 3.0]), scenarios=made.one_factor("equity:AAPL", 1.5), bits=20
    )
    assert (done.trade_table().status == Status.PRICED).all()
    assert done.cube.trade_pnl(np.arange(4))[:, 0].tolist() == [47.5, 47.5e6, -47.5e9, 142.5]
    assert float(done.pnl()[0]) == 47.5 + 47.5e6 - 47.5e9 + 142.5
    assert sorted(done.trades.pnl.values[:, 0].tolist()) == [-47.5e9, 47.5, 142.5, 47.5e6]


@pytest.mark.usefixtures("_registry")
def test_a_value_beyond_64_bits_is_out_of_range_and_left_out(ask):
    done = ask(portfolio=fragile(scaling, [1.0, 1e15]), scenarios=made.one_factor("equity:AAPL", 1.5), bits=20)
    table = done.trade_table()
    assert table.status.values.tolist() == [Status.PRICED, Status.OUT_OF_RANGE]
    assert float(done.pnl()[0]) == 47.5
    assert int(done.aggregate().unpriced[0]) == 1


@pytest.mark.usefixtures("_registry")
@pytest.mark.parametrize("shape", [(8, 16), (8, 64)])
def test_a_wide_row_that_has_no_number_in_another_tile_is_left_out(monkeypatch, shape):
    monkeypatch.setattr(engine_block, "tile_shape", lambda *_, **__: shape)
    levels = np.full((1, 33), 95.0)
    levels[0, 3], levels[0, 30] = 1e6, np.nan
    columns = fragile(scaling, [1.0, 1e-6]).columns("fragile")
    dates = np.repeat(made.TODAY, 33)
    objects = {"equity:AAPL": Level(levels)}
    found = price_block(INSTRUMENTS["fragile"], columns, objects, dates, Pricing("USD", 20), "USD")
    assert (found.status > Status.EXPIRED).all()
    assert found.wide.tolist() == [0]
    assert found.wide_ticks[0, 29] == np.iinfo(np.int64).min
    assert found.wide_ticks[0, 2] == round((1e6 - 95.0) * 2**20)
    assert (sum_block(found, np.zeros(2, np.int64), 1)["pnl"] == 0).all()


@pytest.mark.usefixtures("_registry")
def test_sums_beyond_64_bits_stop_the_run_with_what_to_do(ask):
    many = fragile(scaling, 7e7 * (1.0 + np.arange(60.0) / 60.0))
    with pytest.raises(OverflowError, match="leaves the range of 64-bit ticks; run with fewer tick bits"):
        ask(portfolio=many, scenarios=made.one_factor("equity:AAPL", 1.5), bits=31)


@pytest.mark.usefixtures("_registry")
def test_sums_by_a_label_outside_the_cells_do_not_overflow_in_silence(ask):
    sizes = np.repeat(7e7 * (1.0 + np.arange(50.0) / 50.0), 2) * np.tile([1.0, -1.0], 50)
    pairs = [f"pair {row // 2}" for row in range(100)]
    frame = fragile(scaling, sizes).to_pandas("fragile").assign(counterparty=["a", "b"] * 50, book=pairs)
    mirrored = Portfolio.from_tables({"fragile": frame})
    done = ask(portfolio=mirrored, scenarios=made.one_factor("equity:AAPL", 1.5), bits=31)
    assert float(done.pnl()[0]) == 0.0
    with pytest.raises(OverflowError, match="leaves the range of 64-bit ticks; run with fewer tick bits"):
        done.pnl(by="counterparty")
