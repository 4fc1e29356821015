import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from riskgrid.errors import BadSpec, LeaseLost, StoreError, TooMany, UnknownName
from riskgrid.store import BATCH, INTERACTIVE, Catalogue, Journal, Queue, RunRow
from tests.store.processes import together

LONG = 60.0


def job(run_id="a", **changed):
    return RunRow(
        **{"run_id": run_id, "content_id": "q", "name": "", "as_of": "2016-07-01", "trades": 2, "scenarios": 3}
        | {"request": {"kind": "run"}}
        | changed
    )


@pytest.fixture
def queue(where):
    return Queue(where)


@pytest.fixture
def catalogue(queue):
    return Catalogue(queue.database)


@pytest.fixture
def journal(queue):
    return Journal(queue.database)


def lapsed(queue, run_id="a", runner="gone"):
    """The row of a run whose holder was not heard of for longer than its lease."""
    held = queue.claim(run_id, runner, 0.001)
    time.sleep(0.02)
    return held


def finish(catalogue, run_id, status="complete", fence=None):
    catalogue.finish(run_id, status, result_id="r", seconds=1.0, manifest={"bits": 10}, fence=fence)


def test_submit__queues_a_run_with_all_that_it_asks_for(queue, catalogue):
    row = job(principal="ann", request={"spec": {"bits": 10}}, request_digest="d", priority=INTERACTIVE)
    queue.submit(row)
    found = catalogue.get("a")
    assert (found.status, found.principal, found.request, found.priority) == ("queued", "ann", row.request, INTERACTIVE)
    assert (found.parent, found.runner, found.fence, found.attempts, found.lease_until) == (None, None, 0, 0, None)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found.created)) < timedelta(minutes=1)


def test_submit__by_many_at_once_keeps_to_the_quota(queue, catalogue):
    def submitted(number):
        try:
            queue.submit(job(f"{number:02d}", principal="ann"), quota=3)
        except TooMany:
            return 0
        return 1

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(submitted, range(24))) == 3
    assert catalogue.count() == 3
    with pytest.raises(TooMany, match="'ann' has 3 runs waiting or at work, as many as may be at once"):
        queue.submit(job("late", principal="ann"), quota=3)
    queue.submit(job("another", principal="bob"), quota=1)


def test_submit__of_an_id_that_is_there_is_refused(queue):
    queue.submit(job())
    with pytest.raises(StoreError, match=r"(?i)refused: .*unique"):
        queue.submit(job(request_key="k"))


def test_submit__with_a_key_of_before_gives_the_earlier_run(queue, catalogue):
    first = queue.submit(job("a", principal="ann", request_key="k", request_digest="d"))
    assert queue.submit(job("b", principal="ann", request_key="k", request_digest="d")) == first
    assert queue.submit(job("c", principal="bob", request_key="k", request_digest="other")).run_id == "c"
    assert queue.submit(job("d", principal="ann")).run_id == "d"
    assert queue.submit(job("e", principal="ann")).run_id == "e"
    assert catalogue.count() == 4
    with pytest.raises(BadSpec, match="the request key 'k' was used for another request, run 'a'"):
        queue.submit(job("f", principal="ann", request_key="k", request_digest="changed"))


def test_submit__fifty_times_at_once_makes_one_run(queue, catalogue, journal):
    def submit(number):
        return queue.submit(job(f"r{number:02}", principal="ann", request_key="k", request_digest="d")).run_id

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(submit, range(50)))
    assert [row.run_id for row in catalogue.list()] == list(found)
    assert len(found) == 1
    assert len(journal.audit()) == len(journal.events(found.pop())) == 1


def submit_all(where, number):
    queue = Queue(where)
    return [
        queue.submit(job(f"{number}-{at}", principal="ann", request_key=f"k{at}", request_digest="d")).run_id
        for at in range(13)
    ]


@pytest.mark.slow
def test_submit__of_four_processes_at_once_makes_one_run_a_key(where):
    found = together(4, submit_all, where)
    assert len({tuple(ids) for ids in found}) == 1
    assert Catalogue(where).count() == 13


def test_lease__gives_the_largest_priority_first_and_then_the_oldest(queue):
    for run_id, priority in [("a", BATCH), ("b", INTERACTIVE), ("c", BATCH), ("d", INTERACTIVE), ("e", 5)]:
        queue.submit(job(run_id, priority=priority))
    assert [queue.lease("r", LONG).run_id for _ in range(5)] == ["b", "d", "e", "a", "c"]
    assert queue.lease("r", LONG) is None


