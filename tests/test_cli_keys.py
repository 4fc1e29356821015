"""Keys of services on the command line: printed once, listed without their secrets, revoked."""

import pytest
from click.testing import CliRunner

from riskgrid.books import Books
from riskgrid.cli import cli
from riskgrid.errors import Unauthenticated
from riskgrid.identity.keys import KnownKeys
from riskgrid.store import Store


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKGRID_USER", "tess")
    return tmp_path / "store"


def asked(home, *words):
    return CliRunner().invoke(cli, ["keys", *words, "--store", str(home)])


def test_make__prints_a_key_that_opens_what_was_asked_for(home):
    made = asked(home, "make", "night", "--scope", "read", "--scope", "run", "--books", "desk=Rates,desk=Credit",
                 "--books", "region=EMEA, book=X", "--note", "batch")  # fmt: skip
    who = KnownKeys(Store(home).keys).principal(made.stdout.strip())
    assert (who.name, who.scopes) == ("key:night", {"read", "run"})
    assert who.books == Books.of([{"desk": ["Rates", "Credit"]}, {"region": "EMEA", "book": "X"}])
    assert "'key:night' may read, run until 20" in made.stderr
    assert "desk Credit or Rates" in made.stderr
    assert Store(home).journal.audit()[0].principal == "tess"


def test_make__of_all_books_says_so(home):
    made = asked(home, "make", "night", "--all-books", "--days", "1")
    assert "sees all books" in made.stderr
    assert KnownKeys(Store(home).keys).principal(made.stdout.strip()).books is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say which books the key sees"),
        (["--all-books", "--books", "desk=Rates"], "say which books the key sees"),
        (["--books", "dsk=Rates"], "--books: unknown label 'dsk'; did you mean 'desk'?"),
        (["--books", "desk"], "--books is 'desk'; LABEL=VALUE, parted by commas, is right"),
        (["--books", "desk=Rates,"], "--books is 'desk=Rates,'; LABEL=VALUE"),
        (["--all-books", "--scope", "raed"], "unknown scope 'raed'; did you mean 'read'?"),
        (["--all-books", "--days", "0"], "a key is to be valid for 0 days"),
    ],
)
def test_make__of_what_is_no_key_is_one_sentence(home, words, said):
    made = asked(home, "make", "night", *words)
    assert made.exit_code == 1
    assert made.stderr.startswith(f"riskgrid: {said}")
    assert len(made.stderr.splitlines()) == 1


def test_list__shows_keys_without_their_secrets(home):
    assert asked(home, "list").stdout == "no keys; 'riskgrid keys make' makes one\n"
    text = asked(home, "make", "night", "--books", "desk=Rates", "--note", "batch").stdout.strip()
    asked(home, "make", "day", "--all-books")
    shown = asked(home, "list").stdout
    assert text.rpartition("_")[2] not in shown
    assert all(word in shown for word in ("key:night", "desk Rates", "valid", "batch", "key:day", "all", text[4:20]))


def test_revoke__closes_what_a_key_opened(home):
    text = asked(home, "make", "night", "--all-books").stdout.strip()
    gone = asked(home, "revoke", text[4:20])
    assert gone.stdout == f"key {text[4:20]} of 'key:night' is revoked; services notice within 5 seconds\n"
    assert "revoked" in asked(home, "list").stdout
    with pytest.raises(Unauthenticated, match="was revoked at"):
        KnownKeys(Store(home).keys).principal(text)
    assert "was revoked already" in asked(home, "revoke", text[4:20]).stderr
    assert "unknown key 'zzz'" in asked(home, "revoke", "zzz").stderr
