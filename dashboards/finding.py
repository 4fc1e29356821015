"""A name that somebody typed: a trade, a scenario, or a value of any label."""

from __future__ import annotations

import difflib

from riskgrid.dashboards.look import Look
from riskgrid.dashboards.state import State
from riskgrid.errors import UnknownName

__all__ = ["found"]


def found(text: str, state: State, look: Look) -> tuple[State, str]:
    """Where a name leads, in any case of letters, and what to say about it; nowhere else where nothing matches."""
    run = look.run(state)
    wanted = text.casefold()
    at = State(page="drill-down", run=state.run, against=state.against, convention=state.convention)
    known: list[str] = []
    for label in look.labels(run):
        names = [str(name) for name in run.cube.labels[label].names]
        known += names
        for name in names:
            if name.casefold() == wanted:
                return at.within(label, name), ""
    for name in (text, text.upper()):
        try:
            run.portfolio.places([name])
        except UnknownName:
            continue
        return at.but(part="trades", trade=name), ""
    scenarios = [str(name) for name in run.cube.scenarios]
    for name in scenarios:
        if name.casefold() == wanted:
            return at.but(part="tail", scenario=name), ""
    near = difflib.get_close_matches(wanted, [name.casefold() for name in known], 1, 0.6)
    inside = [name for name in known if wanted in name.casefold()] or [n for n in known if n.casefold() in near]
    hint = f"; {', '.join(inside[:3])}?" if inside else ""
    return state, f"Nothing is called '{text}'{hint}"
