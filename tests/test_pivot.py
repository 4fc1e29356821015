"""A tree of labels has every prefix of what occurs once, parents first, in sorted order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid import pivot
from riskgrid.errors import BadSpec
from riskgrid.pivot import Codes, Pivot
from riskgrid.terms import Names

LABELS = ("region", "desk", "book")


def columns_of(rows, depth):
    return {label: Names.of([row[at] for row in rows] or [""])[: len(rows)] for at, label in enumerate(LABELS[:depth])}


@given(
    st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "\u00e9", "zz"])] * 3), max_size=30),
    st.integers(0, 3),
    st.integers(0, 2**30),
)
@settings(max_examples=100, deadline=None)
def test_pivot__is_the_sorted_set_of_prefixes(rows, depth, chosen):
    use = np.array([bool(chosen >> at & 1) for at in range(len(rows))], np.bool_)
    tree = Pivot.of(LABELS[:depth], columns_of(rows, depth), use)
    kept = [row[:depth] for row, used in zip(rows, use, strict=True) if used]
    expected = sorted({row[:level] for row in kept for level in range(depth + 1)} | {()})
    paths = [tuple(tree.names[label][at] for label in LABELS[: tree.depth[at]]) for at in range(len(tree.depth))]
    assert paths == expected
    assert all(paths[up] == path[:-1] for path, up in zip(paths, tree.parent, strict=True))
    assert [paths[node] for node in tree.node[tree.leaf]] == kept
    assert tree.rows.tolist() == np.flatnonzero(use).tolist()
    for column, label in enumerate(LABELS[:depth]):
        assert all(text == "" for text, deep in zip(tree.names[label], tree.depth, strict=True) if deep <= column)


def test_pivot__of_labels_with_many_names_is_the_same_as_of_few(monkeypatch):
    draw = np.random.default_rng(0)
    columns = {
        label: Names(draw.integers(0, 90, 500).astype(np.int32), tuple(f"{at:02}" for at in range(90)))
        for label in LABELS
    }
    marked = Pivot.of(LABELS, columns, np.ones(500, bool))
    monkeypatch.setattr(pivot, "_MARKED", 10**9)
    other = Pivot.of(LABELS, columns, np.ones(500, bool))
    for name in ("leaf", "node", "parent", "depth"):
        assert getattr(marked, name).tolist() == getattr(other, name).tolist()


def test_pivot__refuses_more_nodes_than_it_should_answer(monkeypatch):
    monkeypatch.setattr(pivot, "MOST_NODES", 2)
    desks = Names(np.arange(3, dtype=np.int32), ("a", "b", "c"))
    with pytest.raises(BadSpec, match="3 nodes by desk; at most 2 are answered at once: narrow the question"):
        Pivot.of(("desk",), {"desk": desks}, np.ones(3, bool))
    assert len(Pivot.of(("desk",), {"desk": desks}, np.array([True, False, True])).node) == 2


def test_codes__come_apart_into_their_labels():
    columns = Codes(("desk", "book"), (("FX", "B"), ("FX", "C"), ("Rates", "A")), np.arange(3)).columns
    assert {label: column.texts().tolist() for label, column in columns.items()} == {
        "desk": ["FX", "FX", "Rates"],
        "book": ["B", "C", "A"],
    }
    assert Codes(("desk",), (), np.zeros(0, np.int64)).columns["desk"].texts().shape == (0,)
