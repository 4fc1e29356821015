"""Requests are repeated where that is safe, and errors are the library's."""

import asyncio
import json
import pickle
import socket

import pytest

import riskgrid as rg
from riskgrid import errors
from riskgrid.client.exchange import Answer, Held, backoff
from riskgrid.errors import BadSpec, ServiceLost, TooMany, Unauthenticated

AWAY = (503, {"retry-after": "0"}, b"")


def problem(status, kind, sentence, **headers):
    body = {"type": f"urn:riskgrid:error:{kind}", "title": "", "status": status, "detail": sentence, "errors": []}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": "application/problem+json", **names}, json.dumps(body).encode()


def asked(heard):
    return [(one["method"], one["status"]) for one in heard.app.asked]


def test_service_that_is_away_for_a_moment__is_asked_again(heard, run):
    heard.app.first += [AWAY, None]
    with rg.Client(heard.url) as client:
        assert run.run_id in [one.run_id for one in client.runs()]
    assert [status for _, status in asked(heard)] == [503, 200, 200]  # the second was cut


def test_awaited_service_that_is_away_for_a_moment__is_asked_again(heard, run):
    heard.app.first += [AWAY, None]

    async def ids():
        async with rg.AsyncClient(heard.url) as client:
            return [one.run_id for one in await client.runs()]

    assert run.run_id in asyncio.run(ids())
    assert len(heard.app.asked) == 3


def test_service_that_stays_away__is_said_after_so_many_tries(heard):
    heard.app.first += [problem(503, "StoreError", "the store cannot be read", retry_after="0")] * 3
    with rg.Client(heard.url, tries=3) as client, pytest.raises(errors.StoreError) as found:
        client.runs()
    assert str(found.value) == "the store cannot be read"
    assert found.value.status == 503
    assert len(heard.app.asked) == 3


def test_change__is_not_sent_twice_where_nobody_knows_if_it_has_arrived(heard, run):
    with rg.Client(heard.url) as client:
        (remote,) = [one for one in client.runs() if one.run_id == run.run_id]
        heard.app.asked.clear()
        heard.app.first.append(None)
        with pytest.raises(ServiceLost, match="broke off while it answered POST"):
            remote.cancel()
    assert len(heard.app.asked) == 1


def test_what_if__has_a_key_and_is_sent_again_with_it(heard, run):
    with rg.Client(heard.url, tries=2) as client:
        (remote,) = [one for one in client.runs() if one.run_id == run.run_id]
        heard.app.asked.clear()
        heard.app.first += [None, problem(422, "BadChanges", "no")]
        with pytest.raises(errors.BadChanges):
            remote.what_if({"drop": ["EO-000001"]})
    first, second = (one["headers"]["idempotency-key"] for one in heard.app.asked)
    assert first == second
    assert len(first) == 32


def test_too_many_requests__pause_as_long_as_the_service_asks(heard):
    heard.app.first.append(problem(429, "TooMany", "slowly", retry_after="600"))
    with rg.Client(heard.url) as client, pytest.raises(TooMany, match="slowly") as found:
        client.runs()
    assert found.value.seconds == 600.0  # longer than a client waits by itself
    assert len(heard.app.asked) == 1


def test_backoff__grows_and_is_drawn():
    drawn = [backoff(attempt) for attempt in range(1, 12)]
    assert all(0.5 * least <= each <= least for least, each in zip([0.4, 0.8, 1.6, 3.2], drawn, strict=False))
    assert max(drawn) <= 30.0
    assert len({backoff(3) for _ in range(20)}) > 1
    assert backoff(1, 5.0) >= 5.0


def test_same_question__is_answered_from_what_is_held(heard, run):
    with rg.Client(heard.url) as client:
        (remote,) = [one for one in client.runs() if one.run_id == run.run_id]
        heard.app.asked.clear()
        first, second = remote.pnl("desk"), remote.pnl("desk")
    assert asked(heard) == [("GET", 200), ("GET", 304)]
    assert first.identical(second)
    assert first.values is not second.values


