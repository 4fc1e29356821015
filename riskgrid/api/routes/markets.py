"""Markets under names: uploaded and listed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from riskgrid.api.deps import ServiceOf, TheDoor, Who
from riskgrid.api.kept import InputModel, InputName, MarketModel, keep, listed, the_input
from riskgrid.api.media import tagged
from riskgrid.api.models import Page
from riskgrid.api.upload import ZIP, Uploaded, described_body
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.store import NamedInput

__all__ = ["router"]

router = APIRouter(prefix="/markets", tags=["inputs"])
router.get("", summary="Markets that one sees", response_model=Page[InputModel])(listed("market"))

TheMarket = Annotated[NamedInput, the_input("market")]


@router.get("/{name}", response_model=MarketModel, summary="A market")
def get_market(request: Request, entry: TheMarket, door: TheDoor, who: Who) -> Response:
    """Its date, and how many factors it has of each kind."""
    return tagged(request, MarketModel.of_input(entry, door.inputs.load("market", entry.name, who)))


@router.put(
    "/{name}",
    status_code=201,
    responses={200: {"model": MarketModel, "description": "It has the place of an earlier one"}},
    openapi_extra=described_body(ZIP),
    summary="Keep a market under a name",
)
def put_market(name: InputName, response: Response, upload: Uploaded, service: ServiceOf, who: Who) -> MarketModel:
    """A ZIP archive of conventions.yaml, and of factors and fixings in CSV or Parquet files."""
    upload.only(ZIP)
    with upload.unpacked((".csv", ".parquet", ".yaml")) as folder:
        given = MarketSnapshot.read(folder)
    return MarketModel.of_input(keep(service, who, name, given, response), given)
