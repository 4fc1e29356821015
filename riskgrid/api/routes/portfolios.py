"""Portfolios under names: uploaded, listed, and the terms of their trades."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import xarray as xr
from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from riskgrid.api.deps import ServiceOf, TheDoor, Who
from riskgrid.api.kept import InputModel, InputName, PortfolioModel, Rows, keep, listed, the_input
from riskgrid.api.media import JSON, TABLES, answered, tagged
from riskgrid.api.models import Page
from riskgrid.api.upload import ZIP, Upload, Uploaded, described_body
from riskgrid.portfolio import Portfolio
from riskgrid.portfolio.convert import columns_of
from riskgrid.store import NamedInput

__all__ = ["router"]

router = APIRouter(prefix="/portfolios", tags=["inputs"])
router.get("", summary="Portfolios that one sees", response_model=Page[InputModel])(listed("portfolio"))

ThePortfolio = Annotated[NamedInput, the_input("portfolio")]

OnBad = Annotated[Literal["raise", "keep"], Query(description="keep leaves bad rows out and lists them.")]

_ROWS: TypeAdapter[Rows] = TypeAdapter(Rows)


@router.get("/{name}", response_model=PortfolioModel, summary="A portfolio")
def get_portfolio(request: Request, entry: ThePortfolio, door: TheDoor, who: Who) -> Response:
    """How many trades it has of each instrument; those in one's own books count."""
    return tagged(request, PortfolioModel.of_input(entry, door.inputs.load("portfolio", entry.name, who)))


@router.put(
    "/{name}",
    status_code=201,
    responses={200: {"model": PortfolioModel, "description": "It has the place of an earlier one"}},
    openapi_extra=described_body(ZIP, json=_ROWS.json_schema()),
    summary="Keep a portfolio under a name",
)
def put_portfolio(  # noqa: PLR0917, what a request consists of
    name: InputName,
    response: Response,
    upload: Uploaded,
    service: ServiceOf,
    who: Who,
    on_bad: OnBad = "raise",
) -> PortfolioModel:
    """A ZIP archive of CSV or Parquet files named after their instruments, or JSON rows by instrument."""
    given = _read(upload, on_bad)
    return PortfolioModel.of_input(keep(service, who, name, given, response), given)


@router.get("/{name}/trades", responses=TABLES, summary="Labels and terms of the trades of one instrument")
def get_terms(  # noqa: PLR0917, what a request consists of
    request: Request,
    entry: ThePortfolio,
    door: TheDoor,
    who: Who,
    instrument: Annotated[str, Query(max_length=100, examples=["equity"])],
    limit: Annotated[int, Query(ge=1, le=100_000)] = 1000,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1, description="The attribute 'next' of the page before.")] = 0,
) -> Response:
    """Those in one's own books. The attribute ``next`` is the cursor of what follows, empty at the end."""
    seen: Portfolio = door.inputs.load("portfolio", entry.name, who)
    door.note_terms_read(entry.name, who, instrument=instrument, limit=limit, cursor=cursor)
    # not the key of what is kept: it tells when a trade changes that is hidden
    return answered(request, (seen.digest.hex(),), lambda: _terms(seen, instrument, cursor, cursor + limit))


def _read(upload: Upload, on_bad: Literal["raise", "keep"]) -> Portfolio:
    if upload.only(JSON, ZIP) == ZIP:
        with upload.unpacked((".csv", ".parquet")) as folder:
            return Portfolio.read(folder, on_bad=on_bad)
    tables = {name: columns_of(name, rows) for name, rows in upload.json(_ROWS).items()}
    return Portfolio.from_tables(tables, on_bad=on_bad)


def _terms(portfolio: Portfolio, instrument: str, start: int, stop: int) -> xr.Dataset:
    """Rows of an instrument's table. UnknownName where the portfolio has none of it."""
    frame = portfolio.to_pandas(instrument)
    columns: dict[str, Any] = {}
    for name in frame.columns:
        values = frame[name].iloc[start:stop].to_numpy()
        columns[str(name)] = ("trade", values.astype(object) if values.dtype.kind not in "fiubM" else values)
    following = str(stop) if stop < len(frame) else ""
    return xr.Dataset(columns, attrs={"instrument": instrument, "trades": len(frame), "next": following})
