"""What one principal sees: runs, the one before, labels to walk along; the only way in which pages reach data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from riskgrid.dashboards.card import Card, Later
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.state import State
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.principal import Principal
from riskgrid.result import Run
from riskgrid.seen import Seen

__all__ = ["HIERARCHY", "Look"]

#: Labels from the top of a firm down; a page offers those that a run has.
HIERARCHY = ("region", "desk", "book")

_FINISHED = ("complete", "partial", "finished")
_MOST, _WHAT_IFS = 200, 50


@dataclass(frozen=True)
class Look:
    """One principal at one moment. Made anew for each view, so nothing outlives a right."""

    desk: Desk
    who: Principal

    @functools.cached_property
    def rows(self) -> Sequence[Seen]:
        """Runs that change no other, and what-ifs, the latest of each: no number of what-ifs hides a run."""
        runs = self.desk.door.rows(self.who, _MOST, what_ifs=False)
        found = {seen.row.run_id: seen for seen in (*runs, *self.desk.door.rows(self.who, _WHAT_IFS))}
        return sorted(found.values(), key=lambda seen: seen.row.created, reverse=True)

    @functools.cached_property
    def finished(self) -> Sequence[Seen]:
        """Runs with numbers: the latest date first, of a date those of everybody, the one made last before others."""
        found = [seen for seen in self.rows if seen.status in _FINISHED]
        return sorted(found, key=lambda seen: (seen.row.as_of, not seen.row.rights, seen.row.created), reverse=True)

    def run(self, state: State) -> Run:
        """The run looked at. UnknownName where there is none, or none of that id; NotFinished.

        By default the latest of all books: one that was asked under narrower rights is nobody else's morning.
        """
        if state.run:
            return self.desk.door.run(state.run, self.who)
        roots = [seen for seen in self.finished if seen.parent is None]
        whole = [seen for seen in roots if not seen.row.rights] or roots
        if not whole:
            raise UnknownName("run", "latest", [])
        return self.desk.door.run(whole[0].row.run_id, self.who)

    def before(self, state: State, run: Run) -> Run | None:
        """What a run is held against: what it changes, or the latest run of an earlier date of the same rights.

        None where there is none in the same currency; BadSpec for one that was asked for in another.
        """
        if state.against == "none":
            return None
        if state.against:
            asked = self.desk.door.run(state.against, self.who)
            here, there = run.manifest["reporting"], asked.manifest["reporting"]
            if here != there:
                raise BadSpec(f"this run is in {here} and the one to compare with in {there}; one in {here} is right")
            return asked
        own = self.desk.door.row(run.known_as, self.who)
        if own.parent is not None:
            return self.desk.door.run(own.parent, self.who)
        for seen in self.finished:
            if seen.parent is None and seen.row.as_of < run.row.as_of and seen.row.rights == own.row.rights:
                found = self.desk.door.run(seen.row.run_id, self.who)
                if found.manifest["reporting"] == run.manifest["reporting"]:
                    return found
        return None

    def once(self, name: str, runs: Sequence[Run], how: Any, make: Callable[[], Any]) -> Any:
        """What an analysis finds, kept for the next who asks the same of runs with these numbers under these rights.

        how : whatever else decides it, as plain values.
        """
        return self.desk.results.once(self._key(name, runs, how), make)

    def later(
        self,
        title: str,
        said: str,
        asked: tuple[str, Sequence[Run], Any],
        make: Callable[[], Any],
        card: Callable[[Any], Card],
    ) -> Card | Later:
        """A card of an analysis that prices: at once where it was found before, else later.

        asked : as of :meth:`once`.   said : what is being done meanwhile.   card : shows what was found.
        """
        found = self.desk.results.get(self._key(*asked))
        if found is not None:
            return card(found)
        return Later(title, said, lambda: card(self.once(*asked, make)))

    def _key(self, name: str, runs: Sequence[Run], how: Any) -> tuple[Any, ...]:
        told = tuple((run.known_as, run.result_id, run.row.status, run.called) for run in runs)
        return name, self.who.rights, told, repr(how)

    def labels(self, run: Run) -> list[str]:
        """Labels that a tree can be made of, those of the hierarchy first, those of single trades left out."""
        known = [str(name) for name in run.cube.labels]
        return [*(label for label in HIERARCHY if label in known), *sorted(set(known) - {*HIERARCHY, "trade_id"})]

    def next_label(self, state: State, run: Run) -> str:
        """The label whose values stand below what is looked at, where none is asked for."""
        asked = {label for label, _ in state.where}
        labels = self.labels(run)
        if state.by in labels:
            return state.by
        left = [label for label in labels if label not in asked]
        return next(iter(left), labels[0])
