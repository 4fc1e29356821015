"""A run under stress, against an earlier run, and beside others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from riskgrid import sample
from riskgrid.analysis.comparing import compare
from riskgrid.analysis.explaining import explain
from riskgrid.analysis.stressing import stress_report
from riskgrid.api.analysis import check_part, note_detail, priced, told
from riskgrid.api.deps import By, Measures, Part, TheDoor, TheRun, Where, Who, pairs
from riskgrid.api.media import TABLES, labelled
from riskgrid.api.routes.analyses import Classes, classes_of
from riskgrid.errors import BadSpec

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["analyses"])

_PARTS = ("nodes", "trades", "objects", "sensitivities")

RunId = Annotated[str, Query(max_length=64)]


@router.get("/stress", responses=TABLES, summary="P&L under stress, by scenario, node and risk class")
def get_stress(  # noqa: PLR0913, PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    by: By = ["desk"],  # noqa: B006
    classes: Classes = [],  # noqa: B006
    shock: Annotated[
        list[str],
        Query(
            description="Lines of one scenario, as pattern=shock; of several, as scenario|pattern=shock.",
            max_length=256,
            examples=[["equity:*=-20%"], ["crash|equity:*=-20%", "crash|vol:*=x1.5"]],
        ),
    ] = [],  # noqa: B006
    scenarios: Annotated[str | None, Query(description="Name of a kept scenario set.", max_length=128)] = None,
    history: Annotated[Literal["sample"] | None, Query(description="Adds the episodes of a history.")] = None,
) -> Response:
    """Worst first, by exact revaluation; by default the round shocks of each kind of factor."""
    if shock and scenarios is not None:
        raise BadSpec("both 'shock' and 'scenarios' say what is asked; one of them is right")
    kept = None if scenarios is None else door.inputs.named("scenarios", scenarios, who)
    lines: dict[str, list[dict[str, str]]] = {}
    for label, values in pairs("shock", shock, "pattern=shock", "fx:EUR=-5%").items():
        name, _, pattern = label.rpartition("|")
        lines.setdefault(name or "asked", []).extend({pattern: value} for value in values)

    def make() -> Any:
        asked = lines if lines else None if kept is None else door.inputs.load("scenarios", kept.name, who)
        past: dict[str, Any] = {} if history is None else {"history": sample.history(), "proxies": sample.proxies()}
        made = stress_report(run, asked, by, where=where, **classes_of(classes), **past)
        return told(made.table, made)

    note_detail(request, run, "stress", by=by, where=where)
    return priced(request, run, make, given=[] if kept is None else [kept.key])


@router.get("/explain", responses=TABLES, summary="P&L from an earlier run to this one, in pieces that add up")
def get_explain(  # noqa: PLR0913, PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    since: Annotated[RunId, Query(description="Id of the earlier run.")],
    by: By = ["region", "desk"],  # noqa: B006
    order: Literal["from_base", "in_sequence"] = "from_base",
    groups: Annotated[list[str], Query(description="Patterns of a group, as group=pattern.", max_length=64)] = [],  # noqa: B006
    count: Annotated[int, Query(ge=1, le=100_000, description="Of trades, those that lose most.")] = 10,
    part: Part = "nodes",
) -> Response:
    """(node, piece). ``objects`` : each market object moved alone; ``sensitivities`` : as deltas estimate it."""
    before = door.run(since, who)

    def make() -> Any:
        check_part(part, _PARTS)
        grouped = pairs("groups", groups, "group=pattern", "rates=par:*") if groups else None
        made = explain(before, run, by=by, order=order, groups=grouped, sensitivities=part == "sensitivities")
        if part == "trades":
            table = made.trades(count, where=where)
        elif part == "objects":
            table = made.factors(by, where)
        else:
            table = (made.estimated or made).by(by, where)
        return told(table, made, part=part, parts=_PARTS)

    if part == "trades" or "trade_id" in [*by, *where]:
        door.note_read(run, who, "explain", since=since, where=dict(where), by=by)
    return priced(request, run, make, also=[before])


@router.get("/compare", responses=TABLES, summary="Value, VaR and ES beside those of other runs")
def get_compare(  # noqa: PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    measures: Measures,
    others: Annotated[list[str], Query(alias="with", description="Ids of other runs.", min_length=1, max_length=8)],
    by: By = ["region", "desk"],  # noqa: B006
) -> Response:
    """(run, node), and the changes against this run."""
    beside = [door.run(each, who) for each in others]

    def make() -> Any:
        made = compare(run, *beside, by=by, where=where, **measures)
        return told(made.table, made)

    note_detail(request, run, "compare", by=by, where=where)
    return labelled(request, run, make, also=beside)
