"""Value at risk, expected shortfall and worst scenarios against NumPy, printed examples and their own properties."""

import csv
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.tail import ALIASES, METHODS, SHORTFALLS, expected_shortfall, tail_scenarios, value_at_risk
from riskgrid.registry import MEASURES

REFERENCES = Path(__file__).parents[1] / "references" / "var_es.csv"


def row(values):
    labels = [f"s{position}" for position in range(len(values))]
    return xr.DataArray(np.asarray(values, dtype=float), dims="scenario", coords={"scenario": labels})


def seeded(*shape, seed=7):
    return np.random.default_rng(seed).standard_t(4, size=shape) * 1e5


def references():
    with REFERENCES.open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def weights(values):
    return row(values).rename("weight")


def hull_portfolio():
    """500 losses with the 15 printed ones in their scenarios; the others are milder than any of these."""
    pnl = np.full(500, 25.0)
    for line in references():
        if line["kind"] == "loss":
            pnl[int(line["name"]) - 1] = -float(line["value"])
    return row(pnl)


@pytest.mark.parametrize(
    "case", [line for line in references() if line["kind"] != "loss"], ids=lambda case: case["kind"]
)
def test_measure__is_the_printed_number_of_hull(case):
    weight = None
    if case["decay"]:
        decay = float(case["decay"])
        weight = weights(decay ** np.arange(499, -1, -1) * (1 - decay) / (1 - decay**500))
    measured = MEASURES[case["kind"]](hull_portfolio(), case["level"], method=case["method"], weight=weight)
    assert abs(float(measured) - float(case["value"])) <= float(case["tolerance"])


@pytest.mark.parametrize("size", [7, 100, 250, 251, 1000])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.975, 0.99])
@pytest.mark.parametrize("method", METHODS)
def test_value_at_risk__is_minus_numpys_quantile_of_pnl(method, level, size):
    values = seeded(size)
    tail = float(1 - Decimal(str(level)))
    assert float(value_at_risk(row(values), level, method=method)) == pytest.approx(
        -np.quantile(values, tail, method=method), rel=1e-12
    )


@pytest.mark.parametrize(("alias", "method"), ALIASES.items())
def test_value_at_risk__knows_the_trades_words_for_methods(alias, method):
    pnl = row(seeded(250))
    measured = value_at_risk(pnl, 0.975, method=alias)
    assert float(measured) == float(value_at_risk(pnl, 0.975, method=method))
    assert measured.attrs["method"] == method


def test_value_at_risk__takes_the_tenth_worst_of_a_thousand():
    assert math.ceil(1000 * (1 - 0.99)) == 11  # the trap
    losses = np.random.default_rng(1).permutation(np.arange(1.0, 1001.0))
    assert float(value_at_risk(row(-losses), 0.99)) == 991.0


@pytest.mark.parametrize("level", [0.99, "0.99", Decimal("0.99"), np.float64(0.99)])
def test_level__reads_as_its_digits(level):
    assert float(value_at_risk(row(np.arange(1000.0)), level)) == -9.0


def test_value_at_risk__is_not_floored():
    assert float(value_at_risk(row(np.arange(1.0, 101.0)), 0.99)) == -1.0


def test_value_at_risk__of_nothing_is_plus_zero():
    assert math.copysign(1.0, float(value_at_risk(row(np.zeros(10)), 0.9))) == 1.0


def test_expected_shortfall__is_six_worst_and_a_quarter_of_the_seventh_over_six_and_a_quarter():
    values = seeded(250)
    worst = np.sort(values)
    expected = -(worst[:6].sum() + 0.25 * worst[6]) / 6.25
    assert float(expected_shortfall(row(values), 0.975)) == pytest.approx(expected, rel=1e-14)


def test_expected_shortfall__inverted_cdf_is_the_mean_of_the_seven_worst():
    values = seeded(250)
    measured = expected_shortfall(row(values), 0.975, method="inverted_cdf")
    assert float(measured) == pytest.approx(-np.sort(values)[:7].mean(), rel=1e-14)


@pytest.mark.parametrize("method", SHORTFALLS)
def test_expected_shortfall__of_too_few_scenarios_is_the_worst_and_says_so(method):
    measured = expected_shortfall(row([5.0, -3.0, 1.0]), 0.975, method=method)
    assert float(measured) == 3.0
    assert measured.attrs["flags"] == ["fewer than the 40 scenarios of this level"]


def test_value_at_risk__clamps_a_rank_below_one_and_says_so():
    measured = value_at_risk(row([5.0, -3.0, 1.0]), 0.99, method="weibull")
    assert float(measured) == 3.0
    assert measured.attrs["flags"] == ["fewer than the 100 scenarios of this level", "rank below 1: clamped"]


def test_value_at_risk__clamps_a_rank_above_n_and_says_so():
    measured = value_at_risk(row([5.0, -3.0, 1.0]), "0.01", method="weibull")
    assert float(measured) == -5.0
    assert measured.attrs["flags"] == ["rank above n: clamped"]


