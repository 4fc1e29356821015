"""The dashboard within a service: who may open a page, what it may do, what browsers keep of it."""

import contextlib
import gzip
import html
import json
import re
import socket
import threading
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest
import uvicorn
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id, get_token_payload
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.connection import protocol, socket_protocol
from riskgrid.api.rate import Rates
from riskgrid.api.service import Service
from riskgrid.dashboards.desk import Desk
from riskgrid.dashboards.entrance.credential import presented
from riskgrid.dashboards.entrance.mount import mount
from riskgrid.dashboards.entrance.visit import Visit, Visits
from riskgrid.errors import Unauthenticated
from riskgrid.identity.authenticate import authenticator
from riskgrid.identity.keys import KnownKeys, make_key
from riskgrid.principal import Principal
from riskgrid.store import Store
from tests.api import served

HOST = "http://desk.bank"
OWN = {"origin": HOST}


@dataclass(frozen=True)
class Mounted:
    """A service with its dashboard, and keys of two people. client : follows nothing, and keeps no cookies."""

    service: Service
    client: TestClient
    run: str
    ann: str
    lee: str

    def get(self, path, **headers):
        self.client.cookies.clear()
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def page(self, path="/desk", key=None):
        return self.get(path, x_api_key=key or self.ann)

    def sign_in(self, shown, to="/desk", host=HOST, **headers):
        self.client.cookies.clear()
        given = {"origin": host, **headers}
        return self.client.post(f"{host}/desk/sign-in", data={"shown": shown, "to": to}, headers=given)

    @contextlib.contextmanager
    def socket(self, token, **headers):
        self.client.cookies.clear()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client.websocket_connect("ws://desk.bank/desk/ws", ["bokeh", token], headers=headers) as made:
            yield made

    def refuses(self, token, **headers):
        try:
            with self.socket(token, **headers) as made:
                made.receive_text()
        except WebSocketDisconnect as refused:
            return refused.code == 1008
        return False


def application(service, **options):
    app = make_app(service, home="/desk", **options)
    mount(app, Desk(service.door, service.quota, service.slots.taken, service.development), service.known)
    return app


def client_of(service, **options):
    return TestClient(application(service, **options), HOST, follow_redirects=False)


@pytest.fixture(scope="module")
def mounted(tmp_path_factory):
    run = served.filled(tmp_path_factory.mktemp("mounted"))
    store = Store(run.store.root)
    ann, lee = (make_key(store.keys, name, None, scopes=["read"], by="test")[0] for name in ("ann", "lee"))
    authenticate = authenticator(KnownKeys(store.keys, fresh=0.0))
    service = Service(Door(store), authenticate, failures=Rates(1e3, 1e3))
    with client_of(service) as client:
        yield Mounted(service, client, run.run_id, ann, lee)


@pytest.fixture(scope="module")
def page(mounted):
    """One that ann has opened."""
    return mounted.page()


def token_of(page):
    (found,) = set(re.findall(r'"token":"([^"]+)"', page.text))
    return found


def policy_of(answer):
    parts = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: set(values.split()) for name, _, values in parts}


# -- who may open a page -------------------------------------------------------------------------------------------


def test_page__asked_by_nobody_leads_to_the_sign_in_and_back_to_the_same_view(mounted):
    view = "/desk?page=drill-down&where=desk%3DRates&by=book"
    sent = mounted.get(view)
    assert sent.status_code == 303
    where = urlsplit(sent.headers["location"])
    assert (where.netloc, where.path, parse_qs(where.query)["to"]) == ("", "/desk/sign-in", [view])
    form = mounted.get(sent.headers["location"])
    assert form.status_code == 200
    to = html.unescape(re.search(r'name="to" value="([^"]*)"', form.text)[1])
    back = mounted.sign_in(mounted.ann, to)
    assert (back.status_code, back.headers["location"]) == (303, view)
    cookie = back.headers["set-cookie"].partition(";")[0]
    assert mounted.get(back.headers["location"], cookie=cookie).status_code == 200


