"""One request and its answer: repeated where that is safe, taken from what is held where nothing has changed.

What is asked is written once, as generators that yield an :class:`Ask` or a :class:`Pause` and are sent the
:class:`Answer`; blocking and awaiting clients are two short loops around them.
"""

from __future__ import annotations

import json
import random
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from riskgrid.client.refusal import not_riskgrid, refused
from riskgrid.errors import ServiceLost

__all__ = [
    "ARROW",
    "EVENTS",
    "JSON",
    "Answer",
    "Ask",
    "Held",
    "Manner",
    "Pause",
    "Steps",
    "backoff",
    "exchanged",
    "said",
    "told",
]

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
EVENTS = "text/event-stream"

#: Of statuses that may pass: too many requests, and a service that is away for a moment.
_PASSING = (429, 502, 503, 504)

#: Methods that do the same when they are sent twice.
_REPEATABLE = ("GET", "PUT", "DELETE")

#: Seconds of the longest pause; where a service asks for a longer one, the caller is told.
_LONGEST = 30.0


@dataclass(frozen=True)
class Ask:
    """What is asked of a service. path : below its address.   seconds : that it may take beyond those of any request.

    once : the key under which it is done once, however often it is sent.   silence : seconds without a word after which
    a stream counts as cut.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    accept: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    once: str | None = None
    seconds: float = 0.0
    silence: float | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again though nobody knows if it has arrived."""
        return self.method in _REPEATABLE or self.once is not None

    @property
    def said(self) -> str:
        """For a sentence."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What a service said. headers : names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        """What the body is."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Pause:
    """Nothing to ask for so many seconds."""

    seconds: float


#: What a verb is: it asks, is sent answers, and returns.
type Steps[T] = Generator[Ask | Pause, Answer, T]


class Held:
    """Answers with their ETags, the latest used, up to so many bytes."""

    def __init__(self, most_bytes: int = 64_000_000) -> None:
        self._most, self._size = most_bytes, 0
        self._answers: OrderedDict[Any, Answer] = OrderedDict()
        self._lock = threading.Lock()  # threads may share a client

    def get(self, key: Any) -> Answer | None:
        """The answer of a question."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: Any, answer: Answer) -> None:
        """Hold an answer as long as there is room."""
        with self._lock:
            before = self._answers.pop(key, None)
            self._size += len(answer.body) - (len(before.body) if before else 0)
            self._answers[key] = answer
            while self._size > self._most:
                self._size -= len(self._answers.popitem(last=False)[1].body)


@dataclass(frozen=True)
class Manner:
    """How a client goes about it. url : of the service.   tries : of one request."""

    url: str
    tries: int = 5
    held: Held = field(default_factory=Held)


def exchanged(ask: Ask, manner: Manner) -> Steps[Answer]:
    """The answer of a service. The library's error where it refuses, ServiceLost where it is not there."""
    key = (ask.path, ask.params, ask.accept)
    held = manner.held.get(key) if ask.method == "GET" else None
    if held is not None:
        ask = replace(ask, headers={**ask.headers, "If-None-Match": held.headers["etag"]})
    if ask.once is not None:
        ask = replace(ask, headers={**ask.headers, "Idempotency-Key": ask.once})
    answer = yield from _repeated(ask, manner)
    if held is not None and answer.status == 304:
        return held
    if answer.status >= 300:
        raise refused(answer.status, answer.headers, answer.body, f"{manner.url} answers {ask.said}")
    if answer.body and answer.media != ask.accept:
        raise not_riskgrid(f"{manner.url} answers {ask.said} with {answer.media or 'no type'}, not {ask.accept}")
    if ask.method == "GET" and "etag" in answer.headers:
        manner.held.put(key, answer)
    return answer


def told(ask: Ask, manner: Manner, needs: str) -> Steps[dict[str, Any]]:
    """A mapping that a service says as JSON. needs : a name without which it is not what was asked for."""
    made = yield from said(ask, manner)
    if not isinstance(made, dict) or needs not in made:
        raise not_riskgrid(f"{manner.url} answers {ask.said} without {needs!r}")
    return made


def said(ask: Ask, manner: Manner) -> Steps[Any]:
    """What a service says as JSON."""
    answer = yield from exchanged(ask, manner)
    try:
        return json.loads(answer.body)
    except ValueError:
        raise not_riskgrid(f"{manner.url} answers {ask.said} with what is no JSON") from None


def backoff(attempt: int, asked: float | None = None) -> float:
    """Seconds before the next attempt, drawn so that clients that lost a service together do not return together.

    asked : what the service asked for, the least.
    """
    drawn = random.uniform(0.5, 1.0) * min(0.2 * 2.0**attempt, _LONGEST)
    return drawn if asked is None else asked + 0.1 * drawn


def _repeated(ask: Ask, manner: Manner) -> Steps[Answer]:
    attempt = 0
    while True:
        attempt += 1
        after: float | None = None
        try:
            answer = yield ask
        except ServiceLost as lost:
            if attempt >= manner.tries or (lost.sent and not ask.repeatable):
                raise
        else:
            after = _seconds(answer.headers.get("retry-after"))
            passing = answer.status in _PASSING and (ask.repeatable or answer.status == 429)
            if not passing or attempt >= manner.tries or (after or 0.0) > _LONGEST:
                return answer
        yield Pause(backoff(attempt, after))


def _seconds(text: str | None) -> float | None:
    # a date is allowed there, too; riskgrid says seconds, and a gateway's date gets our own pause
    return float(text) if text is not None and text.strip().isdecimal() else None
