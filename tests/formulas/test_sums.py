"""Sums over nodes and flows keep their order, whatever the tile."""

import platform
import re

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas import curve, flow
from riskgrid.formulas.compiled import INTERPRETED
from tests.formulas.assembly import assembly

#: Rows of four periods' starts, ends and payment dates.
PERIODS = np.array([[0, 1, 2, 8], [1, 2, 3, 0], [1, 4, 3, 8]])


def curve_case(points, states, terms=3):
    draw = np.random.default_rng(points + states)
    index = draw.integers(0, 7, (points, terms)).astype(np.int32)
    return draw.normal(0, 0.1, (7, states)), index, draw.normal(0, 2, (points, terms))


def flow_case(trades, states, seed=0):
    draw = np.random.default_rng(seed)
    start = np.concatenate([[0], np.cumsum(draw.integers(0, 12, trades))]).astype(np.int64)
    flows = int(start[-1])
    row = draw.integers(0, 9, flows).astype(np.int32)
    return draw.uniform(0.5, 1.0, (9, states)), row, draw.normal(0, 100, flows), start


@pytest.mark.parametrize(("points", "states"), [(1, 1), (5, 33), (0, 4), (4, 0)])
def test_weighted_nodes_and_discount_factors__agree_with_their_specification(points, states):
    case = curve_case(points, states)
    expected = np.empty((points, states))
    curve.weighted_nodes_numpy(*case, expected)
    np.testing.assert_allclose(formulas.weighted_nodes(*case), expected, rtol=0, atol=1e-15)
    curve.discount_factors_numpy(*case, expected)
    np.testing.assert_allclose(formulas.discount_factors(*case), expected, rtol=2e-15)


@pytest.mark.parametrize(("trades", "states"), [(1, 1), (23, 33), (23, 75), (0, 4), (4, 0)])
def test_flow_sum_and_paid_growth__agree_with_their_specification(trades, states):
    table, row, amount, start = flow_case(trades, states)
    expected, growth = np.empty((trades, states)), np.empty((4, states))
    flow.flow_sum_numpy(table, row, amount, start[:-1], start[1:], expected)
    np.testing.assert_allclose(formulas.flow_sum(table, row, amount, start), expected, rtol=0, atol=1e-12)
    curve.paid_growth_numpy(table, *PERIODS, growth)
    np.testing.assert_allclose(formulas.paid_growth(table, *PERIODS), growth, rtol=0, atol=1e-15)


def test_sums__have_the_same_bits_for_any_range_of_states_and_trades():
    table, row, amount, start = flow_case(11, 75)
    case = curve_case(6, 75)
    pair = case[1][:, :2], case[2][:, :2]  # two nodes take a loop of their own
    whole = [
        formulas.flow_sum(table, row, amount, start),
        formulas.paid_growth(table, *PERIODS),
        formulas.discount_factors(*case),
        formulas.discount_factors(case[0], *pair),
    ]
    for states in range(1, 71):
        for offset in (0, 5):
            cut = slice(offset, offset + states)
            found = [
                formulas.flow_sum(table[:, cut], row, amount, start),
                formulas.paid_growth(table[:, cut], *PERIODS),
                formulas.discount_factors(case[0][:, cut], *case[1:]),
                formulas.discount_factors(case[0][:, cut], *pair),
            ]
            assert all(part.tobytes() == all_of[:, cut].tobytes() for part, all_of in zip(found, whole, strict=True))
    for t in range(11):
        found = formulas.flow_sum(table, row, amount, start[t : t + 2])
        assert found.tobytes() == whole[0][t : t + 1].tobytes()


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
def test_discount_factors__of_nodes_at_no_weight_have_the_bits_of_those_without(nodes):
    """Curves of different schemes stand in one table: the shorter rows repeat a node."""
    panel, index, weight = curve_case(5, 40, nodes)
    padded = np.column_stack([index, index[:, -1:]]), np.column_stack([weight, np.zeros(5)])
    whole = formulas.discount_factors(panel, *padded)
    assert whole.tobytes() == formulas.discount_factors(panel, index, weight).tobytes()


