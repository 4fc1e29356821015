"""What machines ask: whether the process lives, whether it can work, what it is, and its counts."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from riskgrid.api.deps import ServiceOf, Who
from riskgrid.api.problem import PROBLEMS
from riskgrid.engine.numerics import numerics
from riskgrid.manifest import environment

__all__ = ["router"]

router = APIRouter(tags=["operation"])


class Alive(BaseModel):
    """That it answers."""

    status: Literal["ok"] = "ok"


class Version(BaseModel):
    """What answers. commit : empty of an installed package.   backend : of the numbers."""

    riskgrid: str
    commit: str
    backend: str
    development: bool
    warning: str = ""


_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/health", summary="Whether the process lives")
async def health() -> Alive:
    """Nothing else is looked at: a database that is away is no reason to start a process anew."""
    return Alive()


@router.get("/ready", summary="Whether it can work", responses={503: PROBLEMS[503]})
def ready(service: ServiceOf) -> Alive:
    """The store can be written and the catalogue answers with the tables of this version; else 503 with the reason."""
    service.readiness.check()
    return Alive()


@router.get("/version", summary="What answers")
async def version(service: ServiceOf) -> Version:
    """Version, commit and numerics backend; in development mode a warning."""
    made = environment()
    warning = "development mode: nobody is asked who he is, everybody may do everything" if service.development else ""
    return Version(
        riskgrid=made["riskgrid"],
        commit=made["commit"],
        backend=numerics()["backend"],
        development=service.development,
        warning=warning,
    )


@router.get(
    "/metrics", summary="Counts, as Prometheus reads them", responses={**PROBLEMS, **_TEXT}, response_class=Response
)
def metrics(service: ServiceOf, who: Who) -> Response:
    """Needs the scope admin and all books; scrapers without a token take the port of --metrics-port."""
    who.require_service()
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
