"""A page: its slots in rows, and the function from a state to what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from riskgrid.dashboards.card import Card, Later, Live
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State

__all__ = ["Act", "Content", "Page"]

#: From the state, who looks, and the fields of a form by their names, to what changes of the state. RiskgridError
#: where it may not be or cannot be done.
type Doing = Callable[[State, Look, Mapping[str, str]], Mapping[str, Any]]

type Content = Mapping[str, Card | Later | Live]


def _none(_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Act:
    """What a form on a page does."""

    do: Doing


@dataclass(frozen=True)
class Page:
    """One page.   rows : names of slots, those of a row beside each other where there is room.

    show : what stands in the slots; a slot that it leaves out is not there.
    controls : makes what stands in a slot for good, such as a form, of a session; by default nothing.
    acts : what its forms do, by the name that a form has in ``data-act``.
    """

    key: str
    title: str
    rows: tuple[tuple[str, ...], ...]
    show: Callable[[State, Look], Content]
    controls: Callable[[Any], Mapping[str, Any]] = _none
    acts: Mapping[str, Act] = field(default_factory=dict)
