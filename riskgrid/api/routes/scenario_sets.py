"""Scenario sets under names: uploaded, made and listed."""

from __future__ import annotations

from typing import Annotated

import xarray as xr
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from riskgrid import acting
from riskgrid.api.deps import ServiceOf, TheDoor, Who
from riskgrid.api.kept import (
    GeneratorBody,
    InputModel,
    InputName,
    ScenariosModel,
    StressBody,
    keep,
    listed,
    the_input,
)
from riskgrid.api.media import JSON, tagged
from riskgrid.api.models import Page
from riskgrid.api.upload import PARQUET_FILE, Upload, Uploaded, described_body
from riskgrid.scenarios import file
from riskgrid.store import NamedInput

__all__ = ["router"]

router = APIRouter(prefix="/scenario-sets", tags=["inputs"])
router.get("", summary="Scenario sets that one sees", response_model=Page[InputModel])(listed("scenarios"))

TheScenarios = Annotated[NamedInput, the_input("scenarios")]

_RECIPE: TypeAdapter[StressBody | GeneratorBody] = TypeAdapter(StressBody | GeneratorBody)
_BODY = described_body(
    PARQUET_FILE, json={"anyOf": [StressBody.model_json_schema(), GeneratorBody.model_json_schema()]}
)


@router.get("/{name}", response_model=ScenariosModel, summary="A scenario set")
def get_scenario_set(request: Request, entry: TheScenarios, door: TheDoor, who: Who) -> Response:
    """How many scenarios it has, of how many factors."""
    return tagged(request, ScenariosModel.of_input(entry, door.inputs.load("scenarios", entry.name, who)))


@router.put(
    "/{name}",
    status_code=201,
    responses={200: {"model": ScenariosModel, "description": "It has the place of an earlier one"}},
    openapi_extra=_BODY,
    summary="Keep a scenario set under a name",
)
def put_scenario_set(  # noqa: PLR0917, what a request consists of
    name: InputName, response: Response, upload: Uploaded, service: ServiceOf, who: Who, door: TheDoor
) -> ScenariosModel:
    """A Parquet file as riskgrid writes it; or in JSON, shocks by scenario, or a generator with its options."""
    if upload.only(JSON, PARQUET_FILE) == PARQUET_FILE:
        with upload.kept("scenarios.parquet") as path:
            given = file.read(path)
    else:
        given = _made(upload, door, who)
    return ScenariosModel.of_input(keep(service, who, name, given, response), given)


def _made(upload: Upload, door: TheDoor, who: Who) -> xr.Dataset:
    body = upload.json(_RECIPE)
    if isinstance(body, StressBody):
        return acting.make_scenarios(door, who, body.market, "stress", {"shocks": body.stress})
    return acting.make_scenarios(door, who, body.market, body.generator, body.options, history=body.history)