def test_lease__leaves_what_is_of_less_priority_than_asked(queue):
    queue.submit(job("a", priority=BATCH))
    assert queue.lease("r", LONG, least_priority=INTERACTIVE) is None
    queue.submit(job("b", priority=INTERACTIVE))
    assert queue.lease("r", LONG, least_priority=INTERACTIVE).run_id == "b"


def test_lease__marks_the_run_as_its_runners(queue, catalogue):
    queue.submit(job())
    held = queue.lease("host:7", LONG)
    assert (held.status, held.runner, held.fence, held.attempts) == ("running", "host:7", 1, 1)
    assert held.started >= held.created
    assert catalogue.get("a") == held


def lease_all(where, number):
    queue, mine = Queue(where), []
    while (held := queue.lease(f"runner {number}", LONG)) is not None:
        mine.append(held.run_id)
    return mine


@pytest.mark.slow
def test_lease__never_gives_one_run_to_two_processes(where):
    queue = Queue(where)
    for number in range(60):
        queue.submit(job(f"r{number:02}"))
    taken = together(3, lease_all, where)
    assert sorted(run_id for mine in taken for run_id in mine) == [f"r{number:02}" for number in range(60)]
    assert {row.attempts for row in Catalogue(where).list()} == {1}


def test_lease__never_gives_one_run_to_two_threads(queue, where):
    for number in range(40):
        queue.submit(job(f"r{number:02}"))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: lease_all(where, number), range(8)))
    assert sorted(run_id for mine in taken for run_id in mine) == [f"r{number:02}" for number in range(40)]


def test_lapsed_lease__reads_as_interrupted_and_is_taken_over_with_a_higher_fence(queue, catalogue, journal):
    queue.submit(job())
    old = lapsed(queue)
    assert catalogue.get("a").status == "interrupted"
    assert [row.run_id for row in catalogue.list(status="interrupted")] == ["a"]
    assert list(catalogue.list(status="running")) == []
    new = queue.lease("new", LONG)
    assert (new.run_id, new.runner, new.attempts) == ("a", "new", 2)
    assert new.fence > old.fence
    events = journal.events("a")
    for late in (
        lambda: queue.renew("a", old.fence, LONG),
        lambda: finish(catalogue, "a", fence=old.fence),
        lambda: journal.tell("a", "progress", {}, fence=old.fence),
        lambda: queue.release("a", old.fence),
    ):
        with pytest.raises(LeaseLost, match=r"run 'a' is no longer leased by number 1"):
            late()
    assert catalogue.get("a") == new
    assert journal.events("a") == events
    assert queue.renew("a", new.fence, LONG) is False
    journal.tell("a", "progress", {}, fence=new.fence)
    finish(catalogue, "a", fence=new.fence)
    assert catalogue.get("a").status == "complete"


def test_lapsed_lease__that_nobody_took_over_can_be_renewed(queue, catalogue):
    queue.submit(job())
    held = lapsed(queue)
    queue.renew("a", held.fence, LONG)
    assert catalogue.get("a").status == "running"
    assert queue.lease("other", LONG) is None


def test_finish__under_a_lease_ends_it(queue, catalogue):
    queue.submit(job())
    held = queue.lease("r", LONG)
    finish(catalogue, "a", fence=held.fence)
    ended = catalogue.get("a")
    assert (ended.status, ended.lease_until, ended.manifest) == ("complete", None, {"bits": 10})
    assert ended.ended >= ended.started
    with pytest.raises(LeaseLost):
        queue.renew("a", held.fence, LONG)
    with pytest.raises(LeaseLost):
        finish(catalogue, "a", fence=held.fence)


def with_a_clock_of_its_own(where, hours, _):
    real = time.time
    time.time = lambda: real() + 3600 * hours
    queue = Queue(where)
    stolen = queue.lease("thief", LONG)
    queue.submit(job(f"mine {hours}"))
    mine = queue.lease("me", LONG)
    return stolen, mine


@pytest.mark.slow
@pytest.mark.parametrize("hours", [-5, 7])
def test_lease__goes_by_the_databases_clock_and_not_by_that_of_a_process(queue, catalogue, where, hours):
    queue.submit(job("held"))
    held = queue.lease("r", LONG)
    [(stolen, mine)] = together(1, with_a_clock_of_its_own, where, hours)
    assert stolen is None
    assert queue.lease("r", LONG) is None, "a process lost its lease for its clock"
    assert abs(mine.lease_until - held.lease_until) < LONG / 2
    assert {row.status for row in catalogue.list()} == {"running"}


