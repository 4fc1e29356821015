"""Principals: what they may do, and which books they see."""

import pytest

from riskgrid.books import Books
from riskgrid.errors import Forbidden, UnknownName
from riskgrid.principal import EVERYTHING, SCOPES, Principal, scopes_of

RATES = Books.of({"desk": "Rates"})


def test_principal__sees_nothing_and_reads_unless_told_otherwise():
    who = Principal("kim")
    assert who.may("read")
    assert not who.may("run")
    assert not who.sees_all(RATES)
    assert not who.sees_all(None)
    assert who.rights == "[]"


def test_require__says_what_is_held_and_what_is_needed():
    Principal("kim", frozenset({"run"})).require("run")
    with pytest.raises(Forbidden, match="'kim' may read, run; this needs the scope 'admin'"):
        Principal("kim", frozenset({"run", "read"})).require("admin")
    with pytest.raises(Forbidden, match="'kim' may nothing; this needs the scope 'read'"):
        Principal("kim", frozenset()).require("read")


def test_admin__may_everything():
    assert all(Principal("root", frozenset({"admin"})).may(scope) for scope in SCOPES)


def test_sees_all__only_of_books_within_its_own():
    who = Principal("kim", books=RATES)
    assert who.sees_all(Books.of({"desk": "Rates", "book": "B"}))
    assert who.sees_all(Books())
    assert not who.sees_all(Books.of({"desk": ["Rates", "FX"]}))
    assert not who.sees_all(None)
    assert EVERYTHING.sees_all(None)
    assert EVERYTHING.rights == ""


def test_scopes_of__refuses_an_unknown_one():
    assert scopes_of(["read", "run", "read"]) == {"read", "run"}
    with pytest.raises(UnknownName, match="unknown scope 'write'; known: 'admin', 'read', 'run'"):
        scopes_of(["read", "write"])