def test_measure__carries_its_convention_and_the_unit_of_pnl():
    pnl = row(seeded(250)).assign_attrs(currency="USD")
    measured = expected_shortfall(pnl, 0.975)
    assert measured.name == "expected_shortfall"
    assert measured.attrs == {
        "currency": "USD",
        "measure": "expected_shortfall",
        "level": "0.975",
        "method": "tail_integral",
        "scenarios": 250,
        "flags": [],
    }


@pytest.mark.parametrize("name", ["value_at_risk", "expected_shortfall"])
def test_measure__keeps_other_dims_and_a_row_does_not_know_its_neighbours(name):
    values = seeded(3, 250, 4)
    pnl = xr.DataArray(values, dims=("desk", "scenario", "book"), coords={"desk": ["a", "b", "c"]})
    measured = MEASURES[name](pnl)
    assert measured.dims == ("desk", "book")
    assert measured["desk"].values.tolist() == ["a", "b", "c"]
    alone = [[float(MEASURES[name](row(values[i, :, j]))) for j in range(4)] for i in range(3)]
    np.testing.assert_array_equal(measured.values, alone)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["value_at_risk", "expected_shortfall"])
def test_measure__of_a_row_with_a_nan_is_nan_and_only_of_that_row(name, weighted):
    values = seeded(3, 100)
    whole = xr.DataArray(values.copy(), dims=("desk", "scenario"))
    values[1, 50] = np.nan
    share = np.arange(1.0, 101.0)
    weight = xr.DataArray(share / share.sum(), dims="scenario") if weighted else None
    measured = MEASURES[name](xr.DataArray(values, dims=("desk", "scenario")), weight=weight).values
    assert np.isnan(measured[1])
    np.testing.assert_array_equal(measured[[0, 2]], MEASURES[name](whole, weight=weight).values[[0, 2]])


def test_measure__stays_lazy_on_dask():
    values = seeded(6, 250)
    pnl = xr.DataArray(values, dims=("trade", "scenario"))
    lazy = value_at_risk(pnl.chunk(trade=2))
    assert lazy.chunks is not None
    np.testing.assert_array_equal(lazy.compute().values, value_at_risk(pnl).values)


@pytest.mark.parametrize("method", METHODS)
def test_value_at_risk__with_equal_weights_has_the_same_bits(method):
    pnl = row(seeded(250))
    equal = weights(np.full(250, 1 / 250))
    assert float(value_at_risk(pnl, method=method, weight=equal)) == float(value_at_risk(pnl, method=method))


@pytest.mark.parametrize("method", SHORTFALLS)
def test_expected_shortfall__with_equal_weights_has_the_same_bits(method):
    pnl = row(seeded(250))
    equal = weights(np.full(250, 1 / 250))
    assert float(expected_shortfall(pnl, method=method, weight=equal)) == float(expected_shortfall(pnl, method=method))


@given(
    counts=st.lists(st.integers(0, 5), min_size=2, max_size=40).filter(lambda counts: sum(counts) > 0),
    level=st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_weight__counts_like_repeated_scenarios(counts, level, seed):
    values = np.random.default_rng(seed).integers(-6, 6, len(counts)).astype(float)  # many ties
    weight = weights(np.array(counts) / sum(counts))
    repeated = row(np.repeat(values, counts))
    assert float(value_at_risk(row(values), level, weight=weight)) == float(value_at_risk(repeated, level))
    measured = float(expected_shortfall(row(values), level, weight=weight))
    assert measured == pytest.approx(float(expected_shortfall(repeated, level)), abs=1e-9)


def test_expected_shortfall__inverted_cdf_weighs_the_scenarios_up_to_the_value_at_risk():
    weight = weights([0.02, 0.03, 0.45, 0.5])
    measured = expected_shortfall(row([-10.0, -5.0, -1.0, 4.0]), 0.96, method="inverted_cdf", weight=weight)
    assert float(measured) == pytest.approx((0.02 * 10 + 0.03 * 5) / 0.05, rel=1e-14)


def test_weight__of_a_scenario_heavier_than_the_tail_is_flagged():
    measured = value_at_risk(row([-1.0, 0.0, 1.0]), 0.9, weight=weights([0.2, 0.3, 0.5]))
    assert measured.attrs["flags"] == ["one scenario weighs more than the whole tail"]


def test_weight__follows_labels_and_not_only_sizes():
    weight = weights([0.5, 0.25, 0.25]).assign_coords(scenario=["x", "y", "z"])
    with pytest.raises(BadSpec, match="not of the scenarios"):
        value_at_risk(row([1.0, 2.0, 3.0]), weight=weight)


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0]])
def test_weight__that_does_not_sum_to_one_is_refused(shares):
    with pytest.raises(BadSpec, match=r"the weights sum to .*a sum of 1 is right"):
        expected_shortfall(row([1.0, 2.0]), weight=weights(shares))


