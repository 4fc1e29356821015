import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.engine.cut import cut, pieces

SIZE = 64


def table(rng, rows, groups):
    """Sorted (group, row) hashes, groups of very different size, some rows equal."""
    names = rng.integers(0, 2**64, groups, dtype=np.uint64)
    group = names[np.minimum(rng.geometric(0.2, rows) - 1, groups - 1)]
    row = rng.integers(0, 2**64, rows, dtype=np.uint64)
    row[rng.integers(0, rows, rows // 20)] = row[0]
    order = np.lexsort((row, group))
    return group[order], row[order]


def blocks(group, row, flows, ids):
    return {tuple(ids[start:stop].tolist()) for start, stop in cut(group, row, SIZE, flows=flows)}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 1500), st.integers(1, 60), st.booleans())
def test_cut__after_a_row_is_removed_changes_two_blocks_at_most(seed, rows, groups, flows):
    rng = np.random.default_rng(seed)
    group, row = table(rng, rows, groups)
    ids = np.arange(rows)
    lost = int(rng.integers(rows))
    before = blocks(group, row, flows, ids)
    after = blocks(*(np.delete(column, lost) for column in (group, row)), flows, np.delete(ids, lost))
    assert len(before - after) <= 2
    assert len(after - before) <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 1500), st.integers(1, 60), st.booleans())
def test_cut__covers_every_row_once_in_order_within_the_size(seed, rows, groups, flows):
    rng = np.random.default_rng(seed)
    group, row = table(rng, rows, groups)
    found = cut(group, row, SIZE, flows=flows)
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == rows
    for start, stop in found:
        alone = len(np.unique(group[start:stop])) == 1
        most = SIZE if alone else SIZE // (2 if flows else 16)
        assert stop - start <= max(most, np.unique(row[start:stop], return_counts=True)[1].max(initial=0))


def test_cut__at_half_the_size_only_divides_blocks():
    rng = np.random.default_rng(3)
    group, row = np.zeros(3000, np.uint64), np.sort(rng.integers(0, 2**64, 3000, dtype=np.uint64))
    coarse = {start for start, _ in cut(group, row, 256, flows=False)}
    assert coarse <= {start for start, _ in cut(group, row, 128, flows=False)}


def test_cut__pools_small_groups_and_more_of_them_for_cash_flows():
    group = np.sort(np.random.default_rng(1).integers(0, 2**64, 512, dtype=np.uint64))
    row = np.zeros(512, np.uint64)
    assert len(cut(group, row, SIZE, flows=True)) < len(cut(group, row, SIZE, flows=False)) < 512


def test_cut__keeps_equal_rows_together_however_many():
    same = np.full(500, 7, np.uint64)
    assert cut(same, same, SIZE, flows=False) == [(0, 500)]


def test_cut__of_no_rows_makes_no_block():
    none = np.zeros(0, np.uint64)
    assert cut(none, none, SIZE, flows=False) == []
    assert list(pieces(none, 10)) == []


@pytest.mark.parametrize("most", [1, 7, 100])
def test_pieces__hold_no_more_than_they_may(most):
    hashes = np.sort(np.random.default_rng(2).integers(0, 2**64, 300, dtype=np.uint64))
    found = list(pieces(hashes, most))
    assert max(stop - start for start, stop in found) <= most
    assert sum(stop - start for start, stop in found) == 300
