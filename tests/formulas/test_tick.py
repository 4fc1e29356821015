"""Ticks are exact: rounded half to even, marked where missing."""

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas import tick

EDGES = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2147483647.0, 2147483647.4, -2147483647.5, 2.0**52 + 1, 1e-320]


def both(values, base, scale, dtype):
    found, expected = (np.empty(values.shape, dtype) for _ in range(2))
    wide, missing = formulas.to_ticks(values, base, scale, found)
    np.testing.assert_array_equal(missing, (found == np.iinfo(dtype).min).any(axis=1))
    with np.errstate(invalid="ignore", over="ignore"):
        expected_wide, expected_missing = tick.to_ticks_numpy(values, base, scale, expected)
    np.testing.assert_array_equal(wide, expected_wide)
    np.testing.assert_array_equal(missing, expected_missing)
    return found, expected, wide


@pytest.mark.parametrize("states", [0, 1, 3, 17, 64])
def test_to_ticks__agrees_with_its_specification(states):
    draw = np.random.default_rng(states)
    values, base = draw.normal(0, 1e4, (7, states)), draw.normal(0, 1e4, 7)
    for dtype in (np.int32, np.int64):
        found, expected, wide = both(values, base, 1024.0, dtype)
        np.testing.assert_array_equal(found, expected)
        assert not wide.any()


def test_to_ticks__rounds_half_to_even():
    found, _, _ = both(np.array([EDGES[:6]]), np.zeros(1), 1.0, np.int32)
    assert found.tolist() == [[0, 2, 2, 0, -2, 0]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_to_ticks__marks_a_missing_pair_without_widening_its_row(value):
    values = np.full((2, 19), 3.0)
    values[1, 18] = value
    for dtype in (np.int32, np.int64):
        found, expected, wide = both(values, np.ones(2), 1.0, dtype)
        np.testing.assert_array_equal(found, expected)
        assert found[1, 18] == np.iinfo(dtype).min
        assert (found == 2).sum() == 37
        assert not wide.any()


@pytest.mark.parametrize(
    ("value", "wide"),
    [(2147483647.0, False), (2147483647.5, True), (-2147483647.5, True), (-2147483647.4, False), (1e300, True)],
)
def test_to_ticks__widens_only_rows_that_do_not_fit(value, wide):
    values = np.zeros((3, 21))
    values[1, 20] = value
    assert both(values, np.zeros(3), 1.0, np.int32)[2].tolist() == [False, wide, False]


def test_to_ticks__marks_what_does_not_fit_int64():
    values = np.array([[2.0**63, -(2.0**63), np.nextafter(2.0**63, 0), 1e300, 2.0**53]])
    found, expected, wide = both(values, np.zeros(1), 1.0, np.int64)
    least = np.iinfo(np.int64).min
    assert found.tolist() == expected.tolist() == [[least, least, 2**63 - 1024, least, 2**53]]
    assert not wide.any()


def test_to_ticks__refuses_other_types_and_shapes():
    with pytest.raises(ValueError, match="out is float64"):
        formulas.to_ticks(np.ones((1, 2)), np.ones(1), 1.0, np.empty((1, 2)))
    with pytest.raises(ValueError, match="base"):
        formulas.to_ticks(np.ones((1, 2)), np.ones(2), 1.0, np.empty((1, 2), np.int32))
