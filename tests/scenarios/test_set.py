"""The scenario set: what is one, what is none, and its digest."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.set import check, check_against, digest, moved, shiftable, shifts, targets


def made(labels=("a", "b"), factors=("equity:ACME", "fx:EUR"), scale=1.1, offset=0.0, **extras):
    return shifts(labels, factors, scale, offset, name="mine", kind="stress", provenance={"by": "hand"}, **extras)


def test_shifts__holds_scale_and_offset_by_label():
    found = made(scale=[[1.1, 1.0], [1.0, 0.9]], offset=[[0.0, 0.01], [0.0, 0.0]], weight=[0.25, 0.75])
    assert found.scale.sel(scenario="b", factor="fx:EUR") == 0.9
    assert found.offset.sel(scenario="a", factor="fx:EUR") == 0.01
    assert found.weight.sel(scenario="b") == 0.75
    assert json.loads(found.attrs["provenance"]) == {"by": "hand"}
    assert (found.attrs["name"], found.attrs["kind"]) == ("mine", "stress")


def test_shifts__owns_its_numbers():
    scale = np.ones((2, 2))
    found = made(scale=scale)
    scale[0, 0] = 7.0
    assert found.scale[0, 0] == 1.0


def test_shifts__may_be_without_scenarios_or_factors():
    assert made(labels=(), scale=np.ones((0, 2))).sizes == {"scenario": 0, "factor": 2}
    assert made(factors=(), scale=np.ones((2, 0)), offset=np.ones((2, 0))).sizes == {"scenario": 2, "factor": 0}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"labels": ("a", "a")}, "scenario 'a' stands 2 times; every scenario stands once"),
        ({"factors": ("fx:EUR", "fx:EUR")}, "factor 'fx:EUR' stands 2 times"),
        ({"labels": ("a", "")}, "a scenario has no name"),
        ({"scale": [[1, 1], [1, np.nan]]}, "the scale of factor 'fx:EUR' in scenario 'b' is nan; a shift is finite"),
        ({"offset": [[np.inf, 0], [0, 0]]}, "the offset of factor 'equity:ACME' in scenario 'a' is inf"),
        ({"scale": np.ones((3, 2))}, r"'scale' has shape \(3, 2\); right is \(2, 2\)"),
        ({"weight": [0.5, 0.4]}, "the weights sum to 0.9; right is 1"),
        ({"weight": [1.5, -0.5]}, "scenario 'b' has a weight that is not at least 0"),
        ({"weight": [1.0, np.nan]}, "scenario 'b' has a weight that is not at least 0"),
        ({"weight": [1.0]}, r"'weight' has shape \(1,\); right is \(2,\)"),
        ({"weight": ["x", "y"]}, "'weight' is <U1 on .* right is float64"),
        ({"stale": [[1, 0], [0, 0]]}, "'stale' is int64 on .* right is bool"),
        ({"unshocked": [True]}, r"'unshocked' has shape \(1,\)"),
        (
            {"factors": ("par:USD-TREASURY:10Y", "zero:USD-TREASURY:2Y")},
            "scenario 'a' shifts curve 'USD-TREASURY' in par and in zero space",
        ),
    ],
)
def test_shifts__names_what_is_wrong(wrong, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        made(**wrong)


def test_check__allows_par_and_zero_space_in_different_scenarios():
    made(factors=("par:USD-TREASURY:10Y", "zero:USD-TREASURY:2Y"), scale=[[1.1, 1.0], [1.0, 1.1]])


def test_check__says_what_a_dataset_lacks():
    with pytest.raises(BadScenarios, match="'scenario' is absent"):
        check(xr.Dataset())
    with pytest.raises(BadScenarios, match="attribute 'name' is absent"):
        check(made().drop_attrs())
    with pytest.raises(BadScenarios, match=r"'scale' is float32 on .* right is float64"):
        check(made().assign(scale=made().scale.astype(np.float32)))


def test_check_against__lists_every_unknown_factor_with_the_closest(market):
    with pytest.raises(BadScenarios, match="shifts 2 factors that the market of 2016-07-01 does not have") as caught:
        check_against(made(factors=("equity:ACNE", "fx:XXX")), market)
    assert "'equity:ACNE' (did you mean 'equity:ACME'?)" in str(caught.value)
    assert "'fx:XXX'" in str(caught.value)


def test_check_against__takes_zero_shifts_at_the_nodes_of_a_par_curve(market):
    nodes = made(factors=("zero:USD-TREASURY:2Y", "zero:USD-TREASURY:10Y"))
    assert check_against(nodes, market) is nodes
    with pytest.raises(BadScenarios, match="'zero:USD-TREASURY:5Y'"):
        check_against(made(factors=("zero:USD-TREASURY:5Y", "fx:EUR")), market)
    with pytest.raises(BadScenarios, match="'par:EUR-POLICY:1Y'"):
        check_against(made(factors=("par:EUR-POLICY:1Y", "fx:EUR")), market)


def test_check_against__dates_undated_states_and_refuses_earlier_ones(market):
    found = check_against(made(date=["NaT", "2016-07-11"]), market)
    assert found.date.values.astype("datetime64[D]").astype(str).tolist() == ["2016-07-01", "2016-07-11"]
    with pytest.raises(BadScenarios, match="state 'b' is of 2016-06-30, before the market's date 2016-07-01"):
        check_against(made(date=["2016-07-01", "2016-06-30"]), market)


def test_shiftable__is_the_market_and_the_zero_rates_of_its_par_curves(market):
    assert shiftable(market) - set(market.factors) == {"zero:USD-TREASURY:10Y", "zero:USD-TREASURY:2Y"}


def test_targets__reach_zero_rates_of_par_curves_only_by_name(market):
    assert targets("*USD-TREASURY:2Y", market) == ("par:USD-TREASURY:2Y",)
    assert targets("zero:*:2Y", market) == ("zero:USD-TREASURY:2Y",)


def test_moved__is_true_where_a_level_can_change():
    found = made(scale=[[1.1, 1.0], [1.0, 1.0]], offset=[[0.0, 0.0], [0.0, 0.01]])
    assert moved(found).tolist() == [[True, False], [False, True]]


def test_digest__depends_on_everything_that_decides_a_shift():
    same = [digest(made()), digest(made()), digest(made().assign_attrs(name="other")), digest(made(offset=-0.0))]
    assert len(set(same)) == 1
    others = [
        made(labels=("a", "c")),
        made(factors=("equity:ACME", "fx:GBP")),
        made(scale=1.2),
        made(offset=0.1),
        made(weight=[0.5, 0.5]),
        made(date=["2016-07-01", "2016-07-02"]),
        made().assign_attrs(provenance="{}"),
    ]
    assert len({same[0], *map(digest, others)}) == 8


@given(st.floats(0.01, 100), st.floats(-1, 1))
def test_digest__is_the_same_for_the_same_shift_and_another_for_another(scale, offset):
    one = digest(made(scale=scale, offset=offset))
    assert one == digest(made(scale=scale, offset=offset))
    assert one != digest(made(scale=np.nextafter(scale, np.inf), offset=offset))
