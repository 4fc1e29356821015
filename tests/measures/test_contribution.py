"""Components, marginal and incremental measures against brute force, and the identities that hold between them."""

import math
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.contribution import component, diversification, incremental, marginal, tail_weights
from riskgrid.measures.convention import METHODS, SHORTFALLS
from riskgrid.measures.tail import expected_shortfall, value_at_risk

CONVENTIONS = [
    *(("value_at_risk", value_at_risk, method) for method in METHODS),
    *(("expected_shortfall", expected_shortfall, method) for method in SHORTFALLS),
]
LEVELS = ["0.5", "0.9", "0.975", "0.99", "0.999"]
TICK = 2.0**-10


def parts_of(values, **coords):
    labels = [f"s{place}" for place in range(values.shape[-1])]
    return xr.DataArray(np.asarray(values, float), dims=("desk", "scenario"), coords={"scenario": labels, **coords})


def seeded(desks=5, scenarios=250, seed=3):
    return parts_of(np.round(np.random.default_rng(seed).standard_t(4, (desks, scenarios)) * 1e5 / TICK) * TICK)


def weighted(pnl, decay=0.98):
    size = pnl.sizes["scenario"]
    shares = decay ** np.arange(size - 1, -1, -1.0)
    return pnl.assign_coords(weight=("scenario", shares / shares.sum()))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("name", "measured", "method"), CONVENTIONS)
def test_tail_weights__give_the_measure_in_every_convention(name, measured, method, level):
    whole = seeded().sum("desk")
    weights = tail_weights(whole, name, level, method=method)
    expected = measured(whole, level, method=method)
    assert math.isclose(-float((weights * whole).sum()), float(expected), rel_tol=1e-13)
    assert math.isclose(float(weights.sum()), 1.0, rel_tol=1e-14)
    assert (weights >= 0.0).all()
    assert weights.attrs["flags"] == expected.attrs["flags"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("name", "measured", "method"),
    [("value_at_risk", value_at_risk, "inverted_cdf"), *(one for one in CONVENTIONS if "short" in one[0])],
)
def test_tail_weights__give_the_measure_of_weighted_scenarios(name, measured, method, level):
    whole = weighted(seeded().sum("desk"))
    weights = tail_weights(whole, name, level, method=method)
    expected = measured(whole, level, method=method)
    assert math.isclose(-float((weights * whole).sum()), float(expected), rel_tol=1e-12)
    assert math.isclose(float(weights.sum()), 1.0, rel_tol=1e-12)


def test_tail_weights__of_equal_weights_are_those_without():
    whole = seeded().sum("desk")
    equal = whole.assign_coords(weight=("scenario", np.full(250, 1 / 250)))
    for name in ("value_at_risk", "expected_shortfall"):
        np.testing.assert_array_equal(tail_weights(equal, name), tail_weights(whole, name))


def test_tail_weights__of_ties_take_the_first_scenarios():
    whole = xr.DataArray([-1.0, -1.0, -1.0, 5.0], dims="scenario")
    assert tail_weights(whole, level=0.75).values.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_component__of_es_is_the_part_of_each_row_in_the_tail_of_the_whole():
    pnl = seeded()
    order = np.argsort(pnl.sum("desk").values, kind="stable")[:7]
    shares = np.array([1.0] * 6 + [0.25]) / 6.25
    expected = -(pnl.values[:, order] * shares).sum(axis=1)
    np.testing.assert_allclose(component(pnl), expected, rtol=1e-13)


def test_component__of_var_is_the_loss_in_its_scenario():
    pnl = seeded()
    worst = np.argsort(pnl.sum("desk").values, kind="stable")[2]
    np.testing.assert_array_equal(component(pnl, measure="value_at_risk"), -pnl.values[:, worst])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("name", "measured", "method"), CONVENTIONS)
