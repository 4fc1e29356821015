"""The next market as scenarios: its own levels to the last bit, its date, and the move as a scenario set tells it."""

import json

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.realised import EXCLUDED, INCLUDED, MODELLED, realised
from riskgrid.scenarios.set import check_against, digest

BEFORE, AFTER = "2016-06-23", "2016-06-24"


def snapshot(date, **levels):
    names = tuple(name.replace("__", ":") for name in levels)
    return MarketSnapshot(np.datetime64(date), "USD", names, list(levels.values()))


def test_realised__has_the_levels_of_the_later_market_to_the_last_bit():
    before, after = sample.market(BEFORE), sample.market(AFTER)
    states = MarketStates(before, check_against(realised(before, after), before))
    assert before.factors == after.factors
    for state in (1, 2):
        np.testing.assert_array_equal(states._levels[:, state], after.levels)
    assert [str(day) for day in states.dates] == [BEFORE, BEFORE, AFTER]


def test_realised__tells_the_modelled_move_with_its_proxies():
    before, after = sample.market(BEFORE), sample.market(AFTER)
    move = select(sample.scenarios(AFTER, count=5), [AFTER])
    made = realised(before, after, move)
    assert made["scenario"].values.tolist() == [EXCLUDED, INCLUDED, MODELLED]
    told = made.sel(scenario=MODELLED)
    stays = told.sel(factor="zero:CHF-POLICY:1Y")
    assert (float(stays.scale), float(stays.offset)) == (1.0, 0.0)
    pound = told.sel(factor="fx:GBP")
    assert float(pound.scale) * before.level("fx:GBP") == pytest.approx(after.level("fx:GBP"), rel=1e-14)
    proxied = told.sel(factor="vol:AAPL:1Y:1.00")
    assert float(proxied.scale) != 1.0
    assert float(proxied.scale) * before.level("vol:AAPL:1Y:1.00") != after.level("vol:AAPL:1Y:1.00")


def test_provenance__has_the_key_of_the_set_that_tells_the_move():
    before, after = snapshot(BEFORE, fx__GBP=1.48), snapshot(AFTER, fx__GBP=1.366)
    plain, keyed = realised(before, after), realised(before, after, scenarios="ab12")
    assert "scenarios" not in json.loads(plain.attrs["provenance"])
    assert json.loads(keyed.attrs["provenance"])["scenarios"] == "ab12"
    assert digest(plain) != digest(keyed)


def test_factor__that_the_later_market_lacks_stays_and_is_unshocked():
    before = snapshot(BEFORE, fx__GBP=1.48, equity__GONE=10.0)
    made = realised(before, snapshot(AFTER, fx__GBP=1.366, equity__NEW=5.0))
    assert made["factor"].values.tolist() == ["equity:GONE", "fx:GBP"]
    assert made["unshocked"].values.tolist() == [True, False]
    assert made["scale"].values[:, 0].tolist() == [1.0, 1.0]
    assert made["offset"].values[:, 0].tolist() == [0.0, 0.0]


def test_realised__of_an_earlier_market_or_another_numeraire_is_refused():
    before = snapshot(BEFORE, fx__GBP=1.48)
    with pytest.raises(BadScenarios, match="the market of 2016-06-23 is realised on that of 2016-06-23; a later one"):
        realised(before, before)
    with pytest.raises(BadScenarios, match="counts in EUR, that of 2016-06-23 in USD"):
        realised(before, MarketSnapshot(np.datetime64(AFTER), "EUR", ("fx:GBP",), [1.2]))


def test_realised__takes_one_modelled_move_of_factors_that_the_market_has():
    before, after = sample.market(BEFORE), sample.market(AFTER)
    with pytest.raises(BadScenarios, match=r"is a set of 2 scenarios; riskgrid.select takes the one of the day"):
        realised(before, after, sample.scenarios(AFTER, count=2))
    move = select(sample.scenarios(AFTER, count=1), [AFTER])
    few = snapshot(BEFORE, equity__NOSUCH=1.0), snapshot(AFTER, equity__NOSUCH=1.1)
    with pytest.raises(BadScenarios, match="unknown factor of the modelled move"):
        realised(*few, move)
