"""Blocks cover every row once, nest, and stay where they are when rows far away change."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.engine.cut import cut, pieces

bounded = settings(max_examples=100, deadline=None)
HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=200).map(lambda found: np.sort(np.array(found, dtype=np.uint64)))
SIZES = st.sampled_from([1, 2, 4, 16, 64])


@st.composite
def rows(draw):
    """Sorted group and row hashes."""
    group = draw(st.lists(st.sampled_from([0, 1, 7, 2**40, 2**63, 2**64 - 1]), max_size=150))
    hashes = draw(st.lists(st.integers(0, 2**64 - 1), min_size=len(group), max_size=len(group)))
    both = np.array(list(zip(group, hashes, strict=True)), dtype=np.uint64).reshape(-1, 2)
    return both[np.lexsort((both[:, 1], both[:, 0]))]


def assert_cover(ranges, count):
    edges = [0, *(stop for _, stop in ranges)]
    assert [start for start, _ in ranges] == edges[:-1]
    assert edges[-1] == count
    assert all(start < stop for start, stop in ranges)


@bounded
@given(HASHES, SIZES)
def test_pieces_cover_every_row_once_and_are_small_where_hashes_allow(hashes, most):
    found = list(pieces(hashes, most))
    assert_cover(found, len(hashes))
    for start, stop in found:
        assert stop - start <= most or len(np.unique(hashes[start:stop])) == 1
    for (_, stop), (start, _) in itertools.pairwise(found):
        assert hashes[stop - 1] != hashes[start]


@bounded
@given(HASHES, SIZES, SIZES)
def test_pieces_of_two_sizes_nest(hashes, one, other):
    small, large = (list(pieces(hashes, most)) for most in sorted((one, other)))
    edges = {start for start, _ in small}
    assert {start for start, _ in large} <= edges


@bounded
@given(rows(), SIZES, st.booleans())
def test_cut__covers_every_row_once_and_keeps_to_its_size(table, size, flows):
    group, hashes = table.T
    found = cut(group, hashes, size, flows=flows)
    assert_cover(found, len(group))
    for start, stop in found:
        one_group = len(np.unique(group[start:stop])) == 1
        assert stop - start <= size or (one_group and len(np.unique(hashes[start:stop])) == 1)


@bounded
@given(rows(), SIZES, st.booleans(), st.randoms(use_true_random=False))
def test_cut__moves_few_edges_when_a_row_is_taken_out(table, size, flows, random):
    if len(table) < 2:
        return
    gone = random.randrange(len(table))
    before = blocks(table, size, flows)
    after = blocks(np.delete(table, gone, axis=0), size, flows)
    untouched = {block for block in before if tuple(table[gone].tolist()) not in block}
    # whatever still stands apart was near the row: it merged with its neighbours, and only with them
    merged = untouched - after
    assert len(after - before) <= 1
    assert set().union(*merged) <= set().union(*(after - before)) if merged else True


def blocks(table, size, flows):
    """Blocks as sets of rows."""
    group, hashes = table.T
    ranges = cut(np.ascontiguousarray(group), np.ascontiguousarray(hashes), size, flows=flows)
    return {frozenset(map(tuple, table[start:stop].tolist())) for start, stop in ranges}
