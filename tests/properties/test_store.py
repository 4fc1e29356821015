"""What is stored is read back to the bit, and codes of labels mean what they stand for."""

import math
import tempfile
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.cube import code_labels
from riskgrid.store import Store
from riskgrid.store.container import from_file, to_chunks
from riskgrid.terms import Names

bounded = settings(max_examples=60, deadline=None)
TYPES = st.sampled_from(["i4", "i8", "u1", "f8", "?", "M8[D]"]).map(np.dtype)
ARRAYS = TYPES.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)))
PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10)
NAMED = st.dictionaries(st.text(min_size=1, max_size=8), ARRAYS, max_size=4)


def assert_same(found, kept):
    assert list(found) == list(kept)
    for name, array in kept.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert not found[name].flags.writeable


@bounded
@given(st.dictionaries(st.text(max_size=5), PLAIN, max_size=3), NAMED)
def test_a_file_of_arrays_is_read_as_it_was_written(meta, named):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(b"".join(bytes(chunk) for chunk in to_chunks(meta, named)))
        found_meta, found, _ = from_file(path)
        assert found_meta == meta
        assert_same(found, named)


@bounded
@given(NAMED, st.integers(0, 200))
def test_a_shortened_file_is_never_read_as_a_whole_one(named, missing):
    with tempfile.TemporaryDirectory() as folder:
        content = b"".join(bytes(chunk) for chunk in to_chunks({}, named))
        path = Path(folder) / "file"
        path.write_bytes(content[: max(len(content) - 1 - missing, 0)])
        try:
            found = from_file(path)
        except (OSError, ValueError, EOFError, KeyError):
            return
        raise AssertionError(f"{missing + 1} bytes were missing, and {found} was read")


@bounded
@given(NAMED)
def test_a_store_keeps_the_first_of_a_key(named):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        assert store.put("blocks", "ab12", {"one": 1}, named) > 0
        assert store.put("blocks", "ab12", {"two": 2}, {}) == 0
        assert dict(store.get("blocks", "ab12").meta) == {"one": 1}
        assert_same(store.get("blocks", "ab12").arrays, named)


@bounded
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "z", "ä"])), max_size=40))
def test_code_labels__decode_to_the_labels_of_each_trade(pairs):
    columns = {label: Names.of([pair[at] for pair in pairs])[:, 0] for at, label in enumerate(("desk", "book"))}
    codes = code_labels(("desk", "book"), columns, len(pairs))
    assert [codes.values[code] for code in codes.code] == pairs
    assert list(codes.values) == sorted(set(pairs))


@bounded
@given(st.lists(st.sampled_from(["EMEA", "AMER", "APAC"]), min_size=1, max_size=30))
def test_code_labels__by_no_label_is_one_node(names):
    codes = code_labels((), {}, len(names))
    assert codes.values == ((),)
    assert math.prod(codes.code.shape) == len(names)
    assert not codes.code.any()
