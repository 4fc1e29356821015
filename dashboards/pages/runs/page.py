"""The jobs of a store: what waits, what is at work, what became of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from riskgrid.dashboards.card import Card, Live, Table, Word
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.pages.runs.job import ACTIVE, STATUSES, called, done, far, looked_at, moment, size_of
from riskgrid.dashboards.pages.runs.one_run import ACTS, ROWS, one_run
from riskgrid.dashboards.state import State
from riskgrid.errors import RiskgridError
from riskgrid.page import Column, Row, Section, percent
from riskgrid.seen import Seen

__all__ = ["RUNS"]

#: Runs of one page of the list, and the most that are told to be at work.
_MOST = 25

#: Seconds between two looks while something goes on, and while nothing does.
_OFTEN, _SELDOM = 1.0, 4.0

#: Seconds after which a list without its coverage is made anew with it.
_SOON = 0.25

_AT_WORK = (
    Column("Status", kind="text"),
    Column("Done", "of its blocks", kind="number"),
    Column("Blocks", kind="count"),
    Column("Trades \N{MULTIPLICATION SIGN} scenarios", kind="count"),
    Column("Asked by", kind="text"),
    Column("Since", "UTC", kind="text"),
)
_LISTED = (
    Column("Status", kind="status"),
    Column("As of", kind="text"),
    Column("What-if of", kind="text"),
    Column("Trades \N{MULTIPLICATION SIGN} scenarios", kind="count"),
    Column("Coverage", "priced of all", kind="share"),
    Column("Asked by", kind="text"),
    Column("Asked", "UTC", kind="text"),
    Column("Took", "seconds, without waiting", kind="count"),
)


def show(state: State, look: Look) -> Content:
    """One run where one is chosen, else all of them."""
    if state.run:
        return one_run(state, look)
    found = _found(state, look)
    return {
        "now": _now(state, look),
        "statuses": _statuses(state, look),
        "jobs": _jobs(state, look, found),
        "ways": _ways(state, found),
    }


# -- what goes on ----------------------------------------------------------------------------------------------


def _now(state: State, look: Look) -> Live:
    """What waits or is at work, looked at again and again; the whole view anew where a run came, began or ended."""
    active, known = _active(look), _standing(look)

    def again(later: Look) -> Live | None:
        return _now(state, later) if _standing(later) == known else None

    return Live(_at_work(state, look, active) if active else None, again, _OFTEN if active else _SELDOM)


def _active(look: Look) -> list[Seen]:
    """At work, then waiting, each in the order in which they were asked."""
    found = [seen for status in ACTIVE for seen in reversed(look.desk.door.rows(look.who, _MOST, status=status))]
    return found[:_MOST]


def _standing(look: Look) -> list[tuple[str, str]]:
    """How those at work or waiting stand, and the latest of all."""
    return [(seen.row.run_id, seen.status) for seen in (*_active(look), *look.desk.door.rows(look.who, 1))]


def _at_work(state: State, look: Look, active: Sequence[Seen]) -> Card:
    rows, shares = [], []
    for seen in active:
        share, blocks = far(look.desk.door.events(seen.row.run_id, look.who))
        row = seen.row
        since = moment(row.created if row.status == "queued" else row.started)
        rows.append(
            Row(called(seen), [STATUSES[seen.status], done(share), blocks, size_of(seen), row.principal, since])
        )
        shares.append(share or 0.0)
    section = Section("Waiting and at work", "Run", _AT_WORK, rows)
    return Card(section.title, Table(section, [looked_at(seen, state) for seen in active], {1: shares}))


# -- the list --------------------------------------------------------------------------------------------------


def _statuses(state: State, look: Look) -> Card:
    """The statuses that the list can be narrowed to: of its endings, those that one is told."""
    hidden = ("finished",) if look.who.books is None else ("complete", "partial")
    known = {"": "All runs", **{name: words for name, words in STATUSES.items() if name not in hidden}}
    links = [
        f'<a href="{escape(state.but(part=name, after="").query)}"{_current(state.part == name)}>{words}</a>'
        for name, words in known.items()
    ]
    return Card("", Word(f'<nav class="parts" aria-label="Status">{"".join(links)}</nav>'))


def _current(chosen: bool) -> str:
    return ' aria-current="true"' if chosen else ""


def _found(state: State, look: Look) -> Sequence[Seen]:
    """A page of the list and, where there is more, one run of the next."""
    status = state.part if state.part in STATUSES else None
    return look.desk.door.rows(look.who, _MOST + 1, status=status, before=state.after or None)


def _jobs(state: State, look: Look, found: Sequence[Seen]) -> Card | Live:
    """A page of the list; first without the coverage of runs that nobody here has looked at yet."""
    shown = found[:_MOST]
    if not shown:
        return _none(state.part if state.part in STATUSES else "")
    if all(_key(seen) in look.desk.coverage for seen in shown if _has_coverage(seen)):
        return _listed(state, look, shown)
    return Live(_listed(state, look, shown), lambda later: _covered(state, later), _SOON)


def _covered(state: State, look: Look) -> Card | Live:
    """The list again, with all of its coverage found out."""
    found = _found(state, look)
    for seen in found[:_MOST]:
        if _has_coverage(seen) and _key(seen) not in look.desk.coverage:
            try:
                total = look.desk.door.run(seen.row.run_id, look.who).aggregate()
                look.desk.coverage[_key(seen)] = float(total["coverage"].values[0])
            except RiskgridError:  # what is damaged says so where it is looked at
                look.desk.coverage[_key(seen)] = math.nan
    return _jobs(state, look, found)


def _has_coverage(seen: Seen) -> bool:
    """Of a run of which one sees a part it would have to be made first: it stands with the run itself."""
    return seen.whole and seen.status in ("complete", "partial")


def _key(seen: Seen) -> tuple[str, str | None]:
    return seen.row.run_id, seen.row.result_id


def _none(status: str) -> Card:
    if status:
        return Card("", Word(f'<div class="empty"><b>No run is {STATUSES[status].lower()}.</b></div>'))
    words = "'riskgrid run', 'riskgrid submit' or the HTTP interface makes one; it appears here by itself."
    return Card("", Word(f'<div class="empty"><b>Nothing has been run</b>{escape(words)}</div>'))


def _listed(state: State, look: Look, shown: Sequence[Seen]) -> Card:
    names = {seen.row.run_id: called(seen) for seen in (*look.rows, *shown)}
    rows = [_row(seen, look, names.get(seen.parent or "", seen.parent or "")) for seen in shown]
    table = Table(Section("Runs, latest first", "Run", _LISTED, rows), [looked_at(seen, state) for seen in shown])
    return Card(table.section.title, table)


def _ways(state: State, found: Sequence[Seen]) -> Card:
    """To what follows in the list, and back to its beginning."""
    ways = [anchor("Latest", state.but(after=""))] if state.after else []
    ways += [anchor("Earlier runs", state.but(after=found[_MOST - 1].row.run_id))] if len(found) > _MOST else []
    return Card("", Word(f'<nav class="crumbs" aria-label="More of the list">{"".join(ways)}</nav>'))


def _row(seen: Seen, look: Look, parent: str) -> Row:
    row, covered = seen.row, look.desk.coverage.get(_key(seen), math.nan) if _has_coverage(seen) else math.nan
    gaps = ", with gaps" if covered < 1.0 and seen.status == "complete" else ""
    cells = [
        STATUSES[seen.status] + gaps,
        row.as_of,
        parent,
        size_of(seen),
        "" if math.isnan(covered) else percent(covered),
        row.principal,
        moment(row.created)[:16],
        f"{row.seconds:,.1f}" if seen.whole and row.seconds else "",
    ]
    return Row(called(seen), cells, partial=bool(gaps) or seen.status in ("failed", "interrupted", "partial"))


RUNS = Page("runs", "Runs", (("now",), ("statuses",), ("jobs",), ("ways",), *ROWS), show, acts=ACTS)
