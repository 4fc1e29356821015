"""Canonical bytes and their BLAKE2b digests: the only place that decides what "the same" means."""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["digest", "file_digest", "name_hash", "row_hash", "short"]

_SIZE = 20
_NAN = np.float64(np.nan)


def digest(*parts: Any) -> bytes:
    """20-byte digest of values of any nesting: text, numbers, dates, arrays, sequences, mappings (in key order).

    Equal values of another type differ (``1`` and ``1.0``); every NaN is the same; arrays count dtype and shape.

    >>> digest({"b": 2, "a": 1}) == digest({"a": 1, "b": 2})
    True
    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    state = hashlib.blake2b(digest_size=_SIZE)
    for part in parts:
        _feed(state, part)
    return state.digest()


def short(value: bytes, length: int = 12) -> str:
    """The first hexadecimal digits of a digest, for people."""
    return value.hex()[:length]


def file_digest(paths: Iterable[Path]) -> bytes:
    """Digest of files' names and contents, in name order; a folder stands for its Python files."""
    state = hashlib.blake2b(digest_size=_SIZE)
    for root in sorted(paths, key=lambda path: path.name):
        files = sorted(root.rglob("*.py")) if root.is_dir() else [root]
        for file in files:
            _feed(state, file.relative_to(root.parent).as_posix())
            _feed(state, file.read_bytes())
    return state.digest()


@functools.lru_cache(maxsize=1 << 14)
def name_hash(name: str) -> np.uint64:
    """A stable 64-bit hash of a name."""
    raw = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(raw, "little"))


def row_hash(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """A stable 64-bit hash of each row of equally long 1-D columns: floats, integers, dates or uint64 name hashes.

    It orders and cuts rows; identity is decided by :func:`digest`.

    >>> bool(row_hash([np.array([1.0, 1.0, 2.0])])[0] == row_hash([np.array([1.0])])[0])
    True
    """
    mixed = np.full(len(columns[0]), np.uint64(0x9E3779B97F4A7C15))
    for column in columns:
        mixed ^= _bits(column)
        mixed = _scramble(mixed)
    return mixed


def _bits(column: NDArray[Any]) -> NDArray[np.uint64]:
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), _NAN, column + 0.0)  # one NaN, one zero
        return column.astype("<f8").view("<u8")
    if column.dtype.kind == "M":
        column = column.astype("datetime64[D]").astype(np.int64)
    return column.astype(np.uint64, copy=False) if column.dtype.kind in "ub" else column.astype("<i8").view("<u8")


def _scramble(mixed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # the finaliser of splitmix64: every input bit moves every output bit (Steele, Lea, Flood 2014)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _feed(state: Any, value: Any) -> None:
    if type(value) is bytes:  # digests of what is read, and names: by far the most
        state.update(b"b:%d:%b" % (len(value), value))
    elif type(value) is str:
        raw = value.encode()
        state.update(b"s:%d:%b" % (len(raw), raw))
    elif isinstance(value, np.ndarray):
        _feed_array(state, value)
    elif isinstance(value, (list, tuple)):
        _head(state, "l", len(value))
        if all(type(part) is str for part in value):
            state.update(_texts(value))
            return
        for part in value:
            _feed(state, part)
    elif isinstance(value, Mapping):
        _head(state, "m", len(value))
        for key in sorted(value, key=str):
            _feed(state, str(key))
            _feed(state, value[key])
    else:
        _feed_scalar(state, value)


def _feed_array(state: Any, value: NDArray[Any]) -> None:
    if value.dtype.kind in "OUST":
        _head(state, "t" + repr(value.shape), value.size)
        state.update(_texts(map(str, value.ravel().tolist())))
        return
    if value.dtype.kind == "M":
        _head(state, "days", value.size)
        value = value.astype("datetime64[D]").astype(np.int64)
    elif value.dtype.kind == "f" and np.isnan(value).any():
        value = np.where(np.isnan(value), _NAN, value)
    value = np.ascontiguousarray(value)
    _head(state, f"a{value.dtype.newbyteorder('<').str}{value.shape}", value.nbytes)
    state.update(value.astype(value.dtype.newbyteorder("<"), copy=False).data if value.size else b"")


def _texts(parts: Iterable[str]) -> bytes:
    """What the texts feed one by one, at once: ids of factors are thousands."""
    return b"".join(b"s:%d:%b" % (len(raw), raw) for raw in (part.encode() for part in parts))


def _feed_scalar(state: Any, value: Any) -> None:
    if isinstance(value, (bytes, bytearray, memoryview)):
        kind, raw = "b", bytes(value)
    elif isinstance(value, (bool, np.bool_)):
        kind, raw = "o", bytes([bool(value)])
    elif isinstance(value, (int, np.integer)):
        kind, raw = "i", str(int(value)).encode()
    elif isinstance(value, (float, np.floating)):
        kind, raw = "f", struct.pack("<d", _NAN if np.isnan(value) else float(value))
    elif isinstance(value, str):
        kind, raw = "s", value.encode()
    elif isinstance(value, (date, np.datetime64)):
        kind, raw = "d", str(np.datetime64(value, "D")).encode()
    elif value is None:
        kind, raw = "n", b""
    else:
        raise TypeError(f"no canonical bytes for {type(value).__name__} {value!r}")
    _head(state, kind, len(raw))
    state.update(raw)


def _head(state: Any, kind: str, size: int) -> None:
    state.update(f"{kind}:{size}:".encode())
