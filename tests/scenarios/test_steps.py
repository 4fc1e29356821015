"""The states of a P&L explain: which date, which levels, to the last bit."""

import numpy as np
import pytest

from riskgrid.errors import BadScenarios, BadSpec, UnknownName
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.market.states import MarketStates
from riskgrid.scenarios import steps

FIRST, SECOND = np.datetime64("2016-06-23"), np.datetime64("2016-06-24")
ZERO = {"curves": {"EUR": {"quotes": "zero"}}, "discount": {"EUR": "EUR"}}
BEFORE = {
    "fx:EUR": 1.1389,
    "equity:SPX": 2113.32,
    "commodity:WTI:0D": 50.11,
    "zero:EUR:1Y": 0.1,
    "vol:SPX:1Y:1.00": 0.17,
    "spread:ACME": 0.01,
    "dividend:SPX": 0.02,
    "index:VIX": 17.25,
}
# negative, zero, far away: a new level is what it is and no move of the old one
AFTER = {
    "fx:EUR": 1.1066,
    "equity:SPX": 2037.41,
    "commodity:WTI:0D": -37.63,
    "zero:EUR:1Y": 0.0,
    "vol:SPX:1Y:1.00": 1 / 3,
    "spread:ACME": 0.1 + 0.2,
    "dividend:SPX": 0.02,
    "index:VIX": 25.76,
}


def market(levels, date=FIRST, fixings=None, **sections):
    return MarketSnapshot(date, "USD", tuple(levels), [*levels.values()], {**ZERO, **sections}, fixings or {}, {})


def level(factor, made, before):
    """Levels (1 + scenario) of a factor as the engine makes them."""
    states = MarketStates(before, made)
    return states._rows((factor,))[0]


def test_steps__from_base_move_each_group_alone_and_then_all():
    made = steps.steps(market(BEFORE), market(AFTER, SECOND))
    assert made["scenario"].values.tolist() == ["theta", "spot", "rates", "volatility", "credit", "other", "all"]
    assert (made["date"].values == SECOND).all()
    moving = {
        label: set(made["factor"].values[made["scale"].sel(scenario=label) == 0]) for label in made.scenario.values
    }
    assert moving["theta"] == moving["other"] == set()
    assert moving["spot"] == {"fx:EUR", "equity:SPX", "commodity:WTI:0D", "index:VIX"}
    assert moving["rates"] == {"zero:EUR:1Y"}
    assert moving["volatility"] == {"vol:SPX:1Y:1.00"}
    assert moving["credit"] == {"spread:ACME"}
    assert moving["all"] == set().union(*(moving[label] for label in ("spot", "rates", "volatility", "credit")))


def test_steps__in_sequence_stand_on_those_before():
    made = steps.steps(market(BEFORE), market(AFTER, SECOND), order="in_sequence")
    assert made["scenario"].values.tolist() == ["theta", "spot", "rates", "volatility", "credit", "other"]
    moves = made["scale"].values == 0
    assert (moves[1:] >= moves[:-1]).all()
    assert moves[-1].all()
    assert moves.sum(axis=1).tolist() == [0, 4, 5, 6, 7, 7]


@pytest.mark.parametrize("order", steps.ORDERS)
def test_steps__reach_the_later_levels_to_the_last_bit(order):
    before, after = market(BEFORE), market(AFTER, SECOND)
    made = steps.steps(before, after, order=order)
    for factor, first in BEFORE.items():
        states = level(factor, made, before)
        assert states[0] == states[1] == first
        assert states[-1].tobytes() == np.float64(AFTER[factor]).tobytes()
        assert set(states) <= {first, AFTER[factor]}


def test_steps__of_one_date_are_of_that_date():
    made = steps.steps(market(BEFORE), market(AFTER))
    assert (made["date"].values == FIRST).all()


def test_steps__of_equal_markets_move_nothing():
    made = steps.steps(market(BEFORE), market(BEFORE, SECOND))
    assert made.sizes == {"scenario": 7, "factor": 0}


def test_steps__leave_a_factor_that_only_one_market_has():
    less = {factor: value for factor, value in AFTER.items() if factor != "spread:ACME"}
    made = steps.steps(market(BEFORE), market({**less, "equity:AAPL": 93.4}, SECOND))
    assert not {"spread:ACME", "equity:AAPL"} & set(made["factor"].values)


def test_steps__to_an_earlier_date_say_so_when_they_meet_the_market():
    with pytest.raises(BadScenarios, match="before the valuation date 2016-06-24"):
        MarketStates(market(AFTER, SECOND), steps.steps(market(AFTER, SECOND), market(BEFORE)))


