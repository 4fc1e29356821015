"""Keys of services: made once, shown often, revoked soon."""

import json

import pytest

from riskgrid.books import Books
from riskgrid.errors import BadSpec, Unauthenticated, UnknownName
from riskgrid.identity.keys import FRESH_SECONDS, KnownKeys, make_key
from riskgrid.store import Journal, Keys


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def keys(where):
    return Keys(where)


def made(keys, name="nightly", books=None, **options):
    return make_key(keys, name, books, by="tess", **options)


def test_key__opens_what_it_was_made_for(keys):
    text, row = made(keys, books=Books.of({"desk": "Rates"}), scopes=["read", "run"], note="the night batch")
    who = KnownKeys(keys).principal(text)
    assert (who.name, who.scopes, who.books) == ("key:nightly", {"read", "run"}, Books.of({"desk": "Rates"}))
    assert (row.status, row.note, row.key_id in text) == ("valid", "the night batch", True)


def test_key__of_all_books_and_of_none_differ(keys):
    known = KnownKeys(keys)
    assert known.principal(made(keys)[0]).books is None
    assert known.principal(made(keys, books=Books())[0]).books == Books()


def test_key__may_only_read_and_lasts_ninety_days_unless_told(keys):
    text, row = made(keys)
    assert KnownKeys(keys).principal(text).scopes == {"read"}
    assert 89.99 < row.left / 86_400.0 <= 90.0
    assert row.created < row.expires
    assert row.expires.endswith("+00:00")


def test_key__is_nowhere_kept(keys, where, tmp_path):
    text, row = made(keys, note="x")
    secret = text.rpartition("_")[2]
    kept = [*keys.list(), *Journal(where).audit()]
    assert secret not in repr([vars(each) for each in kept])
    assert row.digest not in repr(row)
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.glob("catalogue*"))


def test_key__unknown_and_of_a_wrong_secret_are_refused_alike(keys):
    text, _ = made(keys)
    known = KnownKeys(keys)
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    said = set()
    for each in (wrong, f"rgk_{'0' * 16}_{text[-64:]}", "rgk_", "rgk_no_key", text + "0", " " + text, text.upper()):
        with pytest.raises(Unauthenticated) as refused:
            known.principal(each)
        said.add(str(refused.value))
    assert said == {"the API key is unknown; one that 'riskgrid keys make' has printed is right"}
    assert known.principal(text).name == "key:nightly"


def test_key__of_a_wrong_secret_does_not_say_that_it_was_revoked(keys):
    text, row = made(keys)
    keys.revoke(row.key_id, "tess")
    with pytest.raises(Unauthenticated, match="the API key is unknown"):
        KnownKeys(keys).principal(text[:-1] + ("0" if text[-1] != "0" else "1"))


def test_revoked_key__is_refused_as_soon_as_it_is_looked_up_again(keys):
    clock = Clock()
    known = KnownKeys(keys, clock=clock)
    text, row = made(keys)
    known.principal(text)
    keys.revoke(row.key_id, "tess")
    clock.now += FRESH_SECONDS
    with pytest.raises(Unauthenticated, match=rf"the API key '{row.key_id}' was revoked at 20\d\d-.*; another one"):
        known.principal(text)
    with pytest.raises(Unauthenticated, match="was revoked at"):
        KnownKeys(keys).principal(text)


def test_key__is_looked_up_once_in_a_while(keys):
    clock = Clock()
    known = KnownKeys(keys, clock=clock)
    text, row = made(keys)
    known.principal(text)
    keys.revoke(row.key_id, "tess")
    clock.now += 0.9 * FRESH_SECONDS
    assert known.principal(text).name == "key:nightly"


def test_key__expires_while_it_is_remembered(keys):
    clock = Clock()
    known = KnownKeys(keys, fresh=1e9, clock=clock)
    text, row = made(keys, days=2.0)
    known.principal(text)
    clock.now += 2 * 86_400.0
    with pytest.raises(Unauthenticated, match=rf"the API key '{row.key_id}' expired at 20\d\d-.*; another one is"):
        known.principal(text)


def test_key__expires_by_the_clock_of_the_database(keys):
    text, row = made(keys, days=1e-9)
    assert keys.get(row.key_id).status == "expired"
    with pytest.raises(Unauthenticated, match="expired at"):
        KnownKeys(keys).principal(text)
    assert not keys.any_valid()


def test_keys__are_listed_the_latest_first(keys):
    assert keys.list() == []
    rows = [made(keys, name)[1] for name in ("a", "b", "c")]
    assert {row.key_id for row in keys.list()} == {row.key_id for row in rows}
    assert [row.created for row in keys.list()] == sorted((row.created for row in rows), reverse=True)


def test_any_valid__looks_at_those_that_open_something(keys):
    assert not keys.any_valid()
    row = made(keys)[1]
    assert keys.any_valid()
    keys.revoke(row.key_id, "tess")
    assert not keys.any_valid()


def test_revoke__names_the_known_ones_and_says_when_it_was(keys):
    row = made(keys)[1]
    with pytest.raises(UnknownName, match=f"unknown key 'nobody'; known: '{row.key_id}'"):
        keys.revoke("nobody", "tess")
    at = keys.revoke(row.key_id, "tess").revoked
    with pytest.raises(BadSpec) as refused:
        keys.revoke(row.key_id, "tess")
    assert str(refused.value) == f"key '{row.key_id}' was revoked already, at {at}"


def test_keys__made_and_revoked_are_in_the_audit_trail(keys, where):
    row = made(keys, books=Books.of({"book": "FXF-1"}))[1]
    keys.revoke(row.key_id, "root")
    last, first = Journal(where).audit(subject=row.key_id)
    assert (first.principal, first.verb, last.principal, last.verb) == ("tess", "make key", "root", "revoke key")
    assert first.detail["principal"] == "key:nightly"
    assert json.loads(first.detail["rights"]) == [{"book": ["FXF-1"]}]


@pytest.mark.parametrize("wrong", ["", "a b", "key:a", "é", "a" * 65, "../a"])
def test_make_key__refuses_a_name_that_is_none(keys, wrong):
    with pytest.raises(BadSpec, match="letters, digits and"):
        made(keys, wrong)


@pytest.mark.parametrize("wrong", [0.0, -1.0, 1e6, float("nan"), float("inf")])
def test_make_key__refuses_a_time_that_is_none(keys, wrong):
    with pytest.raises(BadSpec, match="more than 0 and at most 3660 are right"):
        made(keys, days=wrong)


def test_make_key__refuses_scopes_that_are_none(keys):
    with pytest.raises(UnknownName, match="unknown scope 'raed'; did you mean 'read'"):
        made(keys, scopes=["raed"])
    with pytest.raises(BadSpec, match="a key has no scope"):
        made(keys, scopes=[])


def test_keys__that_nobody_knows_are_not_remembered_without_end(keys, monkeypatch):
    monkeypatch.setattr("riskgrid.identity.keys._KEPT", 3)
    known, text = KnownKeys(keys), made(keys)[0]
    known.principal(text)
    keys.revoke(text[4:20], "tess")
    for at in range(3):
        with pytest.raises(Unauthenticated):
            known.principal(f"rgk_{at:016x}_{text[-64:]}")
    with pytest.raises(Unauthenticated, match="was revoked"):  # it was forgotten, and so looked up again
        known.principal(text)