def test_claim__takes_what_waits_or_ended_badly_and_leaves_what_is_held_or_done(queue, catalogue):
    for run_id, status in [
        ("w", None),
        ("f", "failed"),
        ("c", "cancelled"),
        ("i", "interrupted"),
        ("done", "complete"),
    ]:
        queue.submit(job(run_id))
        if status:
            finish(catalogue, run_id, status)
    for run_id in ("w", "f", "c", "i"):
        held = queue.claim(run_id, "me", LONG)
        assert (held.run_id, held.status, held.fence, held.ended, held.reason) == (run_id, "running", 1, None, "")
        assert queue.claim(run_id, "other", LONG) is None
    assert queue.claim("done", "me", LONG) is None
    with pytest.raises(UnknownName, match="unknown run 'nobody'"):
        queue.claim("nobody", "me", LONG)


def test_release__gives_the_run_back_to_the_queue(queue, catalogue, journal):
    queue.submit(job())
    held = queue.lease("r", LONG)
    queue.release("a", held.fence, reason="the runner is shutting down")
    back = catalogue.get("a")
    assert (back.status, back.runner, back.lease_until, back.reason) == (
        "queued",
        None,
        None,
        "the runner is shutting down",
    )
    assert queue.lease("other", LONG).fence == 2
    assert [event.kind for event in journal.events("a")] == ["queued", "running", "queued", "running"]


def test_cancel__ends_what_waits_at_once(queue, catalogue, journal):
    queue.submit(job())
    assert queue.cancel("a", "ann") == "cancelled"
    assert catalogue.get("a").status == "cancelled"
    assert queue.lease("r", LONG) is None
    assert [event.kind for event in journal.events("a")] == ["queued", "cancelled"]
    assert [(line.principal, line.verb) for line in journal.audit(subject="a")] == [("ann", "cancel"), ("", "submit")]


def test_cancel__of_what_runs_is_told_to_its_runner(queue, catalogue):
    queue.submit(job())
    held = queue.lease("r", LONG)
    assert queue.cancel("a", "ann") == "cancelling"
    assert catalogue.get("a").status == "running"
    assert queue.renew("a", held.fence, LONG) is True


def test_cancel__of_what_was_left_ends_it_and_its_late_holder(queue, catalogue):
    queue.submit(job())
    held = lapsed(queue)
    assert queue.cancel("a", "ann") == "cancelled"
    with pytest.raises(LeaseLost):
        queue.renew("a", held.fence, LONG)


@pytest.mark.parametrize("status", ["complete", "partial", "failed", "cancelled", "interrupted"])
def test_cancel__of_what_has_ended_says_how(queue, catalogue, status):
    queue.submit(job())
    finish(catalogue, "a", status)
    with pytest.raises(BadSpec, match=f"run 'a' has ended already: it is {status}"):
        queue.cancel("a", "ann")


@pytest.mark.parametrize("status", ["failed", "cancelled", "interrupted", "partial"])
def test_resume__queues_again_what_did_not_end_well(queue, catalogue, status):
    queue.submit(job())
    held = queue.lease("r", LONG)
    queue.cancel("a", "ann")
    catalogue.finish("a", status, result_id=None, seconds=1.0, manifest={}, reason="so", fence=held.fence)
    assert queue.resume("a", "bob").status == "queued"
    again = queue.lease("r", LONG)
    assert (again.fence, again.cancel_asked, again.reason, again.ended) == (2, False, "", None)


def test_resume__of_what_was_left_queues_it(queue):
    queue.submit(job())
    lapsed(queue)
    assert queue.resume("a", "ann").status == "queued"


@pytest.mark.parametrize("status", ["queued", "running", "complete"])
def test_resume__of_any_other_is_refused(queue, catalogue, status):
    queue.submit(job())
    if status != "queued":
        queue.lease("r", LONG)
    if status == "complete":
        finish(catalogue, "a")
    with pytest.raises(BadSpec, match=f"run 'a' is {status}; only one that failed"):
        queue.resume("a", "ann")


def test_waiting__counts_by_priority_what_no_runner_holds(queue):
    assert queue.waiting() == {}
    two_hours_ago = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    queue.submit(job("a", created=two_hours_ago))
    queue.submit(job("b"))
    queue.submit(job("c", priority=INTERACTIVE))
    found = queue.waiting()
    assert list(found) == [INTERACTIVE, BATCH]
    assert (found[BATCH].count, found[INTERACTIVE].count) == (2, 1)
    assert 7190 < found[BATCH].oldest < 7300
    assert 0 <= found[INTERACTIVE].oldest < 60
    queue.lease("r", LONG)
    assert list(queue.waiting()) == [BATCH]


def test_add__of_a_run_that_is_held_from_the_start_leaves_nothing_to_lease(queue, catalogue):
    catalogue.add(job(runner="me", fence=1), audit="run", lease=LONG)
    assert queue.lease("other", LONG) is None
    assert queue.renew("a", 1, LONG) is False