def test_sign_in__keeps_a_key_where_no_script_and_no_other_site_can_use_it(mounted):
    said = {part.strip() for part in mounted.sign_in(f" {mounted.ann}\n").headers["set-cookie"].split(";")}
    assert said == {f"riskgrid_desk={mounted.ann}", "HttpOnly", "SameSite=Strict", "Path=/desk"}
    assert "Secure" in mounted.sign_in(mounted.ann, host="https://desk.bank").headers["set-cookie"]


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example/desk",
        "https://evil.example/desk",
        "/\\evil.example",
        "/desk/../..//evil.example",
        "/desk\\evil",
        "/deskevil",
        "/desk?a\r\nset-cookie: b=c",
        "/desk/sign-out",
        "javascript:alert(1)",
        "",
    ],
)
def test_sign_in__leads_to_no_other_place_than_the_dashboard(mounted, to):
    assert mounted.sign_in(mounted.ann, to).headers["location"] == "/desk"
    assert 'name="to" value="/desk"' in mounted.get(f"/desk/sign-in?to={quote(to, safe='')}").text


def test_sign_in__says_what_is_wrong_with_a_key_and_keeps_none(mounted):
    for shown, said in (
        (mounted.ann[:-1] + ("0" if mounted.ann[-1] != "0" else "1"), "The API key is unknown"),
        ("eyJhbGciOiJub25lIn0.e30.", "This service takes API keys alone"),
        ("a b", "This is no API key and no token"),
        ("", "This is no API key and no token"),
        ("x" * 4000, "The token has 4,000 characters and a browser keeps 3,800"),
    ):
        answer = mounted.sign_in(shown, "/desk?page=runs")
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        assert said in html.unescape(answer.text)
        assert 'value="/desk?page=runs"' in answer.text
        assert not shown or shown not in answer.text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://desk.bank:81", "http://desk.bank.evil.example"]
)
def test_sign_in__takes_no_form_of_another_site(mounted, origin):
    answer = mounted.sign_in(mounted.ann, origin=origin)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_sign_in__of_an_address_that_guesses_is_slowed_down(tmp_path):
    service = Service(Door(Store(tmp_path)), authenticator(KnownKeys(Store(tmp_path).keys)), failures=Rates(1e-3, 2.0))
    with client_of(service) as client:
        guesses = [
            client.post("/desk/sign-in", data={"shown": f"rgk_{at}"}, headers=OWN).status_code for at in range(4)
        ]
    assert guesses == [401, 401, 429, 429]


def test_cookie__opens_pages_and_nothing_of_the_interface(mounted):
    cookie = f"riskgrid_desk={mounted.ann}"
    assert mounted.get("/desk", cookie=cookie).status_code == 200
    assert mounted.get("/api/v1/runs", cookie=cookie).status_code == 401
    assert mounted.get("/api/v1/runs", x_api_key=mounted.ann).status_code == 200


def test_cookie__that_is_worth_nothing_any_more_leads_to_the_sign_in_which_says_so(mounted):
    cookie = "riskgrid_desk=rgk_gone"
    sent = mounted.get("/desk?page=runs", cookie=cookie)
    assert (sent.status_code, sent.headers["location"]) == (303, "/desk/sign-in?to=%2Fdesk%3Fpage%3Druns")
    assert "expired or was revoked" in mounted.get(sent.headers["location"], cookie=cookie).text


def test_link__on_another_site_opens_the_page_of_who_is_signed_in(mounted):
    first = mounted.get("/desk?page=runs", sec_fetch_site="cross-site")  # a browser keeps back a strict cookie
    assert (first.status_code, 'http-equiv="refresh" content="0"' in first.text) == (200, True)
    assert mounted.get("/desk?page=runs", sec_fetch_site="same-origin").status_code == 303


def test_page__of_a_proxy_that_shows_a_bad_key_says_so_and_asks_for_no_other(mounted):
    answer = mounted.get("/desk", authorization="Bearer rgk_bad")
    assert (answer.status_code, "location" in answer.headers) == (401, False)
    assert "the API key is unknown" in answer.text
    assert "<form" not in answer.text


def test_page__is_not_for_who_may_not_read(tmp_path):
    service = Service(Door(Store(tmp_path)), lambda headers: Principal("<b>kim", frozenset()))
    with client_of(service) as client:
        answer = client.get("/desk")
    assert answer.status_code == 403
    assert "&#x27;&lt;b&gt;kim&#x27; may nothing; this needs the scope &#x27;read&#x27;" in answer.text


