"""What-ifs beside the run that they change: how far each is, what each changes, and their numbers side by side."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from riskgrid import plots
from riskgrid.analysis.comparing import MEASURED, Comparison, compare, node_rows
from riskgrid.dashboards.card import Card, Live, Table, Word
from riskgrid.dashboards.convention import measures_of
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor, minus
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.state import State
from riskgrid.errors import InputError, UnknownName
from riskgrid.page import Column, Section
from riskgrid.result import Run
from riskgrid.seen import Seen
from riskgrid.store import ENDINGS

__all__ = [
    "MOST",
    "Branch",
    "branches",
    "branches_card",
    "compared",
    "made_before",
    "side_by_side",
    "value_at_risk_by_branch",
]

#: Seconds between two looks at a branch that is at work.
_OFTEN = 0.4

#: Branches that stand beside each other.
MOST = 6

#: What-ifs made earlier that are listed.
_EARLIER = 12

#: Labels that are offered to compare by, and changes that are told of one at work.
_LABELS, _WORDS = 8, 4

_BASE = "Base"

#: How the library begins to tell of a stress on top of every scenario.
_OVERLAY = "overlay "


@dataclass(frozen=True)
class Branch:
    """One what-if. name : its own, or a letter.   seen : None where there is no such run, or none that one may see.

    run : None while it has no numbers.
    """

    run_id: str
    name: str
    seen: Seen | None
    run: Run | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or is at work."""
        return self.seen is not None and self.seen.row.status not in ENDINGS


def branches(state: State, look: Look) -> list[Branch]:
    """Those that the state puts beside its run, in its order."""
    found: list[Branch] = []
    for at, run_id in enumerate(state.beside[:MOST]):
        letter = chr(ord("A") + at)
        try:
            seen = look.desk.door.row(run_id, look.who)
        except UnknownName:
            found.append(Branch(run_id, letter, None))
            continue
        taken = {each.name for each in found} | {_BASE}
        name = seen.row.name if seen.row.name and seen.row.name not in taken else letter
        ended = seen.row.status in ("complete", "partial")
        found.append(Branch(run_id, name, seen, look.desk.door.run(run_id, look.who) if ended else None))
    return found


def _ways(state: State, look: Look) -> str:
    """Labels that the branches can be compared by."""
    run = look.run(state)
    by = look.next_label(State(by=state.by or "desk"), run)
    links = [
        f"<b>{escape(_spaced(label))}</b>" if label == by else anchor(_spaced(label), state.but(by=label))
        for label in look.labels(run)[:_LABELS]
    ]
    return f'<p class="facts"><span>Compared by</span>{"".join(links)}</p>'


def _spaced(label: str) -> str:
    return label.replace("_", " ")


def branches_card(state: State, look: Look) -> Card | Live | None:
    """What each branch changes and how far it is; changes by itself while one is at work. None where there is none."""
    beside = branches(state, look)
    if not beside:
        return None
    lines = "".join(f"<li>{_line(each, state, look)}</li>" for each in beside)
    note = "Each is a run of its own, kept in the store; this address shows the same to whoever may see them."
    card = Card("Branches", Word(f'<ul class="lines">{lines}</ul>{_ways(state, look)}'), note)
    active = sum(each.active for each in beside)
    return Live(card, functools.partial(_again, state, active), _OFTEN) if active else card


def _again(state: State, active: int, look: Look) -> Card | Live | None:
    """None once another branch has come to its end: then all of the page is new."""
    now = sum(each.active for each in branches(state, look))
    return branches_card(state, look) if now == active else None


def _line(branch: Branch, state: State, look: Look) -> str:
    without = state.but(beside=tuple(each for each in state.beside if each != branch.run_id))
    away = anchor("Take away", without, "quiet")
    if branch.seen is None:
        return f"<span>No run '{escape(branch.run_id)}', or none that you may see.</span>{away}"
    told = f"<span><b>{escape(branch.name)}</b>&ensp;{minus(escape(changes_of(branch.seen)))}</span>"
    if branch.active:
        return f"{told}<span>{_progress(branch, look)}</span>{_cancel(branch, look)}{away}"
    if branch.run is None:
        reason = f": {branch.seen.row.reason}" if branch.seen.row.reason and branch.seen.whole else ""
        return f'{told}<span class="loss">{escape(branch.seen.status + reason)}</span>{away}'
    kept = State(run=branch.run_id, convention=state.convention, against=state.run)
    links = [anchor("Overview", kept), anchor("Drill-down", kept.but(page="drill-down"))]
    links.append(anchor("Change further", kept.but(page="what-if", against="")))
    return f"{told}{''.join(links)}{away}"


def changes_of(seen: Seen) -> str:
    """What a what-if changes: in the words of the library, of one that has no numbers yet in those of a draft."""
    if told := seen.row.manifest.get("changes"):
        return str(told)
    asked = seen.row.request.get("changes", {})
    # inputs stand there by their keys, which tell nobody anything
    lines = Draft({name: part for name, part in asked.items() if not isinstance(part, str)}).lines()
    words = "; ".join(words for words, _ in itertools.islice(lines, _WORDS))
    return words or f"{seen.row.trades:,} trades under {seen.row.scenarios:,} scenarios"


