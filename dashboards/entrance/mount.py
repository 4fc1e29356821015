"""The dashboard within a service: its pages at ``/desk``, their sign-in, their sockets and their files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast
from urllib.parse import unquote

import panel as pn
from bokeh.application.application import SessionContext
from fastapi import FastAPI
from panel.io.asgi import build_asgi_app
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.entrance.gate import Gate
from riskgrid.dashboards.entrance.signing import Signing
from riskgrid.dashboards.entrance.statics import Statics
from riskgrid.dashboards.entrance.visit import Known, Visit, Visits
from riskgrid.dashboards.session import Session
from riskgrid.dashboards.theme import ICON

__all__ = ["mount"]

#: Seconds for which a page may come back to its session, as long as that is held.
_TOKEN_SECONDS = 43_200

#: Milliseconds for which a session is held that no page is connected to, and between two looks for such.
_LEFT, _LOOK = 60_000, 15_000


def mount(app: FastAPI, desk: Desk, known: Known) -> None:
    """Serve the dashboard at ``/desk`` of an application. known : who shows these headers from an address.

    What is at an address of the application's own stays there.
    """
    visits, visiting = Visits(), ContextVar[Visit]("visit")
    pages = _pages(desk, visits, visiting)
    gate, signing = Gate(pages, known, visits, visiting), Signing(known, visits, development=desk.development)
    for path, answer, methods in (
        ("/desk", gate.document, ["GET"]),
        ("/desk/", _to_page, ["GET"]),
        ("/desk/sign-in", signing.ask, ["GET"]),
        ("/desk/sign-in", signing.take, ["POST"]),
        ("/desk/sign-out", signing.end, ["GET"]),
        ("/static/{path:path}", Statics(pages).answer, ["GET"]),
        ("/favicon.ico", _icon, ["GET"]),
    ):
        app.router.routes.append(_Path(path, answer, methods=methods, include_in_schema=False))
    app.router.routes.append(_SocketPath("/desk/ws", _Socket(gate)))
    before = app.router.lifespan_context

    @asynccontextmanager
    async def course(app: FastAPI) -> AsyncGenerator[Any]:
        async with _running(pages), before(app) as state:
            yield state

    app.router.lifespan_context = course


def _pages(desk: Desk, visits: Visits, visiting: ContextVar[Visit]) -> ASGIApp:
    """The pages themselves: one function, called for each session in the context of the request that makes it."""

    def page() -> Any:
        visit, document = visiting.get(), pn.state.curdoc
        assert document is not None
        assert document.session_context is not None
        session = str(document.session_context.id)

        def left(_: SessionContext) -> None:
            visits.left(session)

        screen = Session(desk, visit.who, visit.query, dark=visit.dark).screen
        visit.asked = screen.asked
        visits.begun(session, visit)
        document.on_session_destroyed(left)
        return screen.view

    made = build_asgi_app(
        {"/desk": page},
        title="riskgrid",
        location=False,  # the address is the page's own affair
        index_enabled=False,
        ico_path="none",
        include_headers=[],  # what a session is made with stands in its page, for whoever reads that
        include_cookies=[],
        session_token_expiration=_TOKEN_SECONDS,
        unused_session_lifetime_milliseconds=_LEFT,
        check_unused_sessions_milliseconds=_LOOK,
    )
    return cast("ASGIApp", made)


class _Path(Route):
    """A route that says which it is, as FastAPI's own do: log and counts go by it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


class _SocketPath(WebSocketRoute):
    """The same of sockets."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}


class _Socket:
    """An application of its own for the routing, which takes a function to be called with a socket it has opened."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._gate.socket(scope, receive, send)


@asynccontextmanager
async def _running(pages: ASGIApp) -> AsyncGenerator[None]:
    """The pages' own start and end, as any server has an application begin and end."""
    told, said = asyncio.Queue[Message](), asyncio.Queue[Message]()
    task = asyncio.create_task(_course(pages, told, said))
    await told.put({"type": "lifespan.startup"})
    begun = await said.get()
    if begun["type"] != "lifespan.startup.complete":
        raise RuntimeError(begun.get("message", "the pages cannot start"))
    try:
        yield
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await task


async def _course(pages: ASGIApp, told: asyncio.Queue[Message], said: asyncio.Queue[Message]) -> None:
    await pages({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, told.get, said.put)


async def _to_page(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/desk{query}", 308)


async def _icon(request: Request) -> Response:  # noqa: ARG001
    drawn = unquote(ICON.partition(",")[2])
    return Response(drawn, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})
