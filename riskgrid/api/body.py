"""Bodies as they come in: read whole, decompressed and looked at before anything else reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive

from riskgrid.errors import InputError

__all__ = ["SMALL", "check_depth", "check_members", "decompressed", "read_body"]

#: Bytes that are read from anybody; of more one has to say who one is.
SMALL = 65_536

#: Seconds in which a body has to arrive.
_PATIENCE = 60.0

#: Seconds from one piece of it to the next.
_IDLE = 15.0

#: Texts of JSON, of which nothing is nested; one that does not end runs to the end of the body.
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


async def read_body(receive: Receive, headers: Mapping[str, str], *, most: int, depth: int) -> bytes:
    """The body, decompressed. HTTPException 400, 408, 413 or 415 where it may not be read, InputError where
    a member of its JSON stands twice.

    most : bytes, decompressed.   depth : of nested JSON.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        raise HTTPException(415, f"Content-Encoding is {coding!r}; gzip or none is right")
    try:
        async with asyncio.timeout(_PATIENCE):
            body = await _received(receive, most)
    except TimeoutError:
        raise HTTPException(
            408, f"the body did not arrive within {_PATIENCE:g} s, or nothing of it for {_IDLE:g} s"
        ) from None
    if coding == "gzip":
        body = await run_in_threadpool(decompressed, body, most)
    if "json" in (headers.get("content-type") or "json").lower():
        if len(body) <= SMALL:
            _check_json(body, depth)
        else:
            await run_in_threadpool(_check_json, body, depth)
    return body


def decompressed(body: bytes, most: int) -> bytes:
    """What was compressed by gzip; it is not decompressed beyond ``most`` bytes. HTTPException 413, 400.

    >>> import gzip
    >>> decompressed(gzip.compress(b"report"), 10)
    b'report'
    """
    unpacking = zlib.decompressobj(wbits=31)
    try:
        made = unpacking.decompress(body, most + 1)
    except zlib.error:
        raise HTTPException(400, "the body says that it is gzip and is not") from None
    if len(made) > most:
        raise _too_large(most)
    if not unpacking.eof or unpacking.unused_data:
        raise HTTPException(400, "the body is not one whole gzip stream")
    return made


def check_depth(body: bytes, most: int) -> None:
    """HTTPException 413 where JSON is nested deeper: a parser that follows would run out of stack, or of time.

    >>> check_depth(b'{"drop": ["[[[[T-1"]}', 2)
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return
    brackets = np.frombuffer(_TEXTS.sub(b"", body).translate(None, _NO_BRACKETS), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    found = int(steps.cumsum().max(initial=0))
    if found > most:
        raise HTTPException(413, f"the JSON of the body is nested {found:,} deep; {most} is right at most")


def check_members(body: bytes) -> None:
    """InputError where an object of JSON has a member twice: whoever reads it would take the last without a word.

    What is no JSON is left to whoever reads it. Nothing is kept of what is read, and numbers stay text.
    """
    with contextlib.suppress(_Twice, ValueError):
        json.loads(body, object_pairs_hook=_no_member_twice, parse_int=str, parse_float=str)
        return
    with contextlib.suppress(ValueError):
        found = _place_of(json.loads(body, object_pairs_hook=_with_place, parse_int=str, parse_float=str))
        if found is not None:
            *outer, name = (each if isinstance(each, int) else each[:100] for each in found)
            where = ".".join(map(str, outer)) or "the body"
            raise InputError(f"{where} has the member {name!r} twice; once is right")


class _Twice(Exception):
    """A member stands twice."""


def _no_member_twice(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({name for name, _ in pairs}) < len(pairs):
        raise _Twice


def _with_place(pairs: list[tuple[str, Any]]) -> _Place | None:
    """Where something stands twice within an object, None where nothing does."""
    seen = set()
    for name, value in pairs:
        inside = _place_of(value)
        if inside is not None:
            return _Place((name, *inside))
        if name in seen:
            return _Place((name,))
        seen.add(name)
    return None


class _Place(tuple[str | int, ...]):
    """Names and numbers that lead to a member."""

    __slots__ = ()


def _place_of(value: Any) -> _Place | None:
    if isinstance(value, list):
        places = ((at, _place_of(each)) for at, each in enumerate(value))
        return next((_Place((at, *place)) for at, place in places if place is not None), None)
    return value if isinstance(value, _Place) else None


def _check_json(body: bytes, depth: int) -> None:
    check_depth(body, depth)
    check_members(body)


async def _received(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        async with asyncio.timeout(_IDLE):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the client left before its body had arrived")
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body has more than {most:,} bytes, decompressed; send it in parts")