def test_visit__of_a_key_that_is_revoked_ends_at_the_next_question(mounted):
    keys = mounted.service.door.store.keys
    shown, row = make_key(keys, "gone", None, scopes=["read"], by="test")
    visit = Visit(Headers({"authorization": f"Bearer {shown}"}), "192.0.2.7", "key:gone", mounted.service.known)
    assert visit.who().name == "key:gone"
    keys.revoke(row.key_id, "test")
    with pytest.raises(Unauthenticated, match="was revoked"):
        visit.who()


# -- what stands in a page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["x-api-key", "authorization", "cookie"])
def test_page__holds_nothing_by_which_somebody_is_recognised(mounted, how):
    shown = {
        "x-api-key": mounted.ann,
        "authorization": f"Bearer {mounted.ann}",
        "cookie": f"riskgrid_desk={mounted.ann}",
    }
    page = mounted.get("/desk?page=runs", **{how: shown[how], "user-agent": "one browser", "x-forwarded-user": "ann"})
    assert page.status_code == 200
    told = get_token_payload(token_of(page))
    assert (told["headers"], told["cookies"], told["arguments"]) == ({}, {}, {})
    for secret in (mounted.ann, mounted.ann[4:20], "one browser"):
        assert secret not in page.text
        assert secret not in json.dumps(told)


def test_page__is_of_a_session_that_nobody_else_has_chosen(mounted):
    chosen = generate_session_id()
    token = generate_jwt_token(chosen)
    for page in (
        mounted.page(f"/desk?bokeh-session-id={chosen}"),
        mounted.page(f"/desk?bokeh-token={token}"),
        mounted.get("/desk", x_api_key=mounted.ann, bokeh_session_id=chosen),
    ):
        assert page.status_code == 200
        assert get_session_id(token_of(page)) != chosen
    for path in ("/desk/autoload.js?bokeh-autoload-element=a", "/desk/metadata", "/desk/static/x.js", "/components/x"):
        assert mounted.page(path).status_code == 404


def test_page__may_run_its_own_scripts_and_ask_nobody_else(mounted, page):
    one, two = page, mounted.page()
    rules = policy_of(one)
    (nonce,) = (each for each in rules["script-src"] if each.startswith("'nonce-"))
    assert nonce not in policy_of(two)["script-src"]
    scripts = re.findall(r"<script[^>]*>", one.text)
    assert len(scripts) > 5
    assert all(f'nonce="{nonce[7:-1]}"' in each for each in scripts)
    assert "'unsafe-inline'" not in rules["script-src"]
    assert (rules["default-src"], rules["connect-src"], rules["frame-ancestors"]) == (
        {"'none'"},
        {"'self'"},
        {"'none'"},
    )
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", one.text)
    assert one.headers.get_list("content-security-policy") == [one.headers["content-security-policy"]]
    assert (one.headers["cache-control"], one.headers["x-frame-options"]) == ("no-store", "DENY")


def test_sign_in__runs_no_script_and_may_not_be_framed(mounted):
    form = mounted.get("/desk/sign-in")
    rules = policy_of(form)
    assert "<script" not in form.text
    assert "script-src" not in rules
    assert (rules["default-src"], rules["form-action"], rules["frame-ancestors"]) == (
        {"'none'"},
        {"'self'"},
        {"'none'"},
    )
    assert form.headers["cache-control"] == "no-store"


# -- sockets -------------------------------------------------------------------------------------------------------


def test_socket__connects_a_page_to_its_own_session(mounted):
    token = token_of(mounted.page())  # of its own: a session is not held for long without a socket
    with mounted.socket(token, x_api_key=mounted.ann, **OWN) as opened:
        assert json.loads(opened.receive_text())["msgtype"] == "ACK"
    cookie = f"riskgrid_desk={mounted.ann}"
    with mounted.socket(token, cookie=cookie, **OWN) as opened:
        assert json.loads(opened.receive_text())["msgtype"] == "ACK"


def test_socket__of_another_site_is_refused(mounted):
    token = token_of(mounted.page())
    for origin in ("http://evil.example", "null", "http://desk.bank.evil.example", "http://desk.bank:81"):
        assert mounted.refuses(token, cookie=f"riskgrid_desk={mounted.ann}", origin=origin)
    assert mounted.refuses(token, cookie=f"riskgrid_desk={mounted.ann}")


