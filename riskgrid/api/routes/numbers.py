"""Numbers of a run: its report, drilled down by any labels, P&L, and any registered measure."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from riskgrid.analysis.measuring import measured
from riskgrid.api.analysis import check_part, note_detail, told
from riskgrid.api.deps import By, Level, Measures, Part, TheRun, Where, named
from riskgrid.api.media import TABLES, check_count, labelled
from riskgrid.registry import MEASURES
from riskgrid.reporting import report

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["numbers"])

_PARTS = ("table", "total", "tail")


@router.get("/report", responses=TABLES, summary="PV, VaR, ES, contributions and coverage of a tree of labels")
def get_report(  # noqa: PLR0917, options of a report
    request: Request,
    run: TheRun,
    where: Where,
    measures: Measures,
    by: By = ["region", "desk"],  # noqa: B006
    part: Part = "table",
) -> Response:
    """Parents before children; ``total`` is the P&L of the first node, ``tail`` the scenarios of the tail of ES."""

    def make() -> Any:
        check_part(part, _PARTS)
        made = report(run, by, where=where, **measures)
        tables = {
            "table": made.table,
            "total": made.total.to_dataset(name="pnl", promote_attrs=True),
            "tail": made.tail,
        }
        return told(tables[part], made, part=part, parts=_PARTS)

    note_detail(request, run, "report", by=by, where=where)
    return labelled(request, run, make)


@router.get("/pnl", responses=TABLES, summary="P&L under every scenario, by labels")
def get_pnl(request: Request, run: TheRun, where: Where, by: By = []) -> Response:  # noqa: B006
    """P&L (node, scenario) in the reporting currency, with counts and coverage of each node."""

    def make() -> Any:
        nodes, scenarios = run.cube.size(by, where)
        check_count(request, {"nodes": nodes, "scenarios": scenarios})
        return run.aggregate(by, where)

    note_detail(request, run, "pnl", by=by, where=where)
    return labelled(request, run, make)


@router.get("/measures/{measure}", responses=TABLES, summary="A registered measure at every node of a tree of labels")
def get_measure(  # noqa: PLR0913, PLR0917, options of all measures
    request: Request,
    run: TheRun,
    where: Where,
    measure: Annotated[str, Path(max_length=64, examples=["value_at_risk"])],
    by: By = [],  # noqa: B006
    level: Level | None = None,
    method: Annotated[str | None, Query(max_length=32, examples=["hazen"])] = None,
    confidence: Level | None = None,
    of: Annotated[
        str | None, Query(alias="measure", description="Of a component: of which measure.", max_length=32)
    ] = None,
    count: Annotated[int | None, Query(ge=1, le=10_000, description="Of the worst scenarios.")] = None,
    resamples: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    seed: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Its convention is in the attributes. An option that the measure does not have is refused, with those it has."""
    options = {"level": level, "method": method, "confidence": confidence, "measure": of, "count": count}
    with named(measure):
        found = MEASURES[measure]
    note_detail(request, run, measure, by=by, where=where)
    return labelled(
        request, run, lambda: measured(run, found.name, by, where, **options, resamples=resamples, seed=seed)
    )
