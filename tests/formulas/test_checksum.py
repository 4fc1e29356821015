import numpy as np
import pytest

from riskgrid.formulas import checksum, row_checksums
from riskgrid.formulas.checksum import row_checksums_loop, row_checksums_numpy

MATRIX = np.random.default_rng(5).integers(-(2**31), 2**31, (7, 33)).astype(np.int32)


@pytest.mark.parametrize("matrix", [MATRIX, MATRIX[:, :32].copy().view(np.int64), MATRIX.view(np.float32)])
@pytest.mark.parametrize("rows", [np.arange(7), np.array([3, 3, 0]), np.zeros(0, np.int64)])
def test_row_checksums__compiled_and_specified_have_the_same_bits(matrix, rows):
    words = matrix.view(np.uint32)
    multipliers = checksum.checksum_multipliers(words.shape[1])
    ours, theirs = np.ones((2, len(rows)), np.uint64)
    row_checksums_loop(words, rows, multipliers, ours)
    with np.errstate(over="ignore"):
        row_checksums_numpy(words, rows, multipliers, theirs)
    assert ours.tolist() == theirs.tolist()
    assert row_checksums(matrix)[rows].tolist() == row_checksums(matrix, rows).tolist()


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_row_checksums__change_with_every_flipped_bit(kind):
    matrix = np.array([[0, -1, 12345, np.iinfo(kind).min, 7]], kind)
    before = row_checksums(matrix)[0]
    seen = {int(before)}
    for at in range(matrix.nbytes * 8):
        flipped = matrix.copy()
        flipped.view(np.uint8)[0, at // 8] ^= 1 << at % 8
        seen.add(int(row_checksums(flipped)[0]))
    assert len(seen) == 1 + matrix.nbytes * 8


def test_row_checksums__tell_a_row_of_zeros_by_its_length():
    found = {int(row_checksums(np.zeros((1, width), np.int32))[0]) for width in range(50)}
    assert len(found) == 50


def test_row_checksums__do_not_depend_on_where_the_row_lies():
    wide = np.zeros((7, 50), np.int32)
    wide[:, 5:38] = MATRIX
    assert row_checksums(wide[:, 5:38]).tolist() == row_checksums(MATRIX).tolist()
    shifted = np.frombuffer(b"x" + MATRIX.tobytes(), np.uint8)[1:].view(np.int32).reshape(MATRIX.shape)
    assert row_checksums(shifted).tolist() == row_checksums(MATRIX).tolist()


def test_row_checksums__are_what_they_were_when_blocks_were_written():
    assert row_checksums(np.arange(3, dtype=np.int32).reshape(1, 3)).tolist() == [15755400386340506844]


def test_multipliers__are_odd_and_differ():
    found = checksum.checksum_multipliers(3000)
    assert (found & 1 == 1).all()
    assert len(np.unique(found)) == 3000


@pytest.mark.parametrize("matrix", [np.zeros(4), np.zeros((2, 2), np.uint8)])
def test_row_checksums__refuse_what_has_no_words(matrix):
    with pytest.raises(ValueError, match="rows of 4 or 8 bytes an element are right"):
        row_checksums(matrix)


@pytest.mark.parametrize("row", [-1, 7])
def test_row_checksums__refuse_a_row_that_there_is_none(row):
    with pytest.raises(IndexError, match="known: 0 to 6"):
        row_checksums(MATRIX, np.array([row]))