def _progress(branch: Branch, look: Look) -> str:
    """How far it is, as its events tell."""
    told = [event.data for event in look.desk.door.events(branch.run_id, look.who) if event.kind == "progress"]
    if not told or not told[-1].get("total"):
        return "queued; a runner takes it up" if branch.seen and branch.seen.row.status == "queued" else "at work"
    last = told[-1]
    done = last["done"] if "done" in last else last["priced"] + last["found"] + last.get("failed", 0)
    words = f"{done:,} of {last['total']:,} blocks"
    return f'<progress max="{last["total"]}" value="{done}" aria-label="{words}"></progress> {words}'


def _cancel(branch: Branch, look: Look) -> str:
    if branch.seen is None or not look.who.may("run"):
        return ""
    return (
        '<form data-act="cancel"><button type="button" class="plain" name="run" '
        f'value="{escape(branch.run_id)}">Cancel</button><span class="said" data-said role="alert"></span></form>'
    )


# -- their numbers -------------------------------------------------------------------------------------------------


def side_by_side(state: State, look: Look, run: Run, beside: Sequence[Branch]) -> Comparison | None:
    """The comparison of the run with its branches that are finished; None where there is none."""
    runs = {each.name: each.run for each in beside if each.run is not None}
    if not runs:
        return None
    by = look.next_label(State(by=state.by or "desk"), run)
    return compare(run, *runs.values(), by=by, names=[_BASE, *runs], **measures_of(state.convention))


def compared(comparison: Comparison, beside: Sequence[Branch]) -> Card:
    """PV, VaR and ES of the base and of each branch, each with its change, at every node.   beside : the branches."""
    table, meaning = comparison.table, comparison.conventions
    names = [str(name) for name in table["run"].values]
    columns, numbers, adverse = [], [], []
    for measured, head in MEASURED.items():
        level = f" {meaning[measured]['percent']}" if measured in meaning else ""
        for at, name in enumerate(names):
            columns.append(Column(f"{head}{level}", name))
            numbers.append(table[measured].values[at])
            if at:
                if measured != "base_value":
                    adverse.append(len(columns))
                columns.append(Column("Change", f"{name}, {meaning['currency']}", kind="change"))
                numbers.append(table[f"{measured}_change"].values[at])
    title = f"Side by side, {meaning['currency']}"
    rows = node_rows(table, numbers)
    cells = [[_with_sign(text, columns[at]) for at, text in enumerate(row.cells)] for row in rows]
    told = [
        type(row)(row.name, shown, row.depth, row.partial, not row.depth)
        for row, shown in zip(rows, cells, strict=True)
    ]
    section = Section(title, _spaced(" / ".join(table.attrs["by"])).capitalize(), columns, told, comparison.notes)
    note = " ".join(
        [
            "A loss is positive in VaR and ES; what rises there hurts.",
            "What single nodes change in VaR and ES does not add up to what the total changes.",
            *_stressed(beside),
        ]
    )
    return Card(title, Table(section, adverse=adverse), note, data=comparison.to_dataset)


def _stressed(beside: Sequence[Branch]) -> list[str]:
    """What VaR and ES are of where a branch lays a stress over the scenarios."""
    changes = {each.name: changes_of(each.seen).split("; ") for each in beside if each.seen and each.run is not None}
    over = [name for name, parts in changes.items() if any(part.startswith(_OVERLAY) for part in parts)]
    if not over:
        return []
    return [f"In {', '.join(over)} the stress is a part of every scenario, so VaR and ES contain its P&L; PV does not."]


def _with_sign(text: str, column: Column) -> str:
    return f"+{text}" if column.kind == "change" and text[:1].isdigit() and text != "0" else text


def value_at_risk_by_branch(comparison: Comparison) -> Card:
    """One bar a branch."""
    table, meaning = comparison.table, comparison.conventions
    names = map(str, table["run"].values)
    title = f"VaR {meaning['value_at_risk']['percent']} by branch, {meaning['currency']}"
    figure = plots.bar_by_run(table, "value_at_risk")
    links = {name: State(run=run_id) for name, run_id in zip(names, table.attrs["run_ids"], strict=True)}
    return Card(title, figure, "Of everything that you see of each; click one for its overview.", links)


def made_before(state: State, look: Look, run: Run) -> Card | None:
    """What-ifs of this run that stand in the store and not beside it yet. None where there is none."""
    try:
        known = look.desk.door.what_ifs(run.known_as, look.who)
    except InputError:
        known = []
    others = [seen for seen in known if seen.row.run_id not in state.beside and seen.row.serves is None]
    if not others:
        return None
    lines = []
    for seen in others[:_EARLIER]:
        put = state.but(run=run.known_as, beside=(*state.beside, seen.row.run_id)[-MOST:])
        named = f"<b>{escape(seen.row.name)}</b>&ensp;" if seen.row.name else ""
        when = f'<span class="muted">{seen.row.created[:16].replace("T", " ")}, {escape(seen.row.principal)}</span>'
        lines.append(f"<li><span>{named}{minus(escape(changes_of(seen)))}</span>{when}{anchor('Put beside', put)}</li>")
    more = f'<p class="muted">and {len(others) - _EARLIER:,} earlier ones</p>' if len(others) > _EARLIER else ""
    return Card("What-ifs of this run made before", Word(f'<ul class="lines">{"".join(lines)}</ul>{more}'))
