"""Who may open a page: asked before a session is made of it, and again as the page connects to it."""

from __future__ import annotations

import gzip
import logging
import re
import secrets
from contextvars import ContextVar
from urllib.parse import quote

from bokeh.util.token import get_session_id
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskgrid import log
from riskgrid.dashboards.entrance.credential import is_in_headers, presented
from riskgrid.dashboards.entrance.hearing import heard
from riskgrid.dashboards.entrance.notice import FRAME, again, notice
from riskgrid.dashboards.entrance.origin import is_from_elsewhere, is_of_this_host
from riskgrid.dashboards.entrance.visit import Known, Visit, Visits
from riskgrid.errors import IssuerAway, RiskgridError, TooMany, Unauthenticated

__all__ = ["Gate"]

_LOG = logging.getLogger(__name__)

#: The cookie of a page that was made light or dark.
_THEME = "riskgrid-theme"

#: What a page may do. Scripts are the server's own and those of this very answer, not those within markup that they put
#: into the page; Bokeh makes functions of text (CustomJS), and the loader of modules makes blobs. Styles come with
#: every component, fonts and images within styles.
_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_SCRIPT = re.compile(rb"<script\b")


class Gate:
    """Stands before an application of pages. visiting : through which a page learns whose it is."""

    def __init__(self, pages: ASGIApp, known: Known, visits: Visits, visiting: ContextVar[Visit]) -> None:
        self._pages, self._known, self._visits, self._visiting = pages, known, visits, visiting

    async def document(self, request: Request) -> Response:
        """The page, of a session made for who asks; the way to the sign-in page where nobody says who he is."""
        try:
            visit = await self._visit(request.scope)
            self._visits.check_room(visit.name)
        except Unauthenticated as error:
            return _unknown(request, error)
        except RiskgridError as error:
            return _refused(error)
        if request.method == "HEAD":  # no session for who does not come to stay
            return Response(headers=FRAME)
        self._visiting.set(visit)
        return await self._page(request)

    async def _page(self, request: Request) -> Response:
        parts: list[Message] = []

        async def collect(message: Message) -> None:
            parts.append(message)

        try:
            await self._pages(_bare(request.scope), request.receive, collect)
        except RiskgridError as error:
            return _refused(error)
        body = b"".join(part.get("body", b"") for part in parts)
        nonce = secrets.token_urlsafe(16)
        body = _SCRIPT.sub(f'<script nonce="{nonce}"'.encode(), body)
        made = Response(body, parts[0]["status"], FRAME, "text/html")
        made.headers["content-security-policy"] = _POLICY.format(nonce=nonce)
        if "gzip" in request.headers.get("accept-encoding", ""):
            made.body = gzip.compress(body, 6, mtime=0)
            made.headers["content-encoding"], made.headers["content-length"] = "gzip", str(len(made.body))
        made.headers["vary"] = "Accept-Encoding, Authorization, Cookie"
        return made

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The connection of a page to its session: of the same principal, from a page of this host."""
        try:
            visit = await self._join(scope)
        except RiskgridError as error:
            _LOG.info("a page may not connect: %s", error)
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._pages(_bare(scope), heard(receive, visit.asked), send)

    async def _join(self, scope: Scope) -> Visit:
        if not is_of_this_host(Headers(scope=scope)):
            raise Unauthenticated("it is no page of this host")
        session = _session_of(scope)
        visit = self._visits.joined(session, await self._visit(scope))
        if visit is None:
            raise Unauthenticated("its session is gone or somebody else's")
        return visit

    async def _visit(self, scope: Scope) -> Visit:
        """Whoever asks, found out. Unauthenticated, Forbidden, TooMany, IssuerAway."""
        headers = presented(Headers(raw=list(scope["headers"])))
        address = scope["client"][0] if scope.get("client") else ""
        who = await run_in_threadpool(self._known, headers, address)
        log.note(principal=who.name)
        who.require("read")
        dark = cookie_parser(Headers(scope=scope).get("cookie", "")).get(_THEME) == "dark"
        return Visit(headers, address, who.name, self._known, scope["query_string"].decode("latin-1"), dark)


def _session_of(scope: Scope) -> str:
    """The session that a page names as it connects. Unauthenticated where it names none."""
    try:
        _, token = scope.get("subprotocols", ())
        found: object = get_session_id(token)
    except Exception as error:  # of a text that anybody may have sent, whatever reading it raises
        raise Unauthenticated("it names no session") from error
    if not isinstance(found, str) or not found:
        raise Unauthenticated("it names no session")
    return found


def _bare(scope: Scope) -> Scope:
    """A request as the server of pages is to see it: by whom, and for which view, is none of its business.

    It would write headers and cookies into the page, and let anybody name the session that he wants to be let into.
    """
    headers = [pair for pair in scope["headers"] if pair[0] in (b"host", b"origin")]
    return {**scope, "headers": headers, "query_string": b""}


def _unknown(request: Request, error: Unauthenticated) -> Response:
    if is_in_headers(request.headers):  # signing in would change nothing: what stands in front says who it is
        return notice("Not signed in", f"{error}.", 401)
    if is_from_elsewhere(request.headers) and presented(request.headers) is request.headers:
        return again()
    path = "/desk" + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/desk/sign-in?to={quote(path, safe='')}", 303, {"cache-control": "no-store"})


def _refused(error: RiskgridError) -> Response:
    if isinstance(error, TooMany):
        return notice("Too many", f"{error}.", 429, seconds=error.seconds)
    if isinstance(error, IssuerAway):
        return notice("Not now", f"{error}.", 503, seconds=5.0)
    return notice("Not allowed", f"{error}.", 403)