def test_socket__of_nobody_or_of_somebody_else_is_refused(mounted):
    token = token_of(mounted.page())
    assert mounted.refuses(token, **OWN)
    assert mounted.refuses(token, x_api_key="rgk_bad", **OWN)
    assert mounted.refuses(token, x_api_key=mounted.lee, **OWN)
    assert not mounted.refuses(token, x_api_key=mounted.ann, **OWN)


@pytest.mark.parametrize("token", [generate_jwt_token(generate_session_id()), "none", "e30", "W10.x", "bnVsbA"])
def test_socket__that_names_no_session_of_this_process_is_refused(mounted, token):
    assert mounted.refuses(token, x_api_key=mounted.ann, **OWN)


def test_sign_out__ends_the_pages_that_are_open(mounted):
    store = mounted.service.door.store
    shown, _ = make_key(store.keys, "leaving", None, scopes=["read"], by="test")
    cookie = f"riskgrid_desk={shown}"
    refused = mounted.get("/desk/sign-out", cookie=cookie, sec_fetch_site="cross-site")
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    gone = mounted.get("/desk/sign-out", cookie=cookie, sec_fetch_site="same-origin")
    assert (gone.status_code, gone.headers["location"]) == (303, "/desk/sign-in")
    assert "Max-Age=0" in gone.headers["set-cookie"]
    visits, own = Visits(), presented(Headers({"cookie": cookie}))
    page = Visit(own, "192.0.2.7", "key:leaving", mounted.service.known)
    visits.begun("session", page)
    assert page.who().name == "key:leaving"
    visits.sign_out(presented(Headers({"cookie": cookie})))
    with pytest.raises(Unauthenticated, match="this page was signed out"):
        page.who()


def test_socket__is_told_and_counted_by_its_route(mounted, caplog):
    caplog.set_level("INFO", "riskgrid")
    with mounted.socket(token_of(mounted.page()), x_api_key=mounted.ann, **OWN) as opened:
        opened.receive_text()
        assert "riskgrid_open_sockets 1.0" in mounted.service.metrics.text().decode()
    assert mounted.refuses("none", x_api_key=mounted.ann, **OWN)
    told = [record.facts for record in caplog.records if getattr(record, "facts", {}).get("method") == "socket"]
    assert [(each["route"], each["status"]) for each in told] == [("/desk/ws", 101), ("/desk/ws", 403)]
    assert 'route="/desk",status="200"' in mounted.service.metrics.text().decode()
    assert "riskgrid_open_sockets 0.0" in mounted.service.metrics.text().decode()


def test_page__that_is_only_asked_after_begins_no_session(mounted):
    mounted.client.cookies.clear()
    answer = mounted.client.head("/desk", headers={"x-api-key": mounted.ann})
    assert (answer.status_code, answer.content) == (200, b"")
    assert mounted.client.head("/desk").status_code == 303
    assert mounted.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


# -- what is around ------------------------------------------------------------------------------------------------


def test_interface__is_as_it_is_without_pages(mounted):
    assert mounted.get("/").headers["location"] == "/desk"
    assert mounted.get("/desk/").headers["location"] == "/desk"
    assert mounted.get("/health").json() == {"status": "ok"}
    assert mounted.get("/docs").status_code == 200
    answer = mounted.get(f"/api/v1/runs/{mounted.run}/report", x_api_key=mounted.ann, accept_encoding="gzip")
    assert (answer.status_code, "content-encoding" in answer.headers) == (200, False)
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    stream = mounted.get(
        f"/api/v1/runs/{mounted.run}/events", x_api_key=mounted.ann, accept="text/event-stream", accept_encoding="gzip"
    )
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in stream.headers
    assert "/desk" not in mounted.client.app.openapi()["paths"]


def test_pages__without_the_interface_have_its_probes_alone(mounted):
    with client_of(mounted.service, interface=False) as client:
        assert client.get("/health").json() == client.get("/ready").json() == {"status": "ok"}
        assert client.get("/metrics").status_code == 401
        assert client.get("/").headers["location"] == "/desk"
        assert client.get("/desk", headers={"x-api-key": mounted.ann}).status_code == 200
        for path in ("/docs", "/openapi.json", "/api/v1/runs"):
            assert client.get(path, headers={"x-api-key": mounted.ann}).status_code == 404


