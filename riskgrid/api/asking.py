"""What is asked for as JSON: a run of named inputs, and changes to a run."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, JsonValue, field_validator

from riskgrid.acting import Asked
from riskgrid.api.models import Strict
from riskgrid.engine.budget import Limits
from riskgrid.portfolio.header import MOST_COLUMNS
from riskgrid.question import CELL_LABELS
from riskgrid.store import BATCH

__all__ = [
    "MOST_LINES",
    "MOST_RULES",
    "MOST_TRADES",
    "Cell",
    "ChangesBody",
    "LimitsBody",
    "Name",
    "Of",
    "RunBody",
    "Shock",
    "Text",
    "WhatIfBody",
]

#: Trades of one kind of change, rules or patterns of one, and lines of an overlay.
MOST_TRADES, MOST_RULES, MOST_LINES = 10_000, 1_000, 5_000

Name = Annotated[str, Field(max_length=200)]
# no type statements: a schema would refer to them, and these stand inline in the OpenAPI document
#: Any other text: a label, a trade, a factor.
Text = Annotated[str, Field(max_length=200)]
#: A cell of a trade; a schedule within one takes room.
Cell = Annotated[str, Field(max_length=20_000)] | int | float | bool | None
#: A shock of the stress grammar.
Shock = Text | float
#: Labels and the values that are looked for.
Choice = dict[Text, Text | Annotated[list[Text], Field(max_length=MOST_TRADES)]]
#: A row of a table: cells by column.
Row = Annotated[dict[Text, Cell], Field(max_length=MOST_COLUMNS)]
#: Shocks by factor or pattern, of a scenario.
Shocks = dict[Text, Shock] | list[dict[Text, Shock]]
#: The same, so many at most.
Lines = Annotated[Shocks, Field(max_length=MOST_RULES)]


class Of(Strict):
    """The input of a run."""

    of: Name = Field(description="Id of a run.", examples=["0f3a6c2b9d41"])


class LimitsBody(Strict):
    """What a run may need; one that would need more is refused with the numbers."""

    seconds: float | None = Field(None, gt=0.0, description="Of wall clock.")
    memory: float | None = Field(None, gt=0.0, description="Bytes of all processes together.")
    disk: float | None = Field(None, gt=0.0, description="Bytes.")


class RunBody(Strict):
    """A run of inputs that are kept under names."""

    name: Name = Field("", description="What people call the run.")
    portfolio: Name | Of = Field(description="Name of a portfolio, or of which run.", examples=["sample"])
    market: Name | Of = Field(description="Name of a market, or of which run.", examples=["sample"])
    scenarios: Name | Of = Field(description="Name of a scenario set, or of which run.", examples=["sample"])
    reporting: Text | None = Field(None, description="Currency of all figures; by default the market's numeraire.")
    cell_labels: list[Name] = Field(
        list(CELL_LABELS), max_length=12, description="Labels whose combinations are summed and kept in memory."
    )
    bits: int | None = Field(None, description="P&L is counted in 2^-bits of the currency: 20, 10 or 4.")
    cut: int = Field(4096, ge=1, le=2**31, description="Trades of a block, at most; a power of two.")
    limits: LimitsBody | None = None
    priority: int = Field(BATCH, description="Larger ones go first; 0 to 10, more for an admin.")

    def asked(self) -> Asked:
        """What is asked of the library."""
        form = self.model_dump()
        limits = form.pop("limits")
        return Asked(**form, limits=None if limits is None else Limits(**limits))


class Rehang(Strict):
    """Labels that change."""

    where: Choice = Field(description="Which trades.", examples=[{"book": "Flow A"}])
    to: dict[Text, Text] = Field(description="Their new labels.", examples=[{"desk": "Macro"}])


class MarketDate(Strict):
    """The market of a date."""

    date: Text = Field(examples=["2016-06-30"])
    history: str = Field("sample", description="The history that comes with riskgrid.", pattern="^sample$")


class ChangesBody(Strict):
    """What a what-if changes, in this order: trades, labels, market, shift, scenarios, overlay."""

    only: Choice | Annotated[list[Choice], Field(max_length=MOST_RULES)] | None = Field(
        None, description="Labels and values of the trades that stay; all others leave.", examples=[{"desk": "Rates"}]
    )
    add: dict[Text, Annotated[list[Row], Field(max_length=MOST_TRADES)]] = Field(
        default_factory=dict,
        max_length=MOST_RULES,
        description="Trades that come: rows by instrument, as its schema has them.",
        examples=[{"equity": [{"trade_id": "N-1", "book": "Flow A", "underlying": "SPX", "currency": "USD"}]}],
    )
    amend: dict[Text, Row] = Field(
        default_factory=dict,
        max_length=MOST_TRADES,
        description="Columns that change, by trade_id.",
        examples=[{"T-1": {"strike": 105.0}}],
    )
    resize: dict[Text, float] = Field(
        default_factory=dict,
        max_length=MOST_TRADES,
        description="New quantities, by trade_id.",
        examples=[{"T-1": 200.0}],
    )
    drop: list[Text] = Field(
        default_factory=list, max_length=MOST_TRADES, description="Trade_ids that leave.", examples=[["T-1"]]
    )
    rehang: list[Rehang] = Field(
        default_factory=list, max_length=MOST_RULES, description="Rules that change labels, one after another."
    )
    snapshot: Name | None = Field(None, description="Name of another market.")
    date: MarketDate | None = Field(None, description="The market of another date.")
    shift: dict[Text, Shock] = Field(
        default_factory=dict,
        max_length=MOST_RULES,
        description="Shocks of the base market by factor or pattern, under which every scenario is taken again.",
        examples=[{"equity:*": "-5%", "par:USD-TREASURY:*": "+50bp"}],
    )
    scenarios: Name | None = Field(None, description="Name of another scenario set.")
    overlay: Name | dict[Text, Shocks] | None = Field(
        None,
        description="A stress that comes after every scenario: its name, or shocks by scenario.",
        examples=[{"crash": {"equity:*": "-20%"}}],
    )

    @field_validator("overlay")
    @classmethod
    def _few_lines(cls, overlay: Any) -> Any:
        """ValueError where a stress has more lines than can be asked at once."""
        stress = overlay.values() if isinstance(overlay, dict) else ()
        # an empty line costs as much as one that says something
        found = sum(max(len(part), 1) for lines in stress for part in (lines if isinstance(lines, list) else [lines]))
        if found > MOST_LINES:
            raise ValueError(f"{found:,} lines of shocks; {MOST_LINES:,} are right at most")
        return overlay

    def form(self) -> dict[str, JsonValue]:
        """The plain form that the library reads."""
        form: dict[str, Any] = self.model_dump(exclude_unset=True)
        if self.date is not None:
            form["date"] = self.date.model_dump()
        return form


class WhatIfBody(Strict):
    """A what-if of a run."""

    name: Name = Field("", description="What people call it.")
    changes: ChangesBody
