import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from riskgrid.errors import UnknownName
from riskgrid.store import Catalogue, Journal, Queue, RunRow
from tests.store.processes import together


def row(run_id="a", **changed):
    return RunRow(run_id, "q", "", "2016-07-01", 2, 3, **{"request": {"kind": "run"}, **changed})


@pytest.fixture
def journal(where):
    Catalogue(where).add(row())
    return Journal(where)


def finish(journal, status="complete", reason=""):
    Catalogue(journal.database).finish("a", status, result_id=None, seconds=1.0, manifest={}, reason=reason)


def test_tell__numbers_the_events_of_a_run_from_one(journal):
    Catalogue(journal.database).add(row("b"))
    assert [journal.tell("a", "progress", {"done": n}) for n in range(3)] == [1, 2, 3]
    assert journal.tell("b", "progress", {}) == 1
    assert [(event.seq, event.kind, event.data) for event in journal.events("a", after=1)] == [
        (2, "progress", {"done": 1}),
        (3, "progress", {"done": 2}),
    ]
    assert journal.events("a")[0].at.endswith("+00:00")


def test_tell__of_no_run_lists_the_known_ones(journal):
    with pytest.raises(UnknownName, match="unknown run 'nobody'; known: 'a'"):
        journal.tell("nobody", "progress", {})


def test_events__of_many_threads_have_no_gap(journal):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: journal.tell("a", "progress", {"n": number}), range(80)))
    assert sorted(found) == list(range(1, 81))
    assert [event.seq for event in journal.events("a")] == sorted(found)


def tell_many(where, number):
    return [Journal(where).tell("a", "progress", {"by": number}) for _ in range(50)]


@pytest.mark.slow
def test_events__of_many_processes_have_no_gap_and_none_is_seen_before_an_earlier_one(journal, where):
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append([event.seq for event in journal.events("a")])
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        told = together(3, tell_many, where)
    finally:
        stop.set()
        watcher.join()
    assert sorted(seq for mine in told for seq in mine) == list(range(1, 151))
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in seen)


def test_finish__writes_its_event_and_its_audit_line_with_the_status(journal):
    finish(journal, "failed", reason="the disk is full")
    (event,) = journal.events("a")
    assert (event.kind, event.data) == ("failed", {"reason": "the disk is full"})
    (line,) = journal.audit(subject="a")
    assert (line.verb, line.detail) == ("finish", {"status": "failed"})
    assert Catalogue(journal.database).get("a").reason == "the disk is full"


def test_follow__gives_the_events_as_they_come_and_ends_with_the_run(journal):
    def work():
        for number in range(3):
            journal.tell("a", "progress", {"n": number})
            time.sleep(0.03)
        finish(journal)

    worker = threading.Thread(target=work)
    worker.start()
    events = list(journal.follow("a", poll=0.005))
    worker.join()
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.kind for event in events] == ["progress"] * 3 + ["complete"]
    assert [event.seq for event in journal.follow("a", after=2)] == [3, 4]
    assert list(journal.follow("a", after=4)) == []


def test_follow__of_a_run_that_was_resumed_goes_on_to_its_last_end(journal):
    finish(journal, "failed")
    queue = Queue(journal.database)
    queue.resume("a", "ann")
    queue.lease("r", 60.0)
    finish(journal)
    assert [event.kind for event in journal.follow("a")] == ["failed", "queued", "running", "complete"]


def test_follow__of_what_was_finished_when_it_was_added_ends_at_once(journal):
    Catalogue(journal.database).add(row("b", status="complete"))
    assert list(journal.follow("b")) == []
    with pytest.raises(UnknownName, match="unknown run 'nobody'"):
        list(journal.follow("nobody"))


def test_attempt__counts_by_run_and_block(journal):
    assert journal.attempt("a", "k1", "it ended its worker", runner="r") == 1
    assert journal.attempt("a", "k2", "so did this") == 1
    assert journal.attempt("a", "k1", "again") == 2
    found = [(one.block, one.number, one.runner, one.reason) for one in journal.attempts("a")]
    assert found == [("k1", 1, "r", "it ended its worker"), ("k1", 2, "", "again"), ("k2", 1, "", "so did this")]
    with pytest.raises(UnknownName, match="unknown run 'nobody'"):
        journal.attempt("nobody", "k1", "")


def test_attempt__of_many_threads_is_counted_once_each(journal):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: journal.attempt("a", "k", "so"), range(40)))
    assert sorted(found) == list(range(1, 41))


def test_audit__says_who_asked_for_what_latest_first(journal):
    journal.note("ann", "export", "a", {"format": "parquet"})
    journal.note("bob", "read", "a")
    journal.note("ann", "read", "b")
    assert [(line.principal, line.verb) for line in journal.audit()] == [
        ("ann", "read"),
        ("bob", "read"),
        ("ann", "export"),
    ]
    assert [line.verb for line in journal.audit(subject="a", principal="ann")] == ["export"]
    assert journal.audit(principal="ann", limit=1)[0].subject == "b"
    assert journal.audit(subject="a", principal="ann")[0].detail == {"format": "parquet"}


def test_what_if__that_is_added_finished_has_its_audit_line_in_the_same_step(journal):
    catalogue = Catalogue(journal.database)
    catalogue.add(row("b", status="complete", parent="a", principal="ann", result_id="r"), audit="what-if")
    (line,) = journal.audit(subject="b")
    assert (line.principal, line.verb, line.detail) == ("ann", "what-if", {"status": "complete"})
    assert catalogue.get("b").ended is not None
    assert journal.events("b") == []
