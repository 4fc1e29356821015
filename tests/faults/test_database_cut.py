"""A database that cuts its connections, or goes away for a while, costs no run and leaves nothing half visible."""

import threading
import time

import psycopg
import pytest

from riskgrid.errors import LeaseLost, StoreError
from riskgrid.lease import Lease
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.store import Queue, RunRow, Store
from tests.run import made

ASKED = {"cut": 16, "cluster": "threads:1", "progress": None}


def inputs(trades=1500):
    return made.portfolio(trades, only=("equity_option",)), made.market(), made.scenarios(count=60)


@pytest.mark.slow
def test_a_run_survives_a_database_that_cuts_every_connection_again_and_again(postgres, tmp_path):
    store, over, cuts = Store(tmp_path / "store", catalogue=postgres), threading.Event(), []
    assert store.catalogue.list() == []  # the tables are there: making them takes longer than from cut to cut

    def cut():
        own = (
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        while not over.wait(0.05):
            with psycopg.connect(postgres, autocommit=True) as connection:
                cuts.append(connection.execute(own).fetchone()[0])

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        done = run(*inputs(), store=store, **ASKED)
    finally:
        over.set()
        thread.join()
    assert sum(cuts) > 0, "no connection was cut"
    whole = run(*inputs(), store=tmp_path / "fresh", **ASKED)
    assert made.same_bits(done, whole)
    assert made.same_bits(open_run(done.run_id, store=store), whole)
    assert [row.status for row in store.catalogue.list()] == ["complete"]


def test_who_cannot_renew_its_lease_gives_up_once_it_must_have_lapsed(tmp_path, monkeypatch):
    store = Store(tmp_path)
    row = RunRow("r-1", "c-1", "", "2016-07-01", 1, 1, runner="me", fence=1, attempts=1, request={"kind": "run"})
    store.catalogue.add(row, lease=0.4)

    def gone(*_, **__):
        raise StoreError("the database does not answer")

    monkeypatch.setattr(Queue, "renew", gone)

    def work():
        with Lease(store, row, seconds=0.4) as lease:
            lease.check()  # a first failure costs nothing
            time.sleep(1.0)
            lease.check()

    with pytest.raises(LeaseLost, match="could not be kept: the database does not answer"):
        work()
    assert store.catalogue.get("r-1").status == "interrupted"
    assert store.queue.lease("another", 1.0).fence == 2
