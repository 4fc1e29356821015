"""A page: its slots in rows, and the function from a state to what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State

__all__ = ["Content", "Page"]

type Content = Mapping[str, Card | Later | Live]


def _none(_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Page:
    """One page.   rows : names of slots, those of a row beside each other where there is room.

    show : what stands in the slots; a slot that it leaves out is not there.
    controls : makes what stands in a slot for good, such as a form, of a session; by default nothing.
    acts : what a button of the page does, by its ``data-do``; the view that follows, and what is said of it.
    """

    key: str
    title: str
    rows: tuple[tuple[str, ...], ...]
    show: Callable[[State, Look], Content]
    controls: Callable[[Any], Mapping[str, Any]] = _none
    acts: Mapping[str, Callable[[State, Look], tuple[State, str]]] = field(default_factory=dict)
