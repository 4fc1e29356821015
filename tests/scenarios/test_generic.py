"""The generic stress scenarios fit any market, and say what they did not find in it."""

import json

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios.generic import generic, shocks
from riskgrid.scenarios.set import check_against

LEVELS = {"equity:ACME": 100.0, "zero:EUR-POLICY:1Y": 0.01, "zero:EUR-POLICY:10Y": 0.02}


def test_sample__has_every_scenario(market):
    made = generic(sample.market())
    assert made["scenario"].values.tolist() == [name.replace("{numeraire}", "USD") for name in shocks()]
    assert not made["note"].values.any()
    check_against(made, sample.market())
    assert SCENARIO_SETS["generic"] is generic


def test_rates__move_par_and_zero_quoted_curves_alike(market):
    up = generic(market).sel(scenario="rates up 100 bp")
    moved = up["factor"].values[up["offset"].values != 0.0].tolist()
    assert moved == ["zero:EUR-POLICY:1Y", "zero:USD-TREASURY:10Y", "zero:USD-TREASURY:2Y"]
    assert up["offset"].values[up["offset"].values != 0.0].tolist() == [0.01] * 3


def test_the_numeraire__is_named_and_gains_on_every_other_currency():
    levels = {"fx:USD": 0.9, "fx:GBP": 1.2}
    market = MarketSnapshot(np.datetime64("2016-07-01"), "EUR", tuple(levels), list(levels.values()))
    made = generic(market)
    assert made["scenario"].values.tolist() == ["EUR gains 10 %", "EUR loses 10 %"]
    assert made["scale"].values.tolist() == [[0.9, 0.9], [1.1, 1.1]]
    assert list(json.loads(made.attrs["provenance"])["shocks"]) == ["EUR gains 10 %", "EUR loses 10 %"]


def test_lines__that_name_nothing_are_left_out_and_said(market_of):
    made = generic(market_of(LEVELS))
    notes = dict(zip(made["scenario"].values.tolist(), made["note"].values.tolist(), strict=True))
    assert notes["equities down 20 %"] == ""
    assert notes["curves steepen"] == "nothing here is zero:*:5Y, zero:*:7Y, zero:*:20Y, zero:*:30Y"
    assert notes["flight to quality"] == "nothing here is spread:*, commodity:*, vol:*"
    flight = made.sel(scenario="flight to quality")
    assert (
        dict(zip(flight["factor"].values.tolist(), flight["scale"].values.tolist(), strict=True))["equity:ACME"] == 0.8
    )
    np.testing.assert_array_equal(flight["offset"].values, [0.0, -0.005, -0.005])
    left = json.loads(made.attrs["provenance"])["left_out"]
    assert left[:2] == ["USD gains 10 %", "USD loses 10 %"]
    assert "volatilities up by half" in left


def test_a_market_of_nothing_it_knows__is_refused(market_of):
    with pytest.raises(BadScenarios, match="has no factor that a generic stress scenario moves"):
        generic(market_of({"index:VIX": 16.0}))
