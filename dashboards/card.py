"""What a page shows: cards of a table or a figure with words, made now or, where they have to be priced, later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from riskgrid.dashboards.state import State
from riskgrid.page import Section

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["Card", "Later", "Live", "Table", "Word"]


@dataclass(frozen=True)
class Table:
    """Rows of a section, each of which may lead somewhere.

    links : a state a row, None for one that leads nowhere.   bars : columns whose numbers have a bar behind them, with
    the share (row) of each in -1 to 1.   adverse : columns in which it is what rises that hurts.   chosen : the row
    that is looked at.   sorts : of a column, where a click on its head leads.   sorted : the column that orders the
    rows, and whether its largest is first.
    """

    section: Section
    links: Sequence[State | None] = ()
    bars: Mapping[int, Sequence[float]] = field(default_factory=dict)
    adverse: Sequence[int] = ()
    chosen: int | None = None
    sorts: Mapping[int, State] = field(default_factory=dict)
    sorted: tuple[int, bool] | None = None


@dataclass(frozen=True)
class Word:
    """HTML that was escaped."""

    html: str


@dataclass(frozen=True)
class Card:
    """One slot of a page.   body : a table, words, or a Bokeh figure.

    note : one sentence on how to read it.   links : of the names that a figure shows, where a click on each leads.
    data : the numbers in full, for copies and files; None where there are none.
    """

    title: str
    body: Any
    note: str = ""
    links: Mapping[str, State] = field(default_factory=dict)
    data: Callable[[], xr.Dataset] | None = None


@dataclass(frozen=True)
class Later:
    """A card that has to be priced first. said : what is being done.   make : does it, away from the page."""

    title: str
    said: str
    make: Callable[[], Card]


@dataclass(frozen=True)
class Live:
    """A card that changes by itself. card : what stands there now, None for nothing.   every : seconds until ``again``
    is asked, with rights as they are then, at most four times a second.

    again : the same a little later; a Card where it will not change any more, None where the whole view is to be made
    anew.
    """

    card: Card | None
    again: Callable[[Any], Card | Live | None]  # of a Look, which itself makes cards
    every: float = 1.0
