"""Rows in the order of a column, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.markup import anchor
from riskgrid.dashboards.state import State

__all__ = ["PAGE", "now_sorted", "ordered", "pages", "sorts"]

#: Rows of a page.
PAGE = 50


def ordered(columns: Mapping[str, NDArray[Any]], sort: str, usual: str) -> NDArray[np.intp]:
    """Places of the rows in the order of a column, a minus before its name for the largest first; no number comes last.

    >>> ordered({"pnl": np.array([1.0, np.nan, 3.0])}, "-pnl", "pnl").tolist()
    [2, 0, 1]
    """
    sort = sort if sort.removeprefix("-") in columns else usual
    values = columns[sort.removeprefix("-")]
    if values.dtype.kind != "f":
        _, values = np.unique(values.astype(str), return_inverse=True)
    order: NDArray[np.intp] = np.argsort(-values if sort.startswith("-") else values, kind="stable")
    return order


def sorts(state: State, names: Sequence[str], usual: str) -> dict[int, State]:
    """Where a click on the head of each column leads: its largest first, and back. names : "" for no sorting."""
    now = state.sort or usual
    return {
        at: state.but(sort=name if now == f"-{name}" else f"-{name}", start=0) for at, name in enumerate(names) if name
    }


def now_sorted(state: State, names: Sequence[str], usual: str) -> tuple[int, bool] | None:
    """The column that the rows are in the order of, and whether its largest is first; None for none of these."""
    now = state.sort if state.sort.removeprefix("-") in names else usual
    return (names.index(now.removeprefix("-")), now.startswith("-")) if now.removeprefix("-") in names else None


def pages(state: State, count: int, what: str) -> Card | None:
    """Links to the rows before and after these; None where one page holds all."""
    if count <= PAGE:
        return None
    first = min(state.start, max(count - 1, 0)) // PAGE * PAGE
    links = [f"{first + 1:,} to {min(first + PAGE, count):,} of {count:,} {what}"]
    if first:
        links.append(anchor("Previous", state.but(start=first - PAGE)))
    if first + PAGE < count:
        links.append(anchor("Next", state.but(start=first + PAGE)))
    return Card("", Word(f'<p class="facts pages">{"".join(f"<span>{link}</span>" for link in links)}</p>'))
