"""Ladders and grids: one bump per row, its size, unit and label, and bumps that cannot be."""

import json

import numpy as np
import pytest

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios import file
from riskgrid.scenarios.ladder import BUMPS, grid, ladder
from riskgrid.scenarios.set import check_against, moved


def test_ladder__bumps_every_factor_up_and_down(market):
    found = ladder(market)
    assert found.sizes == {"scenario": 20, "factor": 10}
    assert (moved(found).sum(axis=1) == 1).all()
    assert check_against(found, market) is found
    up = found.sel(scenario="par:USD-TREASURY:2Y +1bp", factor="par:USD-TREASURY:2Y")
    assert (float(up.scale), float(up.offset)) == (1.0, 0.0001)
    down = found.sel(scenario="equity:ACME -1%", factor="equity:ACME")
    assert (float(down.scale), float(down.offset)) == (0.99, 0.0)
    vol = found.sel(scenario="vol:ACME:1Y:1.00 +1 vol", factor="vol:ACME:1Y:1.00")
    assert (float(vol.scale), float(vol.offset)) == (1.0, 0.01)


def test_ladder__says_of_each_row_what_it_bumps_by_how_much(market):
    found = ladder(market, patterns=["par:*"])
    assert found.scenario.values.tolist() == [
        "par:USD-TREASURY:2Y +1bp",
        "par:USD-TREASURY:2Y -1bp",
        "par:USD-TREASURY:10Y +1bp",
        "par:USD-TREASURY:10Y -1bp",
    ]
    assert found.bumped.values.tolist() == ["par:USD-TREASURY:2Y"] * 2 + ["par:USD-TREASURY:10Y"] * 2
    assert found.bump.values.tolist() == [1.0, -1.0, 1.0, -1.0]
    assert set(found.unit.values) == {"bp"}


def test_ladder__bumps_a_par_curve_in_zero_space_when_asked(market):
    found = ladder(market, patterns=["zero:USD-TREASURY:*"], kind="up")
    assert found.scenario.values.tolist() == ["zero:USD-TREASURY:2Y +1bp", "zero:USD-TREASURY:10Y +1bp"]
    np.testing.assert_array_equal(found.offset.sel(factor=found.bumped.values).values, np.eye(2) * 0.0001)


def test_ladder__takes_sizes_the_later_pattern_winning(market):
    sizes = {"equity:*": (5, "%"), "equity:BOLT": (10, "bp")}
    found = ladder(market, patterns=["equity:*"], sizes=sizes, kind="down")
    assert found.scenario.values.tolist() == ["equity:ACME -5%", "equity:BOLT -10bp"]
    assert found.scale.values[0, 0] == 0.95
    assert found.offset.values[1, 1] == -0.001
    facts = json.loads(found.attrs["provenance"])
    assert facts == {
        "kind": "ladder",
        "side": "down",
        "sizes": {"equity:ACME": [5.0, "%"], "equity:BOLT": [10.0, "bp"]},
    }


def test_ladder__has_the_next_day_when_asked(market, tmp_path):
    found = ladder(market, patterns=["fx:EUR"], next_day=True)
    assert found.scenario.values.tolist() == ["fx:EUR +1%", "fx:EUR -1%", "date +1 day"]
    assert not moved(found)[-1].any()
    assert check_against(found, market)["date"].values.astype("datetime64[D]").tolist() == [
        market.date.item(),
        market.date.item(),
        (market.date + np.timedelta64(1, "D")).item(),
    ]
    assert (found.bumped.values[-1], found.bump.values[-1], found.unit.values[-1]) == ("date", 1.0, "day")
    file.write(found, tmp_path / "ladder.parquet")
    assert file.read(tmp_path / "ladder.parquet").identical(found)


def test_ladder__of_the_next_day_alone_has_no_factor(market_of):
    found = ladder(market_of({"index:VIX": 20.0}), next_day=True)
    assert found.sizes == {"scenario": 1, "factor": 0}
    assert found.date.values.astype("datetime64[D]").tolist() == [np.datetime64("2016-07-02").item()]


def test_ladder__leaves_series_out_that_no_pricer_reads(market_of):
    assert ladder(market_of({"index:VIX": 20.0, "fx:EUR": 1.1})).factor.values.tolist() == ["fx:EUR"]


@pytest.mark.parametrize("level", [0.01, 0.005])
def test_ladder__names_a_volatility_that_a_bump_takes_to_zero_or_below(market_of, level):
    low = market_of({"vol:ACME:1Y:1.00": level})
    with pytest.raises(BadScenarios, match=r"the bump 'vol:ACME:1Y:1.00 -1 vol' takes the volatility 0.0\d+ to -?0"):
        ladder(low)
    assert ladder(low, kind="up").sizes["scenario"] == 1
    assert ladder(low, sizes={"vol:*": (0.1, "vol")}).sizes["scenario"] == 2


