"""Tokens of an issuer: those that hold, and every one that does not, each with its sentence."""

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from riskgrid.errors import Unauthenticated
from riskgrid.identity.issuer import SigningKeys
from riskgrid.identity.tokens import LEEWAY_SECONDS, Tokens
from tests.identity.issuing import AUDIENCE, Clock, Issuer, edwards, elliptic, rsa, signed

ONE, RSA, ED = elliptic("one"), rsa("rsa"), edwards("ed")


@pytest.fixture(scope="module")
def issuer():
    made = Issuer(ONE, RSA, ED, elliptic("p384", "P-384"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def tokens(issuer):
    return Tokens(issuer.url, AUDIENCE, SigningKeys(issuer.url))


def refused(tokens, text):
    with pytest.raises(Unauthenticated) as error:
        tokens.claims(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(ONE, "ES256"), (RSA, "RS256"), (RSA, "PS256"), (RSA, "RS512"), (ED, "EdDSA"), (ED, "Ed25519")],
)
def test_token__that_holds_gives_its_claims(issuer, tokens, key, algorithm):
    found = tokens.claims(issuer.token(algorithm, key=key, groups=["desk:Rates"]))
    assert (found["sub"], found["groups"]) == ("alice", ["desk:Rates"])


def test_token__for_several_audiences_holds(issuer, tokens):
    assert tokens.claims(issuer.token(aud=["other", AUDIENCE]))["aud"] == ["other", AUDIENCE]


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+JWT"])
def test_token__may_say_that_it_is_for_access(issuer, tokens, kind):
    assert tokens.claims(issuer.token(header={"typ": kind}))


def test_token__may_have_headers_that_say_nothing_here(issuer, tokens):
    assert tokens.claims(issuer.token(header={"x5t": "abc", "nonce": "1"}))


def now():
    return int(time.time())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": 1_700_000_000}, "the token expired at 2023-11-14T22:13:20+00:00; a fresh one is right"),
        ({"nbf": 4_000_000_000}, "the token is valid from 2096-10-02T07:06:40+00:00 on, which is yet to come"),
        ({"iat": 4_000_000_000}, "the token is valid from 2096-10-02T07:06:40+00:00 on, which is yet to come"),
        ({"aud": "other"}, "the token is for another audience; one for 'riskgrid' is right"),
        ({"aud": ["other", "riskgrid2"]}, "the token is for another audience"),
        ({"aud": []}, "the token is for another audience"),
        ({"aud": {"riskgrid": 1}}, "the token is for another audience"),
        ({"iss": "https://else.example"}, "the token is of another issuer than the one this service trusts"),
        ({"iss": None}, "the token does not say iss; iss, aud and exp are to be there"),
        ({"aud": None, "exp": None}, "the token does not say aud, exp; iss, aud and exp are to be there"),
        ({"exp": "tomorrow"}, "the token's claim 'exp' is none that can be"),
        ({"exp": float("nan")}, "the token's claim 'exp' is none that can be"),
        ({"exp": True}, "the token's claim 'exp' is none that can be"),
        ({"nbf": 10**30}, "the token is valid from a time that no calendar has on"),
        ({"sub": 7}, "the token's claim 'sub' is none that can be"),
    ],
)
def test_token__whose_claims_do_not_hold_is_refused(issuer, tokens, changed, said):
    assert refused(tokens, issuer.token(**changed)).startswith(said)


def test_token__is_given_some_leeway_and_no_more(issuer):
    clock = Clock(1_000_000_000)
    tokens = Tokens(issuer.url, AUDIENCE, SigningKeys(issuer.url), clock=clock)
    text = issuer.token(iat=None, nbf=clock.now, exp=clock.now + 60)
    for shift in (-LEEWAY_SECONDS, 0, 59 + LEEWAY_SECONDS):
        clock.now = 1_000_000_000 + shift
        assert tokens.claims(text)["sub"] == "alice"
    clock.now = 1_000_000_000 - LEEWAY_SECONDS - 1
    assert "yet to come" in refused(tokens, text)
    clock.now = 1_000_000_000 + 60 + LEEWAY_SECONDS
    assert "expired" in refused(tokens, text)


def unsigned(claims, algorithm="none"):
    def packed(part):
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{packed({'alg': algorithm, 'kid': 'one'})}.{packed(claims)}."


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "ES256"])
def test_token__that_is_unsigned_is_refused(issuer, tokens, algorithm):
    assert refused(tokens, unsigned(issuer.claims(), algorithm)).startswith("the token is unsigned; ")


def test_token__of_no_algorithm_with_a_signature_is_refused(issuer, tokens):
    assert refused(tokens, unsigned(issuer.claims()) + "abcd").startswith("the token is unsigned; ")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("secret", [b"secret" * 8, RSA.as_pem(private=False), ONE.as_pem(private=False)])
