"""Runners that die, compete or are told to stop: every run is answered once, with the bits of an undisturbed one."""

import os
import signal
import textwrap
import threading
import time
from pathlib import Path

import pytest

from riskgrid.cluster import Threads
from riskgrid.errors import BadSpec, ClusterLost, LeaseLost
from riskgrid.jobs import submit, wait
from riskgrid.lease import Lease
from riskgrid.question import ask
from riskgrid.result import open_run
from riskgrid.runner import ATTEMPTS, Runner
from riskgrid.running import run
from riskgrid.store import BATCH, INTERACTIVE, Store
from tests.faults.commands import Forked
from tests.run import made

TRADES = 400


def question(seed=7, trades=TRADES):
    return ask(
        made.portfolio(trades, only=("equity_option",)), made.market(), made.scenarios(count=50, seed=seed), cut=16
    )


def undisturbed(asked, folder):
    return run(asked.portfolio, asked.market, asked.scenarios, store=folder, cut=16, progress=None)


def child(folder, spoil=""):
    log = Path(folder).with_name("said")
    return Forked(runner, folder, textwrap.dedent(spoil), environment=os.environ, out=log, err=log)


def runner(folder, spoil):
    """A runner with a short lease; ``spoil`` is what is done before it works."""
    exec(spoil, {"os": os, "signal": signal, "Runner": Runner, "Store": Store})
    with Runner(Store(folder), cluster="threads:1", lanes=(None,), lease_seconds=1.0) as working:
        working.work(until_idle=True)


def kinds(store, run_id):
    return [event.kind for event in store.journal.events(run_id) if event.kind != "progress"]


