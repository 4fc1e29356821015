"""Events of a run as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from riskgrid.api.models import EventModel
from riskgrid.api.service import Service
from riskgrid.errors import AccessError, InputError, StoreError
from riskgrid.principal import Principal
from riskgrid.seen import Seen, SeenEvent, told_of

__all__ = ["EVENTS", "EventStream"]

EVENTS = "text/event-stream"


class EventStream(EventSourceResponse):
    """What happens to a run, until it has ended. after : number of the last event that the client has.

    TooMany where the principal has as many streams as it may.
    """

    def __init__(self, service: Service, seen: Seen, who: Principal, headers: Mapping[str, str], after: int) -> None:
        self._service, self._seen, self._who, self._asked = service, seen, who, headers
        service.tailer.take(who)
        # a proxy that gathers what is small would hold events back
        told = {"Cache-Control": "private, no-store", "X-Accel-Buffering": "no", "Vary": "Accept, Authorization"}
        self._written = self._stream(after)
        super().__init__(self._written, headers=told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; whatever ends it, the stream is given back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._service.tailer.give_back(self._who)
            await self._written.aclose()

    async def _stream(self, after: int) -> AsyncGenerator[bytes]:
        heartbeat = self._service.heartbeat
        checked = time.monotonic()
        with self._service.tailer.following(self._seen.row.run_id) as following:
            while not following.gone:
                changed = await following.changed(max(checked + heartbeat - time.monotonic(), 0.0))
                if time.monotonic() >= checked + heartbeat:
                    if not await asyncio.to_thread(self._holds):
                        return
                    checked = time.monotonic()
                    yield KEEPALIVE_COMMENT
                if not changed:
                    continue
                told = told_of(self._seen, following.events)
                for event in told[after:]:
                    yield _written(event)
                after = max(after, len(told))
                if ended(told):
                    return

    def _holds(self) -> bool:
        """Whether who asks is still the one it was, and sees the run as it did."""
        try:
            who = self._service.authenticate(self._asked)
            who.require("read")
            seen = self._service.door.row(self._seen.row.run_id, who)
        except StoreError:
            return True  # nobody knows; the next look will tell
        except (AccessError, InputError):
            return False
        # another view counts its events otherwise
        return (who.name, seen.whole) == (self._who.name, self._seen.whole)


def ended(events: Sequence[SeenEvent]) -> bool:
    """Whether nothing follows these events."""
    return bool(events) and events[-1].last


def _written(event: SeenEvent) -> bytes:
    model = EventModel.of(event)
    return format_sse_event(data_str=model.model_dump_json(), event=event.kind, id=str(event.seq))