def test_weight__of_other_dims_is_refused():
    with pytest.raises(BadSpec, match="'scenario'"):
        value_at_risk(row([1.0]), weight=xr.DataArray(np.ones(2), dims="desk"))


def test_weight__has_no_form_for_interpolating_methods():
    with pytest.raises(BadSpec, match="'hazen' has no form for unequal weights"):
        value_at_risk(row([1.0, 2.0]), method="centred", weight=weights([0.4, 0.6]))


@pytest.mark.parametrize("level", [0.0, 1.0, 99, -0.5, float("nan"), "most"])
def test_level__outside_zero_and_one_is_refused(level):
    with pytest.raises(BadSpec, match="is not between 0 and 1"):
        value_at_risk(row([1.0]), level)


@pytest.mark.parametrize(("function", "method"), [(value_at_risk, "median"), (expected_shortfall, "hazen")])
def test_method__unknown_lists_the_known_ones(function, method):
    with pytest.raises(UnknownName, match="inverted_cdf"):
        function(row([1.0]), method=method)


@pytest.mark.parametrize("function", [value_at_risk, expected_shortfall, tail_scenarios])
def test_measure__of_no_scenarios_is_refused(function):
    with pytest.raises(BadSpec, match="has no scenarios"):
        function(row([]))
    with pytest.raises(BadSpec, match="no dim 'scenario'"):
        function(xr.DataArray([1.0], dims="desk"))


def test_tail_scenarios__are_the_worst_first_and_ties_keep_scenario_order():
    worst = tail_scenarios(row([0.0, -2.0, -3.0, -2.0, -2.0]), 3)
    assert worst["worst_scenario"].values.tolist() == ["s2", "s1", "s3"]
    assert worst["worst_pnl"].values.tolist() == [-3.0, -2.0, -2.0]
    assert worst["rank"].values.tolist() == [1, 2, 3]


def test_tail_scenarios__agree_with_a_stable_sort_of_every_row():
    values = np.random.default_rng(3).integers(-5, 5, (4, 3, 60)).astype(float)
    pnl = xr.DataArray(values, dims=("desk", "book", "scenario"), coords={"scenario": [f"s{i}" for i in range(60)]})
    worst = tail_scenarios(pnl, 9)
    order = np.argsort(values, axis=-1, kind="stable")[..., :9]
    assert worst["worst_scenario"].dims == ("desk", "book", "rank")
    np.testing.assert_array_equal(worst["worst_scenario"].values, pnl["scenario"].values[order])


def test_tail_scenarios__of_a_row_with_a_nan_are_unknown():
    worst = tail_scenarios(row([1.0, np.nan]), 5)
    assert worst["worst_scenario"].values.tolist() == ["", ""]
    assert np.isnan(worst["worst_pnl"].values).all()


def test_tail_scenarios__needs_labels_and_a_count():
    with pytest.raises(BadSpec, match="no scenario labels"):
        tail_scenarios(xr.DataArray([1.0], dims="scenario"))
    with pytest.raises(BadSpec, match="count 0"):
        tail_scenarios(row([1.0]), 0)


def test_registry__finds_the_measures():
    assert {"value_at_risk", "expected_shortfall", "tail_scenarios"} <= set(MEASURES)


money = hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(-(2**40), 2**40).map(float))
levels = st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99, 0.999])


@given(money, levels)
@settings(max_examples=60, deadline=None)
def test_expected_shortfall__is_never_below_value_at_risk(values, level):
    slack = 1e-12 * np.abs(values).max()
    assert float(expected_shortfall(row(values), level)) >= float(value_at_risk(row(values), level)) - slack


@pytest.mark.parametrize("name", ["value_at_risk", "expected_shortfall"])
@given(values=money, level=levels, gain=st.integers(-(2**40), 2**40).map(float))
@settings(max_examples=40, deadline=None)
def test_measure__falls_by_a_sure_gain(name, values, level, gain):
    moved = float(MEASURES[name](row(values + gain), level))
    assert moved == pytest.approx(float(MEASURES[name](row(values), level)) - gain, rel=1e-12, abs=1e-2)


@pytest.mark.parametrize("name", ["value_at_risk", "expected_shortfall"])
@given(values=money, level=levels, power=st.integers(-8, 8))
@settings(max_examples=40, deadline=None)
def test_measure__doubles_with_the_position(name, values, level, power):
    scaled = float(MEASURES[name](row(values * 2.0**power), level))
    assert scaled == float(MEASURES[name](row(values), level)) * 2.0**power  # powers of two leave every bit


@given(money, levels, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_expected_shortfall__of_a_sum_is_at_most_the_sum(values, level, seed):
    other = np.random.default_rng(seed).permutation(values)
    together = float(expected_shortfall(row(values + other), level))
    apart = float(expected_shortfall(row(values), level)) + float(expected_shortfall(row(other), level))
    assert together <= apart + 1e-12 * np.abs(values).max()
