import datetime
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.hashing import digest, file_digest, name_hash, row_hash, short


def nan(payload):
    return struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000 | payload))[0]


def test_digest__does_not_change_between_releases():
    # a store outlives a release: another digest here means that every stored block is lost
    assert digest().hex() == "3345524abf6bbe1809449224b5972c41790b6cf2"
    parts = ("text", 1, 1.5, True, None, b"raw", datetime.date(2016, 7, 1), [1, "a"], {"b": 2, "a": np.arange(3)})
    assert digest(*parts).hex() == "88cb38e3dd8ab9c44b70d840da608c14a3cff5cd"


def test_row_hash__does_not_change_between_releases():
    # it decides where a portfolio is cut, hence every key
    columns = [np.array([0.0, 1.5]), np.array([-1, 7]), np.array(["2016-07-01", "NaT"], "datetime64[D]")]
    assert [hex(one) for one in row_hash([*columns, np.array([name_hash("USD")] * 2)]).tolist()] == [
        "0xd9ab54952f8bafe2",
        "0x5fbaff76a06624e3",
    ]
    assert hex(int(name_hash("USD"))) == "0x3106b8c3ffe80c42"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ([1, 2], (1, 2)),
        (nan(0), nan(99)),
        (np.array([1.0, nan(0)]), np.array([1.0, nan(7)])),
        (np.float64(2.0), 2.0),
        (np.int32(2), 2),
        (np.True_, True),
        (b"x", bytearray(b"x")),
        (datetime.date(2016, 7, 1), np.datetime64("2016-07-01")),
        (np.array(["2016-07-01"], "datetime64[ns]"), np.array(["2016-07-01"], "datetime64[D]")),
        (np.array(["a", "bc"]), np.array(["a", "bc"], object)),
        (np.array(["a", "bc"]), np.array(["a", "bc"], np.dtypes.StringDType())),
        (np.arange(6.0).reshape(2, 3).T.copy(), np.arange(6.0).reshape(2, 3).T),
        (np.arange(3, dtype=">i8"), np.arange(3, dtype="<i8")),
        (np.array(["NaT"], "datetime64[s]"), np.array(["NaT"], "datetime64[D]")),
    ],
)
def test_digest__of_the_same_is_the_same(one, other):
    assert digest(one) == digest(other)
    assert digest({"nested": [one]}) == digest({"nested": [other]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (1, "1"),
        ("a", b"a"),
        (None, ""),
        (0.0, -0.0),
        (np.array([0.0]), np.array([-0.0])),
        (np.array([1, 2], np.int32), np.array([1, 2], np.int64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(0), np.zeros((0, 1))),
        (np.array(["ab", "c"]), np.array(["a", "bc"])),
        (np.array(["2016-07-01"], "datetime64[D]"), np.array(["2016-07-01"], "datetime64[D]").astype(np.int64)),
        ([[1], 2], [1, [2]]),
        ([1, 2], [2, 1]),
        ({"a": 1}, [["a", 1]]),
        (np.nan, None),
        ([], {}),
    ],
)
def test_digest__of_what_differs_differs(one, other):
    assert digest(one) != digest(other)


def test_digest__refuses_what_has_no_canonical_bytes():
    with pytest.raises(TypeError, match="no canonical bytes for object"):
        digest([object()])


@settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=20))
def test_row_hash__of_a_row_depends_on_that_row_alone(values):
    column = np.array(values)
    whole = row_hash([column, column[::-1]])
    for at in range(len(values)):
        assert whole[at] == row_hash([column[at : at + 1], column[::-1][at : at + 1]])[0]


def test_row_hash__takes_every_nan_and_every_zero_for_one():
    found = row_hash([np.array([nan(0), nan(5), 0.0, -0.0])])
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[0] != found[2]


def test_row_hash__minds_the_order_of_columns_and_the_kind_of_dates():
    a, b = np.array([1.0, 2.0]), np.array([2.0, 1.0])
    assert (row_hash([a, b]) != row_hash([b, a])).all()
    days = np.array(["2016-07-01"], "datetime64[D]")
    assert row_hash([days]) == row_hash([days.astype("datetime64[ns]")])
    assert len(row_hash([np.zeros(0)])) == 0


def test_row_hash__spreads_small_numbers_over_all_bits():
    found = row_hash([np.arange(4096)])
    assert len(set(found.tolist())) == 4096
    ones = [(int(np.count_nonzero(found >> np.uint64(bit) & np.uint64(1)))) for bit in range(64)]
    assert min(ones) > 1800
    assert max(ones) < 2300


def test_short__gives_the_first_digits():
    assert short(bytes(range(20))) == "000102030405"
    assert short(bytes(range(20)), 4) == "0001"


def test_file_digest__counts_names_and_contents_of_python_files(tmp_path):
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "one.py").write_text("x = 1\n")
    single = tmp_path / "two.py"
    single.write_text("y = 2\n")
    before = file_digest([package, single])
    assert before == file_digest([single, package])
    (package / "notes.txt").write_text("no code")
    assert file_digest([package, single]) == before
    (package / "inner" / "one.py").write_text("x = 2\n")
    changed = file_digest([package, single])
    assert changed != before
    (package / "inner" / "one.py").rename(package / "inner" / "three.py")
    assert file_digest([package, single]) not in (before, changed)