@pytest.mark.parametrize(
    ("wrong", "error", "sentence"),
    [
        ({"kind": "both"}, UnknownName, "unknown kind of ladder 'both'; known: 'central', 'down', 'up'"),
        ({"patterns": ["equity:ACNE"]}, UnknownName, "unknown factor in patterns: 'equity:ACNE'; did you mean"),
        ({"sizes": {"hazard:*": (1, "bp")}}, UnknownName, "unknown factor in sizes: 'hazard:"),
        ({"sizes": {"fx:*": (1, "pip")}}, UnknownName, "unknown unit of a bump 'pip'"),
        ({"sizes": {"fx:*": (-1, "%")}}, BadScenarios, r"the bump of 'fx:\*' is -1; a size is positive"),
        (
            {"patterns": ["zero:USD-TREASURY:*"], "sizes": {"zero:*": (1, "%")}},
            BadScenarios,
            "the bump of 'zero:USD-TREASURY:2Y' is in %; right is bp",
        ),
    ],
)
def test_ladder__names_a_wrong_setting(market, wrong, error, sentence):
    with pytest.raises(error, match=sentence):
        ladder(market, **wrong)


def test_ladder__names_a_price_that_has_no_percent(market_of):
    negative = market_of({"commodity:WTI:0D": -36.98})
    with pytest.raises(BadScenarios, match=r"in % of its level -36\.98, which is not positive"):
        ladder(negative)
    assert ladder(negative, sizes={"commodity:*": (100, "bp")}).offset.values.tolist() == [[0.01], [-0.01]]


@pytest.mark.parametrize(
    ("factor", "size", "sentence"),
    [
        ("equity:ACME", (100, "%"), "the bump 'equity:ACME -100%' takes the price 2 to 0; a price stays above zero"),
        ("equity:ACME", (150, "%"), "takes the price 2 to -1; a price stays above zero, so a smaller size"),
        ("equity:ACME", (20001, "bp"), "takes the price 2 to -0.0001"),
        ("fx:EUR", (100, "%"), "takes the rate 2 to 0; a rate stays above zero"),
        ("commodity:WTI:0D", (100, "%"), "takes the price 2 to 0"),
    ],
)
def test_ladder__names_a_price_that_a_bump_takes_to_zero_or_below(market_of, factor, size, sentence):
    market = market_of({factor: 2.0})
    with pytest.raises(BadScenarios, match=sentence):
        ladder(market, sizes={factor: size})
    assert ladder(market, sizes={factor: size}, kind="up").sizes["scenario"] == 1
    assert ladder(market, sizes={factor: (99.9, "%")}).sizes["scenario"] == 2


def test_ladder__lets_an_absolute_bump_take_a_commodity_through_zero(market_of):
    found = ladder(market_of({"commodity:WTI:0D": 0.005}), sizes={"commodity:*": (100, "bp")})
    assert found.offset.values.tolist() == [[0.01], [-0.01]]


def test_ladder__knows_a_bump_of_every_kind_of_factor():
    from riskgrid.market.factor import KINDS

    assert KINDS.keys() <= BUMPS.keys()


def test_grid__crosses_spot_and_volatility_moves(market):
    found = grid(market, "equity:ACME", [-0.2, 0.0, 0.1], [0.0, 0.05])
    assert found.scenario.values.tolist()[:2] == ["equity:ACME -20% +0 vol", "equity:ACME -20% +5 vol"]
    assert found.factor.values.tolist() == ["equity:ACME", "vol:ACME:1Y:1.00"]
    assert found.scale.values.tolist() == [[0.8, 1.0], [0.8, 1.0], [1.0, 1.0], [1.0, 1.0], [1.1, 1.0], [1.1, 1.0]]
    assert found.offset.values[:, 1].tolist() == [0.0, 0.05] * 3
    assert found.spot_move.values.tolist() == [-0.2, -0.2, 0.0, 0.0, 0.1, 0.1]
    assert found.vol_move.values.tolist() == [0.0, 0.05] * 3


def test_grid__knows_the_surface_of_a_currency_and_all_tenors_of_a_commodity(market):
    assert "vol:EURUSD:1Y:1.00" in grid(market, "fx:EUR", [0.1], [0.01]).factor
    oil = grid(market, "commodity:WTI", [0.1], [0.0])
    assert oil.factor.values.tolist() == ["commodity:WTI:0D", "commodity:WTI:6M"]


@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        (("equity:ACNE", [0.1], [0.0]), UnknownName, "unknown underlying of a grid 'equity:ACNE'; did you mean"),
        (("par:USD-TREASURY", [0.1], [0.0]), UnknownName, "unknown underlying of a grid"),
        (("equity:BOLT", [0.1], [0.01]), BadScenarios, "'equity:BOLT' has no volatility to move"),
        (
            ("equity:ACME", [-1.0], [0.0]),
            BadScenarios,
            "a spot move of 'equity:ACME' is -1; a relative move is above -1",
        ),
        (("equity:ACME", [0.0], [-0.25]), BadScenarios, "takes the volatility 0.2 to -0.05"),
        (("equity:ACME", [0.1, 0.1, 0.0], [0.0]), BadScenarios, "0.1 stands 2 times in spots; each move once is right"),
        (("equity:ACME", [0.1], [0.0, 0.02, -0.0, 0.0]), BadScenarios, "0 stands 3 times in vols"),
    ],
)
def test_grid__names_what_cannot_be(market, asked, error, sentence):
    with pytest.raises(error, match=sentence):
        grid(market, *asked)


def test_ladder_and_grid__are_registered():
    assert (SCENARIO_SETS["ladder"], SCENARIO_SETS["grid"]) == (ladder, grid)
