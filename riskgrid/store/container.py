"""One file of named arrays: .npy segments one after another, the first of which says what follows. Never pickled."""

from __future__ import annotations

import functools
import io
import json
import mmap
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.formulas import row_checksums

__all__ = ["Summed", "from_file", "to_chunks"]


@dataclass(frozen=True)
class Summed:
    """An array (row, column) with the checksums of its rows (row,), made while it was at hand."""

    array: NDArray[Any]
    checksums: NDArray[np.uint64]


type Arrays = dict[str, NDArray[Any]]
type Rows = dict[str, tuple[NDArray[Any], NDArray[np.uint64]]]
type Chunks = list[bytes | memoryview]


def to_chunks(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any] | Summed], *, by_row: Sequence[str] = ()
) -> Chunks:
    """The bytes of a file that :func:`from_file` reads; ``meta`` is JSON, arrays hold numbers, dates or flags.

    by_row : arrays of numbers each row of which has a checksum of its own, so that a row can be verified without the
    others. All else is in the checksum of the whole, which reading compares; of these arrays it is their checksums.
    """
    apart = {name: _summed(arrays[name]) for name in by_row if name in arrays}
    whole: list[Any] = [array for name, array in arrays.items() if name not in apart]
    whole += [each.checksums for each in apart.values()]
    body = [chunk for array in whole for chunk in _segment(array)]
    rows = [_segment(each.array) for each in apart.values()]
    described: dict[str, Any] = {
        "meta": meta,
        "arrays": [name for name in arrays if name not in apart],
        "by_row": list(apart),
        "bytes": sum(map(len, body)) + sum(len(chunk) for segment in rows for chunk in segment),
    }
    covered = [*body, *(header for header, _ in rows)]
    text = _text(described)
    checksum = functools.reduce(lambda crc, chunk: zlib.crc32(chunk, crc), covered, zlib.crc32(text))
    head = text.removesuffix(b"}") + b',"checksum":%d}' % checksum
    return [*_segment(np.frombuffer(head, np.uint8)), *body, *(chunk for segment in rows for chunk in segment)]


def _summed(array: NDArray[Any] | Summed) -> Summed:
    if isinstance(array, Summed):
        return array
    array = np.ascontiguousarray(array)
    return Summed(array, row_checksums(array))


def from_file(path: Path, *, mapped: bool = True) -> tuple[dict[str, Any], Arrays, Rows]:
    """What was written, read-only: meta, arrays, and the arrays by row with the checksums their rows should have.

    mapped : arrays stay in the file and are read when they are used. A file that others cut short after it was opened
    then ends the process; not mapped, that is one more ValueError.
    OSError where it cannot be read; ValueError, KeyError, TypeError or EOFError where it is not what was written.
    """
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else file.read()
    head, begin = _array_at(content, 0)
    described = json.loads(head.tobytes())
    if len(content) - begin != described["bytes"]:
        raise ValueError(f"{len(content) - begin} bytes of arrays where {described['bytes']} were written")
    arrays: Arrays = {}
    checksums: Arrays = {}
    position = begin
    for name in described["arrays"]:
        arrays[name], position = _array_at(content, position)
    for name in described["by_row"]:
        checksums[name], position = _array_at(content, position)
    covered = [(begin, position)]
    rows: Rows = {}
    for name, expected in checksums.items():
        covered.append((position, _data_at(content, position)))
        array, position = _array_at(content, position)
        rows[name] = array, expected
    _compare(memoryview(content), covered, described)
    return described["meta"], arrays, rows


def _compare(content: memoryview, covered: list[tuple[int, int]], described: dict[str, Any]) -> None:
    written = described.pop("checksum")
    found = zlib.crc32(_text(described))
    for start, stop in covered:
        found = zlib.crc32(content[start:stop], found)
    if found != written:
        raise ValueError("its checksum is another than when it was written")


def _text(described: Mapping[str, Any]) -> bytes:
    return json.dumps(described, sort_keys=True, separators=(",", ":")).encode()


def _segment(array: NDArray[Any]) -> Chunks:
    array = np.ascontiguousarray(array)
    stored = array.view(np.int64) if array.dtype.kind == "M" else array
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), stored.reshape(-1).view(np.uint8).data if stored.size else b""]


def _data_at(content: mmap.mmap | bytes, position: int) -> int:
    """Where the numbers of a segment begin."""
    return position + 10 + int.from_bytes(content[position + 8 : position + 10], "little")


def _array_at(content: mmap.mmap | bytes, position: int) -> tuple[NDArray[Any], int]:
    start = _data_at(content, position)
    shape, dtype = _described(content[position:start])
    count = int(np.prod(shape))
    array = np.frombuffer(content, dtype, count, start).reshape(shape)
    return array, start + count * dtype.itemsize


@functools.lru_cache(maxsize=4096)
def _described(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype; blocks of a run share a few headers, and NumPy takes 30 us to read one."""
    reader = io.BytesIO(header)
    version = np.lib.format.read_magic(reader)
    if version != (1, 0):
        raise ValueError(f"array segment of .npy version {version}; (1, 0) is right")
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(reader)
    except Exception as error:  # NumPy reads it as Python, which has errors of its own
        raise ValueError(f"array segment without a header that can be read: {error}") from error
    if dtype.hasobject or fortran:
        raise ValueError("array segment holds objects or is in column order; plain rows of numbers are right")
    return shape, dtype
