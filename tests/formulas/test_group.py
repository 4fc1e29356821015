"""Sums of ticks are exact, whatever the order of rows, the number of threads or the shape of the tree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid import formulas
from riskgrid.formulas import group

LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_sum_cells__does_not_depend_on_the_order_of_rows(dtype):
    draw = np.random.default_rng(8)
    ticks = draw.integers(-(2**31) + 1, 2**31, (50, 37)).astype(dtype)
    cell, use = draw.integers(0, 5, 50), draw.random(50) < 0.8
    expected = np.stack([ticks[use & (cell == c)].astype(np.int64).sum(axis=0) for c in range(5)])
    for order in (np.arange(50), draw.permutation(50)):
        out, plain = np.zeros((5, 37), np.int64), np.zeros((5, 37), np.int64)
        assert formulas.sum_cells(ticks[order], cell[order], use[order], out)
        assert group.sum_cells_numpy(ticks[order], cell[order], use[order], plain)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(plain, expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("state", [0, 16, 20])
def test_sum_cells__says_when_a_sum_leaves_int64(sign, state):
    for add in (formulas.sum_cells, group.sum_cells_numpy):
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


@pytest.mark.parametrize("states", [0, 1, 7, 64])
@pytest.mark.parametrize("rows", [0, 1, 3, 4, 9, 200])
def test_sum_cells__of_narrow_ticks_agrees_with_its_specification(rows, states):
    draw = np.random.default_rng(rows + states)
    ticks = draw.integers(-(2**31), 2**31, (rows, states)).astype(np.int32)
    cell, use = draw.integers(0, 6, rows), draw.random(rows) < 0.7
    found, expected = (np.full((6, states), 5, np.int64) for _ in range(2))
    assert formulas.sum_cells(ticks, cell, use, found)
    assert group.sum_cells_numpy(ticks, cell, use, expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_sum_cells__of_narrow_ticks_says_when_a_sum_leaves_int64(sign, rows):
    ticks = np.full((rows, 9), sign, np.int32)
    cell, use = np.zeros(rows, np.int64), np.ones(rows, bool)
    edge = MOST if sign > 0 else LEAST
    for room, fits in ((rows, True), (rows - 1, False)):
        out = np.zeros((1, 9), np.int64)
        out[0, 8] = edge - sign * room
        assert formulas.sum_cells(ticks, cell, use, out) == fits


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
@pytest.mark.parametrize("groups", [1, 2, 5, 40])
def test_sum_groups__does_not_depend_on_threads(groups, threads):
    draw = np.random.default_rng(groups)
    ticks = draw.integers(-(2**31), 2**31, (61, 13)).astype(np.int32)
    code = draw.integers(0, groups, 61)
    expected = np.zeros((groups, 13), np.int64)
    np.add.at(expected, code, ticks)
    np.testing.assert_array_equal(formulas.sum_groups(ticks, code, groups, threads=threads), expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_sum_groups__of_nothing_is_nothing(threads):
    none, no_code = np.zeros((0, 4), np.int32), np.zeros(0, np.int64)
    assert formulas.sum_groups(none, no_code, 0, threads=threads).shape == (0, 4)
    assert formulas.sum_groups(none, no_code, 3, threads=threads).tolist() == [[0] * 4] * 3


@pytest.mark.parametrize("threads", [1, 3])
def test_sum_groups__refuses_a_code_that_is_no_group(threads):
    with pytest.raises(IndexError, match="rows 0 to 2 are asked for; known: 0 to 1"):
        formulas.sum_groups(np.ones((3, 1), np.int32), np.array([0, 1, 2]), 2, threads=threads)


@st.composite
def trees(draw):
    """Parents before children, and rows at any nodes."""
    parent = [0] + [draw(st.integers(0, at)) for at in range(draw(st.integers(0, 12)))]
    node = draw(st.lists(st.integers(0, len(parent) - 1), max_size=20))
    return np.array(parent), np.array(node, np.int64)


@given(trees(), st.sampled_from([0, 1, 3, 255, 256, 257]), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_sum_tree__gives_every_node_what_lies_at_it_and_below(tree, states, seed):
    parent, node = tree
    draw = np.random.default_rng(seed)
    ticks = draw.integers(-(2**40), 2**40, (30, states))
    rows = draw.permutation(30)[: len(node)]
    money, plain = np.empty((len(parent), states)), np.empty((len(parent), states))
    whole = np.empty((len(parent), states), np.int64)
    assert formulas.sum_tree(ticks, rows, node, parent, 2.0**-10, out=money)
    assert formulas.sum_tree(ticks, rows, node, parent, 1, out=whole)
    assert group.sum_tree_numpy(ticks, rows, node, parent, 2.0**-10, plain)
    assert money.tobytes() == plain.tobytes() == (whole * 2.0**-10).tobytes()
    for at in range(len(parent)):
        below = [at]
        for child in range(at + 1, len(parent)):
            below += [child] if parent[child] in below and child else []
        assert whole[at].tolist() == ticks[rows[np.isin(node, below)]].sum(axis=0).tolist()


@pytest.mark.parametrize("sum_tree", [formulas.sum_tree, None])
def test_sum_tree__says_when_a_node_leaves_int64(sum_tree):
    ticks, node, parent = np.array([[MOST - 1, 5], [1, 5], [1, -5]]), np.array([1, 2, 2]), np.array([0, 0, 0])
    out = np.empty((3, 2))

    def summed(rows):
        if sum_tree is None:
            with np.errstate(over="ignore"):
                return group.sum_tree_numpy(ticks, np.arange(rows), node[:rows], parent, 1.0, out)
        return sum_tree(ticks, np.arange(rows), node[:rows], parent, 1.0, out=out)

    assert summed(2)
    assert out[0].tolist() == [float(MOST), 10.0]
    assert not summed(3)


def test_sum_tree__refuses_what_is_no_tree_and_other_shapes():
    ticks, out = np.ones((2, 1), np.int64), np.empty((2, 1))
    rows = np.arange(2)
    with pytest.raises(IndexError, match="parents come first"):
        formulas.sum_tree(ticks, rows, rows, np.array([0, 1]), 1.0, out=out)
    with pytest.raises(IndexError, match="node: rows 0 to 2"):
        formulas.sum_tree(ticks, rows, np.array([0, 2]), np.array([0, 0]), 1.0, out=out)
    with pytest.raises(IndexError, match="rows: rows 1 to 2"):
        formulas.sum_tree(ticks, rows + 1, rows, np.array([0, 0]), 1.0, out=out)
    with pytest.raises(ValueError, match=r"they must be \(2, 1\)"):
        formulas.sum_tree(ticks, rows, rows, np.array([0, 0]), 1.0, out=np.empty((2, 2)))
