"""Tell what has happened on the way: a word with its particulars for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Notices"]

_SENTENCES = {
    "attempt": "attempt {number} of block {block:.12} failed: {reason}",
    "damaged": "{what} of block {block:.12} were not what was written, and were made anew",
    "quarantined": "one trade of '{instrument}' was left out: {reason}",
    "scaled": "{workers} workers were asked for in place of {before}",
    "scaling failed": "the number of workers could not be set: {reason}",
    "split": "block {block:.12} of {trades} trades of '{instrument}' was cut in two to find what ended its worker",
    "store": "the store was asked again after a failure: {reason}",
    "waiting for workers": "there is no worker at {scheduler}; the run waits {patience:.0f} s for one",
    "worker lost": "the worker at {worker} was lost",
    "worker retired": "the worker at {worker} was retired",
}


class Notices:
    """Passes on what happens. listener : called with the word and its particulars, in the thread of the run."""

    def __init__(self, sentences: list[str], listener: Callable[[str, Mapping[str, Any]], None] | None) -> None:
        self._sentences, self._listener = sentences, listener
        self._workers: set[str] = set()

    def tell(self, kind: str, **facts: Any) -> None:
        """Something happened; that a worker was lost is said once."""
        if kind == "worker lost":
            if facts["worker"] in self._workers:
                return
            self._workers.add(facts["worker"])
        self._sentences.append(_SENTENCES[kind].format(**facts))
        if self._listener is not None:
            self._listener(kind, facts)
