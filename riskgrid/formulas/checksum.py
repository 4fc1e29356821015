"""Checksums of rows: whether a row of numbers still holds the bits that were written."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.formulas.arrays import Indices
from riskgrid.formulas.compiled import INTERPRETED, loop
from riskgrid.formulas.lane import line
from riskgrid.formulas.memory import widest

type Words = NDArray[np.uint32]
type Checksums = NDArray[np.uint64]

#: What a row's length is multiplied with: odd, so that lengths differ in it as they do in themselves.
LENGTH = 0x9E3779B97F4A7C15


@loop("out")
def row_checksums_loop(words, rows, multipliers, out):  # type: ignore[no-untyped-def]
    """One product of 32-bit numbers a word: the processor makes several of them at once."""
    widest()
    for i in range(rows.shape[0]):
        row, total = line(words, rows[i]), np.uint64(0)
        for j in range(multipliers.shape[0]):
            total += np.uint64(row[j]) * np.uint64(multipliers[j])
        out[i] += total


def row_checksums_numpy(words: Words, rows: Indices, multipliers: Words, out: Checksums) -> None:
    """Specification of `row_checksums_loop`."""
    for i, row in enumerate(rows):
        out[i] += (words[row].astype(np.uint64) * multipliers.astype(np.uint64)).sum(dtype=np.uint64)


def row_checksums(matrix: NDArray[Any], rows: Indices | None = None) -> Checksums:
    """A 64-bit checksum of each row: sum over j of word_j * m_j, plus the row's length times a constant, modulo 2^64.

    matrix : (row, column) of 4 or 8 bytes an element, read as 32-bit words.   rows : (asked,), int64, by default all.
    m_j : fixed odd 32-bit numbers.   Returns (asked,).   IndexError for a row that there is none, ValueError for other
    elements.   Every flipped bit changes it: bit b of word j adds or takes 2^b * m_j, and as m_j is odd and b below 32
    that is no multiple of 2^64. So does every other change within one word, as the difference of two words is below
    2^32 and m_j is odd. A change of more words goes unseen where their differences times m_j add up to nothing, which
    of random ones 1 in 2^64 do.   Source: multilinear hashing, Lemire and Kaser (2014), The Computer Journal 57.

    >>> row_checksums(np.array([[1, 0], [0, 1]], np.int32)).tolist()
    [4354685568730636387, 4354685566790243989]
    """
    if matrix.ndim != 2 or matrix.dtype.itemsize not in (4, 8):
        raise ValueError(f"matrix is {matrix.dtype} {matrix.shape}; rows of 4 or 8 bytes an element are right")
    every = np.arange(len(matrix)) if rows is None else rows
    if len(every) and not (every.min() >= 0 and every.max() < len(matrix)):
        raise IndexError(f"rows {every.min()} to {every.max()} are asked for; known: 0 to {len(matrix) - 1}")
    words = np.ascontiguousarray(matrix).view(np.uint32)
    width = words.shape[1]
    found = np.full(len(every), checksum_of_length(width), np.uint64)
    compute = row_checksums_numpy if INTERPRETED else row_checksums_loop
    with np.errstate(over="ignore"):
        compute(words, every, checksum_multipliers(width), found)
    return found


def checksum_of_length(width: int) -> int:
    """What a row of so many words begins with: each word then adds itself times its multiplier."""
    return width * LENGTH % 2**64


@functools.lru_cache(maxsize=64)
def checksum_multipliers(width: int) -> Words:
    """The fixed odd numbers m_j of the first words, (width,)."""
    # splitmix64 of 1, 2, 3 ... (Steele, Lea, Flood 2014)
    with np.errstate(over="ignore"):
        mixed = np.arange(1, width + 1, dtype=np.uint64) * np.uint64(LENGTH)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    made = (mixed >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    made.flags.writeable = False
    return made
