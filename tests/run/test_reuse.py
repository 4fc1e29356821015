"""A run prices what the store lacks: which blocks a change touches is counted, one by one."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import riskgrid
from riskgrid.engine import plan
from riskgrid.engine.numerics import engine_code
from riskgrid.engine.plan import Pricing, plan_instrument
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.running import run
from riskgrid.scenarios.ladder import ladder
from tests.run import made

OPTIONS_ON = {f"{kind}:{name}" for kind in ("equity", "vol") for name in made.UNDERLYINGS}


@pytest.fixture
def ask(book, market, scenarios, tmp_path):
    """Ask again with something changed, in one store, where the unchanged question was asked first."""
    asked = {"store": tmp_path, "cluster": "threads:1", "cut": 16}
    run(book, market, scenarios, **asked)

    def ask(**changed):
        inputs = {"portfolio": book, "market": market, "scenarios": scenarios} | changed
        return run(*inputs.values(), **asked)

    return ask


def readers(book, market, scenarios, *roles):
    """Blocks by what they read: how many read one of the roles, and how many there are."""
    pieces = [
        piece
        for name in book.instruments
        for piece in plan_instrument(
            INSTRUMENTS[name], book.columns(name), MarketStates(market, scenarios), Pricing("USD", 10, 16)
        )
    ]
    blocks = [block for piece in pieces for block in piece.blocks]
    return sum(bool(set(roles) & set(block.roles)) for block in blocks), len(blocks)


def keys(book, market, scenarios):
    """Keys of all blocks, by instrument."""
    states, pricing = MarketStates(market, scenarios), Pricing("USD", 10, 16)
    return {
        name: {
            block.key
            for piece in plan_instrument(INSTRUMENTS[name], book.columns(name), states, pricing)
            for block in piece.blocks
        }
        for name in book.instruments
    }


@pytest.mark.parametrize(
    ("factor", "roles"),
    [
        ("equity:AAPL", ["equity:AAPL"]),
        ("vol:AAPL:1Y:1.00", ["vol:AAPL"]),
        ("commodity:WTI:6M", ["commodity:WTI"]),
        ("spread:ACME", ["spread:ACME"]),
        ("fx:GBP", ["fx:GBP"]),
        ("zero:GBP:1Y", ["discount:GBP"]),
        ("par:USD-TREASURY:10Y", ["discount:USD", "curve:USD-TREASURY"]),
    ],
)
def test_one_factor_replaced_prices_the_blocks_that_read_it_and_no_other(ask, book, market, scenarios, factor, roles):
    touched, every = readers(book, market, scenarios, *roles)
    done = ask(market=market.replace({factor: 1.01 * market.level(factor)}))
    assert done.manifest["blocks"] == {"priced": touched, "found": every - touched, "failed": 0}
    assert 0 < touched < every


def test_one_factor_shifted_in_one_scenario_prices_the_blocks_that_read_it(ask, book, market, scenarios):
    changed = scenarios.copy(deep=True)
    changed.scale.loc["day 3", "equity:SPX"] *= 1.1
    touched, every = readers(book, market, scenarios, "equity:SPX")
    done = ask(scenarios=changed)
    assert done.manifest["blocks"] == {"priced": touched, "found": every - touched, "failed": 0}


def test_the_surface_of_one_underlying_reaches_only_its_options(ask, market):
    done = ask(market=market.replace({"vol:SPX:1Y:0.90": 0.4}))
    labels = done.trades
    priced_again = done.manifest["blocks"]["priced"]
    blocks = np.repeat(np.arange(len(labels.pnl.chunks[0])), labels.pnl.chunks[0])
    options = labels.instrument.values == "equity_option"
    assert 0 < priced_again < len(set(blocks[options].tolist()))


def test_an_unrelated_factor_prices_nothing(ask, market):
    more = {"equity:MSFT": 50.0, "index:VIX": 15.0, "vol:MSFT:1Y:1.00": 0.3, "fx:JPY": 0.01}
    done = ask(market=market.with_factors(more, "synthetic: made up"))
    assert not done.found
    assert done.manifest["blocks"]["priced"] == done.manifest["valuations"] == 0


def test_every_book_moved_to_another_desk_prices_nothing(ask, finished):
    moved = Portfolio.from_tables({name: frame.assign(desk="New") for name, frame in made.tables().items()})
    done = ask(portfolio=moved)
    assert done.manifest["blocks"]["priced"] == 0
    assert done.pnl(by="desk").desk.values.tolist() == ["New"]
    assert (done.pnl().values == finished.pnl().values).all()


def test_other_scenario_labels_price_nothing(ask, scenarios, finished):
    named = scenarios.assign_coords(scenario=[f"renamed {row}" for row in range(30)])
    done = ask(scenarios=named)
    assert done.manifest["blocks"]["priced"] == 0
    assert done.pnl().scenario.values[0] == "renamed 0"
    assert (done.pnl().values == finished.pnl().values).all()


def test_scenario_weights_price_nothing(ask, scenarios):
    weights = np.arange(1.0, 31.0) / 465.0
    done = ask(scenarios=scenarios.assign(weight=("scenario", weights)))
    assert not done.found
    assert done.manifest["blocks"]["priced"] == 0
    assert (done.aggregate().weight.values == weights).all()


def test_flags_of_a_set_price_nothing_and_are_shown(ask, scenarios):
    flags = np.array([str(factor) == "equity:SPX" for factor in scenarios.factor.values])
    done = ask(scenarios=scenarios.assign_coords(unshocked=("factor", flags)))
    assert done.manifest["blocks"]["priced"] == 0
    assert float(done.aggregate().unshocked[0]) > 0.0


def test_one_edited_trade_prices_its_own_block_and_at_most_a_neighbour(ask):
    frames = made.tables()
    frames["equity_option"].loc[7, "strike"] += 1.0
    done = ask(portfolio=Portfolio.from_tables(frames))
    assert 1 <= done.manifest["blocks"]["priced"] <= 3


def test_other_cell_labels_price_nothing(book, market, scenarios, finished):
    done = run(book, market, scenarios, store=finished.store, cluster="threads:1", cut=16, cell_labels=["strategy"])
    assert done.manifest["blocks"]["priced"] == 0
    assert done.aggregate("strategy").attrs["answered_from"] == "cells"
    assert (done.pnl().values == finished.pnl().values).all()


@pytest.mark.parametrize("file", ["formulas/black.py", "market/stack.py", "conventions/tenor.py", "engine/block.py"])
def test_one_byte_of_code_on_the_value_path_changes_every_key(book, market, scenarios, tmp_path, monkeypatch, file):
    copy = tmp_path / "riskgrid"
    shutil.copytree(Path(riskgrid.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
    before = keys(book, market, scenarios)
    monkeypatch.setattr(plan, "engine_code", lambda: engine_code(copy))
    assert keys(book, market, scenarios) == before
    with (copy / file).open("a") as opened:
        opened.write(" ")
    after = keys(book, market, scenarios)
    for name in before:
        assert len(before[name]) == len(after[name])
        assert not before[name] & after[name]


def test_code_beside_the_value_path_changes_no_key(tmp_path):
    copy = tmp_path / "riskgrid"
    shutil.copytree(Path(riskgrid.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "data"))
    with (copy / "reporting.py").open("a") as opened:
        opened.write(" ")
    assert engine_code(copy) == engine_code()


def test_two_discount_curves_swapped_change_the_keys_of_those_they_discount(book, market, scenarios):
    discount = {**made.CONVENTIONS["discount"], "EUR": "GBP", "GBP": "EUR"}
    before = keys(book, market, scenarios)
    after = keys(book, made.market(discount=discount), scenarios)
    for name in ("fx_forward", "fx_option"):
        assert not before[name] & after[name]
    for name in set(book.instruments) - {"fx_forward", "fx_option"}:
        assert before[name] == after[name]


def test_another_interpolation_changes_the_keys_of_those_that_read_the_curve(book, market, scenarios):
    curves = {**made.CONVENTIONS["curves"], "EUR": {"quotes": "zero", "interpolation": "log_linear_discount"}}
    before, after = (keys(book, each, scenarios) for each in (market, made.market(curves=curves)))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"fx_forward", "fx_option"}


def test_a_fixing_in_the_past_changes_the_keys_of_swaps_only(book, market, scenarios):
    fixings = {name: series for name, series in market.fixings.items() if name != "USD-6M"}
    other = type(market)(market.date, "USD", market.factors, market.levels, market.conventions, fixings, {})
    before, after = (keys(book, each, scenarios) for each in (market, other))
    assert {name for name in before if before[name] != after[name]} == {"interest_rate_swap"}


def test_a_ladder_values_only_the_states_that_can_move_a_block(book, market, tmp_path):
    bumps = ladder(market)
    done = run(book, market, bumps, store=tmp_path, cluster="threads:1", cut=16)
    every = len(book) * (1 + bumps.sizes["scenario"])
    states = MarketStates(market, bumps)
    kept = 0
    for name in book.instruments:
        pricing = Pricing("USD", done.manifest["bits"], 16)
        for piece in plan_instrument(INSTRUMENTS[name], book.columns(name), states, pricing):
            kept += sum((block.stop - block.start) * len(block.states) for block in piece.blocks)
    assert done.manifest["valuations"] == kept < 0.25 * every


def test_a_ladder_gives_the_same_numbers_unpruned(book, market, tmp_path, monkeypatch):
    bumps = ladder(market)
    pruned = run(book, market, bumps, store=tmp_path / "pruned", cluster="threads:1", cut=16)
    monkeypatch.setattr(MarketStates, "moves", lambda self, role: np.ones(self.count, bool))
    plain = run(book, market, bumps, store=tmp_path / "plain", cluster="threads:1", cut=16)
    assert plain.manifest["valuations"] == len(book) * (1 + bumps.sizes["scenario"])
    assert made.same_bits(pruned, plain)
    by = ["desk", "counterparty", "instrument"]
    assert (pruned.aggregate(by).pnl.values == plain.aggregate(by).pnl.values).all()
    detail = [run.trades.pnl.compute().values for run in (pruned, plain)]
    assert np.sort(detail[0], axis=0).tobytes() == np.sort(detail[1], axis=0).tobytes()
