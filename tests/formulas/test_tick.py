"""Ticks are exact: rounded half to even, marked where missing, summed without order."""

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.formulas import tick

EDGES = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2147483647.0, 2147483647.4, -2147483647.5, 2.0**52 + 1, 1e-320]


def both(values, base, scale, dtype):
    found, expected = (np.empty(values.shape, dtype) for _ in range(2))
    wide = formulas.to_ticks(values, base, scale, found)
    with np.errstate(invalid="ignore", over="ignore"):
        expected_wide = tick.to_ticks_numpy(values, base, scale, expected)
    np.testing.assert_array_equal(wide, expected_wide)
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


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_sum_cells__does_not_depend_on_the_order_of_rows(dtype):
    draw = np.random.default_rng(8)
    ticks = draw.integers(-(2**31) + 1, 2**31, (50, 37)).astype(dtype)
    cell, use = draw.integers(0, 5, 50), draw.random(50) < 0.8
    expected = np.stack([ticks[use & (cell == c)].astype(np.int64).sum(axis=0) for c in range(5)])
    for order in (np.arange(50), draw.permutation(50)):
        out, plain = np.zeros((5, 37), np.int64), np.zeros((5, 37), np.int64)
        assert formulas.sum_cells(ticks[order], cell[order], use[order], out)
        assert tick.sum_cells_numpy(ticks[order], cell[order], use[order], plain)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(plain, expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("state", [0, 16, 20])
def test_sum_cells__says_when_a_sum_leaves_int64(sign, state):
    for add in (formulas.sum_cells, tick.sum_cells_numpy):
        ticks = np.zeros((2, 21), np.int64)
        ticks[:, state] = sign * (2**62)
        ticks[1, state] += -1 if sign > 0 else 0
        one, both_rows = np.zeros(2, np.int64), np.ones(2, bool)
        assert add(ticks, one, both_rows, np.zeros((1, 21), np.int64))
        ticks[1, state] += sign
        with np.errstate(over="ignore"):
            assert not add(ticks, one, both_rows, np.zeros((1, 21), np.int64))


def test_sum_cells__refuses_a_cell_that_does_not_exist_unless_its_row_is_unused():
    ticks, out = np.ones((2, 3), np.int32), np.zeros((1, 3), np.int64)
    with pytest.raises(IndexError, match="cell: rows 0 to 1 are asked for; known: 0 to 0"):
        formulas.sum_cells(ticks, np.array([0, 1]), np.array([True, True]), out)
    assert formulas.sum_cells(ticks, np.array([0, -1]), np.array([True, False]), out)
    assert out.tolist() == [[1, 1, 1]]
    with pytest.raises(ValueError, match="out is int32"):
        formulas.sum_cells(ticks, np.array([0, 0]), np.array([True, True]), ticks)


def test_add_exactly__adds_in_place_and_sees_overflow():
    total = np.array([[1, 2**62]])
    assert formulas.add_exactly(total, np.array([[2, 2**62 - 1]]))
    assert total.tolist() == [[3, 2**63 - 1]]
    assert not formulas.add_exactly(total, np.array([[0, 1]]))
