"""Keys and tokens before a route: every refusal is a problem that says what is right."""

import pytest
from fastapi.testclient import TestClient

from riskgrid.access import Door
from riskgrid.api.app import make_app
from riskgrid.api.service import Service
from riskgrid.books import Books
from riskgrid.identity.authenticate import of_settings
from riskgrid.identity.keys import make_key
from riskgrid.settings import settings
from riskgrid.store import Store
from tests.identity.issuing import AUDIENCE, elliptic


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def client(store, issuer, monkeypatch):
    monkeypatch.setenv("RISKGRID_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("RISKGRID_OIDC_AUDIENCE", AUDIENCE)
    service = Service(Door(store), of_settings(store, settings()))
    with TestClient(make_app(service), raise_server_exceptions=False) as made:
        yield made


def asked(client, **headers):
    return client.get("/api/v1/runs", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_runs__are_listed_for_a_token_and_for_a_key(client, issuer, store):
    key = make_key(store.keys, "night", Books.of({"desk": "Rates"}), by="tess")[0]
    for headers in ({"x_api_key": key}, {"authorization": f"Bearer {issuer.token(scope='read')}"}):
        found = asked(client, **headers)
        assert (found.status_code, found.json()["items"]) == (200, [])


def test_request__without_a_name_is_401_and_says_how(client):
    found = asked(client)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["detail"].startswith("nobody says who asks; 'Authorization: Bearer TOKEN'")


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"exp": 1}, "the token expired at 1970-01-01"), ({"aud": "other"}, "the token is for another audience")],
)
def test_token__that_does_not_hold_is_401(client, issuer, changed, said):
    found = asked(client, authorization=f"Bearer {issuer.token(**changed)}")
    assert found.status_code == 401
    assert found.json()["detail"].startswith(said)


def test_token__without_a_scope_is_403(client, issuer):
    found = asked(client, authorization=f"Bearer {issuer.token(scope='openid')}")
    assert (found.status_code, found.json()["detail"]) == (403, "'alice' may nothing; this needs the scope 'read'")


def test_key__unknown_and_wrong_answer_to_the_letter_alike(client, store):
    key = make_key(store.keys, "night", None, by="tess")[0]
    wrong = asked(client, x_api_key=key[:-1] + ("0" if key[-1] != "0" else "1"))
    unknown = asked(client, x_api_key=f"rgk_{'0' * 16}_{key[-64:]}")
    assert wrong.status_code == 401
    own = {"x-request-id": ""}
    assert (wrong.content, {**wrong.headers, **own}) == (unknown.content, {**unknown.headers, **own})


def test_issuer__that_is_away_is_503_and_keys_go_on(client, issuer, store):
    issuer.status = 500
    found = asked(client, authorization=f"Bearer {issuer.token()}")
    assert found.status_code == 503
    assert int(found.headers["retry-after"]) >= 1
    assert issuer.url not in found.text
    assert asked(client, x_api_key=make_key(store.keys, "night", None, by="tess")[0]).status_code == 200


def test_token__of_a_made_up_key_is_401(client, issuer):
    found = asked(client, authorization=f"Bearer {issuer.token(key=elliptic('bogus'))}")
    assert found.status_code == 401
