"""What stands on a page that cannot be shown: the sentence of the error, and where to go from there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote

from riskgrid.dashboards.card import Card, Word
from riskgrid.dashboards.markup import anchor
from riskgrid.dashboards.state import State
from riskgrid.errors import BadRows, Forbidden, NotFinished, RiskgridError, TooMany, Unauthenticated, UnknownName

__all__ = ["SIGN_IN", "failed", "refused"]

_LOG = logging.getLogger(__name__)

#: Where somebody says who he is.
SIGN_IN = "/desk/sign-in"


def failed(error: Exception, state: State) -> Card:
    """A card in place of what could not be made."""
    latest = anchor("The latest run", State(page=state.page if state.page != "what-if" else "overview"))
    if isinstance(error, Unauthenticated | Forbidden):
        words, ways = (
            "Your sign-in has ended or does not reach this far",
            f'<a href="{SIGN_IN}?to={escape(quote(f"/desk{state.query}", safe=""))}">Sign in again</a>',
        )
    elif isinstance(error, NotFinished):
        words, ways = "No numbers yet", anchor("How far it is", State(page="runs", run=state.run))
    elif isinstance(error, UnknownName) and error.kind == "run" and not state.run:
        words, ways = "No run yet", ""
        error = RiskgridError(
            "Nothing in this store has been run, or nothing that you may see. 'riskgrid run', 'riskgrid submit' or the "
            "HTTP interface makes one; it appears here by itself."
        )
    elif isinstance(error, TooMany):
        words, ways = "Busy", anchor("Try again", state)
    elif isinstance(error, RiskgridError):
        words, ways = "This cannot be shown", latest
    else:
        _LOG.error("a page failed", exc_info=error, extra={"facts": {"page": state.page}})
        words, ways = "This went wrong, and the service has written down why", latest
        error = RiskgridError("Other pages go on.")
    return Card("", Word(f'<div class="empty" role="alert"><b>{words}</b>{escape(str(error))}<br>{ways}</div>'))


def refused(error: Exception, fields: Iterable[str]) -> dict[str, Any]:
    """Why what a form asks is not done: the sentence, and those of its fields that it is about."""
    if isinstance(error, BadRows):
        text = "\n".join(f"{row.column}: {row.value!r} {row.reason}" for row in error.rows)
    elif isinstance(error, RiskgridError):
        text = str(error)
    else:
        _LOG.error("what a form asked failed", exc_info=error)
        text = "This went wrong, and the service has written down why. Nothing was changed."
    named = set(re.findall(r"\w+", text))
    return {"text": text, "fields": [name for name in fields if name in named]}
