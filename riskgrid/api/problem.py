"""Errors as RFC 9457 problems: the library's sentence is the detail."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from riskgrid.errors import (
    BadChanges,
    BadRows,
    ClusterLost,
    Forbidden,
    InputError,
    IssuerAway,
    MarketError,
    MoneyOverflow,
    NameTaken,
    NotFinished,
    RiskgridError,
    Stopped,
    StoreError,
    TooMany,
    Unauthenticated,
    UnknownName,
    WrongStatus,
)
from riskgrid.wire import ERROR_TYPE

__all__ = [
    "PROBLEMS",
    "Conflict",
    "NotFound",
    "Problem",
    "add_handlers",
    "of_library",
    "problem",
    "unforeseen",
]

_LOG = logging.getLogger(__name__)

_MEDIA = "application/problem+json"

_UNFORESEEN = "something went wrong that nobody foresaw; the log has it under this request's id"


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it. errors : every single reason, where there are several.

    type : ``urn:riskgrid:error:`` with the name of the kind of error, see :mod:`riskgrid.errors`.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = ""
    errors: list[str] = Field(default_factory=list)


class NotFound(RiskgridError):
    """What the path names is not there, or not for the one who asks."""

    def __init__(self, error: UnknownName) -> None:
        self.kind = type(error)
        super().__init__(str(error))


class Conflict(RiskgridError):
    """What is asked does not go with how things stand."""

    def __init__(self, error: RiskgridError) -> None:
        self.kind = type(error)
        super().__init__(str(error))


#: The status of each kind of error, the first that fits.
_STATUS: Mapping[type[Exception], int] = {
    NotFound: 404,
    Conflict: 409,
    NameTaken: 409,
    NotFinished: 409,
    WrongStatus: 409,
    InputError: 422,
    Unauthenticated: 401,
    IssuerAway: 503,
    Forbidden: 403,
    TooMany: 429,
    MarketError: 422,
    MoneyOverflow: 422,
    StoreError: 503,
    Stopped: 503,
    ClusterLost: 503,
}

#: What every route may answer beside what it is for.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": HTTPStatus(status).phrase, "content": {_MEDIA: {}}}
    for status in (400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 503)
}


def problem(
    status: int,
    detail: str,
    request: Request,
    *,
    errors: list[str] | None = None,
    headers: Mapping[str, str] | None = None,
    kind: type[Exception] | None = None,
) -> JSONResponse:
    """A problem as a response. kind : of the error, where it is one of the library's."""
    title, where = HTTPStatus(status).phrase, request.url.path
    named = "about:blank" if kind is None else f"{ERROR_TYPE}{kind.__name__}"
    body = Problem(type=named, title=title, status=status, detail=detail, instance=where, errors=errors or [])
    return JSONResponse(body.model_dump(), status, dict(headers or {}), _MEDIA)


def add_handlers(app: FastAPI) -> None:
    """Have every error answered as a problem."""
    app.add_exception_handler(RiskgridError, of_library)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(HTTPException, _of_server)
    app.add_exception_handler(Exception, unforeseen)


async def of_library(request: Request, error: Exception) -> JSONResponse:
    """The problem of an error that says itself what is wrong."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503) or isinstance(error, NotFinished):
        headers["Retry-After"] = str(max(round(getattr(error, "seconds", 1.0)), 1))
    if status >= 500:
        _LOG.warning("%s", error)
    kind = getattr(error, "kind", None) if isinstance(error, (NotFound, Conflict)) else type(error)
    return problem(status, _outward(error, status), request, errors=_reasons(error), headers=headers, kind=kind)


async def _of_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(400, "the body is no JSON", request)
    reasons = [_sentence(each) for each in found]
    return problem(422, "; ".join(reasons[:5]), request, errors=reasons)


async def _of_server(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = {404: f"nothing is at {request.url.path}", 405: f"{request.method} is not for {request.url.path}"}
    detail = said.get(error.status_code, error.detail)
    return problem(error.status_code, detail, request, headers=error.headers)


async def unforeseen(request: Request, error: Exception) -> JSONResponse:
    """The problem of an error that is nobody's fault but ours."""
    _LOG.error("the request failed", exc_info=error)
    return problem(500, _UNFORESEEN, request)


def _outward(error: Exception, status: int) -> str:
    """The sentence for who asks: where files, addresses and keys of the service lie is for its log."""
    if isinstance(error, StoreError):
        return error.outward
    if isinstance(error, ClusterLost):
        return "the service lost what it computes with; ask again to go on"
    return _UNFORESEEN if status == 500 else str(error)


def _reasons(error: Exception) -> list[str]:
    if isinstance(error, BadRows):
        return [str(row) for row in error.rows]
    if isinstance(error, BadChanges) and error.reasons:
        return list(error.reasons)
    lines = [] if isinstance(error, StoreError) else str(error).splitlines()
    return lines if len(lines) > 1 else []


def _sentence(fault: Mapping[str, Any]) -> str:
    """What is wrong at a place, in words of ours where those of the library that checks speak of patterns."""
    place, given = _place(fault["loc"]), fault.get("input")
    if fault["type"] == "extra_forbidden":
        return f"{place}: unknown key '{fault['loc'][-1]}'"
    if fault["type"] == "string_pattern_mismatch" and fault["loc"][-1] in _EXAMPLES:
        return f"{place} is {given!r}; {_EXAMPLES[fault['loc'][-1]]} is right"
    if fault["type"] == "too_long" and isinstance(given, (list, dict)):
        return f"{place} has {len(given):,} entries; {fault['ctx']['max_length']:,} are right at most"
    return f"{place}: {fault['msg']}"


_EXAMPLES = {"var_level": "0.99", "es_level": "0.975", "level": "0.99"}


def _place(where: Any) -> str:
    kind, *path = map(str, where)
    return ".".join(path) or kind
