"""What makes the risk of a run: what each node adds, which class, and the scenarios, factors and trades of the tail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from riskgrid.analysis.contributing import contributions
from riskgrid.analysis.decomposing import risk_classes
from riskgrid.analysis.tracing import tail_view
from riskgrid.api.analysis import check_part, note_detail, priced, told
from riskgrid.api.deps import By, Level, Measures, Part, TheDoor, TheRun, Where, Who, pairs
from riskgrid.api.media import TABLES, labelled

__all__ = ["Classes", "classes_of", "router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["analyses"])

_PARTS = ("scenarios", "factors", "trades")

Classes = Annotated[
    list[str],
    Query(description="Patterns of a class, as class=pattern; by default the usual classes.", max_length=64,
          examples=[["fx=fx:*", "equity=equity:*"]]),
]  # fmt: skip


def classes_of(classes: list[str]) -> dict[str, Any]:
    """The option ``classes`` of an analysis, where any are given."""
    return {"classes": pairs("classes", classes, "class=pattern", "fx=fx:*")} if classes else {}


@router.get("/contributions", responses=TABLES, summary="What each node adds to VaR and ES")
def get_contributions(
    request: Request,
    run: TheRun,
    where: Where,
    measures: Measures,
    by: By = ["region", "desk"],  # noqa: B006
) -> Response:
    """Stand-alone, component, marginal and incremental measures of every node."""

    def make() -> Any:
        made = contributions(run, by, where=where, **measures)
        return told(made.table, made)

    note_detail(request, run, "contributions", by=by, where=where)
    return labelled(request, run, make)


@router.get("/classes", responses=TABLES, summary="VaR and ES under the moves of each risk class alone")
def get_classes(  # noqa: PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    where: Where,
    measures: Measures,
    by: By = [],  # noqa: B006
    classes: Classes = [],  # noqa: B006
) -> Response:
    """(risk_class, node), the last class is ``all``; with what diversification saves."""

    def make() -> Any:
        made = risk_classes(run, by, where=where, **classes_of(classes), **measures)
        return told(made.table, made)

    note_detail(request, run, "classes", by=by, where=where)
    return priced(request, run, make)


@router.get("/tail", responses=TABLES, summary="The scenarios, market objects and trades that make VaR or ES")
def get_tail(  # noqa: PLR0913, PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    measure: Annotated[str, Query(max_length=32, examples=["value_at_risk"])] = "expected_shortfall",
    level: Level | None = None,
    method: Annotated[str | None, Query(max_length=32)] = None,
    count: Annotated[int, Query(ge=1, le=1_000, description="Of trades at each end.")] = 10,
    part: Part = "scenarios",
) -> Response:
    """Components add up to the measure, which the attribute ``measured`` tells."""

    def make() -> Any:
        check_part(part, _PARTS)
        made = tail_view(run, measure, where=where, count=count, level=level, method=method)
        measured = {**made.measured.attrs, "value": float(made.measured)}
        return told(getattr(made, part).assign_attrs(measured=measured), made, part=part, parts=_PARTS)

    if part == "trades" or "trade_id" in where:
        door.note_read(run, who, "tail", measure=measure, where=dict(where), count=count)
    return priced(request, run, make)
