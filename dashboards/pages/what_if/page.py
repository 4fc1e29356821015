"""What if: changes put together, run beside the run that they change, and compared with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from html import escape

from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.form import Field, fields_html, form_html
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.markup import anchor, minus
from riskgrid.dashboards.page import Content, Page
from riskgrid.dashboards.pages.what_if.branches import (
    branches,
    branches_card,
    compared,
    made_before,
    side_by_side,
    value_at_risk_by_branch,
)
from riskgrid.dashboards.pages.what_if.draft import Draft
from riskgrid.dashboards.pages.what_if.drafting import ACTS
from riskgrid.dashboards.pages.what_if.offering import offered
from riskgrid.dashboards.state import State
from riskgrid.result import Run
from riskgrid.scenarios.set import targets

__all__ = ["WHAT_IF"]

#: Changes of a draft that are listed.
_LINES = 30


def show(state: State, look: Look) -> Content:
    """The draft, the ways to add to it, and the branches with their numbers."""
    run = look.run(state)
    state = state.but(run=run.known_as)
    beside = branches(state, look)
    comparison = side_by_side(state, look, run, beside)
    made = {
        "draft": _draft(state, look, run),
        "ways": offered(state, look, run),
        "branches": branches_card(state, look),
        "earlier": made_before(state, look, run),
    }
    if comparison is not None:
        made["compared"] = compared(comparison, beside)
        made["by_branch"] = value_at_risk_by_branch(comparison)
    return {name: card for name, card in made.items() if card is not None}


def _draft(state: State, look: Look, run: Run) -> Card:
    """What would change, each removable, and the one button that runs it."""
    draft = Draft.of(state.draft)
    lines = "".join(_line(words, rest, state) for words, rest in itertools.islice(_told(draft, run), _LINES))
    lines += f"<li><span>and {len(draft) - _LINES:,} more</span></li>" if len(draft) > _LINES else ""
    listed = f'<ul class="lines">{lines}</ul>' if len(draft) else "<p>Nothing yet. Put a change in, then run it.</p>"
    below = ""
    if not look.who.may("run"):
        below = (
            '<p class="gap">You may look at what-ifs here; running one needs the right to run, which you have not.</p>'
        )
    elif draft.form:
        name = Field("name", "Name", unit="optional; keeps it easy to find", span=2)
        clear = anchor("Clear the draft", state.but(draft=""), "quiet")
        below = form_html("run", fields_html([name]), "Run what-if", primary=True, beside=clear)
    note = f"What would change in the run of {run.row.as_of}; nothing is done until it is run."
    return Card("Draft", Word(f"{_above(state, look)}{listed}{below}"), note)


def _told(draft: Draft, run: Run) -> Iterator[tuple[str, Draft]]:
    """Lines of the draft, shifts with how many factors they move."""
    counts = {
        f"Shift {pattern} {shock}": len(targets(pattern, run.market))
        for pattern, shock in draft.form.get("shift", {}).items()
    }
    for words, rest in draft.lines():
        count = counts.get(words)
        yield words if count is None else f"{words}, {count:,} factor{'s' * (count != 1)}", rest


def _line(words: str, rest: Draft, state: State) -> str:
    return f"<li><span>{minus(escape(words))}</span>{anchor('Remove', state.but(draft=rest.text), 'quiet')}</li>"


def _above(state: State, look: Look) -> str:
    """Of a run that is a what-if itself, what it changes already."""
    seen = look.desk.door.row(state.run, look.who)
    if seen.parent is None:
        return ""
    link = anchor("that run itself", state.but(run=seen.parent, beside=(state.run,)))
    told = seen.row.manifest.get("changes", "")
    return f'<p class="note">On top of: {minus(escape(str(told)))}. Or change {link}.</p>'


WHAT_IF = Page(
    "what-if",
    "What-if",
    (("draft", "ways"), ("branches",), ("compared",), ("by_branch", "earlier")),
    show,
    ACTS,
)
