"""Keys of an issuer: found, rotated, kept while it is away, and never asked for in a flood."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from riskgrid.errors import InputError, IssuerAway
from riskgrid.identity.issuer import AGE_SECONDS, KEPT_SECONDS, PAUSE_SECONDS, SigningKeys
from tests.identity.issuing import Issuer, edwards, elliptic, rsa


def ids(found):
    return None if found is None else [key.kid for key in found]


def test_keys__are_where_the_discovery_document_says(issuer, clock):
    keys = SigningKeys(issuer.url, clock=clock)
    assert issuer.asked == []
    assert ids(keys.of("one")) == ["one"]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    assert ids(keys.of("one")) == ["one"]
    assert len(issuer.asked) == 2


def test_keys__may_be_named_directly(issuer, clock):
    assert ids(SigningKeys("https://id.example", f"{issuer.url}/keys", clock=clock).of("one")) == ["one"]
    assert issuer.asked == ["/keys"]


def test_keys__may_be_in_a_file(tmp_path, clock):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [elliptic("one").as_dict(private=False)]}))
    keys = SigningKeys("https://id.example", str(file), clock=clock)
    assert ids(keys.of("one")) == ["one"]
    file.write_text(json.dumps({"keys": [elliptic("two").as_dict(private=False)]}))
    clock.now += PAUSE_SECONDS
    assert ids(keys.of("two")) == ["two"]


def test_keys__without_an_id_are_asked_for_where_there_is_one_alone(issuer, clock):
    keys = SigningKeys(issuer.url, clock=clock)
    assert ids(keys.of(None)) == ["one"]
    issuer.keys.append(elliptic("two"))
    clock.now += AGE_SECONDS
    assert keys.of(None) is None


def test_keys__follow_a_rotation(issuer, clock):
    keys = SigningKeys(issuer.url, clock=clock)
    keys.of("one")
    issuer.keys = [elliptic("two")]
    clock.now += PAUSE_SECONDS
    assert ids(keys.of("two")) == ["two"]
    assert keys.of("one") is None


def test_keys__that_were_withdrawn_go_though_nobody_misses_one(issuer, clock):
    keys = SigningKeys(issuer.url, clock=clock)
    keys.of("one")
    issuer.keys = [elliptic("two")]
    clock.now += 0.99 * AGE_SECONDS
    assert ids(keys.of("one")) == ["one"]
    clock.now += 0.01 * AGE_SECONDS
    assert keys.of("one") is None


def test_unknown_keys__are_asked_for_once_in_a_while_however_many_there_are(issuer, clock):
    keys = SigningKeys(issuer.url, f"{issuer.url}/keys", clock=clock)
    keys.of("one")
    for round_ in range(3):
        clock.now += PAUSE_SECONDS
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda kid: keys.of(f"bogus {kid}"), range(200))) == {None}
        assert len(issuer.asked) == round_ + 2
    assert ids(keys.of("one")) == ["one"]


def test_keys__are_kept_while_the_issuer_is_away_for_a_day_at_most(issuer, clock, caplog):
    keys = SigningKeys(issuer.url, clock=clock)
    keys.of("one")
    issuer.status = 500
    clock.now += AGE_SECONDS
    assert ids(keys.of("one")) == ["one"]
    assert "answers 500; those fetched before are used" in caplog.text
    clock.now += KEPT_SECONDS
    with pytest.raises(IssuerAway, match="who asks cannot be found out, as the issuer of tokens does not answer; ask"):
        keys.of("one")
    issuer.status = 200
    clock.now += PAUSE_SECONDS
    assert ids(keys.of("one")) == ["one"]


def test_keys__that_were_never_had_are_asked_for_again_after_a_pause(issuer, clock):
    issuer.status = 503
    keys = SigningKeys(issuer.url, f"{issuer.url}/keys", clock=clock)
    for _ in range(5):
        with pytest.raises(IssuerAway):
            keys.of("one")
    assert len(issuer.asked) == 1
    issuer.status = 200
    clock.now += PAUSE_SECONDS
    assert ids(keys.of("one")) == ["one"]


def away(caplog, issuer, *where):
    """What the log says of keys that cannot be had; who asks is told nothing of addresses and files."""
    with pytest.raises(IssuerAway) as error:
        SigningKeys(issuer.url, *where).of("one")
    assert issuer.url not in str(error.value)
    return caplog.text


def test_keys__of_an_issuer_that_is_not_there_are_none(caplog):
    gone = Issuer(elliptic("one"))
    gone.close()
    assert "openid-configuration does not answer: ConnectError; there are none yet" in away(caplog, gone)


def test_keys__in_a_file_that_is_not_there_are_none(caplog, issuer, tmp_path):
    assert "none.json cannot be read: No such file" in away(caplog, issuer, str(tmp_path / "none.json"))


def test_keys__that_are_here_do_while_a_slow_issuer_is_asked_again(issuer, clock):
    keys = SigningKeys(issuer.url, f"{issuer.url}/keys", clock=clock)
    keys.of("one")
    issuer.open.clear()
    clock.now += AGE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(keys.of, "one")
        while len(issuer.asked) < 2:
            threading.Event().wait(0.001)
        assert ids(keys.of("one")) == ["one"]
        assert not asking.done()
        issuer.open.set()
        assert ids(asking.result()) == ["one"]


def test_keys__are_fetched_by_one_thread_for_all(issuer, clock):
    keys = SigningKeys(issuer.url, f"{issuer.url}/keys", clock=clock)
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return ids(keys.of("one"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [["one"]] * 8
    assert issuer.asked == ["/keys"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"issuer": "https://else.example"}, "is of the issuer 'https://else.example', not of"),
        ({"issuer": None}, "is of the issuer None"),
        ({"jwks_uri": None}, "has no jwks_uri"),
        ({"jwks_uri": "http://keys.example/keys"}, "'http://keys.example/keys' is no address for keys"),
        ({"jwks_uri": "ftp://keys.example/keys"}, "is no address for keys"),
    ],
)
def test_discovery__of_another_issuer_or_without_safe_keys_is_refused(issuer, caplog, document, said):
    issuer.document = document
    assert said in away(caplog, issuer)


def test_redirect__is_not_followed(issuer, caplog):
    other = Issuer(elliptic("one"))
    issuer.status, issuer.headers = 302, {"Location": f"{other.url}/keys"}
    assert "answers 302" in away(caplog, issuer, f"{issuer.url}/keys")
    assert other.asked == []
    other.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no json", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "holds no mapping"),
        (b"{}", "has no list of keys"),
        (b'{"keys": []}', "has no public key"),
        (b'{"keys": [7, {}, {"kty": "EC"}, {"kty": "RSA", "n": "!", "e": "AQAB"}]}', "has no public key"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ", "kid": "one"}]}', "has no public key"),
        (b" " * 1_000_001, "has more than 1,000,000 bytes"),
    ],
)
def test_keys__that_are_none_are_refused(issuer, caplog, body, said):
    issuer.body = body
    assert said in away(caplog, issuer, f"{issuer.url}/keys")


@pytest.mark.filterwarnings("ignore:Key size should be >= 2048 bits")
def test_keys__that_cannot_verify_safely_are_passed_over(issuer, clock):
    issuer.keys += [rsa("weak", 1024), rsa("strong"), elliptic("sealing", use="enc"), edwards("ed"), {"kty": "new"}]
    keys = SigningKeys(issuer.url, clock=clock)
    assert [ids(keys.of(kid)) for kid in ("weak", "strong", "sealing", "ed")] == [None, ["strong"], None, ["ed"]]


@pytest.mark.parametrize(
    "wrong", ["http://id.example", "ftp://id.example", "id.example", "https://", "", "http://[::1"]
)
def test_issuer__is_asked_over_https_unless_it_is_on_this_machine(wrong):
    with pytest.raises(InputError, match=r"is no address for keys; https://\.\.\. is right, or http of this machine"):
        SigningKeys(wrong)


@pytest.mark.parametrize("right", ["https://id.example", "http://localhost:8080/realm", "http://[::1]:80"])
def test_issuer__by_https_or_on_this_machine_is_taken(right):
    assert SigningKeys(right).of is not None
