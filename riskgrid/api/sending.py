"""How a request is to be taken: under which key, and how long its sender would wait for the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Response

__all__ = ["MOST_SECONDS", "IdempotencyKey", "Waiting"]

#: Seconds for which an answer is waited for, at most.
MOST_SECONDS = 30.0

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Makes it safe to send the request again: for 24 hours the same key means the same run.",
        max_length=200,
        examples=["5f0c1d2e"],
    ),
]


@dataclass(frozen=True)
class Wait:
    """Seconds to wait for an answer. asked : what was preferred, None for nothing."""

    seconds: float
    asked: str | None

    def applied(self, response: Response) -> None:
        """Say that it was done."""
        if self.asked is not None:
            response.headers["Preference-Applied"] = f"wait={self.seconds:g}"


def preferences(header: str) -> Mapping[str, str]:
    """The preferences of RFC 7240 by name, in lower case; of one that stands twice the first counts.

    >>> dict(preferences('respond-async, WAIT="10"; foo=bar, wait=5'))
    {'respond-async': '', 'wait': '10'}
    """
    found: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), value.strip().strip('"').strip())
    return found


def _waiting(
    prefer: Annotated[
        str | None,
        Header(description="wait=SECONDS waits so long for the answer, at most 30 s (RFC 7240).", max_length=500),
    ] = None,
) -> Wait:
    asked = preferences(prefer or "").get("wait", "")
    if not (asked.isascii() and asked.isdecimal()):  # what cannot be understood is ignored, as the RFC says
        return Wait(0.0, None)
    return Wait(min(float(asked), MOST_SECONDS), asked)


Waiting = Annotated[Wait, Depends(_waiting)]
