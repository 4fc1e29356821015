"""What every request passes, asked through the whole application."""

import gzip
import io
import json
import logging

import pytest
from starlette.testclient import TestClient

from riskgrid import log
from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.envelope import Envelope
from riskgrid.api.rate import Rates
from riskgrid.api.service import Service, Sizes
from riskgrid.errors import Unauthenticated
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.store import Store

KEYS = {"admin": EVERYTHING, "kim": Principal("kim", frozenset({"read"}))}


def authenticate(headers):
    try:
        return KEYS[headers.get("x-api-key", "")]
    except KeyError:
        raise Unauthenticated("nobody knows the key") from None


def client_of(tmp_path, **options):
    options = {"authenticate": authenticate, "sizes": Sizes(body=200_000), **options}
    service = Service(Door(Store(tmp_path)), **options)
    return TestClient(make_app(service), headers={"x-api-key": "kim"}, raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path):
    return client_of(tmp_path)


@pytest.fixture
def lines(monkeypatch):
    """What is logged, a line each."""
    root, own = logging.getLogger(), logging.getLogger("riskgrid")
    before = root.handlers[:], root.level, own.level
    monkeypatch.setattr(log, "_SET", {})
    stream = io.StringIO()
    log.set_up("json", "info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


def test_answer__has_an_id_of_its_own_or_the_sane_one_it_was_given(client):
    own = client.get("/health").headers["x-request-id"]
    assert own != client.get("/health").headers["x-request-id"]
    assert client.get("/health", headers={"X-Request-ID": "trace-1.a"}).headers["x-request-id"] == "trace-1.a"
    for odd in ("a b", "x" * 65, "é", '"}'):
        given = client.get("/health", headers={"X-Request-ID": odd.encode()}).headers["x-request-id"]
        assert len(given) == 16


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/v1/runs", "/docs"])
def test_answer__has_headers_that_browsers_heed(client, path):
    found = client.get(path).headers
    assert found["x-content-type-options"] == "nosniff"
    assert found["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert ("unsafe-inline" in found["content-security-policy"]) == (path == "/docs")
    assert "strict-transport-security" not in found
    assert "server" not in found


def test_answer__over_https_asks_for_https_from_now_on(client):
    assert "max-age" in client.get("https://testserver/health").headers["strict-transport-security"]


def test_documentation__loads_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    assert "//cdn" not in page
    assert "https://" not in page
    assert client.get("/static-offline-docs/swagger-ui.css").status_code == 200


def test_body__beyond_the_limit_is_refused_by_its_length_and_by_what_it_holds(client):
    said = client.post("/api/v1/runs", content=b"1" * 200_001)
    assert (said.status_code, said.headers["content-type"]) == (413, "application/problem+json")
    assert said.json()["detail"] == "the body has 200,001 bytes; 200,000 are right at most, send it in parts"
    bomb = client.post("/api/v1/runs", content=gzip.compress(b"1" * 9_000_000), headers={"Content-Encoding": "gzip"})
    assert bomb.status_code == 413
    chunked = client.post("/api/v1/runs", content=iter([b"1" * 150_000] * 2))
    assert chunked.status_code == 413


def test_body__of_some_size_is_read_of_those_alone_who_say_who_they_are(client):
    small = client.post("/health", content=b"1" * 1000, headers={"x-api-key": "nobody"})
    assert small.status_code == 405
    for body in (b"1" * 100_000, iter([b"1"])):
        large = client.post("/health", content=body, headers={"x-api-key": "nobody"})
        assert (large.status_code, large.json()["detail"]) == (401, "nobody knows the key")
        assert large.headers["www-authenticate"] == "Bearer"


def test_deep_json__is_refused_in_one_sentence(client):
    said = client.post("/api/v1/runs", content=b"[" * 1000, headers={"Content-Type": "application/json"})
    assert (said.status_code, said.json()["detail"]) == (
        413,
        "the JSON of the body is nested 1,000 deep; 32 is right at most",
    )


def test_principal__that_asks_too_often_is_told_when_to_ask_again(tmp_path):
    client = client_of(tmp_path, rates=Rates(0.01, 2.0))
    assert [client.get("/api/v1/runs").status_code for _ in range(3)] == [200, 200, 429]
    said = client.get("/api/v1/runs")
    assert 1 <= int(said.headers["retry-after"]) <= 100
    assert "'kim' asks more than 0.01 times a second" in said.json()["detail"]
    assert client.get("/api/v1/runs", headers={"x-api-key": "admin"}).status_code == 200
    assert client.get("/health").status_code == 200


def test_address__that_fails_to_say_who_it_is_is_put_off_and_not_who_shares_it(tmp_path):
    client = client_of(tmp_path, failures=Rates(0.01, 3.0))
    wrong = {"x-api-key": "guess"}
    assert [client.get("/api/v1/runs", headers=wrong).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert client.get("/api/v1/runs").status_code == 200


def test_log_line__of_a_request_has_its_id_route_and_principal_and_not_its_path(client, lines):
    client.get("/api/v1/runs/SECRET-TRADE/report?where=book=SECRET", headers={"X-Request-ID": "q1"})
    line = lines()[-1]
    assert {name: line[name] for name in ("event", "request", "principal", "method", "route", "status")} == {
        "event": "request",
        "request": "q1",
        "principal": "kim",
        "method": "GET",
        "route": "/api/v1/runs/{run_id}/report",
        "status": 404,
    }
    client.get("/api/v1/SECRET")
    client.get("/health")
    assert lines()[-1]["route"] == "unknown"
    assert "where" not in json.dumps(lines())


def test_error__that_nobody_foresaw_is_a_problem_with_the_id_that_the_log_has(tmp_path, lines):
    def broken(_headers):
        raise ZeroDivisionError("of a kind")

    said = client_of(tmp_path, authenticate=broken).get("/api/v1/runs", headers={"X-Request-ID": "q2"})
    assert (said.status_code, said.headers["x-request-id"]) == (500, "q2")
    assert "of a kind" not in said.text
    assert said.headers["x-content-type-options"] == "nosniff"
    failed = next(line for line in lines() if line["level"] == "error")
    assert failed["request"] == "q2"
    assert "ZeroDivisionError: of a kind" in failed["exception"]


def test_development__is_said_with_every_answer(tmp_path):
    client = client_of(tmp_path, development=True)
    client.base_url = "http://127.0.0.1:8000"
    assert "nobody is asked" in client.get("/nothing").headers["x-riskgrid-development"]
    assert client.get("/version").json()["development"] is True
    assert "everybody may do everything" in client.get("/version").json()["warning"]
    assert "x-riskgrid-development" not in client_of(tmp_path).get("/health").headers


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_development__refuses_what_is_no_host(tmp_path, name):
    said = client_of(tmp_path, development=True).get("/health", headers={"Host": "localhost", name: "http://[::1"})
    assert (said.status_code, said.json()["detail"]) == (400, f"the {name.lower()} is 'http://[::1', which is none")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_development__refuses_what_a_page_from_elsewhere_has_a_browser_ask(tmp_path, headers):
    client = client_of(tmp_path, development=True)
    client.base_url = "http://localhost:8000"
    said = client.get("/api/v1/runs", headers=headers)
    assert said.status_code == 403
    assert "development mode is for this machine alone" in said.json()["detail"]
    assert client.get("/api/v1/runs", headers={"Origin": "http://localhost:8000"}).status_code == 200


def asked_of(app, tmp_path):
    """The service, and what it counts and says while an application of one route answers within the envelope."""
    service = Service(Door(Store(tmp_path)))
    return service, TestClient(Envelope(app, service, "/api/v1"), raise_server_exceptions=False)


def test_stream__is_counted_while_it_is_open(tmp_path):
    async def streaming(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        open_now = service.metrics.registry.get_sample_value("riskgrid_open_streams")
        await send({"type": "http.response.body", "body": f"data: {open_now}\n\n".encode()})

    service, client = asked_of(streaming, tmp_path)
    assert client.get("/").text == "data: 1.0\n\n"
    assert service.metrics.registry.get_sample_value("riskgrid_open_streams") == 0.0


def test_answer__that_breaks_off_is_said_to_have_failed(tmp_path, lines):
    async def breaking(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError("half way")

    _, client = asked_of(breaking, tmp_path)
    with pytest.raises(Exception, match="half way"):
        TestClient(client.app).get("/")
    assert any("half way" in line.get("exception", "") for line in lines())
