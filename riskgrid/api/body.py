"""Bodies as they come in: read whole, decompressed and looked at before anything else reads them."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive

__all__ = ["SMALL", "check_depth", "decompressed", "read_body"]

#: Bytes that are read from anybody; of more one has to say who one is.
SMALL = 65_536

#: Seconds in which a body has to arrive.
_PATIENCE = 60.0

#: Texts of JSON, of which nothing is nested; one that does not end runs to the end of the body.
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


async def read_body(receive: Receive, headers: Mapping[str, str], *, most: int, depth: int) -> bytes:
    """The body, decompressed. HTTPException 400, 408, 413 or 415 where it may not be read.

    most : bytes, decompressed.   depth : of nested JSON.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        raise HTTPException(415, f"Content-Encoding is {coding!r}; gzip or none is right")
    try:
        async with asyncio.timeout(_PATIENCE):
            body = await _received(receive, most)
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {_PATIENCE:g} s") from None
    if coding == "gzip":
        body = await run_in_threadpool(decompressed, body, most)
    if "json" in headers.get("content-type", "json"):
        if len(body) <= SMALL:
            check_depth(body, depth)
        else:
            await run_in_threadpool(check_depth, body, depth)
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


async def _received(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
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
