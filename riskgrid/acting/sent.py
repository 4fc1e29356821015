"""A request that may be sent again: its key, what it said, and the run that it was accepted as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from riskgrid.access import Door
from riskgrid.errors import BadSpec, KeyReused
from riskgrid.hashing import digest
from riskgrid.principal import Principal
from riskgrid.seen import Seen
from riskgrid.store import RunRow

__all__ = ["Sent", "accepted", "queued_once"]


@dataclass(frozen=True)
class Sent:
    """A request as it was sent. key : its own, None for none.   kept : the key by which the queue knows it.

    said : digest of what was asked by whom.
    """

    key: str | None
    kept: str | None
    said: str

    @classmethod
    def of(cls, route: str, key: str | None, body: Mapping[str, Any], who: Principal) -> Sent:
        """A key is of a route: what is asked elsewhere under the same one is another request. BadSpec for no key."""
        if key is not None and not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
            raise BadSpec(f"the request key is {key[:40]!r}; 1 to 200 printable ASCII characters are right")
        said = digest("request", route, json.dumps(body, default=str), who.rights).hex()
        return cls(key, None if key is None else f"{route}: {key}", said)


def accepted(door: Door, who: Principal, sent: Sent) -> Seen | None:
    """The run of a request that was sent before under the same key. KeyReused where that one asked something else."""
    row = None if sent.kept is None else door.store.queue.submitted(who.name, sent.kept)
    if row is None:
        return None
    if row.request_digest != sent.said:
        raise KeyReused.of(str(sent.key), row.run_id)
    return replace(door.seen(row, who), again=True)


def queued_once(door: Door, who: Principal, sent: Sent, row: RunRow, quota: int | None) -> Seen:
    """A run put into the queue, or the one that the same request put there before. TooMany, KeyReused."""
    row = replace(row, principal=who.name, request_key=sent.kept, request_digest=sent.said)
    try:
        kept = door.store.queue.submit(row, quota=quota)
    except KeyReused as error:
        raise KeyReused.of(str(sent.key), error.run_id) from None
    return replace(door.seen(kept, who), again=kept.run_id != row.run_id)
