"""All there is to say of one run as a job: how it stands, what it was asked, what happened to it and what it lacks."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from riskgrid import acting, plots
from riskgrid.analysis.failing import failures
from riskgrid.dashboards.card import Card, Later, Live, Table, Word
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor, table_html
from riskgrid.dashboards.page import Act, Content
from riskgrid.dashboards.pages.runs.job import ACTIVE, STATUSES, called, done, far, looked_at, moment, size_of
from riskgrid.dashboards.state import State
from riskgrid.errors import BadSpec
from riskgrid.page import Column, Row, Section
from riskgrid.profiling import profile
from riskgrid.result import Run
from riskgrid.seen import Seen, SeenEvent

__all__ = ["ACTS", "ROWS", "one_run"]

#: Slots of a run that is looked at, in rows.
ROWS = (("run",), ("asked", "course"), ("failures",), ("coverage", "time"), ("what_ifs",))

#: Seconds between two looks at a run that waits or is at work.
_OFTEN = 0.5

#: Trades of one reason that are listed, and parts of the time that have a bar.
_MOST, _BARS = 10, 12

_ENDED = ("complete", "partial")
_EVENT = [Column("After", "seconds", kind="count"), Column("What", kind="text"), Column("Particulars", kind="sentence")]
_WHAT_IF = (
    Column("Status", kind="status"),
    Column("Trades \N{MULTIPLICATION SIGN} scenarios", kind="count"),
    Column("Asked by", kind="text"),
    Column("Asked", "UTC", kind="text"),
    Column("Changes", kind="sentence"),
)


def one_run(state: State, look: Look) -> Content:
    """A run as one sees it. UnknownName."""
    seen = look.desk.door.row(state.run, look.who)
    content: dict[str, Card | Later | Live] = {"run": _standing(state, seen, look), "course": _course(state, look)}
    if seen.row.status not in _ENDED:
        content |= _what_ifs(state, look)
        return content
    run = look.run(state)
    content["asked"] = _asked(seen, run, look)
    content["coverage"] = _coverage(state, run)
    content |= _lacking(state, run, look)
    content |= _what_ifs(state, look)
    if seen.whole and (spent := _time(run)) is not None:
        content["time"] = spent
    return content


# -- how it stands ---------------------------------------------------------------------------------------------


def _standing(state: State, seen: Seen, look: Look) -> Card:
    """Where one is, how the run stands, where its numbers are, and what one may do with it."""
    row = seen.row
    above = f'<a href="{escape(State(page="runs", convention=state.convention).query)}" data-up>Runs</a>'
    crumbs = f'<nav class="crumbs" aria-label="Way">{above}<span>/</span><b>{escape(called(seen))}</b></nav>'
    kind = {"complete": "good", "finished": "good"}.get(seen.status, "" if seen.status in ACTIVE else "gap")
    facts = [(f"<b>{STATUSES[seen.status]}</b>", kind), (escape(f"As of {row.as_of}"), "")]
    size = f"{row.trades:,} trades under {row.scenarios:,}" if seen.whole else f"{row.scenarios:,}"
    facts.append((f"{size} scenarios", ""))
    if seen.parent is not None:
        parent = look.desk.door.row(seen.parent, look.who)
        facts.append((f"What-if of {anchor(called(parent), looked_at(parent, state))}", ""))
    facts.append((escape(f"Asked by {row.principal or 'nobody named'}, {moment(row.created)} UTC"), ""))
    if seen.whole and row.seconds:
        facts.append((f"Took {row.seconds:,.1f} s, without waiting", ""))
    if row.status in _ENDED:
        there = State(run=row.run_id, convention=state.convention)
        pages = {"Overview": "overview", "Drill-down": "drill-down", "What-if": "what-if"}
        facts += [(anchor(words, there.but(page=page), "way"), "") for words, page in pages.items()]
    told = "".join(f'<span class="{kind}">{words}</span>' for words, kind in facts)
    reason = f'<p class="gap">{escape(row.reason)}</p>' if seen.whole and row.reason else ""
    return Card("", Word(f'{crumbs}<p class="facts">{told}</p>{reason}{_buttons(state, seen, look)}'))


def _buttons(state: State, seen: Seen, look: Look) -> str:
    """What its principal, or an admin, may do with it; cancelling is asked twice."""
    row = seen.row
    if not look.who.may("run") or not (row.principal == look.who.name or look.who.may("admin")):
        return ""
    made = []
    if row.status in (*ACTIVE, "interrupted"):
        if row.cancel_asked:
            made.append('<span class="muted">It is being cancelled.</span>')
        elif state.part == "cancel":
            made.append(_button("cancel", "Cancel the run", "Cancel this run? What is finished is kept."))
            made.append(anchor("Let it go on", state.but(part=""), "way"))
        else:
            made.append(anchor("Cancel\N{HORIZONTAL ELLIPSIS}", state.but(part="cancel"), "act"))
    if row.status in ("failed", "cancelled", "interrupted", "partial") and row.request:
        made.append(_button("resume", "Resume", "It goes on from what is finished."))
    return f'<div class="acts">{"".join(made)}</div>' if made else ""


def _button(act: str, words: str, said: str) -> str:
    return (
        f'<form data-act="{act}"><span class="muted">{said}</span> '
        f'<button class="act">{words}</button> <span data-said role="alert"></span></form>'
    )


def _cancel(state: State, look: Look, _: Mapping[str, str]) -> Mapping[str, Any]:
    acting.cancel(look.desk.door, look.who, state.run)
    return {"part": ""}


def _resume(state: State, look: Look, _: Mapping[str, str]) -> Mapping[str, Any]:
    acting.resume(look.desk.door, look.who, state.run)
    return {"part": ""}


#: What the buttons do.
ACTS = {"cancel": Act(_cancel), "resume": Act(_resume)}


# -- what happened to it ---------------------------------------------------------------------------------------


def _course(state: State, look: Look) -> Card | Live:
    """Its events as they come; the whole view anew where its status changes."""
    seen = look.desk.door.row(state.run, look.who)
    card = _events(seen, look.desk.door.events(state.run, look.who))
    if seen.status not in ACTIVE:
        return card
    known = seen.status, seen.row.cancel_asked

    def again(later: Look) -> Card | Live | None:
        now = later.desk.door.row(state.run, later.who)
        return _course(state, later) if (now.status, now.row.cancel_asked) == known else None

    return Live(card, again, _OFTEN)


_WORDS = {
    "queued": "Waits for a runner",
    "running": "Taken up by a runner",
    "attempt": "A block failed",
    "cancelling": "Cancelling was asked",
    "quarantined": "A trade was left out",
    "split": "A block was cut in two",
    "store": "The store was asked again",
    "damaged": "Found damaged, made anew",
}


def _events(seen: Seen, events: Sequence[SeenEvent]) -> Card:
    """A time line of its events, and a bar in place of those that tell how far it is."""
    told = [event for event in events if event.kind != "progress"]
    share, blocks = far(events) if seen.status in ACTIVE else (None, "")
    if not told:
        return Card("What happened", Word('<div class="empty">It was made where it was asked, without a runner.</div>'))
    rows, heads = [_event(event, told[0].at) for event in told], _EVENT
    if not any(row.cells[-1] for row in rows):
        rows, heads = [replace(row, cells=row.cells[:-1]) for row in rows], _EVENT[:-1]
    table = table_html(Table(Section("What happened", "UTC", heads, rows)))
    return Card("What happened", Word(f"{_bar(share, blocks) if blocks else ''}{table}"))


def _bar(share: float | None, blocks: str) -> str:
    if share is None:
        return f'<p class="note">{escape(blocks)}</p>'
    words = f"{done(share)}, {blocks} blocks"
    return f'<p class="far"><progress value="{share:.4f}" aria-label="Blocks done"></progress>{escape(words)}</p>'


def _event(event: SeenEvent, first: str) -> Row:
    passed = datetime.datetime.fromisoformat(event.at) - datetime.datetime.fromisoformat(first)
    words = _WORDS.get(event.kind, STATUSES.get(event.kind, event.kind.capitalize()))
    particulars = ", ".join(_particular(name, value) for name, value in event.data.items())
    return Row(moment(event.at), [f"{passed.total_seconds():,.1f}", words, particulars])


def _particular(name: str, value: Any) -> str:
    return {"reason": f"{value}", "principal": f"by {value}"}.get(name, f"{name} {value}")


# -- what it was asked -----------------------------------------------------------------------------------------


def _asked(seen: Seen, run: Run, look: Look) -> Card:
    """Inputs and conventions; of whom a part is hidden, only what the numbers themselves tell."""
    facts, manifest = run.cells.attrs, run.manifest
    names = _names(run, look) if seen.whole else {}
    told = {
        "Portfolio": names.get("portfolio", ""),
        "Books": facts["books"],
        "Market": ", ".join(filter(None, (names.get("market", ""), f"of {facts['as_of']}"))),
        "Scenarios": ", ".join(filter(None, (names.get("scenarios", ""), facts["scenario_set"]))),
        "Horizon": f"{facts['horizon']} day{'s' * (facts['horizon'] != 1)}",
        "Currency": facts["currency"],
        "Cells by": ", ".join(manifest["cell_labels"]),
        "What-if": facts["what_if"],
        "Never shocked": _few(facts["unshocked_factors"].split()),
        "Rows not read": f"{facts['rejected_rows']:,}" if facts["rejected_rows"] else "",
        "Not real data": "; ".join(filter(None, facts["origin"].split("\n"))),
        "Code": _code(manifest) if seen.whole else "",
    }
    pairs = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in told.items() if text)
    return Card("What was asked", Word(f'<dl class="pairs">{pairs}</dl>'))


def _names(run: Run, look: Look) -> dict[str, str]:
    """The names of its inputs, where one sees names that mean them."""
    door, inputs = look.desk.door, run.manifest.get("inputs", {})
    found = {
        kind: [n for n, entry in door.inputs.names(kind, look.who).items() if entry.key == key]
        for kind, key in inputs.items()
    }
    return {kind: ", ".join(f"'{name}'" for name in names) for kind, names in found.items() if names}


def _few(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _code(manifest: Mapping[str, Any]) -> str:
    made = manifest["environment"]
    commit = f", commit {made['commit'][:12]}" if made["commit"] else ""
    return f"riskgrid {made['riskgrid']}{commit}, Python {made['python']}"


# -- what it lacks, and where its time went --------------------------------------------------------------------


def _coverage(state: State, run: Run) -> Card:
    by = "desk" if "desk" in run.cube.labels else "instrument"
    table = run.aggregate(by)
    nodes = table.isel(node=table["depth"].values == 1)
    there = State(page="drill-down", run=state.run, convention=state.convention)
    values = map(str, nodes[by].values)
    links = {name: there.within(by, value) for name, value in zip(plots.node_names(nodes), values, strict=True)}
    note = "The share of trades and scenarios that have a number; a gap is counted, never filled."
    return Card(f"Coverage by {by}", plots.coverage(nodes), note, links, lambda: nodes.drop_attrs(deep=False))


def _lacking(state: State, run: Run, look: Look) -> dict[str, Card | Later]:
    """Trades without a number, by their reasons; nothing where there are none."""
    missing = int(run.aggregate()["unpriced"].values[0])
    if not missing:
        return {}
    title = "Trades without a number"
    asked = "failures", [run], None
    return {
        "failures": look.later(
            title, "Reading why.", asked, lambda: failures(run), lambda found: _failures(state, found)
        )
    }


def _failures(state: State, found: Any) -> Card:
    """Each reason with its trades below it."""
    labels = [label for label in ("desk", "book", "instrument") if label in found.coords]
    columns = [*(Column(label.capitalize(), kind="text") for label in labels), Column("Reason", kind="sentence")]
    rows: list[Row] = []
    links: list[State | None] = []
    there = State(page="drill-down", run=state.run, convention=state.convention, part="trades")
    at = 0
    while at < found.sizes["trade"]:
        alike = int(found["alike"][at])
        rows.append(
            Row(f"{alike:,} trade{'s' * (alike != 1)}", [*[""] * len(labels), str(found["problem"].values[at])])
        )
        links.append(None)
        for place in range(at, at + min(alike, _MOST)):
            trade = str(found["trade_id"].values[place])
            rows.append(Row(trade, [*(str(found[label].values[place]) for label in labels), ""], 1))
            links.append(there.but(trade=trade))
        if alike > _MOST:
            rows.append(Row(f"and {alike - _MOST:,} more", [""] * len(columns), 1))
            links.append(None)
        at += alike
    section = Section("Trades without a number", "Trade", columns, rows)
    note = "A trade without a number is left out of every sum and counted; each leads to its terms."
    return Card(section.title, Table(section, links), note, data=lambda: found.drop_attrs(deep=False))


def _time(run: Run) -> Card | None:
    """Where the time of its workers went, and what would make it faster; None of a run that kept no times."""
    try:
        made = profile(run)
    except BadSpec:
        return None
    table = made.to_dataset()
    spent = table.isel(part=(table["where"].values == "workers") & (table["share"].values >= 0.001))
    return Card(
        "Where the time of workers went", plots.time_spent(spent, _BARS), " ".join(made.advice), data=lambda: table
    )


# -- its what-ifs ----------------------------------------------------------------------------------------------


def _what_ifs(state: State, look: Look) -> dict[str, Card]:
    found = look.desk.door.what_ifs(state.run, look.who)
    if not found:
        return {}
    rows = []
    for seen in found:
        row = seen.row
        cells = [
            STATUSES[seen.status],
            size_of(seen),
            row.principal,
            moment(row.created),
            str(row.manifest.get("changes", "")),
        ]
        rows.append(Row(called(seen), cells, partial=row.status in ("failed", "interrupted", "partial")))
    section = Section("What-ifs of this run", "Run", _WHAT_IF, rows)
    return {"what_ifs": Card(section.title, Table(section, [looked_at(seen, state) for seen in found]))}