def test_discount_factors__beyond_the_range_of_normal_numbers_are_nothing_or_infinite():
    panel = np.array([[0.0, -1e300, -709.0, 709.0, np.inf, -np.inf, np.nan, 1.0, -708.0]])
    found = formulas.discount_factors(panel, np.array([[0]]), np.array([[1.0]]))[0]
    np.testing.assert_array_equal(found[:7], [1.0, 0.0, 0.0, np.inf, np.inf, 0.0, np.nan])
    np.testing.assert_allclose(found[7:], [np.e, np.exp(-708.0)], rtol=3e-16)


def test_discount_factors__are_within_an_ulp():
    x = np.random.default_rng(5).uniform(-30.0, 30.0, (1, 20_000))
    found = formulas.discount_factors(x, np.array([[0]]), np.array([[1.0]]))
    assert np.max(np.abs(found - np.exp(x.astype(np.longdouble))) / np.spacing(found)) <= 1.1


def test_a_nan_in_a_node__reaches_only_the_points_and_states_that_use_it():
    panel = np.ones((3, 4))
    panel[1, 2] = np.nan
    found = formulas.weighted_nodes(panel, np.array([[0, 2], [0, 1]]), np.full((2, 2), 0.5))
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2]]


def test_a_wrong_row_or_start__is_refused_before_memory_is_read():
    one = np.ones((2, 3))
    with pytest.raises(IndexError, match="index: rows 0 to 2 are asked for; known: 0 to 1"):
        formulas.weighted_nodes(one, np.array([[0, 2]]), np.ones((1, 2)))
    with pytest.raises(ValueError, match="weight: shape"):
        formulas.weighted_nodes(one, np.array([[0, 1]]), np.ones((1, 3)))
    with pytest.raises(IndexError, match="row: rows -1 to 0"):
        formulas.flow_sum(one, np.array([0, -1]), np.ones(2), np.array([0, 2]))
    with pytest.raises(ValueError, match="start: must ascend"):
        formulas.flow_sum(one, np.array([0, 1]), np.ones(2), np.array([0, 3]))
    with pytest.raises(ValueError, match="flow columns have lengths"):
        formulas.flow_sum(one, np.array([0, 1]), np.ones(3), np.array([0, 2]))
    with pytest.raises(ValueError, match="out is float64"):
        formulas.flow_sum(one, np.array([0, 1]), np.ones(2), np.array([0, 2]), out=np.empty((2, 2)))
    with pytest.raises(IndexError, match="paid: rows 2 to 2"):
        formulas.paid_growth(one, np.array([0]), np.array([1]), np.array([2]))


@pytest.mark.skipif(INTERPRETED, reason="compilation is switched off")
@pytest.mark.parametrize("name", ["flow_sum", "discount_factors", "paid_growth"])
def test_inner_loop__of_sums_and_discounting_works_in_vector_registers(name):
    one, zero = np.ones((2, 40)), np.zeros(1, np.int64)
    cases = {
        "flow_sum": (flow.flow_sum_loop, (one, zero, np.ones(1), zero, np.array([1]), np.empty((1, 40)))),
        "discount_factors": (curve.discount_factors_loop, (one, np.zeros((2, 2), int), np.ones((2, 2)), one.copy())),
        "paid_growth": (curve.paid_growth_loop, (one, zero, zero, zero, np.empty((1, 40)))),
    }
    compiled, args = cases[name]
    arm = platform.machine() in {"aarch64", "arm64"}
    if name == "paid_growth":
        vector, least = r"fdiv\s+v\d+\.2d" if arm else r"vdivpd\s.*%[yz]mm", 1
    else:
        vector, least = r"fml[as]\s+v\d+\.2d" if arm else r"vf\w+pd\s.*%[yz]mm", 8
    assert len(re.findall(vector, assembly(compiled.compile(args)))) >= least
