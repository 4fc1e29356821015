import itertools

import numpy as np
import pytest

from riskgrid.formulas import row_checksums
from riskgrid.store.container import from_file, to_chunks

META = {"names": ["é", "b"], "deep": {"x": 1.5, "none": None}}
ARRAYS = {
    "ticks": np.arange(12, dtype=np.int32).reshape(3, 4),
    "wide": np.array([[2**62]]),
    "base": np.array([1.5, np.nan, -0.0]),
    "dates": np.array(["2016-07-01", "NaT"], "datetime64[D]"),
    "flags": np.array([True, False]),
    "bytes": np.arange(5, dtype=np.uint8),
    "empty": np.zeros((0, 7)),
    "columns": np.arange(6.0).reshape(2, 3).T,
    "nothing": np.zeros(0, np.int64),
}


def write(path, meta=META, arrays=ARRAYS):
    path.write_bytes(b"".join(bytes(chunk) for chunk in to_chunks(meta, arrays)))
    return path


def test_file__gives_back_every_bit_type_and_shape(tmp_path):
    meta, arrays, rows = from_file(write(tmp_path / "a"))
    assert rows == {}
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_file__is_mapped_and_read_only(tmp_path):
    _, arrays, _ = from_file(write(tmp_path / "a"))
    assert not any(array.flags.writeable for array in arrays.values())
    assert not any(array.flags.owndata for array in arrays.values())
    with pytest.raises(ValueError, match="read-only"):
        arrays["ticks"][0, 0] = 1


def test_file__of_the_same_is_the_same_bytes(tmp_path):
    one = write(tmp_path / "a", {"a": 1, "b": 2}).read_bytes()
    assert write(tmp_path / "b", {"b": 2, "a": 1}).read_bytes() == one


def test_file__may_hold_no_array(tmp_path):
    assert from_file(write(tmp_path / "a", {}, {})) == ({}, {}, {})


def test_file__that_ends_early_is_refused_wherever_it_ends(tmp_path):
    whole = write(tmp_path / "a").read_bytes()
    cut = tmp_path / "cut"
    # the last array is empty, so every shorter file lacks something
    for size in itertools.chain(range(0, len(whole), 7), [len(whole) - 1]):
        cut.write_bytes(whole[:size])
        with pytest.raises((ValueError, KeyError, EOFError)):
            from_file(cut)


def test_file__never_unpickles(tmp_path):
    with pytest.raises((TypeError, ValueError)):
        to_chunks({}, {"objects": np.array([object()])})
    path = tmp_path / "pickled"
    with path.open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="plain rows of numbers are right"):
        from_file(path)


def test_file__of_another_npy_version_is_refused(tmp_path):
    path = tmp_path / "later"
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.arange(3), version=(2, 0))
    with pytest.raises(ValueError, match=r"version \(2, 0\); \(1, 0\) is right"):
        from_file(path)


def by_row(path, **changed):
    arrays = {"base": np.arange(3.0), "ticks": np.arange(12, dtype=np.int32).reshape(3, 4), **changed}
    chunks = to_chunks({"a": 1}, arrays, by_row=("ticks", "wide", "absent"))
    path.write_bytes(b"".join(bytes(chunk) for chunk in chunks))
    return path


@pytest.mark.parametrize("mapped", [True, False])
def test_file__keeps_arrays_by_row_apart_with_their_checksums(tmp_path, mapped):
    wide = np.array([[2**62, 1]])
    meta, arrays, rows = from_file(by_row(tmp_path / "a", wide=wide), mapped=mapped)
    assert (meta, list(arrays)) == ({"a": 1}, ["base"])
    assert rows["ticks"][0].tolist() == np.arange(12).reshape(3, 4).tolist()
    for array, checksums in rows.values():
        assert checksums.tolist() == row_checksums(array).tolist()
        assert not array.flags.writeable
    assert rows["wide"][0].tolist() == wide.tolist()


def test_file__by_row_finds_every_flipped_bit_at_opening_or_in_its_row(tmp_path):
    path = by_row(tmp_path / "a")
    whole = path.read_bytes()
    ticks = len(whole) - 48
    at_opening = 0
    for place in range(len(whole)):
        for bit in range(0, 8, 1 if place >= ticks else 3):
            content = bytearray(whole)
            content[place] ^= 1 << bit
            path.write_bytes(content)
            try:
                meta, arrays, rows = from_file(path, mapped=False)
            except (ValueError, KeyError, TypeError, EOFError):
                at_opening += 1
                assert place < ticks, "the ticks are none of the opening's business"
                continue
            array, checksums = rows["ticks"]
            wrong = np.flatnonzero(row_checksums(array) != checksums).tolist()
            if place >= ticks:
                assert wrong == [(place - ticks) // 16]
            else:  # a bit that says nothing, of the header that says how long the text is
                assert place < 128
                assert not wrong
                assert (meta, arrays["base"].tolist()) == ({"a": 1}, [0.0, 1.0, 2.0])
    assert at_opening > 1000
