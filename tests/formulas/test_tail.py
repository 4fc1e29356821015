"""The tail of a distribution is what a full sort would put first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid import formulas
from riskgrid.formulas import tail

LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def searched(values, count, lanes=128):
    """What the loop finds, compiled or not, and what became of each row."""
    index, lowest = np.full((len(values), count), -1), np.zeros((len(values), count), values.dtype)
    state = np.full(len(values), 9, np.uint8)
    tail.tail_loop(values, count, lanes, index, lowest, state)
    return index, lowest, state


def assert_front(values, count):
    expected = np.argsort(values, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(formulas.tail_index(values, count), expected)
    np.testing.assert_array_equal(formulas.tail_select(values, count), np.sort(values, axis=1)[:, :count])


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_tail__is_the_front_of_a_full_stable_sort(count):
    values = np.random.default_rng(count).integers(-5, 5, (9, 40)).astype(float)
    values[3, ::3] = np.nan
    values[4] = np.nan
    values[5, 0] = -np.inf
    assert_front(values, count)


@pytest.mark.parametrize("scenarios", [256, 300, 1000])
@pytest.mark.parametrize("count", [1, 10, 25, 64])
def test_tail__of_long_rows_is_the_front_of_a_full_stable_sort(count, scenarios):
    draw = np.random.default_rng(count)
    values = draw.standard_t(3, (12, scenarios))
    values[1] = draw.integers(-3, 3, scenarios)  # ties everywhere
    values[2] = 0.0
    values[3, :count] = -1e9  # in lanes side by side
    values[4] = np.sort(values[4])
    values[5] = -np.sort(-values[5])
    values[6, ::128] = -1e6 - np.arange(len(values[6, ::128]))  # all in one lane
    values[7, 5] = -np.inf
    values[8, : count + 1] = -np.inf
    values[9, 7:] = np.inf
    values[10, 30] = np.nan
    values[11] = np.where(draw.random(scenarios) < 0.5, 0.0, -0.0)
    assert_front(values, count)
    assert_front(np.nan_to_num(values * 1e3, nan=0.0, posinf=2**40, neginf=-(2**40)).astype(np.int64), count)


@given(st.integers(1, 64), st.integers(0, 10_000), st.sampled_from([2, 50, 2**60]))
@settings(max_examples=40, deadline=None)
def test_tail__of_ticks_is_the_front_of_a_full_stable_sort(count, seed, size):
    draw = np.random.default_rng(seed)
    ticks = draw.integers(-size, size, (3, int(draw.integers(256, 400))))
    ticks[0, draw.integers(0, 200, 3)] = LEAST
    ticks[1, draw.integers(0, 200, 3)] = MOST
    assert_front(ticks, count)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_tail_loop__agrees_with_its_specification_or_leaves_the_row_to_it(dtype):
    values = np.random.default_rng(3).integers(-1000, 1000, (3, 300)).astype(dtype)
    values[2] = 4
    index, lowest, state = searched(values, 20)
    assert state.tolist() == [tail.WHOLE, tail.WHOLE, tail.CROWDED]
    np.testing.assert_array_equal(index[:2], tail.tail_index_numpy(values[:2], 20))
    np.testing.assert_array_equal(lowest[:2], tail.tail_select_numpy(values[:2], 20))


def test_tail_loop__sees_a_missing_value_wherever_it_stands():
    values = np.zeros((300, 300)) + np.arange(300.0)
    np.fill_diagonal(values, np.nan)
    assert (searched(values, 2)[2] == tail.MISSING).all()


def test_lowest_values__of_a_row_with_a_missing_value_are_nothing():
    for scenarios in (40, 400):
        values = np.random.default_rng(5).normal(size=(4, scenarios))
        values[2] = 1.0
        expected = np.sort(values, axis=1)[:, :3]
        values[1, 3], expected[1] = np.nan, 0.0
        lowest, missing = formulas.lowest_values(values, 3)
        assert missing.tolist() == [False, True, False, False]
        np.testing.assert_array_equal(lowest, expected)


@pytest.mark.parametrize("scenarios", [1, 5, 500])
def test_tail__of_no_rows_is_empty(scenarios):
    none = np.empty((0, scenarios))
    assert formulas.tail_select(none, 1).shape == (0, 1)
    assert formulas.tail_index(none, 1).shape == (0, 1)
    assert formulas.lowest_values(none, 1)[1].shape == (0,)


@pytest.mark.parametrize("count", [-1, 6])
@pytest.mark.parametrize("function", [formulas.tail_select, formulas.tail_index, formulas.lowest_values])
def test_tail__refuses_a_count_outside_the_scenarios(function, count):
    with pytest.raises(ValueError, match="it must be between 0 and 5"):
        function(np.ones((2, 5)), count)


@pytest.mark.parametrize(("low", "high"), [(LEAST, MOST), (-3, -3), (2, 5), (-7, 4)])
def test_between__stays_whole_and_in_range(low, high):
    middle = tail.between(np.int64(low), np.int64(high))
    assert isinstance(middle, np.int64)
    assert low - 1 <= middle <= high
    assert tail.between(1.0, 2.0) == 1.5
