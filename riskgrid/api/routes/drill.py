"""Numbers of a run: its report, drilled down by any labels, and P&L."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from riskgrid.api.deps import By, TheRun, Where
from riskgrid.api.media import TABLES, labelled
from riskgrid.reporting import report

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["numbers"])

Level = Annotated[str, Query(description="Confidence, as a decimal.", pattern=r"^0?\.[0-9]{1,6}$", examples=["0.99"])]


@router.get("/report", responses=TABLES, summary="PV, VaR, ES, contributions and coverage of a tree of labels")
def get_report(  # noqa: PLR0917, options of a report
    request: Request,
    run: TheRun,
    where: Where,
    by: By = ["region", "desk"],  # noqa: B006
    var_level: Level = "0.99",
    es_level: Level = "0.975",
    var_method: str = "inverted_cdf",
    es_method: str = "tail_integral",
) -> Response:
    """Parents before children; the attribute ``conventions`` says what every number means."""

    def make() -> Any:
        options = {"var_level": var_level, "es_level": es_level, "var_method": var_method, "es_method": es_method}
        made = report(run, by, where=where, **options)
        return made.table.assign_attrs(conventions=made.conventions)

    return labelled(request, run, make)


@router.get("/pnl", responses=TABLES, summary="P&L under every scenario, by labels")
def get_pnl(request: Request, run: TheRun, where: Where, by: By = []) -> Response:  # noqa: B006
    """P&L (node, scenario) in the reporting currency, with counts and coverage of each node."""
    return labelled(request, run, lambda: run.aggregate(by, where))
