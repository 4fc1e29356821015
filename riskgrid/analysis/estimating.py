"""The P&L between two runs as the deltas, gammas and theta of the earlier one say it should be."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.analysis.attribution import Attribution
from riskgrid.analysis.revaluing import Frames
from riskgrid.engine.size import bump_bits
from riskgrid.measures import explain as piece
from riskgrid.registry import MEASURES, SCENARIO_SETS
from riskgrid.scenarios import steps
from riskgrid.scenarios.ladder import BUMPS, UNITS
from riskgrid.scenarios.set import shifts

__all__ = ["estimate"]

#: Trades whose P&L under the whole ladder is in memory at once.
_AT_ONCE = 1024


def estimate(frames: Frames, trades: NDArray[np.int64], revalued: Attribution) -> Attribution:
    """Theta of one calendar day times the days, and of every factor that moved delta n + gamma n^2 / 2, by group.

    n is the move in bumps: relative for spot, in basis points for rates, in points for volatilities.   trades : places
    of those of ``revalued`` in the earlier run; the others, which are new, are left out. ``unexplained`` is what was
    revalued between ``cash and carry`` and ``cross``, and of expired trades, less this.
    """
    a, after = frames.a, frames.b.market
    market = frames.rolled.market
    groups = steps.grouped([factor for factor in market.factors if not factor.startswith("index:")], frames.groups)
    moves = _moves(frames)
    names = list(groups)
    bits = bump_bits(a.portfolio, market, a.manifest["reporting"])  # a bump moves a trade by less than a day does
    sums = np.zeros((len(trades), 1 + len(names)))
    days = int((after.date - a.market.date).astype(np.int64))
    if days:
        tomorrow = [market.date + np.timedelta64(1, "D")]
        ahead = shifts(["theta"], [], 1.0, 0.0, name="a day", kind="steps", provenance={}, date=tomorrow)
        run = frames.run("a day", market, ahead, bits=bits)
        sums[:, 0] = days * frames.pnl(run, trades)[:, 0]
    if moves:
        made = SCENARIO_SETS["ladder"](market, patterns=list(moves), sizes=_sizes(frames, list(moves)))
        run = frames.run("ladder", market, made, bits=bits)
        group = {factor: at for at, found in enumerate(groups.values(), 1) for factor in found}
        unit = dict(zip(made["bumped"].values.tolist(), made["unit"].values.tolist(), strict=True))
        counted = {factor: moves[factor][unit[factor] == "%"] / UNITS[unit[factor]] for factor in moves}
        for start in range(0, len(trades), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            pnl = xr.DataArray(frames.pnl(run, trades[rows]), made["scenario"].coords, ("trade", "scenario"))
            by_factor = MEASURES["taylor_pnl"](pnl, counted)
            column = [group[str(factor)] for factor in by_factor["factor"].values]
            np.add.at(sums[rows].T, column, by_factor.values.T)
    ticks = frames.counted(sums)
    skipped = {piece.NEW, piece.AMENDED, piece.DROPPED, piece.UNEXPLAINED}
    held = [at for at, name in enumerate(revalued.pieces) if name not in skipped]
    rest = revalued.ticks[: len(trades), held].sum(axis=1) - ticks.sum(axis=1)
    labels = {name: column[slice(0, len(trades))] for name, column in revalued.labels.items()}
    pieces = (piece.THETA, *names, piece.UNEXPLAINED)
    return Attribution(np.column_stack([ticks, rest]), pieces, labels, revalued.bits, revalued.currency)


def _moves(frames: Frames) -> dict[str, tuple[float, float]]:
    """Factors that moved and may be bumped, to their move in levels and relative to the earlier one."""
    made = frames.restated.scenarios
    found = {}
    for factor, level in zip(map(str, made["factor"].values), made["offset"].values[-1].tolist(), strict=True):
        before = frames.a.market.level(factor)
        if not factor.startswith("index:"):
            found[factor] = (level - before, level / before - 1.0 if before else np.inf)
    return found


def _sizes(frames: Frames, factors: list[str]) -> dict[str, tuple[float, str]]:
    """Bumps of levels that allow none of the usual size: a volatility under a point, a price that is not positive."""
    found = {}
    for factor in factors:
        level, unit = frames.a.market.level(factor), BUMPS[factor.partition(":")[0]][1]
        if unit == "vol" and level <= UNITS["vol"]:
            found[factor] = (0.5 * level / UNITS["vol"], "vol")
        if unit == "%" and level <= 0.0:
            found[factor] = (100.0 * abs(level) or 100.0, "bp")
    return found
