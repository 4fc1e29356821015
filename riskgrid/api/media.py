"""Answers in the form a client asks for, with an ETag and a guard on their size.

JSON and Arrow hold the labelled data as it is (:mod:`riskgrid.wire` reads them); Parquet and CSV a table with a row for
each combination of its labels, for pandas and spreadsheets.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import xarray as xr
from fastapi import Request, Response
from pydantic import BaseModel
from pydantic_core import to_json as json_bytes
from starlette.exceptions import HTTPException

from riskgrid import sheet, wire
from riskgrid.api.service import Service
from riskgrid.errors import TooLarge
from riskgrid.hashing import digest
from riskgrid.manifest import environment
from riskgrid.result import Run

__all__ = [
    "ARROW",
    "CSV",
    "JSON",
    "PARQUET",
    "TABLES",
    "answered",
    "check_count",
    "check_size",
    "chosen_media",
    "labelled",
    "tagged",
]

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"


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


#: For the OpenAPI document: a route that answers with labelled data in any of its forms.
TABLES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Labelled,
        "description": "Labelled data",
        "content": {
            ARROW: {"schema": {"type": "string", "format": "binary"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
            CSV: {"schema": {"type": "string"}},
        },
    },
    304: {"description": "As it was: If-None-Match holds its ETag"},
}


def chosen_media(request: Request, known: tuple[str, ...] = (JSON, ARROW, PARQUET, CSV)) -> str:
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


def labelled(
    request: Request, run: Run, make: Callable[[], xr.Dataset], *, also: Sequence[Run] = (), given: Sequence[str] = ()
) -> Response:
    """Labelled data of a run in the form that is accepted; nothing is made that the client, or this process, has.

    also : runs beside it that decide the answer.   given : the content of what the question names, e.g. the key of a
    scenario set, for another may have the name tomorrow.
    """
    bits = [[each.result_id, each.row.status, each.called, each.row.rights] for each in (run, *also)]
    return answered(request, [bits, list(given)], make)


def answered(request: Request, of: Sequence[Any], make: Callable[[], xr.Dataset]) -> Response:
    """Labelled data as :func:`labelled`. of : what decides them beside the question and who asks it."""
    service: Service = request.app.state.service
    media = chosen_media(request)
    etag = _etag(request, of, media)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, X-API-Key"}
    if _held(request, etag):
        return Response(status_code=304, headers=headers)
    body = service.answers.get(etag)
    if body is None:
        made = make()
        check_size(made, service.sizes.numbers, long=media in (CSV, PARQUET))
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


def check_size(dataset: xr.Dataset, most: int, *, long: bool = False) -> None:
    """TooLarge where a dataset holds more values than one answer may. long : as a table of a row a combination."""
    count = sum(int(variable.size) for variable in dataset.variables.values())
    if long:
        count = math.prod(dataset.sizes.values()) * len(dataset.variables)
    _check(count, dataset.sizes, most)


def check_count(request: Request, sizes: Mapping[str, int]) -> None:
    """TooLarge, before any work, where an answer would hold a value for each combination of more than may be."""
    service: Service = request.app.state.service
    _check(math.prod(sizes.values()), sizes, service.sizes.numbers)


def _check(count: int, sizes: Mapping[Any, int], most: int) -> None:
    if count > most:
        told = " x ".join(f"{size:,} {name}" for name, size in sizes.items())
        raise TooLarge(
            f"the answer has {count:,} values ({told}); at most {most:,} are right: narrow it by where, by fewer "
            "labels or by a limit"
        )


def _etag(request: Request, of: Sequence[Any], media: str) -> str:
    """Of what decides an answer: this code, the runs' bits and names, the question, its form, the books seen."""
    # of values of one name the order counts: by=region&by=desk is another tree than by=desk&by=region
    asked = [list(one) for one in sorted(request.query_params.multi_items(), key=lambda one: one[0])]
    rights = request.state.who.rights
    found = digest("etag", environment()["riskgrid"], list(of), rights, request.url.path, asked, media)
    return f'"{found.hex()}"'


def _arrow(dataset: xr.Dataset) -> bytes:
    table, sink = wire.to_arrow(dataset), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue()


_WRITERS: dict[str, Callable[[xr.Dataset], bytes]] = {
    JSON: lambda dataset: json_bytes(wire.to_json(dataset), inf_nan_mode="null"),
    ARROW: _arrow,
    PARQUET: sheet.to_parquet,
    CSV: sheet.to_csv,
}
