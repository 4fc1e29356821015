"""The head of every page: which page, of when, held against what, by which convention, and the box that finds."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from html import escape

from riskgrid.dashboards.convention import CONVENTIONS
from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State
from riskgrid.errors import RiskgridError, UnknownName
from riskgrid.seen import Seen

__all__ = ["navigation", "run_bar"]


def navigation(state: State, titles: Mapping[str, str], who: str, *, leaves: bool = False) -> str:
    """Links to the pages, which keep the run that is looked at.   leaves : somebody signed in can sign out."""
    kept = State(
        run=state.run, against=state.against, convention=state.convention, beside=state.beside, draft=state.draft
    )
    links = []
    for key, title in titles.items():
        current = ' aria-current="page"' if key == state.page else ""
        link = state.but(part="", trade="") if key == state.page else kept.but(page=key)
        links.append(f'<a href="{escape(link.query)}"{current}>{escape(title)}</a>')
    out = '<a href="/desk/sign-out">Sign out</a>' if leaves else ""
    return (
        f'<div class="head"><span class="brand">riskgrid</span><nav aria-label="Pages">{"".join(links)}</nav>'
        f'<span class="fill"></span><span class="muted who">{escape(who)}</span>{out}'
        '<button type="button" data-do="dark" title="Light or dark" aria-label="Light or dark">\u25d0</button></div>'
    )


def run_bar(state: State, look: Look) -> str:
    """As of when, compared with what, by which convention, and the box that finds."""
    finished = look.finished
    run = before = None
    with contextlib.suppress(RiskgridError):  # the page says it
        run = look.run(state)
        before = look.before(state, run)
    chosen = state.run if run is None else run.known_as
    runs = [(_told(seen), state.but(run=seen.row.run_id, against=""), seen.row.run_id == chosen) for seen in finished]
    if chosen and not any(current for _, _, current in runs):  # one without numbers, or older than those listed
        runs.insert(0, (_named(state.run, look), state, True))
    beside = "" if before is None else before.known_as
    others = [("nothing", state.but(against="none"), before is None)]
    others += [
        (_told(seen), state.but(against=seen.row.run_id), seen.row.run_id == beside)
        for seen in finished
        if seen.row.run_id != chosen
    ]
    ways = [(words, state.but(convention=name), name == state.convention) for name, (words, _) in CONVENTIONS.items()]
    books = look.who.books
    mask = "" if books is None else f'<span class="gap">Your books: {escape(str(books))}</span>'
    choices = [_select("As of", runs), _select("Compare with", others), _select("Measured as", ways)]
    return (
        f'<div class="bar-of-run">{"".join(choices)}{mask}<span class="fill"></span>'
        '<span class="muted" data-notice role="status"></span>'
        '<input type="search" data-find aria-label="Find a trade, a book, a desk" placeholder="Find  /" '
        'autocomplete="off" spellcheck="false"></div>'
    )


def _select(name: str, options: Sequence[tuple[str, State, bool]]) -> str:
    told = "".join(
        f'<option value="{escape(state.query)}"{" selected" if chosen else ""}>{escape(words)}</option>'
        for words, state, chosen in options
    )
    return f"<label>{name}<select data-go>{told}</select></label>"


def _named(run_id: str, look: Look) -> str:
    try:
        return _told(look.desk.door.row(run_id, look.who))
    except UnknownName:
        return "another run"


def _told(seen: Seen) -> str:
    row = seen.row
    called = f" {row.name}" if row.name else ""
    kind = "what-if, " if seen.parent is not None else ""
    books = "some books, " if row.rights and seen.parent is None else ""
    return f"{row.as_of}{called} ({kind}{books}{row.created[:16].replace('T', ' ')})"
