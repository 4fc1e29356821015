"""Add up cells: what a block, a plan and a lost block give to the sums of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.engine.outcome import CellSums
from riskgrid.engine.plan import Piece
from riskgrid.engine.task import Work
from riskgrid.errors import MoneyOverflow

__all__ = ["add_block", "add_lost", "add_piece", "distinct_cells"]


def distinct_cells(cell: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cells that occur, and each row's place among them; -1 stays -1: that trade has gone."""
    cells, code = np.unique(cell, return_inverse=True)
    gone = int(len(cells) > 0 and cells[0] < 0)
    return cells[gone:], code.astype(np.int64) - gone


def add_block(total: CellSums, found: Mapping[str, NDArray[Any]], work: Work, piece: Piece) -> None:
    """Add the sums of a block. MoneyOverflow where a sum leaves int64."""
    cells, _ = distinct_cells(piece.cell[work.start : work.stop])
    states = work.states[1:] - 1
    every = len(states) == total.pnl.shape[1]
    part = found["pnl"]
    if not every:
        part = np.zeros((len(cells), total.pnl.shape[1]), np.int64)
        part[:, states] = found["pnl"]
    if not formulas.sum_cells(np.ascontiguousarray(part), cells, np.ones(len(cells), np.bool_), total.pnl):
        raise MoneyOverflow("the P&L of a cell")
    for name in ("base", "gross", "gross_known", "trades", "unpriced"):
        part = _spread(found[name], cells, len(total.base))
        if not formulas.add_exactly(getattr(total, name).reshape(1, -1), part):
            raise MoneyOverflow("money of a cell")


def add_lost(total: CellSums, piece: Piece, start: int, stop: int) -> None:
    """Count the trades of a block that has no result."""
    cells = piece.cell[start:stop]
    cells = cells[cells >= 0]
    np.add.at(total.trades, cells, 1)
    np.add.at(total.unpriced, cells, 1)


def add_piece(total: CellSums, piece: Piece) -> None:
    """Count what a plan knows of its trades."""
    np.add.at(total.trades, piece.lost, 1)
    np.add.at(total.unpriced, piece.lost, 1)
    there = piece.cell >= 0
    np.add.at(total.unshocked, piece.cell[there], piece.unshocked[there].astype(np.int64))
    np.add.at(total.stale, piece.cell[there], piece.stale[there])


def _spread(values: NDArray[np.int64], cells: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    row = np.zeros((1, count), np.int64)
    row[0, cells] = values
    return row
