"""Events of a run come one by one, over any cut, none missing and none twice."""

import asyncio
import json
import threading
import time

import pytest

import riskgrid as rg
from riskgrid.client.following import Event, Following
from riskgrid.errors import Forbidden, ServiceLost, UnknownName


def said(seq, kind="progress", **data):
    """The lines of one event."""
    told = {"seq": seq, "at": "2026-11-22T12:00:00Z", "kind": kind, "data": data}
    return [f"id: {seq}", f"event: {kind}", f"data: {json.dumps(told)}", ""]


def read(course, *lines):
    return [event for event in map(course.read, lines) if event is not None]


@pytest.fixture
def queued(store, client, run):
    """A run that waits, of the inputs of one that is finished; no runner is there."""
    remote = client.run(run.run_id)
    asked = client.submit(portfolio=remote, market=remote, scenarios=remote, key=f"follow {time.monotonic_ns()}")
    yield asked
    if not asked.refreshed().facts["ended"]:
        asked.cancel()


def told(store, run, first, last):
    for number in range(first, last + 1):
        store.journal.tell(run.run_id, "progress", {"number": number})


def test_event__that_was_seen_is_not_told_again():
    course = Following("/runs/r-1", seen=2)
    assert course.ask().headers["Last-Event-ID"] == "2"
    assert read(course, *said(1), ": nothing new", *said(2)) == []
    (event,) = read(course, *said(3, "complete", coverage=1.0))
    assert event == Event(3, "2026-11-22T12:00:00Z", "complete", {"coverage": 1.0})
    assert course.ended
    assert course.ask().headers["Last-Event-ID"] == "3"


def test_event__that_was_cut_in_the_middle_is_told_once_and_whole():
    course = Following("/runs/r-1")
    assert read(course, *said(1)[:3]) == []
    course.cut(None)
    course.ask()
    assert [event.seq for event in read(course, *said(1), *said(2))] == [1, 2]


def test_run__that_was_resumed_has_not_ended():
    course = Following("/runs/r-1")
    read(course, *said(1, "cancelled"))
    assert course.ended
    read(course, *said(2, "queued"))
    assert not course.ended


def test_cut__that_will_not_pass_is_raised():
    with pytest.raises(UnknownName):
        Following("/runs/r-1").cut(UnknownName("run", "r-1", []))
    with pytest.raises(Forbidden):
        Following("/runs/r-1").cut(Forbidden("no"))
    assert Following("/runs/r-1").cut(ServiceLost("away")) > 0.0
    assert Following("/runs/r-1").cut(None) > 0.0
    with pytest.raises(TimeoutError, match="run 'r-1' has not ended"):
        Following("/runs/r-1", until=time.monotonic()).cut(None)


def test_events__are_followed_while_the_service_is_cut_and_started_again(heard, store, queued):
    seen = []
    with rg.Client(heard.url) as client:

        def follow():
            seen.extend(client.run(queued.run_id).events(timeout=60.0))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        last = 0
        for _ in range(3):
            told(store, queued, last + 1, last + 20)
            last += 20
            time.sleep(0.3)  # somewhere in the middle of what is told
            told(store, queued, last + 1, last + 20)
            heard.stop()
            told(store, queued, last + 21, last + 40)
            last += 40
            heard.start()
        queued.cancel()
        thread.join(60)
        assert not thread.is_alive()
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    numbers = [event.data["number"] for event in seen if event.kind == "progress"]
    assert numbers == list(range(1, 181))
    assert (seen[0].kind, seen[-1].kind) == ("queued", "cancelled")


def test_events__are_followed_by_who_awaits_them(heard, store, queued):
    async def follow():
        async with rg.AsyncClient(heard.url) as client:
            remote = await client.run(queued.run_id)
            found = []
            async for event in remote.events(timeout=60.0):
                found.append(event)
                if event.kind == "queued":
                    heard.app.first.append(None)
                    await asyncio.to_thread(heard.stop)
                    await asyncio.to_thread(told, store, queued, 1, 50)
                    await asyncio.to_thread(heard.start)
                if event.data.get("number") == 50:
                    await asyncio.to_thread(queued.cancel)
            return found

    found = asyncio.run(follow())
    assert [event.kind for event in found] == ["queued", *["progress"] * 50, "cancelled"]
    assert [event.seq for event in found] == list(range(1, 53))


def test_events__after_a_number(queued, store):
    told(store, queued, 1, 5)
    queued.cancel()
    assert [event.seq for event in queued.events(after=4)] == [5, 6, 7]


def test_events__end_after_the_time_that_is_given(queued):
    seen = []
    with pytest.raises(TimeoutError):
        seen.extend(queued.events(timeout=0.5))


def test_events__of_an_unknown_run(client, queued):
    from dataclasses import replace

    with pytest.raises(UnknownName) as found:
        list(replace(queued, facts={**queued.facts, "run_id": "nothing"}).events())
    assert found.value.status == 404
