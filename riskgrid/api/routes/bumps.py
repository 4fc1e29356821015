"""Sensitivities of a run's trades, and ladders of spot and volatility."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from riskgrid.analysis.bumping import SPOTS, VOLS, sensitivities, spot_vol_ladder
from riskgrid.api.analysis import note_detail, priced, told
from riskgrid.api.deps import By, TheRun, Where, named, pairs
from riskgrid.api.media import TABLES, check_count
from riskgrid.errors import BadSpec
from riskgrid.market.factor import match

__all__ = ["router"]

router = APIRouter(prefix="/runs/{run_id}", tags=["analyses"])

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(bp|%|vol)")

Sticky = Annotated[
    Literal["sticky_strike", "sticky_moneyness", "run"], Query(description="How surfaces move; ``run``: as in the run.")
]
Moves = Annotated[list[float], Query(max_length=21)]


@router.get("/sensitivities", responses=TABLES, summary="Delta, gamma and theta of every node, by factor")
def get_sensitivities(  # noqa: PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    where: Where,
    by: By = [],  # noqa: B006
    space: Literal["par", "zero"] = "par",
    patterns: Annotated[list[str], Query(description="Factors to bump, e.g. equity:*.", max_length=64)] = [],  # noqa: B006
    sizes: Annotated[list[str], Query(description="Bumps, as pattern=1bp.", examples=[["vol:*=1vol"]])] = [],  # noqa: B006
    sticky: Sticky = "sticky_strike",
) -> Response:
    """P&L per bump, whose size and unit stand with each factor; by=trade_id has a row a trade."""
    bumped = _sizes(sizes)

    def make() -> Any:
        if by == ["trade_id"]:
            factors = {one for pattern in patterns or ["*"] for one in match(pattern, run.market.factors)}
            check_count(request, {"trades": run.cube.size(by, where)[0] - 1, "factors": len(factors)})
        rule: Any = None if sticky == "run" else sticky
        made = sensitivities(run, by, where, space=space, patterns=patterns or None, sizes=bumped, sticky=rule)
        return told(made.table, made)

    note_detail(request, run, "sensitivities", by=by, where=where)
    return priced(request, run, make)


@router.get("/spot-vol/{factor:path}", responses=TABLES, summary="P&L by moves of a spot and of its volatility")
def get_spot_vol(  # noqa: PLR0917, options of an analysis
    request: Request,
    run: TheRun,
    where: Where,
    factor: Annotated[str, Path(max_length=128, examples=["equity:SPX"])],
    by: By = [],  # noqa: B006
    spots: Moves = list(SPOTS),  # noqa: B006
    vols: Moves = list(VOLS),  # noqa: B006
    sticky: Sticky = "sticky_strike",
) -> Response:
    """(node, spot_move, vol_move): relative moves of the spot, moves of every volatility of its surface."""

    def make() -> Any:
        rule: Any = None if sticky == "run" else sticky
        with named(factor):
            made = spot_vol_ladder(run, factor, spots=spots, vols=vols, by=by, where=where, sticky=rule)
        table = made.pnl.drop_attrs().to_dataset(name="pnl").assign_attrs(made.pnl.attrs)
        return told(table, made)

    note_detail(request, run, "spot-vol", by=by, where=where)
    return priced(request, run, make)


def _sizes(lines: list[str]) -> dict[str, tuple[float, str]] | None:
    found = {}
    for pattern, values in pairs("sizes", lines, "pattern=bump", "vol:*=1vol").items():
        size = _SIZE.fullmatch(values[-1])
        if size is None:
            raise BadSpec(f"sizes has the bump {values[-1]!r}; a number and bp, % or vol is right, e.g. 1bp")
        found[pattern] = (float(size.group(1)), size.group(2))
    return found or None
