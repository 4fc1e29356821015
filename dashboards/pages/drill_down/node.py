"""What is looked at: some trades of a run, how they are split, and the same of the run they are held against."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from riskgrid.dashboards.convention import measures_of
from riskgrid.dashboards.look import HIERARCHY, Look
from riskgrid.dashboards.state import State
from riskgrid.errors import UnknownName
from riskgrid.plots import node_name
from riskgrid.reporting import Report, report
from riskgrid.result import Run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MOST_SPLIT", "TRADE", "Node", "label_text"]

#: The label that every trade has for itself.
TRADE = "trade_id"

#: Most trades of a node that are measured one by one.
MOST_SPLIT = 1_500


def label_text(label: str, value: object) -> str:
    """The value of a label as it stands in a cell: instruments in words."""
    return str(value).replace("_", " ") if label == "instrument" else str(value)


@dataclass(frozen=True)
class _Summed:
    """A run whose sums are kept for as long as one view is made: several numbers are of the same ones."""

    run: Run
    _kept: dict[Any, xr.Dataset] = field(default_factory=dict)

    def aggregate(self, by: Sequence[str], where: Mapping[str, str] | None = None) -> xr.Dataset:
        """As of the run."""
        key = (tuple(by), tuple((where or {}).items()))
        if key not in self._kept:
            self._kept[key] = self.run.aggregate(by, where)
        return self._kept[key]


@dataclass(frozen=True)
class Node:
    """One principal's view of some trades of a run.   before : the run it is held against, None for none."""

    state: State
    look: Look
    run: Run
    before: Run | None

    @classmethod
    def of(cls, state: State, look: Look) -> Node:
        """The node that a state leads to. UnknownName for a label or a value that the run has not."""
        run = look.run(state)
        before = look.before(state, run)
        if state.where:
            run.cube.size((), state.narrowed)  # names what is not there
        return cls(state, look, run, before)

    @property
    def where(self) -> dict[str, str] | None:
        """As the library takes it."""
        return self.state.narrowed

    @property
    def how(self) -> Mapping[str, Any]:
        """Levels and methods of the convention."""
        return measures_of(self.state.convention)

    @property
    def currency(self) -> str:
        """In which the run reports."""
        return str(self.run.manifest["reporting"])

    @property
    def whose(self) -> str:
        """Said beside every total where it is one of some books only."""
        return "" if self.look.who.books is None else " of your books"

    @property
    def called(self) -> str:
        """The node in words."""
        return " / ".join(node_name(value, label) for label, value in self.state.where) or "the whole"

    @functools.cached_property
    def labels(self) -> Sequence[str]:
        """By which it can be split: those that do not already have one value, single trades where they are few."""
        asked = {label for label, _ in self.state.where}
        known = [label for label in self.look.labels(self.run) if label not in asked]
        return [*known, *([TRADE] if self.trades <= MOST_SPLIT else [])]

    @functools.cached_property
    def by(self) -> str:
        """The label that it is split by: the one asked for, or the next one down the hierarchy."""
        if self.state.by in self.labels:
            return self.state.by
        asked = {label for label, _ in self.state.where}
        steps = [label for label in (*HIERARCHY, TRADE) if label not in asked and label in self.labels]
        return next(iter(steps), self.labels[0] if self.labels else TRADE)

    @functools.cached_property
    def split(self) -> str:
        """The label that an analysis which revalues is split by: never single trades; empty where there is none."""
        known = [label for label in self.labels if label != TRADE]
        for label in (self.state.by, self.by, "instrument", *known):
            if label in known:
                return label
        return ""

    @functools.cached_property
    def summed(self) -> _Summed:
        """The run, for what is measured of its sums."""
        return _Summed(self.run)

    @functools.cached_property
    def trades(self) -> int:
        """How many trades it has."""
        return int(self.summed.aggregate([], self.where)["trades"][0])

    @functools.cached_property
    def scenario(self) -> str:
        """The scenario that is chosen; empty where none is, or one that the run has not."""
        return self.state.scenario if self.state.scenario in set(map(str, self.run.cube.scenarios)) else ""

    @functools.cached_property
    def alone(self) -> Report:
        """Its report without any split."""
        return report(self.summed, [], where=self.where, **self.how)

    @functools.cached_property
    def told(self) -> Report:
        """Its report, split."""
        return report(self.summed, [self.by], where=self.where, **self.how)

    @functools.cached_property
    def then(self) -> Report | None:
        """The same of the run it is held against; None where there is none or it has no such trades."""
        if self.before is None:
            return None
        try:
            return report(self.before, [self.by], where=self.where, **self.how)
        except UnknownName:
            return None

    def down(self, value: str, label: str = "") -> State:
        """One step down, to one of the nodes that it is split into.   label : by which, where not :attr:`by`."""
        label = label or self.by
        if label == TRADE:
            return self.state.but(trade=value, scenario="", start=0, sort="")
        return self.state.within(label, value, by="", scenario="", factor="")

    def note_detail(self, what: str, **detail: Any) -> None:
        """Write into the audit trail that single trades were read."""
        self.look.desk.door.note_read(self.run, self.look.who, what, where=dict(self.state.where), **detail)
