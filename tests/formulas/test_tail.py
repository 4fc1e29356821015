"""The tail of a distribution is what a full sort would put first."""

import numpy as np
import pytest

from riskgrid import formulas


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_tail__is_the_front_of_a_full_stable_sort(count):
    values = np.random.default_rng(count).integers(-5, 5, (9, 40)).astype(float)
    values[3, ::3] = np.nan
    values[4] = np.nan
    values[5, 0] = -np.inf
    np.testing.assert_array_equal(formulas.tail_select(values, count), np.sort(values, axis=1)[:, :count])
    expected = np.argsort(values, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(formulas.tail_index(values, count), expected)


def test_tail__of_no_rows_is_empty():
    assert formulas.tail_select(np.empty((0, 5)), 2).shape == (0, 2)
    assert formulas.tail_index(np.empty((0, 5)), 2).shape == (0, 2)


@pytest.mark.parametrize("count", [-1, 6])
def test_tail__refuses_a_count_outside_the_scenarios(count):
    with pytest.raises(ValueError, match="it must be between 0 and 5"):
        formulas.tail_select(np.ones((2, 5)), count)
    with pytest.raises(ValueError, match="it must be between 0 and 5"):
        formulas.tail_index(np.ones((2, 5)), count)
