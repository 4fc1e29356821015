"""What every request passes: an id, a body within its bounds, headers that browsers heed, a log line, counts."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskgrid import log
from riskgrid.api.body import SMALL, read_body
from riskgrid.api.problem import of_library, problem, unforeseen
from riskgrid.api.server import is_loopback
from riskgrid.api.service import Service
from riskgrid.errors import RiskgridError, Stopped

__all__ = ["DEVELOPMENT", "Envelope"]

_LOG = logging.getLogger(__name__)

#: The header of development mode, and what it says.
DEVELOPMENT = (b"x-riskgrid-development", b"nobody is asked who he is: not for anything but this machine")

#: Ids that others gave to a request and that can stand in a log.
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_SECURE = (b"strict-transport-security", b"max-age=31536000")
_CLOSED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# the pages of the documentation have scripts and styles of their own within them
_PAGE = (
    b"content-security-policy",
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"frame-ancestors 'none'",
)
_PAGES = ("/docs", "/static-offline-docs")

#: Asked every few seconds by machines.
_PROBES = ("/health", "/ready", "/metrics")


@dataclass
class _Course:
    """How the answer to a request goes."""

    begun: float = field(default_factory=time.perf_counter)
    status: int = 0
    stream: bool = False


class Envelope:
    """Lets a request in and its answer out. prefix : of the routes that are put in with one."""

    def __init__(self, app: ASGIApp, service: Service, prefix: str) -> None:
        self.app, self.service, self._prefix = app, service, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex[:16]
        course, added = _Course(), self._added(scope, request_id)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                course.status = message["status"]
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}  # a page says itself what it may do
                message["headers"] = [*given, *(pair for pair in added if pair[0] not in names)]
                kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
                if kind.startswith(b"text/event-stream"):
                    course.stream = True
                    self.service.metrics.streams.inc()
            await send(message)

        with log.about(request=request_id):
            try:
                await self._handled(scope, receive, sending, headers, course)
            finally:
                self._told(scope, course)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket: in development mode of this machine alone, and told once it is closed."""
        course, metrics = _Course(status=403), self.service.metrics

        async def sending(message: Message) -> None:
            if message["type"] == "websocket.accept":
                course.status = 101
                metrics.sockets.inc()
            await send(message)

        with log.about(request=uuid.uuid4().hex[:16]):
            try:
                if self.service.development:
                    _check_local(Headers(scope=scope))
                await self.app(scope, receive, sending)
            except HTTPException as error:
                _LOG.info("a socket is refused: %s", error.detail)
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            finally:
                if course.status == 101:
                    metrics.sockets.dec()
                self._told(scope, course)

    async def _handled(self, scope: Scope, receive: Receive, send: Send, headers: Headers, course: _Course) -> None:
        request = Request(scope)
        try:
            scope, receive = await self._let_in(scope, receive, headers)
            await self.app(scope, receive, send)
            return
        except HTTPException as error:
            answer = problem(error.status_code, error.detail, request, headers=error.headers)
        except RiskgridError as error:
            answer = await of_library(request, error)
        except asyncio.CancelledError:  # by the server, of what has not finished when the process ends
            if course.status:
                raise
            answer = await of_library(request, Stopped("this process of the service ends; ask again, another answers"))
        except Exception as error:
            answer = await unforeseen(request, error)
            if course.status:  # the client has seen the beginning of an answer, and sees it break off
                raise
        await answer(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, headers: Headers) -> tuple[Scope, Receive]:
        """The request with a body that was read; one that has none is left as it is."""
        if self.service.development:
            _check_local(headers)
        length = headers.get("content-length")
        if (length or "0") == "0" and "transfer-encoding" not in headers:
            return scope, receive
        most = self.service.sizes.body
        declared = int(length) if length is not None and length.isdecimal() else None
        if declared is not None and declared > most:
            raise HTTPException(413, f"the body has {declared:,} bytes; {most:,} are right at most, send it in parts")
        if declared is None or declared > SMALL:
            client = scope.get("client")
            known = await run_in_threadpool(self.service.known, headers, client[0] if client else "")
            scope.setdefault("state", {})["known"] = known
        body = await read_body(receive, headers, most=most, depth=self.service.sizes.depth)
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        if "content-encoding" in headers:
            plain = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
            scope["headers"] = [*plain, (b"content-length", str(len(body)).encode())]
        return scope, again

    def _added(self, scope: Scope, request_id: str) -> list[tuple[bytes, bytes]]:
        page = scope["path"].startswith(_PAGES)
        added = [(b"x-request-id", request_id.encode()), *_ALWAYS, _PAGE if page else _CLOSED]
        if scope.get("scheme") == "https":
            added.append(_SECURE)
        if self.service.development:
            added.append(DEVELOPMENT)
        return added

    def _told(self, scope: Scope, course: _Course) -> None:
        """Count the request and say it. Its path is not said: it may name a trade."""
        seconds, metrics, status = time.perf_counter() - course.begun, self.service.metrics, course.status or 499
        given = scope.get("method", "socket")
        method = given if given in (*_METHODS, "socket") else "other"
        route = self._route(scope)
        if course.stream:
            metrics.streams.dec()
        elif method != "socket":
            metrics.seconds.labels(route, method).observe(seconds)
        metrics.requests.labels(route, method, str(status)).inc()
        level = logging.DEBUG if route in _PROBES else logging.INFO
        if not _LOG.isEnabledFor(level):
            return
        told = {"method": method, "route": route, "status": status, "ms": round(1e3 * seconds, 2)}
        run = scope.get("path_params", {}).get("run_id", "")
        if _SANE.fullmatch(run):
            told["run"] = run
        _LOG.log(level, "request", extra={"facts": told})

    def _route(self, scope: Scope) -> str:
        """The route's own pattern: paths themselves are too many to count by, and name things."""
        found: str = getattr(scope.get("route"), "path", "") or ""
        if not found:
            return "documentation" if scope["path"].startswith((*_PAGES, "/openapi.json")) else "unknown"
        inside = scope["path"].startswith(f"{self._prefix}/") and not found.startswith(self._prefix)
        return self._prefix + found if inside else found


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _check_local(headers: Headers) -> None:
    """HTTPException 403 for what a page from elsewhere, open in a browser of this machine, has it ask."""
    for name in ("host", "origin"):
        given = headers.get(name)
        if given is None:
            continue
        try:
            host = urlsplit(given if "//" in given else f"//{given}").hostname or ""
        except ValueError:
            raise HTTPException(400, f"the {name} is {given!r}, which is none") from None
        if not is_loopback(host):
            raise HTTPException(403, f"development mode is for this machine alone, and the {name} is {given!r}")
