"""Sets made of sets: the algebra of affine shifts, factor unions, weights, flags and provenance."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.hashing import short
from riskgrid.scenarios.compose import concatenate, overlay, scale_shifts, select, weighted
from riskgrid.scenarios.ladder import ladder
from riskgrid.scenarios.set import digest, shifts


def made(labels, factors, scale=1.0, offset=0.0, name="set", **extras):
    return shifts(labels, factors, scale, offset, name=name, kind="stress", provenance={"by": name}, **extras)


@pytest.fixture
def down():
    return made(["a", "b"], ["equity:ACME", "fx:EUR"], [[0.9, 1.0], [0.8, 1.1]], [[0.0, 0.0], [0.0, 0.1]], name="down")


@pytest.fixture
def up():
    return made(["c"], ["fx:EUR", "fx:GBP"], [[1.2, 1.0]], [[0.3, 0.5]], name="up")


def test_select__keeps_the_named_rows_in_their_order(down):
    found = select(down, ["b", "a"])
    assert found.scenario.values.tolist() == ["b", "a"]
    assert found.scale.values.tolist() == [[0.8, 1.1], [0.9, 1.0]]
    facts = json.loads(found.attrs["provenance"])
    assert facts["of"]["digest"] == short(digest(down), 40)
    assert facts["of"]["provenance"] == {"by": "down"}


def test_select__divides_weights_by_their_sum(down):
    assert select(weighted(down, [1, 3]), ["b"]).weight.values.tolist() == [1.0]
    with pytest.raises(BadScenarios, match="weigh nothing together"):
        select(weighted(down, [1, 0]), ["b"])


def test_select__names_an_unknown_scenario(down):
    with pytest.raises(UnknownName, match="unknown scenario of 'down': 'z'; known: 'a', 'b'"):
        select(down, ["z"])


def test_concatenate__leaves_a_factor_that_a_set_lacks_where_it_is(down, up):
    found = concatenate([down, up])
    assert found.scenario.values.tolist() == ["a", "b", "c"]
    assert found.factor.values.tolist() == ["equity:ACME", "fx:EUR", "fx:GBP"]
    assert found.scale.values.tolist() == [[0.9, 1.0, 1.0], [0.8, 1.1, 1.0], [1.0, 1.2, 1.0]]
    assert found.offset.values.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.3, 0.5]]
    assert [part["name"] for part in json.loads(found.attrs["provenance"])["parts"]] == ["down", "up"]
    assert not {"weight", "date", "stale", "unshocked"} & set(found.variables)


def test_concatenate__puts_keys_before_labels_that_would_clash(down):
    with pytest.raises(BadScenarios, match="scenario 'a' stands 2 times"):
        concatenate([down, down])
    found = concatenate({"one": down, "two": down})
    assert found.scenario.values.tolist() == ["one/a", "one/b", "two/a", "two/b"]
    with pytest.raises(BadScenarios, match="there is no scenario set"):
        concatenate([])


def test_concatenate__counts_an_unweighted_set_by_its_number_of_scenarios(down, up):
    found = concatenate([weighted(down, [1, 3]), up])
    np.testing.assert_allclose(found.weight, [2 / 3 / 4, 2 / 3 * 3 / 4, 1 / 3], rtol=1e-15)


def test_concatenate__fills_dates_and_coordinates_that_a_set_lacks(down, up, market):
    dated = up.assign(date=("scenario", np.array(["2016-07-11"], dtype="datetime64[D]")))
    found = concatenate(
        [down, dated.assign_coords(why=("scenario", ["test"])), ladder(market, patterns=["equity:BOLT"])]
    )
    assert np.isnat(found.date.values).tolist() == [True, True, False, True, True]
    assert found.why.values.tolist() == ["", "", "test", "", ""]
    assert found.bump.values[3:].tolist() == [1.0, -1.0]
    assert np.isnan(found.bump.values[:3]).all()


def test_concatenate__is_unshocked_where_any_set_says_so_and_invents_no_stale_cell(up):
    blind = made(["d"], ["fx:EUR", "fx:JPY"], unshocked=[True, True])
    found = concatenate([up, blind])
    assert found.factor.values.tolist() == ["fx:EUR", "fx:GBP", "fx:JPY"]
    assert found.unshocked.values.tolist() == [True, False, True]  # GBP is only not mentioned by the second
    assert "stale" not in found


def test_concatenate__keeps_the_stale_cells_of_each_set(up):
    filled = made(["d"], ["fx:EUR", "fx:JPY"], stale=[[True, False]], unshocked=[False, True])
    found = concatenate([up, filled])
    assert found.stale.values.tolist() == [[False, False, False], [True, False, False]]


def test_flags__stay_with_a_selection_and_a_multiple():
    whole = made(["a", "b"], ["fx:EUR", "fx:GBP"], stale=[[True, False], [False, False]], unshocked=[False, True])
    assert select(whole, ["b", "a"]).stale.values.tolist() == [[False, False], [True, False]]
    for found in (select(whole, ["b"]), scale_shifts(whole, 2), weighted(whole, [1, 1])):
        assert found.unshocked.values.tolist() == [False, True]
    assert scale_shifts(whole, 2).stale.identical(whole.stale)


def test_overlay__applies_the_second_after_the_first(down, up):
    found = overlay(down, up)
    assert found.scenario.values.tolist() == ["a + c", "b + c"]
    eur = found.sel(scenario="b + c", factor="fx:EUR")
    assert float(eur.scale) == 1.2 * 1.1
    assert float(eur.offset) == 1.2 * 0.1 + 0.3
    assert found.scale.sel(factor="equity:ACME").values.tolist() == [0.9, 0.8]
    assert found.offset.sel(factor="fx:GBP").values.tolist() == [0.5, 0.5]
    assert found.attrs["name"] == "down + up"


def test_overlay__pairs_equal_labels_when_asked(down):
    other = made(["b", "a"], ["fx:EUR"], [[2.0], [3.0]])
    found = overlay(down, other, by="scenario")
    assert found.scenario.values.tolist() == ["a", "b"]
    assert found.scale.sel(factor="fx:EUR").values.tolist() == [3.0, 2.2]
    with pytest.raises(BadScenarios, match="scenario 'b' is in one of the two sets only"):
        overlay(down, made(["a", "c"], ["fx:EUR"]), by="scenario")
    with pytest.raises(UnknownName, match="unknown way to overlay 'label'"):
        overlay(down, other, by="label")


def test_overlay__multiplies_weights(down, up):
    two = made(["c", "d"], ["fx:EUR"], weight=[0.5, 0.5])
    np.testing.assert_allclose(overlay(weighted(down, [1, 3]), two).weight, [0.125, 0.125, 0.375, 0.375], rtol=1e-15)
    np.testing.assert_allclose(overlay(weighted(down, [1, 3]), up).weight, [0.25, 0.75], rtol=1e-15)
    np.testing.assert_allclose(overlay(down, two).weight, [0.25] * 4, rtol=1e-15)
    light = made(["a", "b"], ["fx:EUR"], weight=[0.5, 0.5])
    assert overlay(down, light, by="scenario").weight.values.tolist() == [0.5, 0.5]
    with pytest.raises(BadScenarios, match="weigh their 2 scenarios differently"):
        overlay(weighted(down, [1, 3]), light, by="scenario")


def test_overlay__keeps_dates_and_refuses_two(down):
    dated = made(["c"], ["fx:EUR"], date=["2016-07-11"])
    assert overlay(down, dated).date.values.astype("datetime64[D]").astype(str).tolist() == ["2016-07-11"] * 2
    assert overlay(dated, made(["c"], ["fx:GBP"], date=["2016-07-11"])).date.equals(
        dated.date.assign_coords(scenario=["c + c"])
    )
    with pytest.raises(BadScenarios, match="scenario 'c \\+ c' would have two state dates"):
        overlay(dated, made(["c"], ["fx:EUR"], date=["2016-07-12"]))


def test_overlay__keeps_flags():
    first = made(["a"], ["fx:EUR", "fx:GBP"], unshocked=[True, True], stale=[[False, True]])
    second = made(["b"], ["fx:EUR"], 1.1)
    found = overlay(first, second)
    assert found.unshocked.values.tolist() == [False, True]
    assert found.stale.values.tolist() == [[False, True]]
    some = made(["b", "c"], ["fx:EUR"], [[1.1], [1.0]])
    assert overlay(first, some).unshocked.values.tolist() == [True, True]  # in a + c nothing says how EUR moves


def test_overlay__refuses_a_curve_in_two_spaces():
    par, zero = made(["a"], ["par:C:1Y"], offset=0.01), made(["b"], ["zero:C:1Y"], offset=0.01)
    with pytest.raises(BadScenarios, match=r"scenario 'a \+ b' shifts curve 'C' in par and in zero space"):
        overlay(par, zero)


@given(*[st.floats(0.1, 3.0)] * 3, *[st.floats(-1.0, 1.0)] * 3)
def test_overlay__is_associative(s1, s2, s3, o1, o2, o3):
    rows = [made([str(i)], ["fx:EUR"], s, o) for i, (s, o) in enumerate([(s1, o1), (s2, o2), (s3, o3)])]
    left, right = overlay(overlay(rows[0], rows[1]), rows[2]), overlay(rows[0], overlay(rows[1], rows[2]))
    np.testing.assert_allclose(left.scale, right.scale, rtol=1e-14)
    np.testing.assert_allclose(left.offset, right.offset, rtol=1e-13, atol=1e-14)


def test_scale_shifts__scales_the_move(down):
    found = scale_shifts(down, 2)
    np.testing.assert_allclose(found.scale, [[0.8, 1.0], [0.6, 1.2]], rtol=1e-15)
    assert found.offset.values.tolist() == [[0.0, 0.0], [0.0, 0.2]]
    assert found.attrs["name"] == "2 x down"
    assert scale_shifts(down, 1).scale.identical(down.scale)
    none = scale_shifts(down, 0)
    assert (none.scale == 1.0).all()
    assert (none.offset == 0.0).all()


def test_scale_shifts__of_a_new_level_goes_that_part_of_the_way():
    to_four = made(["a"], ["zero:C:1Y"], 0.0, 0.04)
    half, double = scale_shifts(to_four, 0.5), scale_shifts(to_four, 2.0)
    assert (half.scale.item(), half.offset.item()) == (0.5, 0.02)  # a rate of 2 % goes to 3 %
    assert (double.scale.item(), double.offset.item()) == (-1.0, 0.08)  # and to 6 %


def test_scale_shifts__names_a_level_it_would_take_to_zero(down):
    with pytest.raises(BadScenarios, match=r"5 times the move of 'equity:ACME' in scenario 'b' \(scale 0.8\)"):
        scale_shifts(down, 5)
    with pytest.raises(BadScenarios, match="k is nan"):
        scale_shifts(down, float("nan"))


def test_weighted__divides_by_the_sum(down):
    assert weighted(down, [1, 3]).weight.values.tolist() == [0.25, 0.75]
    assert weighted(down, {"b": 2.0}).weight.values.tolist() == [0.0, 1.0]
    assert digest(weighted(down, [1, 3])) != digest(down)


@pytest.mark.parametrize(
    ("weights", "error", "sentence"),
    [
        ({"z": 1.0}, UnknownName, "unknown scenario in weights: 'z'"),
        ([1.0], BadScenarios, r"weights of shape \(1,\) for 2 scenarios"),
        ([1.0, -1.0], BadScenarios, "a weight is negative"),
        ([0.0, 0.0], BadScenarios, "all are zero"),
        ([np.nan, 1.0], BadScenarios, "not finite"),
    ],
)
def test_weighted__names_wrong_weights(down, weights, error, sentence):
    with pytest.raises(error, match=sentence):
        weighted(down, weights)


def test_compose__leaves_its_arguments_alone(down, up):
    before = [digest(down), digest(up), dict(down.attrs)]
    concatenate([down, up])
    overlay(down, up)
    scale_shifts(down, 2)
    select(weighted(down, [1, 1]), ["a"])
    assert [digest(down), digest(up), dict(down.attrs)] == before
