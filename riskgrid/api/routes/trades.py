"""Trades of a run and its scenarios; who reads of single trades is written into the audit trail."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from riskgrid import detail
from riskgrid.api.analysis import note_detail
from riskgrid.api.deps import TheDoor, TheRun, Where, Who, named
from riskgrid.api.media import TABLES, check_count, labelled
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.hashing import digest

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["trades"])

TradeId = Annotated[
    str, Path(description="Id of a trade; a slash in it may stand as %2F.", max_length=256, examples=["EO-000001"])
]
Names = Annotated[list[str], Query(max_length=32)]


@router.get("/trades", responses=TABLES, summary="Trades with labels, base value and status")
def list_trades(  # noqa: PLR0913, PLR0917, options of a list
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    status: Annotated[Names, Query(description="Any of these, in lower case.", examples=[["failed"]])] = [],  # noqa: B006
    columns: Annotated[Names, Query(description="Labels and variables beside trade_id; by default all.")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=100_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=64, description="As the page before gave it.")] = None,
) -> Response:
    """In portfolio order. The attribute ``matching`` counts them, ``next`` is the cursor of what follows or null."""
    asked = [where, status, columns]
    start = _start(cursor, asked)

    def make() -> Any:
        made = detail.trades(run, where, status=status, columns=columns, start=start, count=limit)
        stop = start + made.sizes["trade"]
        return made.assign_attrs(next=_cursor(stop, asked) if stop < made.attrs["matching"] else None)

    door.note_read(run, who, "trades", where=dict(where), status=status, start=start, limit=limit)
    return labelled(request, run, make)


@router.get("/trades/{trade_id:path}/pnl", responses=TABLES, summary="P&L of a trade under every scenario")
def get_trade_pnl(request: Request, run: TheRun, door: TheDoor, who: Who, trade_id: TradeId) -> Response:
    """P&L (trade, scenario) of the one trade."""
    with named(trade_id):
        run.portfolio.places([trade_id])
    door.note_read(run, who, "trade pnl", trade=trade_id)
    return labelled(request, run, lambda: detail.trade_pnl(run, [trade_id]))


@router.get("/trades/{trade_id:path}", responses=TABLES, summary="A trade with its terms, base value and status")
def get_trade(request: Request, run: TheRun, door: TheDoor, who: Who, trade_id: TradeId) -> Response:
    """One row; the attribute ``instrument`` names what it is, units stand with the terms."""
    with named(trade_id):
        run.portfolio.places([trade_id])
    door.note_read(run, who, "trade", trade=trade_id)
    return labelled(request, run, lambda: detail.trade(run, trade_id))


@router.get("/scenarios", responses=TABLES, summary="Scenarios with the P&L of the trades asked for")
def list_scenarios(request: Request, run: TheRun, where: Where) -> Response:
    """In the order of the set, with what the set tells of each."""
    note_detail(request, run, "scenarios", where=where)
    return labelled(request, run, lambda: detail.scenario_table(run, where))


@router.get("/scenarios/{scenario:path}/trades", responses=TABLES, summary="The trades that lose most in a scenario")
def list_worst_trades(  # noqa: PLR0917, options of a list
    request: Request,
    run: TheRun,
    door: TheDoor,
    who: Who,
    where: Where,
    scenario: Annotated[str, Path(max_length=256, examples=["2016-06-24"])],
    count: Annotated[int, Query(ge=1, le=10_000)] = 10,
) -> Response:
    """Worst first, with ``scenario_pnl``."""
    known = list(map(str, run.cube.scenarios))
    with named(scenario):
        if scenario not in known:
            raise UnknownName("scenario", scenario, known)
    check_count(request, {"trades": count, "columns": len(run.cube.labels)})
    door.note_read(run, who, "worst trades", scenario=scenario, where=dict(where), count=count)
    return labelled(request, run, lambda: run.worst_trades(scenario, count, where))


def _cursor(start: int, asked: Any) -> str:
    """Where the next page begins, for this question alone."""
    return base64.urlsafe_b64encode(_mark(asked) + start.to_bytes(6)).decode()


def _start(cursor: str | None, asked: Any) -> int:
    """BadSpec for a cursor that no page of this question gave."""
    if cursor is None:
        return 0
    try:
        held = base64.urlsafe_b64decode(cursor)
    except (binascii.Error, ValueError):
        held = b""
    if len(held) != 14 or held[:8] != _mark(asked):
        raise BadSpec("the cursor is of no page of this list; the one that the page before gave is right")
    return int.from_bytes(held[8:])


def _mark(asked: Any) -> bytes:
    where, *lists = asked
    return digest("cursor", [[name, list(values)] for name, values in where.items()], *map(list, lists))[:8]