def test_components__add_up_to_the_measure(name, measured, method, level):
    pnl = seeded(desks=40)
    whole = float(measured(pnl.sum("desk"), level, method=method))
    parts = component(pnl, measure=name, level=level, method=method)
    np.testing.assert_allclose(math.fsum(parts.values), whole, rtol=1e-12)


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 60)), elements=st.integers(-(2**40), 2**40)),
    st.sampled_from(LEVELS),
)
@settings(max_examples=150, deadline=None)
def test_components__are_equal_as_integer_numerators(ticks, level):
    # P&L is a number of ticks, the weights of ES are whole numbers over n a: both sides are integers
    pnl = parts_of(ticks * TICK)
    weights = tail_weights(pnl.sum("desk"), level=level).values
    tail = ticks.shape[1] * (1 - Fraction(level))
    unit = max(tail, Fraction(1))
    numerators = [round(Fraction(weight) * unit * unit.denominator) for weight in weights.tolist()]
    parts = [sum(n * int(t) for n, t in zip(numerators, row, strict=True)) for row in ticks]
    whole = sum(n * int(t) for n, t in zip(numerators, ticks.sum(axis=0), strict=True))
    assert sum(parts) == whole
    exact = [-float(Fraction(part) / (unit * unit.denominator)) * TICK for part in parts]
    np.testing.assert_allclose(component(pnl, level=level), exact, rtol=1e-12, atol=TICK * 2**-10)
    measured = float(expected_shortfall(pnl.sum("desk"), level))
    assert math.isclose(measured, -float(Fraction(whole) / (unit * unit.denominator)) * TICK, rel_tol=1e-12)


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=st.integers(-999, 999)),
    st.sampled_from([0.5, 2.0, 4.0]),
    st.integers(-500, 500),
)
@settings(max_examples=150, deadline=None)
def test_component__scales_with_the_book_and_moves_with_cash(values, factor, cash):
    pnl = parts_of(values)
    for name in ("value_at_risk", "expected_shortfall"):
        found = component(pnl, measure=name, level=0.9).values
        np.testing.assert_allclose(component(pnl * factor, measure=name, level=0.9), factor * found, rtol=1e-12)
        moved = component(pnl + cash, measure=name, level=0.9).values
        np.testing.assert_allclose(moved, found - cash, rtol=1e-9, atol=1e-9)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 60)), elements=st.integers(-999, 999)))
@settings(max_examples=150, deadline=None)
def test_diversification__of_es_never_costs(values):
    assert float(diversification(parts_of(values), level=0.9)) <= 1e-9


def test_component__is_the_derivative_of_the_measure():
    pnl = seeded(desks=3, scenarios=1000)
    for name, measured in (("value_at_risk", value_at_risk), ("expected_shortfall", expected_shortfall)):
        step = 1e-7
        for desk in range(3):
            sizes = np.ones((3, 1))
            sizes[desk] += step
            more = measured((pnl * xr.DataArray(sizes[:, 0], dims="desk")).sum("desk"))
            slope = (float(more) - float(measured(pnl.sum("desk")))) / step
            assert math.isclose(slope, float(component(pnl, measure=name)[desk]), rel_tol=1e-4)


def test_marginal__is_the_component_per_unit_of_size():
    pnl = seeded()
    value = xr.DataArray([1e6, -2e6, 0.0, 5e5, 1.0], dims="desk", name="base_value")
    found = marginal(pnl, value)
    parts = component(pnl).values
    np.testing.assert_array_equal(found[[0, 1, 3, 4]], parts[[0, 1, 3, 4]] / np.array([1e6, 2e6, 5e5, 1.0]))
    assert np.isnan(found[2])
    assert found.attrs["per"] == "unit of |base_value|"


@pytest.mark.parametrize("name", ["value_at_risk", "expected_shortfall"])
def test_incremental__is_the_measure_with_less_that_without(name):
    pnl = seeded()
    measured = {"value_at_risk": value_at_risk, "expected_shortfall": expected_shortfall}[name]
    found = incremental(pnl, measure=name, level=0.95)
    for desk in range(5):
        without = pnl.sel(desk=[other for other in range(5) if other != desk]).sum("desk")
        assert float(found[desk]) == float(measured(pnl.sum("desk"), 0.95)) - float(measured(without, 0.95))