def test_steps__refuse_another_order():
    with pytest.raises(UnknownName, match=r"unknown order of an explain 'backwards'; .*'from_base', 'in_sequence'"):
        steps.steps(market(BEFORE), market(AFTER, SECOND), order="backwards")


def test_grouped__puts_what_is_named_nowhere_into_other():
    found = steps.grouped(sorted(BEFORE), {"rates": ["zero:*"], "other": ["fx:*"], "spot": ["equity:*"]})
    assert list(found) == ["rates", "other", "spot"]
    assert found["other"] == (
        "commodity:WTI:0D",
        "dividend:SPX",
        "fx:EUR",
        "index:VIX",
        "spread:ACME",
        "vol:SPX:1Y:1.00",
    )
    assert sorted(factor for one in found.values() for factor in one) == sorted(BEFORE)


def test_grouped__refuses_a_factor_of_two_groups():
    with pytest.raises(BadScenarios, match="factor 'fx:EUR' is of the risk classes 'fx' and 'spot'; one is right"):
        steps.grouped(["fx:EUR"], {"fx": ["fx:*"], "spot": ["fx:EUR"]})


@pytest.mark.parametrize("name", ["theta", "all"])
def test_grouped__refuses_the_name_of_a_step(name):
    with pytest.raises(BadSpec, match=f"called '{name}', as a step of every explain is"):
        steps.grouped(["fx:EUR"], {name: ["fx:*"]})


def test_object_steps__move_the_factors_of_one_object_and_no_date():
    levels = {"par:USD:1Y": 0.01, "par:USD:2Y": 0.02, "fx:EUR": 1.1}
    before, after = (
        market({name: x + up for name, x in levels.items()}, curves={"USD": {"quotes": "par"}}, discount={"USD": "USD"})
        for up in (0.0, 1e-4)
    )
    made = steps.object_steps(before, after)
    assert made["scenario"].values.tolist() == ["fx:EUR", "par:USD", "all"]
    assert (made["scale"].values == 0).sum(axis=1).tolist() == [1, 2, 3]
    assert "date" not in made


def test_restated__keeps_levels_and_conventions_but_for_how_surfaces_move():
    published = {"USD-3M": Fixings(np.array([SECOND]), np.array([0.006]))}
    before = market(BEFORE, surfaces={"default": {"sticky": "sticky_strike"}, "SPX": {"sticky": "sticky_strike"}})
    made = steps.restated(before, SECOND, published)
    assert (made.date, dict(made.fixings)["USD-3M"].values.tolist()) == (SECOND, [0.006])
    assert made.levels.tolist() == before.levels.tolist()
    assert {name for name in made.conventions if made.conventions[name] != before.conventions[name]} == {"surfaces"}
    assert made.conventions["surfaces"]["default"]["sticky"] == "sticky_moneyness"
    assert "SPX" not in made.conventions["surfaces"]


def test_joined_fixings__prefer_the_second_and_stay_in_order():
    one, two, three = (np.datetime64(f"2016-06-2{day}") for day in (2, 3, 4))
    found = steps.joined_fixings(
        {"A": Fixings(np.array([one, two]), np.array([1.0, 2.0])), "B": Fixings(np.array([one]), np.array([9.0]))},
        {"A": Fixings(np.array([two, three]), np.array([20.0, 30.0])), "C": Fixings(np.array([one]), np.array([8.0]))},
    )
    assert sorted(found) == ["A", "B", "C"]
    assert found["A"].dates.tolist() == [one.item(), two.item(), three.item()]
    assert found["A"].values.tolist() == [1.0, 20.0, 30.0]


def test_conversion__is_the_ratio_of_levels_in_each_state():
    before = market({"fx:EUR": 1.25, "fx:GBP": 1.5})
    after = market({"fx:EUR": 1.0, "fx:GBP": 1.5}, SECOND)
    made = steps.steps(before, after, {"euro": ["fx:EUR"]})
    found = steps.conversion(before, made, ["USD", "GBP", "EUR"], "EUR")
    ones = np.ones(5)
    np.testing.assert_array_equal(
        found, [1 / np.array([1.25, 1.25, 1, 1.25, 1]), 1.5 / np.array([1.25, 1.25, 1, 1.25, 1]), ones]
    )
    assert steps.conversion(before, made, [], "EUR").shape == (0, 5)
    assert np.isnan(steps.conversion(before, made, ["XXX"], "EUR")).all()
