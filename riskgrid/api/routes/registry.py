"""What is registered: instruments, measures and ways to make scenarios, with their JSON Schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, RootModel

from riskgrid.api.deps import Who, named
from riskgrid.describing import generator_schema, instrument_schema, measure_schema
from riskgrid.registry import INSTRUMENTS, MEASURES, SCENARIO_SETS

__all__ = ["router"]


def _asked(who: Who) -> str:
    return who.name


router = APIRouter(tags=["registry"], dependencies=[Depends(_asked)])

Name = Annotated[str, Path(max_length=64)]


class Registered(BaseModel):
    """One entry. options : its terms or options.   required : those that must be given."""

    name: str
    summary: str
    options: list[str]
    required: list[str]


class Schema(RootModel[dict[str, Any]]):
    """A JSON Schema, draft 2020-12."""


def _listed(names: Iterable[str], schema: Callable[[str], dict[str, Any]]) -> list[Registered]:
    made = []
    for name in names:
        form = schema(name)
        summary = form["description"].partition("\n")[0]
        made.append(Registered(name=name, summary=summary, options=list(form["properties"]), required=form["required"]))
    return made


@router.get("/instruments", summary="Every instrument with its columns")
def list_instruments() -> list[Registered]:
    """By name."""
    return _listed(INSTRUMENTS, instrument_schema)


@router.get("/instruments/{name}", summary="A trade of an instrument as JSON Schema")
def get_instrument(name: Name) -> Schema:
    """Types, units, choices, bounds and defaults of every column, as forms need them."""
    with named(name):
        return Schema(instrument_schema(name))


@router.get("/measures", summary="Every measure with its options")
def list_measures() -> list[Registered]:
    """By name."""
    return _listed(MEASURES, measure_schema)


@router.get("/measures/{name}", summary="The options of a measure as JSON Schema")
def get_measure(name: Name) -> Schema:
    """With what it is taken of, and what it is checked against."""
    with named(name):
        return Schema(measure_schema(name))


@router.get("/scenario-generators", summary="Every way to make a scenario set, with its options")
def list_generators() -> list[Registered]:
    """By name."""
    return _listed(SCENARIO_SETS, generator_schema)


@router.get("/scenario-generators/{name}", summary="The options of a scenario generator as JSON Schema")
def get_generator(name: Name) -> Schema:
    """With what it is made of."""
    with named(name):
        return Schema(generator_schema(name))
