"""Inputs that are kept under names, as they come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

import xarray as xr
from fastapi import Depends, Path, Response
from pydantic import BaseModel, Field

from riskgrid import acting
from riskgrid.api.asking import Lines, Name, Row, Text
from riskgrid.api.deps import TheDoor, Who
from riskgrid.api.models import Page, Strict
from riskgrid.api.problem import NotFound
from riskgrid.api.service import Service
from riskgrid.errors import UnknownName
from riskgrid.inputs import described
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.principal import Principal
from riskgrid.store import NamedInput

__all__ = [
    "GeneratorBody",
    "InputModel",
    "InputName",
    "MarketModel",
    "PortfolioModel",
    "Rows",
    "ScenariosModel",
    "StressBody",
    "keep",
    "listed",
    "the_input",
]

InputName = Annotated[str, Path(description="Name of an input.", max_length=200, examples=["sample"])]

#: Rows by instrument.
Rows = dict[Text, list[Row]]


class InputModel(BaseModel):
    """An input under a name. principal : who has named it."""

    name: str
    created: str
    principal: str

    @classmethod
    def of(cls, entry: NamedInput, **more: Any) -> Self:
        """Of a named input."""
        return cls(name=entry.name, created=entry.created, principal=entry.principal, **more)


class PortfolioModel(InputModel):
    """A portfolio, of which one sees the trades in one's own books.

    instruments : trades by instrument.   rejected : bad cells of rows that were left out of what was just kept.
    """

    trades: int
    instruments: dict[str, int]
    labels: list[str]
    rejected: list[str] = []

    @classmethod
    def of_input(cls, entry: NamedInput, given: Portfolio) -> Self:
        """Of a portfolio as one sees it."""
        counts = {name: table.num_rows for name, table in given.tables.items() if table.num_rows}
        rejected = [str(row) for row in given.rejected[:1000]]
        return cls.of(entry, trades=len(given), instruments=counts, labels=list(given.label_names), rejected=rejected)


class MarketModel(InputModel):
    """A market. kinds : factors by kind.   fixings : the series that have any."""

    date: str
    numeraire: str
    factors: int
    kinds: dict[str, int]
    fixings: list[str]

    @classmethod
    def of_input(cls, entry: NamedInput, given: MarketSnapshot) -> Self:
        """Of a snapshot."""
        kinds: dict[str, int] = {}
        for factor in given.factors:
            kind = factor.partition(":")[0]
            kinds[kind] = kinds.get(kind, 0) + 1
        return cls.of(
            entry,
            date=str(given.date),
            numeraire=given.numeraire,
            factors=len(given.factors),
            kinds=kinds,
            fixings=sorted(given.fixings),
        )


class ScenariosModel(InputModel):
    """A scenario set. kind : what made it."""

    set_name: str
    kind: str
    scenarios: int
    factors: int

    @classmethod
    def of_input(cls, entry: NamedInput, given: xr.Dataset) -> Self:
        """Of a set."""
        sizes = {"scenarios": given.sizes["scenario"], "factors": given.sizes["factor"]}
        return cls.of(entry, set_name=str(given.attrs["name"]), kind=str(given.attrs["kind"]), **sizes)


class StressBody(Strict):
    """Scenarios by name, each with shocks by factor or pattern."""

    market: Name = Field(description="Name of the market whose factors move.", examples=["sample"])
    stress: dict[Text, Lines] = Field(
        min_length=1, max_length=10_000, examples=[{"crash": {"equity:*": "-20%", "vol:*": "+5vol"}}]
    )


class GeneratorBody(Strict):
    """Scenarios by a registered generator."""

    market: Name = Field(description="Name of the market whose factors move.", examples=["sample"])
    generator: Name = Field(examples=["ladder"])
    options: dict[str, Any] = Field(default_factory=dict, description="As /scenario-generators has them.")
    history: Text | None = Field(None, description="Where one is needed: sample, the one that comes with riskgrid.")


def the_input(kind: str) -> Any:
    """A dependency: the input of a kind that a path names; 404 where there is none, or not for the one who asks."""

    def find(name: InputName, door: TheDoor, who: Who) -> NamedInput:
        try:
            return door.inputs.named(kind, name, who)
        except UnknownName as error:
            raise NotFound(error) from None

    return Depends(find)


def listed(kind: str) -> Callable[..., Page[InputModel]]:
    """A route: the names of a kind that one sees."""

    def list_inputs(door: TheDoor, who: Who) -> Page[InputModel]:
        """Of one name that several have given, one's own, else that of everybody."""
        return Page(items=[InputModel.of(entry) for entry in door.inputs.names(kind, who).values()])

    return list_inputs


def keep(
    service: Service,
    who: Principal,
    name: str,
    given: Portfolio | MarketSnapshot | xr.Dataset,
    response: Response,
) -> NamedInput:
    """Keep an input: 201 where the name is new to the one who asks."""
    kind, _ = described(given)
    known = name in service.door.inputs.names(kind, who)
    acting.keep_input(service.door, who, name, given)
    response.status_code = 200 if known else 201
    return service.door.inputs.named(kind, name, who)