def test_held__keeps_the_latest_used_within_its_bytes():
    held = Held(25)
    for name in "ab":
        held.put(name, Answer(200, {}, b"0123456789"))
    held.get("a")
    held.put("c", Answer(200, {}, b"0123456789"))
    assert [name for name in "abc" if held.get(name)] == ["a", "c"]


def test_errors__are_the_librarys_with_the_services_sentence(heard):
    heard.app.first.append(problem(403, "Forbidden", "'kim' may read", x_request_id="r-1"))
    with rg.Client(heard.url) as client, pytest.raises(errors.Forbidden) as found:
        client.runs()
    assert (str(found.value), found.value.status, found.value.request_id) == ("'kim' may read", 403, "r-1")


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name not in ("BadRow", "ServiceLost")])
def test_every_error__can_be_raised_again(name):
    from riskgrid.client.refusal import refused

    status, headers, body = problem(422, name, "the sentence")
    made = refused(status, headers, body, "")
    assert type(made) is getattr(errors, name)
    assert str(made) == "the sentence"
    assert repr(made)


@pytest.mark.parametrize("kind", ["Exception", "BadRow", "__name__", "dataclass", "no such error"])
def test_unknown_kind_of_error__is_told_by_its_status(kind):
    from riskgrid.client.refusal import refused

    made = refused(*problem(401, kind, "the sentence"), "")
    assert type(made) is Unauthenticated


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (404, {"content-type": "text/html"}, b"<html>"),
            "answers GET /api/v1/runs with 404 and no word of",
        ),
        ((200, {"content-type": "text/html"}, b"<html>"), "with text/html, not application/json"),
        ((302, {"location": "https://login.example/"}, b""), "leads to https://login.example/"),
        (
            (200, {"content-type": "application/json"}, b"{}"),
            "answers GET /api/v1/runs without 'items'",
        ),
        ((200, {"content-type": "application/json"}, b"no"), "answers GET /api/v1/runs with what is no JSON"),
    ],
)
def test_server_of_something_else__is_said_in_one_sentence(heard, answer, said):
    heard.app.first.append(answer)
    with pytest.raises(ServiceLost) as found:
        rg.connect(heard.url)
    assert said in str(found.value)
    assert str(found.value).startswith(heard.url)
    assert "\n" not in str(found.value)


def test_nothing_at_the_address__is_said_in_one_sentence():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceLost, match=rf"no service answers at http://127.0.0.1:{port} \("):
        rg.connect(f"http://127.0.0.1:{port}", tries=1)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "mailto:me@host", "", 3])
def test_what_is_no_address__is_refused(url):
    with pytest.raises(BadSpec, match="the address of the service"):
        rg.Client(url)


def test_secret__is_in_the_header_and_nowhere_else(heard):
    said = iter(["one", "two"])
    with rg.Client(heard.url, token=lambda: next(said)) as client:
        client.runs()
        client.runs()
        assert [one["headers"]["authorization"] for one in heard.app.asked] == ["Bearer one", "Bearer two"]
        assert "one" not in repr(vars(client))
    with rg.Client(heard.url, key="rgk_1_secret") as client:
        client.runs()
        assert heard.app.asked[-1]["headers"]["x-api-key"] == "rgk_1_secret"
        assert "secret" not in repr(client) + repr(vars(client.connection))
    with pytest.raises(BadSpec, match="both a token and a key"):
        rg.Client(heard.url, key="a", token="b")
    with pytest.raises(BadSpec, match="has a user or password in it"):
        rg.Client("http://me:secret@localhost")


def test_error__survives_another_process(heard):
    heard.app.first.append(problem(403, "Forbidden", "'kim' may read"))
    with rg.Client(heard.url) as client, pytest.raises(errors.Forbidden) as found:
        client.runs()
    assert str(pickle.loads(pickle.dumps(found.value))) == "'kim' may read"


def test_import__is_light():
    import subprocess
    import sys

    program = "import sys, riskgrid.client; print([n for n in ('numpy', 'xarray', 'sqlalchemy') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
