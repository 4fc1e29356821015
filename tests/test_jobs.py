"""Runs as jobs: the same request is one run, limits are kept, and what somebody waits for comes back."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import riskgrid as rg
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, RiskgridError, TooLarge
from riskgrid.jobs import submit, submit_what_if, wait
from riskgrid.question import ask
from riskgrid.runner import Runner
from riskgrid.store import Store
from tests.run import made


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def question(**options):
    return ask(made.portfolio(60), made.market(), made.scenarios(), cut=16, **options)


def worked(store):
    with Runner(store, cluster="threads:1", lanes=(None,)) as runner:
        runner.work(until_idle=True)


def test_submit__fifty_times_at_once_is_one_run(store):
    asked = question()
    with ThreadPoolExecutor(50) as pool:
        rows = list(pool.map(lambda _: submit(asked, store, principal="me", key="k-1"), range(50)))
    assert len({row.run_id for row in rows}) == 1
    assert store.catalogue.count() == 1
    worked(store)
    assert store.catalogue.get(rows[0].run_id).attempts == 1


def test_submit__under_a_used_key_refuses_another_request(store):
    row = submit(question(), store, principal="me", key="k-1")
    with pytest.raises(BadSpec, match=f"the request key 'k-1' was used for another request, run '{row.run_id}'"):
        submit(question(reporting="EUR"), store, principal="me", key="k-1")
    assert submit(question(reporting="EUR"), store, principal="you", key="k-1").run_id != row.run_id


def test_wait__gives_the_run_that_a_direct_one_gives(store, tmp_path):
    asked = question()
    row = submit(asked, store, name="nightly")
    with pytest.raises(TimeoutError, match=r"is queued after 0\.2 s; a runner answers what is queued"):
        wait(store, row.run_id, timeout=0.2)
    worked(store)
    done = wait(store, "nightly", timeout=1.0)
    whole = rg.run(asked.portfolio, asked.market, asked.scenarios, store=tmp_path / "fresh", cut=64, progress=None)
    assert made.same_bits(done, whole)
    assert done.run_id == row.run_id
    assert done.row.trades == len(asked.portfolio) == 480


def test_what_if__as_a_job_is_the_what_if(store):
    asked = question()
    parent = wait_for(submit(asked, store), store)
    trade = next(iter(asked.portfolio.places()))
    changes = {"drop": [trade], "shift": {"equity:SPX": "-3%"}}
    row = submit_what_if(parent, changes, principal="me", key="w-1")
    assert row.priority > 0
    child = wait_for(row, store)
    assert child.row.parent == parent.run_id
    assert made.same_bits(child, rg.what_if(parent, changes))
    assert submit_what_if(parent, changes, principal="me", key="w-1").run_id == row.run_id


def test_what_if__as_a_job_is_checked_before_it_waits(store):
    parent = wait_for(submit(question(), store), store)
    with pytest.raises(RiskgridError, match="NONE"):
        submit_what_if(parent, {"drop": ["NONE"]})
    assert store.catalogue.count() == 1


def test_limits__that_a_plan_cannot_meet_refuse_it_with_the_numbers(store):
    asked = question()
    with pytest.raises(TooLarge, match=r"this run needs about .* its limit is 1\.0 kB: .* or a limit of"):
        rg.run(asked.portfolio, asked.market, asked.scenarios, store=store, limits=Limits(memory=1000), progress=None)
    assert store.catalogue.list()[0].status == "failed"
    row = submit(asked, store, limits=Limits(memory=1000))
    worked(store)
    ended = store.catalogue.get(row.run_id)
    assert ended.status == "failed"
    assert "this run needs about" in ended.reason
    assert not list((store.root / "blocks").glob("*/*"))


def test_run__finishes_under_its_id_what_was_left_unfinished(store):
    asked = question()
    row = submit(asked, store)
    done = rg.run(asked.portfolio, asked.market, asked.scenarios, store=store, cut=16, progress=None)
    assert done.run_id == row.run_id
    assert store.catalogue.count() == 1
    worked(store)
    assert store.catalogue.get(row.run_id).attempts == 1


def wait_for(row, store):
    worked(store)
    return wait(store, row.run_id, timeout=1.0)
