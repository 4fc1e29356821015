"""Acting: whoever asks changes nothing that is not its own, and puts nothing where it may not."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.acting import Asked, ask_run, ask_what_if, cancel, keep_input, resume
from riskgrid.books import Books
from riskgrid.engine.budget import Limits
from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadChanges, BadSpec, Forbidden, NameTaken, TooMany, UnknownName
from riskgrid.principal import EVERYTHING, Principal
from tests.run import made

SCOPES = frozenset({"read", "run"})
ANN = Principal("ann", SCOPES, Books.of({"desk": "Flow"}))
BOB = Principal("bob", SCOPES, Books.of({"desk": "Macro"}))
BOTH = Principal("both", SCOPES, Books.of({"desk": ["Flow", "Macro"]}))
READER = Principal("eve", frozenset({"read"}), ANN.books)
ASKED = Asked("book", "close", "history", bits=10)
UP = {"shift": {"fx:EUR": "+1%"}}


@pytest.fixture(scope="module")
def book():
    return made.portfolio(8)


@pytest.fixture
def door(book, tmp_path):
    """A store with named inputs and one run of all books."""
    for name, given in (("book", book), ("close", made.market()), ("history", made.scenarios(count=5))):
        rg.keep(given, name, store=tmp_path)
    rg.run(book, made.market(), made.scenarios(count=5), store=tmp_path, bits=10, progress=None)
    return Door(rg.Store(tmp_path))


@pytest.fixture
def run_id(door):
    return door.rows(EVERYTHING)[-1].row.run_id


def trade_of(book, desk):
    """A trade of a desk, as a row under another name."""
    row = next(row for row in book.tables["equity"].to_pylist() if row["desk"] == desk)
    return {"equity": [{**row, "trade_id": "N-1"}]}, row["trade_id"]


def test_ask_run__is_of_the_trades_in_ones_books(door):
    seen = ask_run(door, ANN, ASKED)
    assert seen.row.status == "queued"
    assert seen.row.rights == ANN.rights
    rg.Runner(door.store, cluster="threads:1").step()
    mine = door.run(seen.row.run_id, ANN)
    assert set(mine.trade_table().desk.values) == {"Flow"}
    assert mine.row.trades == len(mine.portfolio)
    with pytest.raises(UnknownName):
        door.row(seen.row.run_id, BOB)
    assert door.row(seen.row.run_id, BOTH).whole


def test_ask_run__with_a_key_is_one_run_for_each_principal(door):
    first, again = (ask_run(door, ANN, ASKED, key="k") for _ in range(2))
    assert first.row.run_id == again.row.run_id
    assert ask_run(door, BOB, ASKED, key="k").row.run_id != first.row.run_id
    with pytest.raises(BadSpec, match="key"):
        ask_run(door, ANN, dataclasses.replace(ASKED, name="other"), key="k")


def test_ask_run__beyond_the_quota_is_refused_but_not_what_was_accepted(door):
    ask_run(door, ANN, ASKED, key="k", quota=1)
    with pytest.raises(TooMany, match="'ann' has 1 runs waiting or at work, as many as may be at once"):
        ask_run(door, ANN, ASKED, quota=1)
    ask_run(door, ANN, ASKED, key="k", quota=1)
    ask_run(door, BOB, ASKED, quota=1)


@pytest.mark.parametrize("name", ["portfolio", "market", "scenarios"])
def test_ask_run__of_an_unknown_input_lists_those_one_sees(door, name):
    keep_input(door, BOB, "hidden", made.market())
    with pytest.raises(UnknownName) as error:
        ask_run(door, ANN, dataclasses.replace(ASKED, **{name: "/etc/passwd"}))
    assert "hidden" not in str(error.value)


def test_ask_run__ahead_of_others_is_for_admins(door):
    with pytest.raises(BadSpec, match="priority is 11; 0 to 10 is right"):
        ask_run(door, ANN, dataclasses.replace(ASKED, priority=11))
    assert ask_run(door, EVERYTHING, dataclasses.replace(ASKED, priority=11)).row.priority == 11


def test_acting__needs_the_scope(door, run_id):
    acts = (
        lambda: ask_run(door, READER, ASKED),
        lambda: ask_what_if(door, READER, run_id, UP),
        lambda: cancel(door, READER, run_id),
        lambda: resume(door, READER, run_id),
        lambda: keep_input(door, READER, "x", made.market()),
    )
    for act in acts:
        with pytest.raises(Forbidden, match="'eve' may read; this needs the scope 'run'"):
            act()


@pytest.mark.parametrize("key", [None, "k"])
def test_ask_what_if__is_of_what_one_sees_and_seen_by_those_who_see_as_much(door, run_id, key):
    seen = ask_what_if(door, ANN, run_id, UP, key=key)
    assert (seen.row.status, seen.row.principal, seen.row.rights) == ("complete", "ann", ANN.rights)
    assert (seen.whole, seen.parent) == (True, run_id)
    assert set(door.run(seen.row.run_id, ANN).trade_table().desk.values) == {"Flow"}
    assert door.row(seen.row.run_id, BOTH).whole
    with pytest.raises(UnknownName):
        door.row(seen.row.run_id, BOB)
    assert ask_what_if(door, ANN, run_id, UP, key=key).row.run_id == seen.row.run_id


@pytest.mark.parametrize("form", [{"overlay": {"crash": {"equity:*": "-20%"}}}, {"scenarios": "history", **UP}])
def test_ask_what_if__that_is_answered_in_full_is_of_what_one_sees(door, run_id, form):
    seen = ask_what_if(door, ANN, run_id, form)
    assert seen.row.rights == ANN.rights
    assert set(door.run(seen.row.run_id, ANN).trade_table().desk.values) == {"Flow"}


def test_ask_what_if__of_nothing_is_the_run(door, run_id):
    assert ask_what_if(door, ANN, run_id, {}).row.run_id == run_id


def test_ask_what_if__by_one_who_sees_more_is_not_seen_by_the_runs_maker(door, run_id, book):
    mine = ask_what_if(door, ANN, run_id, UP).row.run_id
    more, _ = trade_of(book, "Macro")
    for who in (BOTH, EVERYTHING):
        for form in ({"add": more}, {"shift": {"fx:GBP": "+1%"}}):
            seen = ask_what_if(door, who, mine, form)
            assert seen.row.rights == who.rights
            with pytest.raises(UnknownName):
                door.row(seen.row.run_id, ANN)
    own = ask_what_if(door, ANN, mine, {"shift": {"fx:GBP": "+1%"}})
    assert door.row(own.row.run_id, ANN).row.principal == "ann"


def test_ask_what_if__puts_no_trade_into_a_book_of_others(door, run_id, book):
    added, _ = trade_of(book, "Macro")
    _, mine = trade_of(book, "Flow")
    forms = (
        {"add": added},
        {"amend": {mine: {"desk": "Macro"}}},
        {"rehang": [{"where": {"desk": "Flow"}, "to": {"desk": "Macro"}}]},
        {"rehang": [{"where": {"trade_id": mine}, "to": {"desk": "Macro"}}], **UP},
    )
    for form in forms:
        with pytest.raises(Forbidden, match=r"would be in region .*, desk Macro, .*; your books are desk Flow"):
            ask_what_if(door, ANN, run_id, form)
        assert ask_what_if(door, BOTH, run_id, form).row.rights == BOTH.rights
    assert [seen.row.run_id for seen in door.rows(ANN)] == [run_id]


def test_ask_what_if__of_a_hidden_trade_answers_as_of_an_unknown_one(door, run_id, book):
    _, hidden = trade_of(book, "Macro")
    for form in ({"drop": [hidden]}, {"resize": {hidden: 2.0}}, {"amend": {hidden: {"book": "x"}}}):
        with pytest.raises(UnknownName) as error:
            ask_what_if(door, ANN, run_id, form)
        assert set(error.value.known) <= {
            trade
            for table in door.run(run_id, ANN).portfolio.tables.values()
            for trade in table["trade_id"].to_pylist()
        }


def test_ask_what_if__may_take_the_name_of_a_hidden_trade(door, run_id, book):
    rows, mine = trade_of(book, "Flow")
    _, hidden = trade_of(book, "Macro")
    rows["equity"][0]["trade_id"] = hidden
    seen = ask_what_if(door, ANN, run_id, {"add": rows})
    assert door.run(seen.row.run_id, ANN).portfolio.trade(hidden)["desk"] == "Flow"
    with pytest.raises(BadChanges, match=f"trade '{mine}' is added, but the portfolio has it"):
        ask_what_if(door, ANN, run_id, {"add": {"equity": [{**rows["equity"][0], "trade_id": mine}]}})


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"date": {"date": "2016-06-30", "history": "/etc"}}, "'history': 'sample'}, or|'history': 'sample'} is right"),
        ({"date": "2016-06-30", "history": "sample"}, "'history' stands alone"),
        (["drop"], "changes are a list; a mapping is right"),
        ({"snapshot": {"path": "/etc"}}, "snapshot is a dict; a MarketSnapshot is right"),
        ({"add": "/etc/passwd"}, "add is a str"),
    ],
)
def test_ask_what_if__takes_no_path_where_a_name_belongs(door, run_id, form, sentence):
    with pytest.raises(BadChanges, match=sentence):
        ask_what_if(door, ANN, run_id, form)


@pytest.mark.parametrize("field", ["snapshot", "scenarios", "overlay"])
def test_ask_what_if__takes_inputs_by_a_name_one_sees_and_by_no_key(door, run_id, field):
    keep_input(door, BOB, "bobs", made.market({"fx:EUR": 1.2}))
    row = door.run(run_id, EVERYTHING).manifest["inputs"]
    for name in ("bobs", "/tmp/x.csv", row["market"], row["scenarios"]):
        with pytest.raises(UnknownName, match="unknown named"):
            ask_what_if(door, ANN, run_id, {field: name})


def test_cancel_and_resume__are_for_the_runs_principal_and_admins(door):
    seen = ask_run(door, ANN, ASKED)
    for act in (cancel, resume):
        with pytest.raises(Forbidden, match="was asked by another; its principal or an admin may do that"):
            act(door, BOTH, seen.row.run_id)
        with pytest.raises(UnknownName):
            act(door, BOB, seen.row.run_id)
    assert cancel(door, ANN, seen.row.run_id).row.status == "cancelled"
    assert resume(door, EVERYTHING, seen.row.run_id).row.status == "queued"


def test_keep_input__is_of_ones_own_books_and_names(door, book):
    flow = door.inputs.load("portfolio", "book", ANN)
    assert keep_input(door, ANN, "mine", flow) == "portfolio"
    assert door.inputs.load("portfolio", "mine", ANN).digest == flow.digest
    assert door.inputs.load("portfolio", "book", EVERYTHING).digest == book.digest
    with pytest.raises(Forbidden, match=r"would be in region .*, as would [\d,]+ more; your books are desk Flow"):
        keep_input(door, ANN, "all", book)
    other = Principal("amy", SCOPES, ANN.books)
    with pytest.raises(NameTaken, match="the portfolio name 'mine' was given by 'ann'; another name is right"):
        keep_input(door, other, "mine", flow)
    keep_input(door, BOB, "mine", door.inputs.load("portfolio", "book", BOB))
    with pytest.raises(BadSpec, match="the name is ' '; at most 100 letters"):
        keep_input(door, ANN, " ", flow)


@pytest.mark.parametrize("limits", [{"disk": 1}, {"memory": 1}, {"valuations": 1}])
def test_ask_run__is_refused_alike_whatever_others_have_had_priced(door, book, tmp_path, limits):
    asked = dataclasses.replace(ASKED, limits=Limits(**limits))
    who = Principal("guesser", SCOPES, Books.of({"desk": ["Flow", "Macro", "Exotic"]}))  # of just those blocks
    never = Door(rg.Store(tmp_path / "never"))
    for name, given in (("book", book), ("close", made.market()), ("history", made.scenarios(count=5))):
        rg.keep(given, name, store=never.store)
    reasons = []
    for each in (door, never):
        seen = ask_run(each, who, asked)
        rg.Runner(each.store, cluster="threads:1").step()
        reasons.append(each.row(seen.row.run_id, who).row.reason)
    assert reasons[0] == reasons[1] != ""


def test_events__of_a_run_of_some_books_do_not_part_what_was_found_from_what_was_priced(door):
    told = dataclasses.asdict(Progress(5, 1, 3, 0, 700, 0.5, planned=False))
    seen = {who: ask_run(door, who, ASKED).row for who in (BOTH, EVERYTHING)}
    for row in seen.values():
        door.store.journal.tell(row.run_id, "progress", told)
    assert door.events(seen[EVERYTHING].run_id, EVERYTHING)[-1].data == told
    for who in (BOTH, EVERYTHING):
        data = door.events(seen[BOTH].run_id, who)[-1].data
        assert data == {"total": 5, "done": 4, "failed": 0, "seconds": 0.5, "planned": False}


@pytest.mark.parametrize("scopes", [SCOPES, frozenset({"run", "admin"})])
def test_keep_input__takes_no_name_that_everybody_has(door, scopes):
    who = Principal("zoe", scopes, ANN.books)
    rg.keep(made.market(), "shared", store=door.store)
    for name, mine in (("shared", made.market({"fx:EUR": 2.0})), ("book", door.inputs.load("portfolio", "book", who))):
        with pytest.raises(NameTaken, match=f"name '{name}' was given by '.*'; another name is right"):
            keep_input(door, who, name, mine)
    keep_input(door, EVERYTHING, "shared", made.market({"fx:EUR": 1.5}))
    assert door.inputs.load("market", "shared", ANN).level("fx:EUR") == 1.5


def test_names__that_one_gave_first_stay_ones_own_and_no_colleagues_stand_before_everybodys(door):
    amy = Principal("amy", SCOPES, ANN.books)
    keep_input(door, ANN, "tomorrow", made.market({"fx:EUR": 2.0}))
    assert door.inputs.load("market", "tomorrow", amy).level("fx:EUR") == 2.0
    keep_input(door, EVERYTHING, "tomorrow", made.market({"fx:EUR": 1.5}))
    levels = {who.name: door.inputs.load("market", "tomorrow", who).level("fx:EUR") for who in (ANN, amy, BOB)}
    assert levels == {"ann": 2.0, "amy": 1.5, "bob": 1.5}


@pytest.mark.parametrize("form", [UP, {"scenarios": "history", **UP}])
def test_ask_what_if__found_by_content_is_ones_own_under_the_name_one_asks(door, run_id, form):
    first = ask_what_if(door, ANN, run_id, form, name="alpha").row
    amy = Principal("amy", SCOPES, ANN.books)
    theirs = ask_what_if(door, amy, run_id, form, name="beta").row
    assert (theirs.principal, theirs.name, theirs.result_id) == ("amy", "beta", first.result_id)
    other = ask_what_if(door, ANN, run_id, form, name="gamma").row
    assert (other.principal, other.name) == ("ann", "gamma")
    for name, found in (("alpha", first), ("gamma", other), ("", other)):
        assert ask_what_if(door, ANN, run_id, form, name=name).row.run_id == found.run_id
    assert ask_what_if(door, amy, run_id, form).row.run_id == theirs.run_id
    assert sum(row.manifest["blocks"]["priced"] for row in (theirs, other)) == 0


@pytest.mark.parametrize("at_once", [4, 0])
def test_ask_what_if__by_many_at_once_is_one_run(door, run_id, at_once):
    """With room here, and without any: then it is queued."""
    crowd = Door(door.store, at_once=at_once)
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return ask_what_if(crowd, ANN, run_id, UP, name="same").row.run_id

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1
    assert len(door.what_ifs(run_id, ANN)) == 1
    assert not crowd._asking
