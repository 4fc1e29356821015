"""What a browser may say on the line of a page: that it is ready, and what somebody asks, as one text."""

from __future__ import annotations

import json
from typing import Any

from starlette.types import Message, Receive

__all__ = ["heard", "only_asked"]

#: Messages of Bokeh's protocol that a page needs; with any other the line is closed.
_KINDS = ("PULL-DOC-REQ", "PATCH-DOC", "SERVER-INFO-REQ")

#: Characters of one message.
_MOST = 200_000

_READY = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}

_CLOSED = {"type": "websocket.disconnect", "code": 1008}


def only_asked(text: str, asked: str) -> str:
    """The content of a patch with nothing left in it but what a page understands. asked : id of the model for that.

    A browser tells of sizes and themes, too, which nobody here needs; and whoever writes on the line by hand could have
    Bokeh make any model with any property, some of which open files of this machine. ValueError for what is no patch.

    >>> only_asked('{"events": [{"kind": "ModelChanged", "model": {"id": "p1"}, "attr": "tags", "new": []}]}', "p9")
    '{"events": []}'
    """
    if len(text) > _MOST:
        return '{"events": []}'
    try:
        events = json.loads(text)["events"]
        return json.dumps({"events": [kept for event in events if (kept := _kept(event, asked)) is not None]})
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("it is no patch") from error


def _kept(event: Any, asked: str) -> dict[str, Any] | None:
    if event == _READY:
        return _READY
    if event.get("kind") != "ModelChanged" or event.get("model") != {"id": asked} or event.get("attr") != "data":
        return None
    match event.get("new"):
        case {"type": "map", "entries": [["message", [str(said)]]]}:
            new = {"type": "map", "entries": [["message", [said]]]}
            return {"kind": "ModelChanged", "model": {"id": asked}, "attr": "data", "new": new}
    return None


def heard(receive: Receive, asked: str) -> Receive:
    """The same line, from which only what :func:`only_asked` leaves is heard; closed with anything out of form."""
    parts: list[str] = []
    closed = False

    def taken(text: str) -> str:
        """The next of the three parts of a message: head, notes, content. ValueError."""
        at = len(parts) % 3
        if not at:
            head = json.loads(text) if len(text) < 1_000 else None
            if not isinstance(head, dict) or head.get("msgtype") not in _KINDS or head.get("num_buffers"):
                raise ValueError("it is no message of a page")
            parts[:] = [str(head["msgtype"])]
            return text
        parts.append("")
        return only_asked(text, asked) if at == 2 and parts[0] == "PATCH-DOC" else "{}"

    async def hear() -> Message:
        nonlocal closed
        message = {**_CLOSED} if closed else await receive()
        if message["type"] != "websocket.receive":
            return message
        try:
            return {"type": "websocket.receive", "text": taken(str(message.get("text") or ""))}
        except (ValueError, RecursionError):
            closed = True
            return {**_CLOSED}

    return hear