def test_development__opens_pages_for_this_machine_alone(tmp_path):
    service = Service(Door(Store(tmp_path)), development=True)
    with TestClient(application(service), "http://localhost:8000", follow_redirects=False) as client:
        page = client.get("/desk")
        assert page.status_code == 200
        assert "x-riskgrid-development" in page.headers
        assert client.get("/desk/sign-in").headers["location"] == "/desk"
        assert client.get("/desk", headers={"host": "rebound.example"}).status_code == 403
        subprotocols = ["bokeh", token_of(page)]
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": "http://rebound.example", "host": "rebound.example"},
        ):
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect("ws://localhost:8000/desk/ws", subprotocols, headers=headers),
            ):
                pass
        own = {"origin": "http://localhost:8000", "host": "localhost:8000"}
        with client.websocket_connect("ws://localhost:8000/desk/ws", subprotocols, headers=own) as opened:
            assert json.loads(opened.receive_text())["msgtype"] == "ACK"


# -- files of the libraries ----------------------------------------------------------------------------------------


def files_of(page):
    found = re.findall(r"""(?:src|href)=["']\.?/?(static/[^"']+)["']""", page.text)
    return [f"/{path}" for path in dict.fromkeys(found)]


def test_statics__of_a_page_are_compressed_and_kept(mounted, page):
    paths = files_of(page)
    assert len(paths) > 5
    for path in paths:
        plain = mounted.get(path, accept_encoding="identity")
        raw = mounted.client.build_request("GET", path, headers={"accept-encoding": "gzip"})
        packed = mounted.client.send(raw, stream=True)
        body = b"".join(packed.iter_raw())
        assert plain.status_code == packed.status_code == 200
        assert plain.headers["etag"] == packed.headers["etag"]
        if packed.headers.get("content-encoding") == "gzip":
            assert gzip.decompress(body) == plain.content
            assert len(body) == int(packed.headers["content-length"]) < 0.9 * len(plain.content)
        assert "content-encoding" not in plain.headers
        assert packed.headers["vary"] == "Accept-Encoding"
        again = mounted.get(path, if_none_match=packed.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == plain.headers["cache-control"]


def test_statics__are_kept_for_good_where_their_address_says_which_version_they_are(mounted, page):
    kept = {path: mounted.get(path).headers["cache-control"] for path in files_of(page)}
    (panel,) = (path for path in kept if "/panel.min.js" in path)
    assert kept[panel] == "public, max-age=31536000, immutable"
    assert kept["/static/js/bokeh.min.js"] == "public, no-cache"
    for path in (
        "/static/../pyproject.toml",
        "/static/js/%2e%2e/%2e%2e/core/types.py",
        "/static/nothing.js",
        "/static/",
    ):
        assert mounted.get(path).status_code == 404
    assert mounted.client.post("/static/js/bokeh.min.js").status_code == 405
    assert mounted.client.head("/static/js/bokeh.min.js").content == b""


# -- over real sockets ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(service, each):
    """Where a real server is; as it ends, sockets may be open."""
    config = uvicorn.Config(
        application(service),
        http=protocol(each=each),
        ws=socket_protocol(),
        log_config=None,
        timeout_graceful_shutdown=600,
    )
    server = uvicorn.Server(config)
    with socket.socket() as at:
        at.bind(("127.0.0.1", 0))
        at.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()
        try:
            yield f"127.0.0.1:{at.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_sockets__count_as_connections_of_their_address_while_they_are_open_and_hold_up_no_end(mounted):
    with contextlib.ExitStack() as opened, serving(mounted.service, each=3) as at:
        key = {"x-api-key": mounted.ann}
        with httpx2.Client(base_url=f"http://{at}", timeout=60) as client:
            token = token_of(client.get("/desk", headers=key))

        def socket_of():
            protocols = ["bokeh", token]
            return connect(f"ws://{at}/desk/ws", origin=f"http://{at}", subprotocols=protocols, additional_headers=key)

        for _ in range(6):  # as many after each other as one likes
            with socket_of() as made:
                assert json.loads(made.recv())["msgtype"] == "ACK"
        left = [opened.enter_context(socket_of()) for _ in range(3)]
        assert httpx2.get(f"http://{at}/desk", headers=key, timeout=60).status_code == 503
        assert httpx2.get(f"http://{at}/health", timeout=60).status_code == 200
        with pytest.raises(InvalidStatus), socket_of():
            pass
    assert [each.protocol.close_rcvd.code for each in left] == [1012] * 3
