from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from riskgrid.dashboards.entrance.hearing import heard, only_asked

ASKED = "p1042"

ASK = {
    "kind": "ModelChanged",
    "model": {"id": ASKED},
    "attr": "data",
    "new": {"type": "map", "entries": [["message", ['{"go": "?"}']]]},
}
READY = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}


def left(*events: Any) -> list[Any]:
    found: list[Any] = json.loads(only_asked(json.dumps({"events": events}), ASKED))["events"]
    return found


def test_what_is_asked__and_that_a_page_is_ready_is_heard() -> None:
    assert left(ASK, READY) == [ASK, READY]


@pytest.mark.parametrize(
    "event",
    [
        {**ASK, "model": {"id": "p1001"}},
        {**ASK, "attr": "tags"},
        {**ASK, "new": {"type": "object", "name": "CustomAction", "id": "x", "attributes": {"icon": "/etc/passwd"}}},
        {**ASK, "new": {"type": "map", "entries": [["message", [{"type": "object", "name": "Div", "id": "x"}]]]}},
        {**ASK, "new": {"type": "map", "entries": [["message", ["{}"]], ["other", ["{}"]]]}},
        {"kind": "RootAdded", "model": {"type": "object", "name": "Div", "id": "x"}},
        {"kind": "ColumnDataChanged", "model": {"id": ASKED}, "data": {}},
        {"kind": "TitleChanged", "title": "x"},
        {**READY, "msg_data": {"type": "event", "name": "tap", "values": {"type": "map"}}},
    ],
)
def test_anything_else__is_not(event: Any) -> None:
    assert left(event) == []


def test_more_beside_it__is_left_out() -> None:
    assert left({**ASK, "setter": {"type": "object"}, "hint": 1}) == [ASK]


@pytest.mark.parametrize("text", ["[]", "{}", "5", '{"events": 5}', '{"events": [5]}', "[" * 100_000])
def test_what_is_no_patch__is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        only_asked(text, ASKED)


def said(*frames: Any) -> list[Any]:
    """What an application hears of these frames."""
    waiting = [{"type": "websocket.receive", **frame} for frame in frames]

    async def receive() -> Any:
        return waiting.pop(0)

    async def listen() -> list[Any]:
        hear = heard(receive, ASKED)
        return [await hear() for _ in frames]

    return asyncio.run(listen())


def test_frames__are_heard_in_threes() -> None:
    head = json.dumps({"msgid": "1", "msgtype": "PATCH-DOC"})
    pull = json.dumps({"msgid": "2", "msgtype": "PULL-DOC-REQ"})
    patch = json.dumps({"events": [ASK, {"kind": "TitleChanged", "title": "x"}]})
    frames = [head, '{"a": 1}', patch, pull, "{}", '{"x": 1}']
    texts = [each.get("text") for each in said(*({"text": frame} for frame in frames))]
    assert texts == [head, "{}", json.dumps({"events": [ASK]}), pull, "{}", "{}"]


@pytest.mark.parametrize(
    "frame",
    [
        {"text": json.dumps({"msgid": "1", "msgtype": "PUSH-DOC"})},
        {"text": json.dumps({"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 1})},
        {"text": "no json"},
        {"bytes": b"{}"},
    ],
)
def test_another_kind_of_message__closes_the_line_for_good(frame: Any) -> None:
    head = {"text": json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"})}
    assert [each["type"] for each in said(frame, head)] == ["websocket.disconnect"] * 2
