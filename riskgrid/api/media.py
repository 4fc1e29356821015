"""Answers in the form a client asks for: JSON, Arrow IPC or Parquet, with an ETag and a guard on their size."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from fastapi import Request, Response
from pydantic import BaseModel
from pydantic_core import to_json as json_bytes
from starlette.exceptions import HTTPException

from riskgrid import wire
from riskgrid.api.service import Service
from riskgrid.errors import TooLarge
from riskgrid.hashing import digest
from riskgrid.result import Run

__all__ = ["ARROW", "JSON", "PARQUET", "TABLES", "check_size", "chosen_media", "labelled", "tagged"]

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


class Column(BaseModel):
    """Values along some dimensions. values : nested lists, null for what is no number."""

    dims: list[str]
    dtype: str
    values: Any
    attrs: dict[str, Any] = {}


class Labelled(BaseModel):
    """Labelled data, as xarray holds it."""

    sizes: dict[str, int]
    coords: dict[str, Column]
    variables: dict[str, Column]
    attrs: dict[str, Any]


#: For the OpenAPI document: a route that answers with labelled data in any of three forms.
TABLES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Labelled,
        "description": "Labelled data",
        "content": {
            ARROW: {"schema": {"type": "string", "format": "binary"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "As it was: If-None-Match holds its ETag"},
}


def chosen_media(request: Request, known: tuple[str, ...] = (JSON, ARROW, PARQUET)) -> str:
    """The form a client accepts; 406 names those there are."""
    accept = request.headers.get("accept", "*/*")
    asked = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    for each in asked:
        if each in known:
            return each
        if each in ("*/*", "application/*"):
            return known[0]
    if not asked:
        return known[0]
    raise HTTPException(406, f"Accept is {accept!r}; {', '.join(known)} are right")


def labelled(request: Request, run: Run, make: Callable[[], xr.Dataset]) -> Response:
    """Labelled data of a run in the form that is accepted; nothing is made that the client, or this process, has."""
    service: Service = request.app.state.service
    media = chosen_media(request)
    etag = _etag(request, run, media)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, X-API-Key"}
    if _held(request, etag):
        return Response(status_code=304, headers=headers)
    body = service.answers.get(etag)
    if body is None:
        made = make()
        check_size(made, service.sizes.numbers)
        body = _WRITERS[media](made)
        service.answers.put(etag, body)
    return Response(body, media_type=media, headers=headers)


def tagged(request: Request, model: BaseModel) -> Response:
    """A model as JSON with an ETag of its bytes."""
    body = model.model_dump_json().encode()
    etag = f'"{digest("model", body).hex()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, X-API-Key"}
    if _held(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _held(request: Request, etag: str) -> bool:
    """Whether a client has what it asks for."""
    return etag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]


def check_size(dataset: xr.Dataset, most: int) -> None:
    """TooLarge where a dataset holds more numbers than one answer may."""
    count = sum(int(variable.size) for variable in dataset.variables.values())
    if count > most:
        sizes = " x ".join(f"{size:,} {name}" for name, size in dataset.sizes.items())
        raise TooLarge(
            f"the answer has {count:,} values ({sizes}); at most {most:,} are right: narrow it by where, by fewer "
            "labels or by a limit"
        )


def _etag(request: Request, run: Run, media: str) -> str:
    """Of what decides an answer: the run's bits, the question, its form, and the books that are seen."""
    asked = sorted(request.query_params.multi_items())
    path = request.url.path
    rights = request.state.who.rights  # a second run that is named in the question is seen by them
    found = digest("etag", run.result_id, run.row.status, rights, path, [list(one) for one in asked], media)
    return f'"{found.hex()}"'


def _arrow(dataset: xr.Dataset) -> bytes:
    table, sink = wire.to_arrow(dataset), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet(dataset: xr.Dataset) -> bytes:
    sink = io.BytesIO()
    pq.write_table(wire.to_arrow(dataset), sink, compression="zstd")
    return sink.getvalue()


_WRITERS: dict[str, Callable[[xr.Dataset], bytes]] = {
    JSON: lambda dataset: json_bytes(wire.to_json(dataset), inf_nan_mode="null"),
    ARROW: _arrow,
    PARQUET: _parquet,
}
