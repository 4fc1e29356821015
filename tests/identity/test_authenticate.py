"""Who a request comes from, by its headers."""

import pytest
from starlette.datastructures import Headers

from riskgrid.books import Books
from riskgrid.errors import BadSpec, InputError, Unauthenticated
from riskgrid.identity.authenticate import authenticator, development, is_configured, of_settings
from riskgrid.identity.keys import KnownKeys, make_key
from riskgrid.principal import EVERYTHING
from riskgrid.settings import settings
from riskgrid.store import Store
from tests.identity.issuing import AUDIENCE


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def chosen(issuer, monkeypatch):
    monkeypatch.setenv("RISKGRID_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("RISKGRID_OIDC_AUDIENCE", AUDIENCE)
    return settings


@pytest.fixture
def key(store):
    return make_key(store.keys, "nightly", None, by="tess")[0]


def refused(authenticate, headers):
    with pytest.raises(Unauthenticated) as error:
        authenticate(Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in headers]))
    return str(error.value)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_bearer__may_be_a_token_or_a_key(store, issuer, chosen, key, name, scheme):
    authenticate = of_settings(store, chosen())
    token = issuer.token(groups=["desk:Rates"], scope="read")
    assert authenticate({name: f"{scheme} {token}"}).books == Books.of({"desk": "Rates"})
    assert authenticate({name: f"{scheme} {key}"}).name == "key:nightly"
    assert authenticate({"x-api-key": key}).name == "key:nightly"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([], "nobody says who asks; 'Authorization: Bearer TOKEN' or 'X-API-Key: KEY' is right"),
        ([("Authorization", "Bearer a.b.c"), ("X-API-Key", "KEY")], "more than one key or token is shown; one of"),
        ([("Authorization", "Bearer KEY"), ("authorization", "Bearer KEY")], "more than one key or token is shown"),
        ([("X-API-Key", "KEY"), ("x-api-key", "KEY")], "more than one key or token is shown"),
        ([("Authorization", "")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "Bearer")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "Bearer ")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "Bearer  KEY")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "Bearer KEY KEY")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "Basic YTpi")], "Authorization is not 'Bearer' and one token"),
        ([("Authorization", "KEY")], "Authorization is not 'Bearer' and one token"),
        ([("X-API-Key", "")], "X-API-Key has no API key, which begins with 'rgk_'"),
        ([("X-API-Key", "a.b.c")], "X-API-Key has no API key, which begins with 'rgk_'"),
        ([("X-API-Key", "rgk_x")], "the API key is unknown"),
        ([("Authorization", "Bearer a.b.c")], "the token is no JSON Web Token"),
        ([("Authorization", "Bearer \xe9.b.c")], "the token is no JSON Web Token"),
    ],
)
def test_headers__that_show_nothing_that_holds_are_refused(store, chosen, key, headers, said):
    shown = [(name, value.replace("KEY", key)) for name, value in headers]
    assert refused(of_settings(store, chosen()), shown).startswith(said)


def test_refusal__repeats_no_secret(store, chosen, key):
    for headers in ([("Authorization", key)], [("X-API-Key", key), ("X-API-Key", key)], [("X-API-Key", key + "0")]):
        assert key not in refused(of_settings(store, chosen()), headers)


def test_token__is_not_taken_where_there_is_no_issuer(store, issuer, key):
    authenticate = authenticator(KnownKeys(store.keys))
    said = refused(authenticate, [("Authorization", f"Bearer {issuer.token()}")])
    assert said == "this service takes API keys alone, which begin with 'rgk_'; 'X-API-Key: KEY' is right"
    assert authenticate({"X-API-Key": key}).books is None


def test_settings__name_a_file_of_rights_and_the_claims(store, issuer, chosen, tmp_path, monkeypatch):
    file = tmp_path / "rights.yaml"
    file.write_text("groups: {rates-desk: {scopes: [read, run], books: [{desk: Rates}]}}")
    monkeypatch.setenv("RISKGRID_RIGHTS", str(file))
    monkeypatch.setenv("RISKGRID_GROUPS_CLAIM", "roles")
    monkeypatch.setenv("RISKGRID_PRINCIPAL_CLAIM", "email")
    monkeypatch.setenv("RISKGRID_OIDC_JWKS", f"{issuer.url}/keys")
    token = issuer.token(email="kim@bank", roles=["rates-desk"], scope="read")
    who = of_settings(store, chosen())({"Authorization": f"Bearer {token}"})
    assert (who.name, who.scopes, who.books) == ("kim@bank", {"read"}, Books.of({"desk": "Rates"}))
    assert issuer.asked == ["/keys"]


def test_settings__without_an_issuer_take_keys_alone(store, key, monkeypatch):
    monkeypatch.delenv("RISKGRID_OIDC_ISSUER", raising=False)
    authenticate = of_settings(store, settings())
    assert authenticate({"X-API-Key": key}).name == "key:nightly"
    assert "takes API keys alone" in refused(authenticate, [("Authorization", "Bearer a.b.c")])


def test_settings__that_cannot_be_used_are_refused_before_anything_is_served(store, chosen, tmp_path, monkeypatch):
    monkeypatch.setenv("RISKGRID_RIGHTS", str(tmp_path / "none.yaml"))
    with pytest.raises(BadSpec, match=r"no file .*none\.yaml"):
        of_settings(store, chosen())
    monkeypatch.delenv("RISKGRID_OIDC_AUDIENCE")
    with pytest.raises(BadSpec, match="RISKGRID_OIDC_ISSUER is set and RISKGRID_OIDC_AUDIENCE is not; without the aud"):
        of_settings(store, chosen())
    monkeypatch.setenv("RISKGRID_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("RISKGRID_OIDC_ISSUER", "http://id.example")
    with pytest.raises(InputError, match=r"'http://id\.example' is no address for keys"):
        of_settings(store, chosen())


@pytest.mark.parametrize("setting", ["RISKGRID_OIDC_AUDIENCE", "RISKGRID_OIDC_JWKS", "RISKGRID_RIGHTS"])
def test_settings__of_tokens_without_an_issuer_are_refused(store, monkeypatch, setting):
    monkeypatch.setenv(setting, "x")
    with pytest.raises(BadSpec, match=f"{setting} is set and RISKGRID_OIDC_ISSUER is not"):
        of_settings(store, settings())


def test_service__is_configured_by_an_issuer_or_a_key_that_is_valid(store, chosen, monkeypatch):
    assert is_configured(store, chosen())
    monkeypatch.delenv("RISKGRID_OIDC_ISSUER")
    assert not is_configured(store, settings())
    row = make_key(store.keys, "nightly", None, by="tess")[1]
    assert is_configured(store, settings())
    store.keys.revoke(row.key_id, "tess")
    assert not is_configured(store, settings())


def test_development__hides_nothing_from_who_asks():
    assert development() is EVERYTHING
