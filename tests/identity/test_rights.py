"""What groups give, by a file and by their names; what a token's scopes leave of it."""

import os

import pytest

from riskgrid.books import Books
from riskgrid.errors import BadSpec, Unauthenticated
from riskgrid.identity.entitling import Entitling
from riskgrid.identity.rights import Grant, Rights, named_grant
from riskgrid.identity.watching import RightsFile

FILE = """
groups:
  rates-desk: {scopes: [read, run], books: [{desk: Rates}]}
  emea: {scopes: [read], books: [{region: EMEA, desk: [Rates, Credit]}]}
  risk: {scopes: [read], books: all}
  operators: {scopes: [admin]}
principals:
  alice@bank: {scopes: [read], books: [{book: FXF-EMEA-3}]}
"""
RATES = Books.of({"desk": "Rates"})


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "rights.yaml"
    made.write_text(FILE)
    return made


def wrong(path, text):
    path.write_text(text)
    with pytest.raises(BadSpec) as error:
        Rights.read(path)
    assert str(error.value).startswith(str(path)) or str(error.value).startswith("no file")
    return str(error.value).removeprefix(str(path))


def test_group__gives_its_scopes_and_books(path):
    assert Rights.read(path).grant("kim", ["rates-desk", "canteen"]) == Grant(frozenset({"read", "run"}), RATES)


def test_groups__join_their_scopes_and_books(path):
    rights = Rights.read(path)
    found = rights.grant("kim", ["rates-desk", "emea"])
    assert found.books == Books.of([{"desk": "Rates"}, {"region": "EMEA", "desk": ["Credit", "Rates"]}])
    assert rights.grant("kim", ["rates-desk", "risk"]) == Grant(frozenset({"read", "run"}), None)


def test_principal__has_its_own_rights_beside_those_of_its_groups(path):
    rights = Rights.read(path)
    assert rights.grant("alice@bank", []).books == Books.of({"book": "FXF-EMEA-3"})
    assert rights.grant("alice@bank", ["rates-desk"]).scopes == {"read", "run"}


def test_nothing__is_given_to_whom_nothing_is_said(path):
    assert Rights.read(path).grant("bob", ["canteen"]) == Grant(frozenset(), Books())
    assert Rights.read(path).grant("bob", ["operators"]) == Grant(frozenset({"admin"}), Books())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": holds no rights; groups, principals or both are right"),
        ("[]", ": holds no rights"),
        ("a: [", ": not a YAML file of rights: while parsing"),
        ("\x00", ": not a YAML file of rights"),
        ("!!python/object/apply:os.system [true]", ": not a YAML file of rights: could not determine"),
        ("groups: {}\ngroups: {}", ": not a YAML file of rights: 'groups' stands twice, in line 2; once is right"),
        ("group: {}", ": unknown key 'group'; did you mean 'groups'? known: 'groups', 'principals'"),
        ("groups: [a]", ": groups are ['a']; names with scopes and books are right"),
        ("groups: {7: {}}", ": groups are {7: {}}; names with"),
        ("groups: {a: all}", ": group 'a' is 'all'; scopes and books are right"),
        ("groups: {a: {scope: [read]}}", ": group 'a': unknown key 'scope'; did you mean 'scopes'?"),
        ("groups: {a: {scopes: read}}", ": group 'a': scopes are 'read'; a list of read, run, admin is right"),
        ("groups: {a: {scopes: [raed]}}", ": group 'a': unknown scope 'raed'; did you mean 'read'?"),
        ("groups: {a: {books: every}}", ": group 'a': books are 'every'; labels and values are right"),
        ("groups: {a: {books: [{desk: 7}]}}", ": group 'a': books are chosen by desk 7; one or more texts are"),
        ("groups: {a: {books: [{}]}}", ": group 'a': books are chosen by {}"),
        ("groups: {a: {books: [{counterparty: X}]}}", ": group 'a': unknown label 'counterparty'; known: 'book'"),
        ("principals: {bob: {books: [{dsk: X}]}}", ": principal 'bob': unknown label 'dsk'; did you mean 'desk'?"),
    ],
)
def test_file__that_is_wrong_says_where_and_what_is_right(path, text, said):
    assert wrong(path, text).startswith(said)


def test_file__that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSpec, match=r"no file .*rights\.yaml; rights are a YAML file, e\.g\. {groups"):
        RightsFile(tmp_path / "rights.yaml")


def test_file__is_read_again_when_it_changes(path):
    file = RightsFile(path)
    assert file.rights is file.rights
    path.write_text("groups: {risk: {scopes: [read]}}")
    assert file.rights.grant("kim", ["risk"]) == Grant(frozenset({"read"}), Books())


