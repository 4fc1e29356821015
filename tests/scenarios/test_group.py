"""Risk classes against the set they are parts of."""

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.scenarios.compose import weighted
from riskgrid.scenarios.group import RISK_CLASSES, by_class, members, restrict
from riskgrid.scenarios.set import check_against, moved


@pytest.fixture(scope="module")
def history():
    return sample.scenarios("2016-06-24", count=5)


def test_members__gives_every_factor_one_class_and_the_rest_other():
    factors = [*sample.market().factors, "repo:ACME"]
    found = members(factors)
    assert sorted(factor for held in found.values() for factor in held) == sorted(factors)
    assert found["other"] == ["repo:ACME"]
    assert all(factor.startswith("vol:") for factor in found["volatility"])


def test_members__of_two_classes_is_refused():
    with pytest.raises(BadScenarios, match="factor 'fx:EUR' is of the risk classes 'fx' and 'euro'; one is right"):
        members(["fx:EUR"], {"fx": ["fx:*"], "euro": "fx:EUR"})


def test_members__lets_a_class_name_a_factor_by_two_patterns():
    assert members(["fx:EUR"], {"fx": ["fx:*", "fx:EUR"]}) == {"fx": ["fx:EUR"]}


def test_restrict__keeps_the_moves_of_the_chosen_factors_alone(history):
    chosen = [factor for factor in history["factor"].values if str(factor).startswith("equity:")]
    alone = restrict(history, chosen, "equity")
    assert alone["factor"].values.tolist() == chosen
    np.testing.assert_array_equal(alone["scale"], history["scale"].sel(factor=chosen))
    assert alone.attrs["name"].endswith(", equity alone")


def test_by_class__has_every_move_once(history):
    parts = by_class(history)
    check_against(parts, sample.market("2016-06-24"))
    classes = list(dict.fromkeys(parts["risk_class"].values.tolist()))
    assert classes == [name for name in RISK_CLASSES if name in classes]
    moves = moved(history)
    summed = np.zeros(moves.shape, int)
    for name in classes:
        own = parts.isel(scenario=parts["risk_class"].values == name)
        assert own["of"].values.tolist() == history["scenario"].values.tolist()
        aligned = own.sel(factor=parts["factor"])
        full = np.zeros(moves.shape, int)
        at = np.searchsorted(history["factor"].values.astype(str), aligned["factor"].values.astype(str))
        full[:, at] = moved(aligned)
        summed += full
    np.testing.assert_array_equal(summed, moves)


def test_by_class__leaves_weights_to_the_whole(history):
    parts = by_class(weighted(history, [1, 2, 3, 4, 5]))
    assert "weight" not in parts


def test_by_class__of_a_set_that_moves_nothing_is_refused(history):
    still = history.copy(deep=True)
    still["scale"][:] = 1.0
    still["offset"][:] = 0.0
    with pytest.raises(BadScenarios, match="moves no factor"):
        by_class(still)


def test_by_class__has_the_passing_of_time_as_a_class_of_its_own(history):
    later = np.datetime64("2016-06-27")
    dated = history.assign(date=("scenario", np.full(5, later)))
    parts = by_class(dated)
    assert list(dict.fromkeys(parts["risk_class"].values.tolist()))[-1] == "time"
    own = parts["risk_class"].values == "time"
    assert not moved(parts)[own].any()
    assert (parts["date"].values[own] == later).all()
    assert np.isnat(parts["date"].values[~own]).all()
    checked = check_against(parts, sample.market("2016-06-24"))
    assert (checked["date"].values[~own] == np.datetime64("2016-06-24")).all()


@pytest.mark.parametrize("name", ["time", "all"])
def test_by_class__of_a_reserved_name_is_refused(history, name):
    with pytest.raises(BadScenarios, match=f"a risk class is called '{name}'"):
        by_class(history, {name: ["fx:*"]})
