"""The door: what one may not see answers exactly as what never was."""

import sys
import threading

import pytest

import riskgrid as rg
from riskgrid.access import Door
from riskgrid.books import Books
from riskgrid.errors import NotFinished, UnknownName
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.named import narrowed
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.store import RunRow, Store
from tests.run import made

FLOW, MACRO = Books.of({"desk": "Flow"}), Books.of({"desk": "Macro"})
ANN = Principal("ann", frozenset({"read", "run"}), FLOW)
BOB = Principal("bob", frozenset({"read", "run"}), MACRO)
BOTH = Principal("both", frozenset({"read", "run"}), Books.of({"desk": ["Flow", "Macro"]}))
SCENARIOS = made.scenarios(count=6)


@pytest.fixture(scope="module")
def book():
    return made.portfolio(8)


@pytest.fixture
def run(book, tmp_path):
    return rg.run(book, made.market(), SCENARIOS, store=tmp_path, name="daily", progress=None)


@pytest.fixture
def door(run):
    return Door(run.store)


def refused(call, *args, **options):
    with pytest.raises(UnknownName) as error:
        call(*args, **options)
    return str(error.value)


def test_run__shows_each_its_own_books_under_the_id_they_know(door, run):
    for who, desks in ((ANN, {"Flow"}), (BOB, {"Macro"}), (BOTH, {"Flow", "Macro"})):
        mine = door.run(run.run_id, who)
        assert set(mine.trade_table().desk.values) == desks
        assert mine.known_as == run.run_id
        assert rg.report(mine).conventions["run_id"] == run.run_id
        seen = door.row(run.run_id, who)
        assert (seen.whole, seen.status, seen.parent) == (False, "finished", None)
    assert len(door.run(run.run_id, Principal("none")).portfolio) == 0
    assert door.run(run.run_id, EVERYTHING).result_id == run.result_id
    assert door.row(run.run_id, EVERYTHING).status == "complete"


def test_run__is_the_same_object_for_all_who_see_the_same(door, run):
    other = Principal("cas", frozenset({"read"}), Books.of([{"desk": ["Flow"]}, {"desk": "Flow"}]))
    assert door.run(run.run_id, ANN) is door.run(run.run_id, other)
    assert door.run(run.run_id, ANN) is not door.run(run.run_id, BOTH)


def test_door__keeps_no_more_runs_open_than_it_may(run):
    door = Door(run.store, kept=1)
    first = door.run(run.run_id, ANN)
    door.run(run.run_id, BOB)
    again = door.run(run.run_id, ANN)
    assert again is not first
    assert again.run_id == first.run_id


