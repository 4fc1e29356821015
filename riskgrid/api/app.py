"""The application: routes, errors as problems, documentation without a request to anywhere."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Security
from fastapi.responses import RedirectResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi_offline import FastAPIOffline

from riskgrid.api.deps import only_known
from riskgrid.api.documenting import documented
from riskgrid.api.envelope import Envelope
from riskgrid.api.problem import PROBLEMS, add_handlers
from riskgrid.api.routes import (
    analyses,
    audit,
    bumps,
    events,
    markets,
    moves,
    numbers,
    portfolios,
    probes,
    registry,
    runs,
    scenario_sets,
    trades,
)
from riskgrid.api.service import Service

__all__ = ["PREFIX", "make_app"]

_LOG = logging.getLogger(__name__)

#: Where this version of the interface lives.
PREFIX = "/api/v1"

_ROUTERS = (
    runs.router,
    events.router,
    numbers.router,
    trades.router,
    analyses.router,
    bumps.router,
    moves.router,
    portfolios.router,
    markets.router,
    scenario_sets.router,
    registry.router,
    audit.router,
)


#: For the documentation, which lets people try what they read; who it is, deps.Who finds out.
_SAID = [
    Security(HTTPBearer(auto_error=False, description="A token of the issuer, or an API key.")),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key: rgk_...")),
]


def make_app(service: Service, *, home: str = "/docs", interface: bool = True) -> FastAPI:
    """The HTTP interface of a service. As it ends, what is being made for requests is left to a runner.

    home : where who opens the service in a browser is led.   interface : without it, the probes alone.
    """

    @asynccontextmanager
    async def course(app: FastAPI) -> AsyncGenerator[None]:  # noqa: ARG001
        yield
        _LOG.info("the service ends, what is being made is given back: %d runs", service.door.close())

    async def lead() -> RedirectResponse:
        return RedirectResponse(home)

    # redirect_slashes : to a host that whoever asks has named
    app = (
        FastAPIOffline(
            title="riskgrid",
            version="1",
            summary="Runs, drill-down and what-ifs over scenario cubes.",
            docs_url="/docs",
            redoc_url=None,
            openapi_url="/openapi.json",
            redirect_slashes=False,
            lifespan=course,
        )
        if interface
        else FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=course)
    )
    app.state.service = service
    add_handlers(app)
    app.add_middleware(Envelope, service=service, prefix=PREFIX)
    app.include_router(probes.router)
    app.add_api_route("/", lead, include_in_schema=False)
    if not interface:
        return app
    said = [Depends(only_known), *([] if service.development else _SAID)]
    for router in _ROUTERS:
        app.include_router(router, prefix=PREFIX, responses=PROBLEMS, dependencies=said)
    app.openapi = functools.partial(documented, app)  # type: ignore[method-assign]
    return app
