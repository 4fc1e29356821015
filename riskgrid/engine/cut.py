"""Where the trades of an instrument are cut into blocks: by what they read, then by a hash of their terms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut", "pieces"]

type Hashes = NDArray[np.uint64]
type Range = tuple[int, int]

#: Groups of trades that read the same are pooled up to this share of a block: a floor on block size.
POOL_SHARE, FLOW_POOL_SHARE = 16, 2


def pieces(row_hash: Hashes, most: int) -> Iterator[Range]:
    """Ranges of at most ``most`` rows (equal hashes stay together) of a sorted column of hashes.

    >>> list(pieces(np.array([0, 1, 2**63, 2**63 + 1], dtype=np.uint64), most=2))
    [(0, 2), (2, 4)]
    """
    yield from _halve(row_hash, 0, len(row_hash), most)


def cut(group_hash: Hashes, row_hash: Hashes, size: int, *, flows: bool) -> list[Range]:
    """Cut rows, sorted by (group, row) hash, into blocks of at most ``size`` rows where hashes allow.

    A block holds one group of trades that read the same, or a pool of small ones. Every cut depends on the hashes near
    it alone: an edited row re-cuts its own block and at most a neighbour. Cash-flow blocks (``flows``) pool more, to
    share dates.
    """
    if not len(group_hash):
        return []
    first = np.flatnonzero(np.append(True, group_hash[1:] != group_hash[:-1]))
    ends = np.append(first[1:], len(group_hash))
    floor = max(1, size // (FLOW_POOL_SHARE if flows else POOL_SHARE))
    blocks: list[Range] = []
    for low, high in _pools(group_hash[first], first, ends, floor):
        start, stop = int(first[low]), int(ends[high - 1])
        if high - low == 1:
            blocks.extend(_halve(row_hash, start, stop, size))
        else:
            blocks.append((start, stop))
    return blocks


def _pools(group: Hashes, first: NDArray[np.intp], ends: NDArray[np.intp], floor: int) -> Iterator[Range]:
    """Ranges of groups: split by the next bit of the group's hash while the rows are more than ``floor``."""
    stack = [(0, len(group), 63)]
    while stack:
        low, high, bit = stack.pop()
        rows = ends[high - 1] - first[low]
        if high - low == 1 or rows <= floor or bit < 0:
            yield low, high
            continue
        middle = _split(group, low, high, bit)
        stack.extend((a, b, bit - 1) for a, b in ((middle, high), (low, middle)) if a < b)


def _halve(hashes: Hashes, start: int, stop: int, most: int) -> Iterator[Range]:
    stack = [(start, stop, 63)]
    while stack:
        low, high, bit = stack.pop()
        if high - low <= most or bit < 0:
            if low < high:
                yield low, high
            continue
        middle = _split(hashes, low, high, bit)
        stack.extend((a, b, bit - 1) for a, b in ((middle, high), (low, middle)) if a < b)


def _split(hashes: Hashes, low: int, high: int, bit: int) -> int:
    # all hashes of the range agree above this bit, so the first one with the bit set starts the upper half
    prefix = (int(hashes[low]) >> (bit + 1)) << (bit + 1)
    return low + int(np.searchsorted(hashes[low:high], np.uint64(prefix | (1 << bit))))
