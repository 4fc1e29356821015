"""A worker that is retired while a run is at work takes no finished block with it, and is not blamed for any."""

import time

import pytest

from riskgrid.cluster import connect
from riskgrid.engine import sending
from riskgrid.running import run
from tests.faults import deadly
from tests.run import made


@pytest.mark.slow
def test_a_worker_that_is_retired_mid_run_costs_at_most_the_task_in_hand(store, other, monkeypatch, tmp_path):
    monkeypatch.setenv("RISKGRID_IDLE", "0.05")
    monkeypatch.setenv("DEADLY_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(sending, "task_seconds", lambda threads: 0.0)  # a task for each block
    slow, how = deadly.book(400, seconds=0.008), {"cut": 16, "bits": 10, "progress": None}
    with connect("processes:0-2") as workers:
        workers.elastic.wish(store, 2)
        until = time.monotonic() + 60
        while len(workers.client.nthreads()) < 2:
            assert time.monotonic() < until, "no workers have come"
            time.sleep(0.05)

        def at(progress):
            if progress.priced >= 3:
                workers.elastic.withdraw(store)  # the run itself wants one

        made_there = run(
            slow, made.market(), deadly.SCENARIOS, store=store, cluster=workers.lent(), **{**how, "progress": at}
        )
    events = [(event.kind, event.data) for event in store.journal.events(made_there.run_id)]
    assert ("scaled", {"before": 2, "workers": 1}) in events
    told = {kind for kind, _ in events}  # the run may be over before the scheduler has taken leave of the worker
    assert {"scaled", "complete"} <= told <= {"scaled", "waiting for workers", "worker retired", "progress", "complete"}
    assert made_there.row.status == "complete"
    assert store.journal.attempts(made_there.run_id) == []
    here = run(slow, made.market(), deadly.SCENARIOS, store=other, cluster="threads:1", **how)
    assert made.same_bits(here, made_there)
    priced, blocks = (tmp_path / "log").read_text().split(), made_there.manifest["blocks"]
    assert blocks["priced"] + blocks["found"] == len(set(priced)) > 20
    assert len(priced) <= len(set(priced)) + 1