def test_token__signed_by_what_everybody_knows_is_refused(issuer, tokens, secret):
    # a public key as the secret of an HMAC: who can check such a token could make it
    key = OctKey.import_key(base64.urlsafe_b64encode(secret).rstrip(b"=").decode(), {"kid": "rsa"})
    said = refused(tokens, signed(key, issuer.claims(), "HS256"))
    assert said.startswith("the token is signed by another algorithm than RS256")


def test_token__of_another_key_under_a_known_id_is_refused(issuer, tokens):
    assert refused(tokens, issuer.token(key=elliptic("one"))).startswith("the token's signature is not that of its iss")


def test_token__of_an_algorithm_its_key_is_not_for_is_refused(issuer, tokens):
    assert "signature is not that of its issuer" in refused(tokens, issuer.token("RS256", key=rsa("one")))
    text = issuer.token("ES384", key=elliptic("one", "P-384"))
    assert "signature is not that of its issuer" in refused(tokens, text)


def test_token__of_an_unknown_key_is_refused(issuer, tokens):
    text = issuer.token(key=elliptic("two"))
    assert refused(tokens, text).startswith("the token names no key (kid) that its issuer has; ")
    assert refused(tokens, issuer.token(header={"kid": None})).startswith("the token names no key (kid)")


def test_token__with_changed_claims_is_refused(issuer, tokens):
    head, _, signature = issuer.token().split(".")
    claims = unsigned(issuer.claims(sub="root")).split(".")[1]
    assert "signature is not that of its issuer" in refused(tokens, f"{head}.{claims}.{signature}")


def test_token__that_brings_its_own_key_is_not_checked_by_it(issuer, tokens):
    other = elliptic("one")
    text = issuer.token(key=other, header={"jwk": other.as_dict(private=False), "jku": f"{issuer.url}/else"})
    asked = len(issuer.asked)
    assert "signature is not that of its issuer" in refused(tokens, text)
    assert len(issuer.asked) == asked


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"typ": "logout+jwt"}, "the token is made for something else; its typ is to be JWT or at+jwt"),
        ({"kid": 7}, "the token's header has what is not understood here"),
        ({"crit": ["b64"], "b64": False}, "the token's header has what is not understood here"),
        ({"alg": "HS256"}, "the token is signed by another algorithm"),
        ({"alg": ["ES256"]}, "the token is signed by another algorithm"),
        ({"alg": "ES256K"}, "the token is signed by another algorithm"),
        ({"alg": None}, "the token is signed by another algorithm"),
    ],
)
def test_token__whose_header_is_another_is_refused(tokens, header, said):
    head = {"alg": "ES256", "kid": "one", **header}
    text = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode() + ".e30.AAAA"
    assert refused(tokens, text).startswith(said)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "a.b", "e30.e30.e30.e30.e30", "W10.e30.AAAA", "é.b.c"])
def test_text__that_is_no_token_is_refused(tokens, text):
    assert refused(tokens, text).startswith("the token is ")


def test_token__may_not_be_endless(issuer, tokens):
    text = issuer.token(note="x" * 20_000)
    assert refused(tokens, text) == f"the token has {len(text):,} characters; at most 16,384 are right"


def test_refusal__repeats_nothing_of_the_token(issuer, tokens):
    text = issuer.token(key=elliptic("one"), groups=["very secret"])
    said = refused(tokens, text)
    assert not any(part in said for part in text.split("."))


PARTS = st.one_of(
    st.text(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=8,
    ).map(lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()),
    st.fixed_dictionaries(
        {"alg": st.sampled_from(["ES256", "RS256", "EdDSA"]), "kid": st.sampled_from(["one", "rsa", "ed"])},
        optional={"b64": st.booleans(), "typ": st.text(max_size=4), "x5c": st.integers(), "cty": st.none()},
    ).map(lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4))
def test_text__of_any_kind_is_refused_by_a_sentence(tokens, parts):
    assert refused(tokens, ".".join(parts)).startswith("the token")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub"]),
        st.one_of(
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=5),
            st.lists(st.text(max_size=3), max_size=2),
            st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
        ),
        min_size=1,
    )
)
def test_claims__of_any_kind_are_refused_by_a_sentence_or_hold(issuer, tokens, changed):
    text = issuer.token(**changed)
    try:
        found = tokens.claims(text)
    except Unauthenticated:
        found = {"iss": issuer.url, "exp": now(), "refused": refused(tokens, text)}
    assert found["exp"] > now() - LEEWAY_SECONDS
    assert (found["iss"], found.get("refused", "the token")[:9]) == (issuer.url, "the token")
