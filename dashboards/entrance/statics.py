"""Scripts, styles and fonts of the libraries that draw: compressed once, kept by browsers as long as they may."""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from riskgrid.hashing import digest

__all__ = ["Statics", "is_immutable"]

_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/wasm")

#: An address of which there is never another version: a hash in its query or name, or an exact version of a package.
_HASHED = re.compile(r"(?:v=)?[0-9a-f]{32,64}")
_NAMED = re.compile(r"@\d+\.\d+\.\d+/|-[A-Z0-9]{8}\.[a-z0-9]+$")


def is_immutable(path: str, query: str) -> bool:
    """Whether a file at an address cannot change.

    The version in a query is Panel's, whatever package a file is of; so it counts for Panel's own alone.

    >>> is_immutable("/static/extensions/panel/panel.min.js", "v=1.10.0"), is_immutable("/static/js/bokeh.min.js", "")
    (True, False)
    >>> is_immutable("/static/extensions/panel-material-ui/material-icons.css", "v=1.10.0")
    False
    """
    if _HASHED.fullmatch(query) or _NAMED.search(path):
        return True
    return path.startswith("/static/extensions/panel/") and query.startswith("v=")


@dataclass(frozen=True)
class _File:
    """packed : None for what gzip makes no smaller."""

    kind: str
    body: bytes
    packed: bytes | None
    tag: str


class Statics:
    """The files that an application of pages gives out. most : bytes of them that are held."""

    def __init__(self, pages: ASGIApp, most: int = 64_000_000) -> None:
        self._pages, self._most = pages, most
        self._files: dict[str, _File] = {}
        self._held = 0
        self._lock = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """One file, or that it is as the browser has it."""
        path = request.url.path
        found = self._files.get(path)
        if found is None:
            async with self._lock:  # what ten browsers ask at nine o'clock is compressed once
                found = self._files.get(path) or await self._read(request)
        if found is None:
            return Response("there is no such file", 404, media_type="text/plain")
        return _answer(request, found)

    async def _read(self, request: Request) -> _File | None:
        parts: list[Message] = []

        async def collect(message: Message) -> None:
            parts.append(message)

        await self._pages({**request.scope, "method": "GET"}, request.receive, collect)
        if parts[0]["status"] != 200:
            return None
        body = b"".join(part.get("body", b"") for part in parts)
        kind = Headers(raw=parts[0]["headers"]).get("content-type", "application/octet-stream")
        made = await asyncio.to_thread(_file, kind, body)
        size = len(body) + len(made.packed or b"")
        if self._held + size <= self._most:
            self._held += size
            self._files[request.url.path] = made
        return made


def _file(kind: str, body: bytes) -> _File:
    packed = gzip.compress(body, 9, mtime=0) if kind.startswith(_TEXTS) else b""
    smaller = packed if 0 < len(packed) < 0.9 * len(body) else None
    return _File(kind, body, smaller, f'W/"{digest("static", body).hex()[:32]}"')


def _answer(request: Request, file: _File) -> Response:
    headers = MutableHeaders({"etag": file.tag, "vary": "Accept-Encoding"})
    # what has no version in its address is asked for each time: beside scripts of another version it breaks a page
    kept = "max-age=31536000, immutable" if is_immutable(request.url.path, request.url.query) else "no-cache"
    headers["cache-control"] = f"public, {kept}"
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = file.body
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = file.packed, "gzip"
    return Response(body, 200, headers, file.kind)
