"""Events over HTTP, from a real server: none is missing, none comes twice, and none tells what is hidden."""

import contextlib
import json
import socket
import threading
import time

import httpx2
import pytest
import uvicorn

from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.service import Service
from riskgrid.api.tailer import Tailer
from riskgrid.errors import TooMany
from riskgrid.principal import Principal
from riskgrid.store import Store
from tests.api import served

SSE = {"Accept": "text/event-stream"}
ASKED = {"portfolio": "book", "market": "today", "scenarios": "days", "cut": 16}


@pytest.fixture
def first(tmp_path):
    return served.filled(tmp_path / "store")


@contextlib.contextmanager
def serving(store, **options):
    """The address of a real server."""
    options = {"authenticate": served.by_name, **options}
    service = Service(Door(Store(store.root)), **options)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(make_app(service), log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/api/v1", service
        finally:
            server.should_exit = True
            thread.join()


def read(lines, count=None):
    """Events of a stream, until it ends or so many have come: (id, event, data)."""
    found, fields = [], {}
    for line in lines:
        if not line and fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
            fields = {}
            if count is not None and len(found) == count:
                return found
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
    return found


def streamed(base, run_id, who="ann", after=None, count=None):
    headers = {**SSE, "X-API-Key": who} | ({} if after is None else {"Last-Event-ID": str(after)})
    with httpx2.stream("GET", f"{base}/runs/{run_id}/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return read(answer.iter_lines(), count)


def asked(store, who="ann"):
    return served.client(store, who).post("/api/v1/runs", json=ASKED).json()["run_id"]


def test_stream__tells_everything_once_to_many_and_ends(first):
    run_id = asked(first.store)
    with serving(first.store) as (base, service):
        found = {}

        def follow(at):
            found[at] = streamed(base, run_id)

        threads = [threading.Thread(target=follow, args=(at,)) for at in range(8)]
        for thread in threads:
            thread.start()
        with served.working(first.store):
            for thread in threads:
                thread.join()
        assert service.tailer.open == 0
    wanted = [(event.seq, event.kind) for event in first.store.journal.events(run_id)]
    assert wanted[-1][1] == "complete"
    for events in found.values():
        assert [(seq, kind) for seq, kind, _ in events] == wanted
        assert [data["seq"] for _, _, data in events] == [seq for seq, _ in wanted]


def test_stream__that_was_cut_off_goes_on_where_it_was(first):
    run_id = asked(first.store)
    with serving(first.store) as (base, _):
        begun = streamed(base, run_id, count=1)
        with served.working(first.store):
            rest = streamed(base, run_id, after=begun[-1][0])
        seqs = [seq for seq, _, _ in begun + rest]
        assert seqs == list(range(1, len(seqs) + 1))
        last = httpx2.get(
            f"{base}/runs/{run_id}/events", headers={**SSE, "X-API-Key": "ann", "Last-Event-ID": str(seqs[-1])}
        )
        assert (last.status_code, last.content) == (204, b"")


def test_stream__of_a_run_of_which_one_sees_a_part_tells_its_course_alone(first):
    run_id = asked(first.store)
    with serving(first.store) as (base, _), served.working(first.store):
        events = streamed(base, run_id, "flow")
    assert [(seq, kind) for seq, kind, _ in events] == [(1, "queued"), (2, "running"), (3, "finished")]
    assert [data["data"] for _, _, data in events] == [{}, {}, {}]


def test_stream__outlives_a_runner_that_is_not_heard_of_any_more(first):
    run_id = asked(first.store)
    first.store.queue.lease("one that dies", 0.0)
    with serving(first.store) as (base, _):
        found = []
        thread = threading.Thread(target=lambda: found.extend(streamed(base, run_id)))
        thread.start()
        with served.working(first.store):
            thread.join()
    kinds = [kind for _, kind, _ in found]
    assert (kinds[0], kinds.count("running"), kinds[-1]) == ("queued", 2, "complete")


def test_stream__ends_once_its_key_does_not_hold_any_more(first):
    run_id = asked(first.store)
    holds = threading.Event()
    holds.set()

    def authenticate(headers):
        return served.by_name(headers if holds.is_set() else {})

    with serving(first.store, authenticate=authenticate, heartbeat=0.05) as (base, _):
        headers = {**SSE, "X-API-Key": "ann"}
        with httpx2.stream("GET", f"{base}/runs/{run_id}/events", headers=headers, timeout=60) as answer:
            lines = answer.iter_lines()
            assert read(lines, 1)[0][1] == "queued"
            assert any(line.startswith(":") for line in lines)  # it is alive
            holds.clear()
            assert read(lines) == []


def test_stream__of_a_hidden_run_is_as_of_one_that_never_was(first):
    run_id = asked(first.store, "flow")
    client = served.client(first.store, "macro")
    said = [client.get(f"/api/v1/runs/{each}/events", headers=SSE) for each in (run_id, "0" * 12)]
    assert [answer.status_code for answer in said] == [404, 404]
    assert said[0].json()["detail"].replace(run_id, "0" * 12) == said[1].json()["detail"]


def test_events__as_json_are_those_after_a_number(first):
    run_id = asked(first.store)
    served.worked(first.store)
    client = served.client(first.store, "ann")
    every = client.get(f"/api/v1/runs/{run_id}/events").json()["items"]
    assert [event["seq"] for event in every] == [event.seq for event in first.store.journal.events(run_id)]
    rest = client.get(f"/api/v1/runs/{run_id}/events", params={"after": 2}).json()["items"]
    assert rest == every[2:]
    assert client.get(f"/api/v1/runs/{run_id}/events", headers={"Accept": "image/png"}).status_code == 406
    assert client.get(f"/api/v1/runs/{run_id}/events", headers={"Last-Event-ID": "x"}).status_code == 422


def test_tailer__lends_a_principal_so_many_streams(first):
    tailer = Tailer(first.store, streams=1)
    ann, bob = Principal("ann"), Principal("bob")
    tailer.take(ann)
    tailer.take(bob)
    with pytest.raises(TooMany, match="'ann' has 1 streams of events, as many as may be at once"):
        tailer.take(ann)
    tailer.give_back(ann)
    tailer.take(ann)
    assert tailer.open == 2