def test_incremental__of_the_only_row_is_the_measure_itself():
    pnl = seeded(desks=1)
    assert float(incremental(pnl)[0]) == float(expected_shortfall(pnl.isel(desk=0)))


def test_component__keeps_labels_and_other_dims():
    pnl = xr.concat([seeded(seed=1), seeded(seed=2)], "region").assign_coords(region=["A", "B"])
    found = component(pnl)
    assert found.dims == ("region", "desk")
    assert found["region"].values.tolist() == ["A", "B"]
    np.testing.assert_allclose(found.sum(), expected_shortfall(pnl.sum(["region", "desk"])), rtol=1e-12)


def test_component__of_a_dask_array_is_the_same():
    pnl = seeded(desks=8)
    np.testing.assert_array_equal(component(pnl.chunk(desk=3), pnl.sum("desk")).compute(), component(pnl))


def test_component__of_a_row_with_a_gap_in_the_tail_is_nan_and_leaves_the_others():
    pnl = seeded()
    whole = pnl.sum("desk")
    broken = pnl.copy()
    broken[0, int(np.argmin(whole.values))] = np.nan
    found = component(broken, whole)
    assert np.isnan(found[0])
    np.testing.assert_array_equal(found[1:], component(pnl, whole)[1:])


def test_component__of_a_whole_with_a_gap_is_refused():
    pnl = seeded()
    pnl[2, 3] = np.nan
    with pytest.raises(BadSpec, match="a scenario without a number; a tail needs one in every scenario"):
        component(pnl)


def test_unknown_names__are_told_with_the_known_ones():
    pnl = seeded()
    with pytest.raises(
        UnknownName, match="unknown tail measure 'variance'; known: 'expected_shortfall', 'value_at_risk'"
    ):
        component(pnl, measure="variance")
    with pytest.raises(UnknownName, match="unknown method 'exact'"):
        component(pnl, method="exact")
    with pytest.raises(BadSpec, match=r"level 1\.5 is not between 0 and 1"):
        incremental(pnl, level=1.5)
    with pytest.raises(BadSpec, match="one row of P&L"):
        tail_weights(pnl)
    with pytest.raises(BadSpec, match="no form for unequal weights"):
        tail_weights(weighted(pnl).sum("desk"), "value_at_risk", method="linear")


@pytest.mark.parametrize("taken", [component, incremental])
def test_whole__in_another_order_of_scenarios_is_the_same_whole(taken):
    pnl = seeded()
    turned = pnl.sum("desk").isel(scenario=slice(None, None, -1))
    np.testing.assert_array_equal(taken(pnl, turned), taken(pnl, pnl.sum("desk")))


@pytest.mark.parametrize("taken", [component, incremental, diversification])
def test_whole__of_other_scenarios_is_refused(taken):
    pnl = seeded()
    other = pnl.sum("desk").assign_coords(scenario=[f"t{at}" for at in range(250)])
    with pytest.raises(BadSpec, match="rows and whole are of different scenarios"):
        taken(pnl, other)
    with pytest.raises(BadSpec, match="the rows have 250 scenarios and the whole 249"):
        taken(pnl.drop_vars("scenario"), pnl.sum("desk").drop_vars("scenario")[1:])


@pytest.mark.parametrize("taken", [component, incremental, diversification])
def test_weights__that_rows_or_whole_alone_carry_are_those_of_both(taken):
    pnl = weighted(seeded())
    whole = pnl.sum("desk")
    expected = taken(pnl, whole, level=0.9)
    np.testing.assert_array_equal(taken(pnl, whole.drop_vars("weight"), level=0.9), expected)
    np.testing.assert_array_equal(taken(pnl.drop_vars("weight"), whole, level=0.9), expected)


def test_marginal__of_sizes_that_are_not_of_the_rows_is_refused():
    sizes = xr.DataArray(np.ones(8), dims="node", name="base_value")
    with pytest.raises(BadSpec, match="a size of every row is right"):
        marginal(seeded(), sizes)
