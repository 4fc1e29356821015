"""A page: its slots in rows, the function from a state to what stands in them, and what may be done on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State

__all__ = ["Act", "Content", "Page"]

type Content = Mapping[str, Card | Later | Live]

#: From the state, who looks, and the fields of a form by their names, to what changes of the state. RiskgridError
#: where it may not be or cannot be done: its sentence stands above the form, which is left as it was filled in.
type Doing = Callable[[State, Look, Mapping[str, str]], Mapping[str, Any]]


@dataclass(frozen=True)
class Act:
    """What a form on a page does.   prices : whether it may take longer than a view, so that no view waits for it."""

    do: Doing
    prices: bool = False


@dataclass(frozen=True)
class Page:
    """One page.   rows : names of slots, those of a row beside each other where there is room.

    show : what stands in the slots; a slot that it leaves out is not there.
    acts : what its forms do, by the name that a form has in ``data-act``.
    """

    key: str
    title: str
    rows: tuple[tuple[str, ...], ...]
    show: Callable[[State, Look], Content]
    acts: Mapping[str, Act] = field(default_factory=dict)