def test_door__opened_by_many_threads_at_once_gives_everyone_its_books(run, monkeypatch):
    door, wrong = Door(run.store, kept=1), []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def look(who, desk):
        for _ in range(8):
            if {desk} != set(door.run(run.run_id, who).cells.desk.values):
                wrong.append(who)

    threads = [threading.Thread(target=look, args=(who, desk)) for who, desk in ((ANN, "Flow"), (BOB, "Macro")) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert not wrong


def test_row__of_a_hidden_run_answers_as_an_unknown_one(door, run):
    child = rg.what_if(door.run(run.run_id, BOB), {"shift": {"fx:EUR": "+1%"}})
    whole = rg.what_if(run, {"shift": {"fx:EUR": "+2%"}}, name="secret")
    served = door.run(run.run_id, ANN).run_id
    bumps = rg.sensitivities(door.run(run.run_id, ANN)).table.attrs["ladder_run"]
    never = refused(door.row, "000000000000", ANN)
    assert "secret" not in never
    for hidden in (child.run_id, whole.run_id, served, bumps, "daily", run.run_id[:6], "secret", ""):
        for ask in (door.row, door.run, door.events, door.what_ifs):
            # the hint compares spellings, which an id has by chance
            assert refused(ask, hidden, ANN).partition("known: ")[2] == never.partition("known: ")[2]
    assert door.row(child.run_id, BOTH).parent == run.run_id


def test_run__that_is_not_finished_says_so_to_those_who_see_it(door):
    door.store.queue.submit(RunRow("queued", "q", "", "2016-07-01", 1, 1, request={"kind": "run"}))
    with pytest.raises(NotFinished, match="run 'queued' is queued; its numbers are there once it is finished"):
        door.run("queued", ANN)


def test_rows__go_on_where_they_ended_with_hidden_runs_between(door, run):
    visible = [run.run_id]
    for number in range(7):
        by = f"+{number + 1}%"
        mine, theirs = (door.run(run.run_id, who) for who in (ANN, BOB))
        visible.append(rg.what_if(mine, {"shift": {"fx:EUR": by}}).run_id)
        for hidden in (theirs, run):
            rg.what_if(hidden, {"shift": {"fx:GBP": by}})
    found, before = [], None
    while page := door.rows(ANN, 3, before=before):
        assert len(page) <= 3
        found += [seen.row.run_id for seen in page]
        before = found[-1]
    assert found == visible[::-1]
    assert len(door.rows(EVERYTHING, 100)) == 1 + 3 * 7
    hidden = next(seen.row.run_id for seen in door.rows(BOB) if seen.row.run_id not in visible)
    assert "unknown run" in refused(door.rows, ANN, 3, before=hidden)


def test_rows__of_a_status_tell_nothing_of_hidden_failures(book, tmp_path):
    store = Store(tmp_path)
    for status in ("complete", "partial", "failed"):
        store.catalogue.add(RunRow(status, f"q {status}", "", "2016-07-01", 1, 1, status=status))
    door = Door(store)

    def listed(who, status):
        return sorted(seen.row.run_id for seen in door.rows(who, status=status))

    assert listed(ANN, "partial") == listed(ANN, "complete") == []
    assert listed(ANN, "finished") == ["complete", "partial"]
    assert listed(ANN, "failed") == ["failed"]
    assert listed(EVERYTHING, "partial") == ["partial"]
    assert listed(EVERYTHING, "finished") == []


def test_what_ifs__are_those_of_whom_one_sees_as_much_as(door, run):
    asked = {who: rg.what_if(door.run(run.run_id, who), {"shift": {"fx:EUR": "+1%"}}).run_id for who in (ANN, BOB)}
    asked[EVERYTHING] = rg.what_if(run, {"shift": {"fx:EUR": "+1%"}}).run_id

    def listed(who):
        found = door.what_ifs(run.run_id, who)
        assert {seen.parent for seen in found} <= {run.run_id}
        return {seen.row.run_id for seen in found}

    assert listed(ANN) == {asked[ANN]}
    assert listed(BOTH) == {asked[ANN], asked[BOB]}
    assert listed(EVERYTHING) == set(asked.values())
    assert listed(Principal("none")) == set()


def test_what_ifs__of_one_whose_rights_were_narrowed_are_gone(door, run):
    rg.what_if(door.run(run.run_id, BOTH), {"shift": {"fx:EUR": "+1%"}})
    assert len(door.what_ifs(run.run_id, BOTH)) == 1
    narrower = Principal(BOTH.name, BOTH.scopes, FLOW)
    assert not door.what_ifs(run.run_id, narrower)
    assert [seen.row.run_id for seen in door.rows(narrower)] == [run.run_id]


def test_events__of_a_run_in_part_say_that_it_went_on_and_no_more(door, book, tmp_path):
    asked = rg.ask(book, made.market(), SCENARIOS, bits=4)
    row = rg.submit(asked, door.store, principal="ann")
    rg.Runner(door.store, cluster="threads:1").step()
    whole, part = (door.events(row.run_id, who) for who in (EVERYTHING, ANN))
    assert [event.kind for event in part] == ["queued", "running", "finished"]
    assert all(event.data == {} for event in part)
    assert [event.seq for event in part] == [1, 2, 3]
    assert [event.last for event in part] == [False, False, True]
    assert door.events(row.run_id, ANN, 2) == part[2:]
    assert len(whole) >= len(part)
    assert whole[-1].last


def test_load__of_a_portfolio_is_the_trades_in_ones_books(door, book):
    rg.keep(book, "book", store=door.store)
    rg.keep(made.market(), "close", store=door.store)
    mine = door.inputs.load("portfolio", "book", ANN)
    assert mine.digest == narrowed(book, FLOW).digest
    assert door.inputs.load("portfolio", "book", EVERYTHING).digest == book.digest
    assert isinstance(door.inputs.load("market", "close", ANN), MarketSnapshot)
    assert "unknown named portfolio 'cook'; did you mean 'book'? known: 'book'" in refused(
        door.inputs.load, "portfolio", "cook", ANN
    )


def test_names__of_principals_who_see_less_take_no_place(door):
    keep = door.store.names.keep
    for key, who in (("ann", ANN), ("bob", BOB), ("all", EVERYTHING)):
        keep("market", "close", key, who.name, rights=who.rights)
    keep("market", "own", "mine", BOB.name, rights=BOB.rights)

    def found(who):
        return {name: entry.key for name, entry in door.inputs.names("market", who).items()}

    assert found(ANN) == {"close": "ann"}
    assert found(BOB) == {"close": "bob", "own": "mine"}
    assert found(BOTH) == {"close": "all", "own": "mine"}
    assert found(EVERYTHING) == {"close": "all", "own": "mine"}
    assert found(Principal("none")) == {"close": "all"}
