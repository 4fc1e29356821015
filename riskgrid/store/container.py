"""One file of named arrays: .npy segments one after another, the first of which says what follows. Never pickled."""

from __future__ import annotations

import functools
import io
import json
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_file", "to_chunks"]

type Arrays = dict[str, NDArray[Any]]


def to_chunks(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, checked: bool = False
) -> list[bytes | memoryview]:
    """The bytes of a file that :func:`from_file` reads; ``meta`` is JSON, arrays hold numbers, dates or flags.

    checked : with a checksum of all of it, which reading compares.
    """
    body = [chunk for array in arrays.values() for chunk in _segment(array)]
    described: dict[str, Any] = {"meta": meta, "arrays": list(arrays), "bytes": sum(map(len, body))}
    if checked:
        described["checksum"] = functools.reduce(
            lambda sofar, chunk: zlib.crc32(chunk, sofar), body, _of_head(described)
        )
    head = _text(described)
    return [*_segment(np.frombuffer(head, np.uint8)), *body]


def from_file(path: Path) -> tuple[dict[str, Any], Arrays]:
    """What was written, its arrays mapped into memory and read-only; OSError or ValueError where it cannot be read."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    head, position = _array_at(mapped, 0)
    described = json.loads(head.tobytes())
    if len(mapped) - position != described["bytes"]:
        raise ValueError(f"{len(mapped) - position} bytes of arrays where {described['bytes']} were written")
    if "checksum" in described:
        written = described.pop("checksum")
        if zlib.crc32(memoryview(mapped)[position:], _of_head(described)) != written:
            raise ValueError("its checksum is another than when it was written")
    arrays: Arrays = {}
    for name in described["arrays"]:
        arrays[name], position = _array_at(mapped, position)
    return described["meta"], arrays


def _text(described: Mapping[str, Any]) -> bytes:
    return json.dumps(described, sort_keys=True, separators=(",", ":")).encode()


def _of_head(described: Mapping[str, Any]) -> int:
    return zlib.crc32(_text(described))


def _segment(array: NDArray[Any]) -> list[bytes | memoryview]:
    array = np.ascontiguousarray(array)
    stored = array.view(np.int64) if array.dtype.kind == "M" else array
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), stored.reshape(-1).view(np.uint8).data if stored.size else b""]


def _array_at(mapped: mmap.mmap, position: int) -> tuple[NDArray[Any], int]:
    start = position + 10 + int.from_bytes(mapped[position + 8 : position + 10], "little")
    shape, dtype = _described(mapped[position:start])
    count = int(np.prod(shape))
    array = np.frombuffer(mapped, dtype, count, start).reshape(shape)
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