#: Where a runner is killed: before or after it has stored an object, and just before and after it commits.
DEATHS = {
    "before its cells are stored": "put, kind='cells'",
    "between cells and plan": "put, kind='plans'",
    "before the commit": "finish",
    "after the commit": "get after finish",
}
SPOILS = {
    "put": """
        kept = Store.put
        def put(self, kind, key, *rest, **named):
            if kind == "{kind}":
                os.kill(os.getpid(), signal.SIGKILL)
            return kept(self, kind, key, *rest, **named)
        Store.put = put
    """,
    "finish": """
        from riskgrid.store import Catalogue
        def finish(self, *rest, **named):
            os.kill(os.getpid(), signal.SIGKILL)
        Catalogue.finish = finish
    """,
    "finished": """
        from riskgrid.store import Catalogue
        kept = Catalogue.finish
        def finish(self, *rest, **named):
            kept(self, *rest, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        Catalogue.finish = finish
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "committed"),
    [
        (SPOILS["put"].format(kind="cells"), False),
        (SPOILS["put"].format(kind="plans"), False),
        (SPOILS["finish"], False),
        (SPOILS["finished"], True),
    ],
    ids=["before its cells are stored", "between cells and plan", "before the commit", "after the commit"],
)
def test_a_runner_killed_while_it_commits_leaves_nothing_half_visible(tmp_path, spoil, committed):
    store, asked = Store(tmp_path / "store"), question()
    row = submit(asked, store)
    killed = child(store.root, spoil)
    assert killed.wait(60) == -signal.SIGKILL
    # what was on its way to the disk has no name yet
    left = len([path for path in (store.root / "blocks").glob("*/*") if not path.name.startswith(".")])
    seen = store.catalogue.get(row.run_id)
    if committed:
        assert seen.status == "complete"
    else:
        assert seen.status in ("running", "interrupted")
        with pytest.raises(BadSpec, match="ask the same question again"):
            open_run(row.run_id, store=store)
        time.sleep(1.1)  # the lease of the dead one lapses
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        runner.work(until_idle=True)
    done, whole = open_run(row.run_id, store=store), undisturbed(asked, tmp_path / "fresh")
    assert made.same_bits(whole, done)
    assert done.row.fence == (1 if committed else 2)
    if not committed:
        every = whole.manifest["blocks"]["priced"]
        assert done.manifest["blocks"] == {"priced": every - left, "found": left, "failed": 0}
        assert 0 < left <= every


@pytest.mark.slow
def test_two_runners_answer_each_of_many_runs_once(tmp_path):
    store = Store(tmp_path)
    rows = [submit(question(seed, trades=32), store) for seed in range(12)]
    both = [child(store.root), child(store.root)]
    for row in rows:
        wait(store, row.run_id, timeout=90)
    assert [one.wait(30) for one in both] == [0, 0]
    for row in rows:
        assert kinds(store, row.run_id) == ["queued", "running", "complete"]
        assert store.catalogue.get(row.run_id).attempts == 1


@pytest.mark.slow
def test_a_runner_that_dies_again_and_again_over_a_run_lets_the_next_one_go(tmp_path):
    store = Store(tmp_path)
    bad, good = submit(question(1, trades=32), store, priority=BATCH), submit(question(2, trades=32), store)
    spoil = """
        from riskgrid.engine import task
        def priced(*rest, **named):
            os.kill(os.getpid(), signal.SIGKILL)
        task.price_block = priced
    """
    for _ in range(ATTEMPTS):
        killed = child(store.root, spoil)
        assert killed.wait(60) == -signal.SIGKILL
        time.sleep(1.1)
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        runner.work(until_idle=True)
    ended = store.catalogue.get(bad.run_id)
    assert ended.status == "failed"
    assert f"{ATTEMPTS} runners ended while they held it" in ended.reason
    assert wait(store, good.run_id).row.status == "complete"


def test_a_runner_that_lost_its_lease_commits_nothing(tmp_path):
    store, asked = Store(tmp_path / "store"), question(trades=32)
    row = submit(asked, store)
    first = store.queue.lease("first", 0.0)
    second = store.queue.lease("second", 30.0)
    assert (first.run_id, second.run_id) == (row.run_id, row.run_id)
    from riskgrid.answering import answer

    with pytest.raises(LeaseLost, match="another runner took it over"), Lease(store, first) as lease:
        answer(asked, lease, cluster="threads:1")
    assert store.catalogue.get(row.run_id).status == "running"
    with Lease(store, second) as lease:
        done = answer(asked, lease, cluster="threads:1")
    assert made.same_bits(done, undisturbed(asked, tmp_path / "fresh"))


def test_a_cancelled_run_stops_and_is_resumed_from_its_blocks(tmp_path):
    store, asked = Store(tmp_path / "store"), question(trades=3000)
    row = submit(asked, store)
    runner = Runner(store, cluster="threads:1", lanes=(None,), lease_seconds=0.3)
    thread = threading.Thread(target=runner.work)
    thread.start()
    try:
        while not list((store.root / "blocks").glob("*/*")):
            time.sleep(0.001)
        assert store.queue.cancel(row.run_id, "me") == "cancelling"
        with pytest.raises(Exception, match=r"is cancelled: run .* was cancelled; what is finished is kept"):
            wait(store, row.run_id, timeout=30)
        left = len(list((store.root / "blocks").glob("*/*")))
        store.queue.resume(row.run_id, "me")
        done = wait(store, row.run_id, timeout=60)
    finally:
        runner.stop()
        thread.join()
    whole = undisturbed(asked, tmp_path / "fresh")
    assert made.same_bits(done, whole)
    assert done.manifest["blocks"]["found"] >= left > 0
    assert done.manifest["blocks"]["priced"] == whole.manifest["blocks"]["priced"] - done.manifest["blocks"]["found"]
    assert kinds(store, row.run_id) == ["queued", "running", "cancelling", "cancelled", "queued", "running", "complete"]
    assert [line.verb for line in store.journal.audit(subject=row.run_id)][::-1][:3] == ["submit", "cancel", "finish"]


def test_a_stopped_runner_gives_back_what_it_holds(tmp_path):
    store, asked = Store(tmp_path), question(trades=3000)
    row = submit(asked, store)
    runner = Runner(store, cluster="threads:1", lanes=(None,), lease_seconds=0.3)
    thread = threading.Thread(target=runner.work)
    thread.start()
    while not list((store.root / "blocks").glob("*/*")):
        time.sleep(0.001)
    runner.stop()
    thread.join(30)
    back = store.catalogue.get(row.run_id)
    assert (back.status, back.runner) == ("queued", None)
    assert "was stopped" in back.reason
    with Runner(store, cluster="threads:1", lanes=(None,)) as other:
        other.work(until_idle=True)
    assert wait(store, row.run_id).row.status == "complete"


def test_what_somebody_waits_for_goes_ahead_of_a_batch(tmp_path):
    store = Store(tmp_path)
    batch = [submit(question(seed, trades=16), store, priority=BATCH) for seed in range(3)]
    now = submit(question(9, trades=16), store, priority=INTERACTIVE)
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        order = [runner.step().run_id for _ in range(4)]
        assert runner.step() is None
    assert order == [now.run_id, *(row.run_id for row in batch)]


def test_a_lane_for_those_who_wait_leaves_batches_alone(tmp_path):
    store = Store(tmp_path)
    submit(question(1, trades=16), store, priority=BATCH)
    with Runner(store, cluster="threads:1") as runner:
        assert runner.step(INTERACTIVE) is None
        assert runner.step(None) is not None


def died(store, times):
    """As if so many runners had ended with the next run in their hands."""
    for _ in range(times):
        store.queue.lease("dead", 0.001)
        time.sleep(0.01)


def test_a_run_that_was_given_up_is_answered_when_it_is_resumed(tmp_path):
    store = Store(tmp_path)
    row = submit(question(1, trades=16), store)
    died(store, ATTEMPTS)
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        assert runner.step().status == "failed"
        store.queue.resume(row.run_id, "ann")
        assert runner.step().status == "complete"


def test_a_run_that_is_resumed_often_is_not_taken_for_one_that_ends_its_runners(tmp_path):
    store = Store(tmp_path)
    row = submit(question(1, trades=16), store)
    for _ in range(ATTEMPTS + 1):
        held = store.queue.lease("other", 30.0)
        store.catalogue.finish(
            row.run_id, "cancelled", result_id=None, seconds=0.0, manifest=None, reason="so", fence=held.fence
        )
        store.queue.resume(row.run_id, "ann")
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        assert runner.step().status == "complete"


def test_a_run_that_gets_on_is_not_given_up_for_runners_that_another_has_ended(tmp_path):
    store = Store(tmp_path)
    submit(question(1, trades=16), store)
    died(store, ATTEMPTS - 1)
    held = store.queue.lease("third", 30.0)
    assert held.attempts == ATTEMPTS
    store.queue.renew(held.run_id, held.fence, 0.001, progressed=True)
    time.sleep(0.01)
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        assert runner.step().status == "complete"


class Held(Threads):
    """Workers that begin nothing before the gate is open."""

    def __init__(self, gate):
        super().__init__(1)
        self.gate = gate

    def submit(self, function, *args, key, done):
        return super().submit(lambda: (self.gate.wait(30), function(*args))[1], key=key, done=done)

    def lent(self, priority=0):
        return Held(self.gate)


def test_reserved_workers_answer_who_waits_while_all_others_are_at_a_batch(tmp_path):
    store, gate = Store(tmp_path), threading.Event()
    batch = submit(question(1, trades=64), store, priority=BATCH)
    with Runner(store, cluster=Held(gate), interactive="threads:1") as runner:
        working = threading.Thread(target=runner.work)
        working.start()
        try:
            until = time.monotonic() + 30
            while store.catalogue.get(batch.run_id).status != "running":
                assert time.monotonic() < until
                time.sleep(0.01)
            now = submit(question(2, trades=16), store, priority=INTERACTIVE)
            assert wait(store, now, timeout=30).row.status == "complete"
            assert store.catalogue.get(batch.run_id).status == "running"
            gate.set()
            assert wait(store, batch, timeout=30).row.status == "complete"
        finally:
            gate.set()
            runner.stop()
            working.join()


def test_a_runner_whose_scheduler_is_not_there_yet_starts_and_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("riskgrid.cluster.connecting.ANSWER", 0.2)
    store = Store(tmp_path)
    row = submit(question(1, trades=16), store, priority=BATCH)
    with Runner(store, cluster="kubernetes:nowhere/risk", interactive="threads:1") as runner:
        with pytest.raises(ClusterLost, match=r"no scheduler answers at 'tcp://risk-scheduler\.nowhere:8786'"):
            runner.step()
        assert store.catalogue.get(row.run_id).status == "queued"
        now = submit(question(2, trades=16), store, priority=INTERACTIVE)
        assert runner.step(INTERACTIVE).run_id == now.run_id


def test_a_run_that_cannot_be_answered_says_why_and_does_not_stop_the_runner(tmp_path):
    store = Store(tmp_path)
    asked = question(1, trades=16)
    bad, good = submit(asked, store), submit(question(2, trades=16), store)
    for path in (store.root / "inputs").glob("*/*-portfolio"):
        if path.name.startswith(asked.portfolio.digest.hex()):
            path.write_bytes(b"spoilt")
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        runner.work(until_idle=True)
    assert store.catalogue.get(bad.run_id).status == "failed"
    assert "damaged" in store.catalogue.get(bad.run_id).reason
    assert good.run_id != bad.run_id
    assert os.getpid()
