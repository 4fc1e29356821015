"""Sums over nodes and flows keep their order, whatever the tile."""

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas import curve, flow


def curve_case(points, states, terms=3):
    draw = np.random.default_rng(points + states)
    index = draw.integers(0, 7, (points, terms)).astype(np.int32)
    return draw.normal(0, 0.1, (7, states)), index, draw.normal(0, 2, (points, terms))


def flow_case(trades, states, seed=0):
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 12, trades)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    flows = int(start[-1])
    period_row, pay_row = (draw.integers(0, 9, flows).astype(np.int32) for _ in range(2))
    ends = [draw.uniform(0.5, 1.0, (9, states)) for _ in range(3)]
    return ends, period_row, pay_row, draw.normal(0, 100, flows), draw.normal(0, 5, flows), start


@pytest.mark.parametrize(("points", "states"), [(1, 1), (5, 33), (0, 4), (4, 0)])
def test_weighted_nodes_and_discount_factors__agree_with_their_specification(points, states):
    case = curve_case(points, states)
    expected = np.empty((points, states))
    curve.weighted_nodes_numpy(*case, expected)
    np.testing.assert_allclose(formulas.weighted_nodes(*case), expected, rtol=0, atol=1e-15)
    curve.discount_factors_numpy(*case, expected)
    np.testing.assert_allclose(formulas.discount_factors(*case), expected, rtol=2e-15)


@pytest.mark.parametrize(("trades", "states"), [(1, 1), (23, 33), (0, 4), (4, 0)])
def test_flow_sum_and_floating_sum__agree_with_their_specification(trades, states):
    ends, period_row, pay_row, weight, fixed, start = flow_case(trades, states)
    expected, growth = np.empty((trades, states)), np.empty((9, states))
    flow.flow_sum_numpy(ends[2], pay_row, weight, start, expected)
    np.testing.assert_allclose(formulas.flow_sum(ends[2], pay_row, weight, start), expected, rtol=0, atol=1e-12)
    flow.floating_sum_numpy(*ends, period_row, pay_row, weight, fixed, start, growth, expected)
    found = formulas.floating_sum(*ends, period_row, pay_row, weight, fixed, start)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_sums__have_the_same_bits_for_any_range_of_states_and_trades():
    ends, period_row, pay_row, weight, fixed, start = flow_case(11, 75)
    case = curve_case(6, 75)
    whole = [
        formulas.flow_sum(ends[2], pay_row, weight, start),
        formulas.floating_sum(*ends, period_row, pay_row, weight, fixed, start),
        formulas.discount_factors(*case),
    ]
    for states in range(1, 71):
        for offset in (0, 5):
            cut = slice(offset, offset + states)
            found = [
                formulas.flow_sum(ends[2][:, cut], pay_row, weight, start),
                formulas.floating_sum(*[end[:, cut] for end in ends], period_row, pay_row, weight, fixed, start),
                formulas.discount_factors(case[0][:, cut], *case[1:]),
            ]
            assert all(part.tobytes() == all_of[:, cut].tobytes() for part, all_of in zip(found, whole, strict=True))
    for t in range(11):
        found = formulas.flow_sum(ends[2], pay_row, weight, start[t : t + 2])
        assert found.tobytes() == whole[0][t : t + 1].tobytes()


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
    row, start = np.array([0]), np.array([0, 1])
    with pytest.raises(ValueError, match="states everywhere"):
        formulas.floating_sum(one, one[:, :2], one, row, row, np.ones(1), np.ones(1), start)