def test_file__put_in_the_place_of_another_is_read(path, tmp_path):
    file = RightsFile(path)
    before = path.stat()
    other = tmp_path / "other.yaml"
    other.write_text(FILE.replace("FXF-EMEA-3", "FXF-EMEA-4"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert file.rights.grant("alice@bank", []).books == Books.of({"book": "FXF-EMEA-4"})


def test_file__that_breaks_leaves_the_rights_that_were_and_says_so_once(path, caplog):
    file = RightsFile(path)
    path.write_text("groups: [")
    for _ in range(3):
        assert file.rights.grant("kim", ["rates-desk"]).books == RATES
    assert caplog.text.count("the rights that were read before stay in force") == 1
    path.unlink()
    for _ in range(3):
        assert file.rights.grant("kim", ["rates-desk"]).books == RATES
    assert caplog.text.count("stay in force") == 2
    path.write_text("groups: {rates-desk: {scopes: [read]}}")
    assert file.rights.grant("kim", ["rates-desk"]).books == Books()


def test_names__of_groups_give_books_and_no_scope():
    found = named_grant(
        ["region:EMEA", "desk:Rates", "book:FX:1", "canteen", "desk:", "trader:kim", ":x", "books:some"]
    )
    assert found == Grant(frozenset(), Books.of([{"region": "EMEA"}, {"desk": "Rates"}, {"book": "FX:1"}]))
    assert named_grant(["desk:Rates", "books:all"]).books is None
    assert named_grant([]).books == Books()


CLAIMS = {"sub": "kim", "groups": ["desk:Rates"], "scope": "openid read run"}


def test_claims__without_a_file_give_the_books_of_their_groups_and_their_scopes():
    who = Entitling().principal(CLAIMS)
    assert (who.name, who.scopes, who.books) == ("kim", {"read", "run"}, RATES)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": None}, set()),
        ({"scope": ""}, set()),
        ({"scope": "openid profile readx"}, set()),
        ({"scope": None, "scp": ["read", "admin"]}, {"read", "admin"}),
        ({"scope": None, "scp": "read run"}, {"read", "run"}),
        ({"scope": ["read"], "scp": ["run"]}, {"read", "run"}),
    ],
)
def test_scopes__are_those_that_scope_and_scp_name(claims, scopes):
    assert Entitling().principal({**CLAIMS, **claims}).scopes == scopes


def test_claims__that_say_nothing_give_nothing():
    who = Entitling().principal({"sub": "kim"})
    assert (who.scopes, who.books) == (frozenset(), Books())


@pytest.mark.parametrize(
    ("groups", "scope", "scopes"),
    [
        (["rates-desk"], None, {"read", "run"}),
        (["rates-desk"], "openid", {"read", "run"}),
        (["rates-desk"], "read", {"read"}),
        (["rates-desk"], "read admin", {"read", "run"}),
        (["risk"], "read run", {"read"}),
        (["risk"], "run", {"read"}),  # who runs may read
        (["operators"], "read", {"read"}),
        (["operators"], None, {"admin"}),
        (["canteen"], "read run admin", set()),
    ],
)
def test_scopes__of_a_token_narrow_those_of_the_file_and_never_widen_them(path, groups, scope, scopes):
    who = Entitling(RightsFile(path)).principal({"sub": "kim", "groups": groups, "scope": scope})
    assert who.scopes == scopes


def test_file__does_not_go_by_the_names_of_groups(path):
    assert Entitling(RightsFile(path)).principal({"sub": "kim", "groups": ["books:all"]}).books == Books()


def test_claims__may_have_other_names():
    entitling = Entitling(principal_claim="email", groups_claim="https://bank.example/roles")
    who = entitling.principal({**CLAIMS, "email": "kim@bank", "https://bank.example/roles": "desk:Credit"})
    assert (who.name, who.books) == ("kim@bank", Books.of({"desk": "Credit"}))


@pytest.mark.parametrize("groups", [7, {"desk:Rates": True}, [["desk:Rates"]], [7], True])
def test_groups__of_another_type_are_refused(groups):
    with pytest.raises(Unauthenticated, match="the token's claim 'groups' is neither a text nor a list of texts"):
        Entitling().principal({**CLAIMS, "groups": groups})


@pytest.mark.parametrize("subject", [None, 7, "", "  ", "a\nb", "a\u202eb", "x" * 201])
def test_subject__that_is_no_name_is_refused(subject):
    with pytest.raises(Unauthenticated, match="the token's subject is no name; 1 to 200 printable characters are"):
        Entitling().principal({**CLAIMS, "sub": subject})


@pytest.mark.parametrize("subject", [" alice", "alice ", " key:nightly"])
def test_subject__with_blanks_around_it_is_refused(subject):
    with pytest.raises(Unauthenticated, match="a name without blanks around it is right"):
        Entitling().principal({**CLAIMS, "sub": subject})


@pytest.mark.parametrize(
    "subject", ["key:nightly", "key:", "local", "KEY:nightly", "\uff4b\uff45\uff59:nightly", "Local"]
)
def test_subject__is_never_the_name_of_a_key_or_of_development_mode(subject):
    with pytest.raises(Unauthenticated, match="a name that no token may have"):
        Entitling().principal({**CLAIMS, "sub": subject})
