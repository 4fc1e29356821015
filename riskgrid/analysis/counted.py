"""The trades that a run counts, those with a number in all its scenarios, in another run of the same trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.reporting import coverage_sentence
from riskgrid.result import Run
from riskgrid.schema import Status

__all__ = ["coverage_sentences", "pnl_of", "uncounted"]

_MOST = 5  # trades named in a sentence

type Where = Mapping[str, Any] | None


def uncounted(run: Run, where: Where = None) -> list[str]:
    """Ids of the trades without a number in some scenario of a run: they are in none of its sums."""
    table = run.trade_table(where)
    return [str(trade) for trade in table["trade_id"].values[table["status"].values > Status.EXPIRED]]


def pnl_of(made: Run, by: Sequence[str], where: Where, lost: Sequence[str]) -> NDArray[np.float64]:
    """P&L (node, scenario) of ``made`` by labels, in tree order, without the trades ``lost``.

    lost : trades that another run does not count; what is compared with that run must not count them either.
    """
    nodes = made.aggregate(by, where)
    values: NDArray[np.float64] = nodes["pnl"].values
    if not lost:
        return values
    part = made.aggregate(by, {**(where or {}), "trade_id": list(lost)})
    place = {path: at for at, path in enumerate(_paths(nodes, by))}
    values = values.copy()
    values[[place[path] for path in _paths(part, by)]] -= part["pnl"].values
    return values


def coverage_sentences(run: Run, made: Run, where: Where, lost: Sequence[str], alone: str) -> list[str]:
    """What keeps numbers of a run and of one that revalues it from being whole, a sentence each, marked with ``*``.

    alone : what moves alone in ``made``, e.g. "one risk class".
    """
    said = [coverage_sentence(run.aggregate((), where))]
    said = [sentence for sentence in said if sentence.startswith("*")]
    if more := sorted(set(uncounted(made, where)) - set(lost)):
        told = ", ".join(more[:_MOST]) + (f" and {len(more) - _MOST:,} more" if len(more) > _MOST else "")
        said.append(f"* {len(more):,} trade{'s' * (len(more) > 1)} without a number where {alone} moves alone: {told}.")
    return said


def _paths(nodes: xr.Dataset, by: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(nodes["depth"].values.tolist(), *(nodes[label].values.tolist() for label in by), strict=True))
