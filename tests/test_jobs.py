"""Runs as jobs: the same request is one run, limits are kept, and what somebody waits for comes back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.answering import row_for
from riskgrid.change import Changes
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, RiskgridError, TooLarge
from riskgrid.inputs import save_inputs
from riskgrid.jobs import submit, submit_what_if, wait
from riskgrid.keeping import gc, verify
from riskgrid.question import ask
from riskgrid.result import open_run
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
    with pytest.raises(BadSpec, match=r"is queued; a runner answers it \('riskgrid runner'\)"):
        open_run(row.run_id, store=store)
    with pytest.raises(TimeoutError, match=r"is queued after 0\.2 s; a runner answers what is queued"):
        wait(store, row.run_id, timeout=0.2)
    worked(store)
    done = wait(store, "nightly", timeout=1.0)
    whole = rg.run(asked.portfolio, asked.market, asked.scenarios, store=tmp_path / "fresh", cut=64, progress=None)
    assert made.same_bits(done, whole)
    assert done.run_id == row.run_id
    assert done.row.trades == len(asked.portfolio) == 480


def test_run__of_a_book_that_was_kept_in_another_order_has_its_labels_right(store, tmp_path):
    asked = question()
    rg.keep(made.portfolio(60), "book", store=store)
    row = submit(asked, store)
    worked(store)
    whole = rg.run(asked.portfolio, asked.market, asked.scenarios, store=tmp_path / "fresh", progress=None)
    assert made.bits_by_trade(wait(store, row, timeout=1.0)) == made.bits_by_trade(whole)


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


def inputs(asked):
    return asked.portfolio, asked.market, asked.scenarios


def test_run__finishes_under_its_id_what_the_same_principal_left_unfinished(store, monkeypatch):
    asked = question()
    with pytest.raises(TooLarge):
        rg.run(*inputs(asked), store=store, cut=16, limits=Limits(memory=1000), progress=None)
    left = store.catalogue.list()[0]
    done = rg.run(*inputs(asked), store=store, cut=16, progress=None)
    assert done.run_id == left.run_id
    assert store.catalogue.count() == 1


def test_run__leaves_alone_what_another_has_queued_cancelled_or_failed(store, monkeypatch):
    asked = question()
    monkeypatch.setenv("RISKGRID_USER", "ann")
    queued = submit(asked, store)
    with pytest.raises(TooLarge):
        rg.run(*inputs(asked), store=store, cut=16, limits=Limits(memory=1000), progress=None)
    monkeypatch.setenv("RISKGRID_USER", "bob")
    done = rg.run(*inputs(asked), store=store, cut=16, progress=None)
    assert store.catalogue.count() == 3
    assert done.row.principal == "bob"
    assert store.catalogue.get(queued.run_id).status == "queued"


def test_submit__is_by_the_user_of_the_process_unless_it_says_who_asks(store, monkeypatch):
    monkeypatch.setenv("RISKGRID_USER", "ann")
    first = submit(question(), store, key="k")
    monkeypatch.setenv("RISKGRID_USER", "bob")
    second = submit(question(), store, key="k")
    assert (first.principal, second.principal) == ("ann", "bob")
    assert first.run_id != second.run_id


def test_submit__refuses_a_priority_that_is_no_number(store):
    with pytest.raises(BadSpec, match="priority is 'high'; a whole number is right"):
        submit(question(), store, priority="high")


@pytest.mark.parametrize("given", [-5, 0, "ten", float("nan")])
def test_limits__are_numbers_above_zero(given):
    with pytest.raises(BadSpec, match=r"limit 'seconds' is .*; a number of seconds above 0 is right"):
        Limits(seconds=given)
    assert Limits(memory="8e9").memory == 8e9  # as YAML reads it


def test_what_if__as_a_job_keeps_the_order_of_its_shifts(store):
    parent = wait_for(submit(question(), store), store)
    one, other = ({"fx:EUR": "-5%", "fx:*": "=1.3"}, {"fx:*": "=1.3", "fx:EUR": "-5%"})
    rows = [submit_what_if(parent, {"shift": shift}) for shift in (one, other)]
    worked(store)
    for row, shift in zip(rows, (one, other), strict=True):
        assert wait(store, row).market.level("fx:EUR") == Changes(shift=shift).market(parent.market).level("fx:EUR")
    submit_what_if(parent, {"shift": one}, key="k")
    with pytest.raises(BadSpec, match="was used for another request"):
        submit_what_if(parent, {"shift": other}, key="k")


def test_what_if__that_is_leased_a_second_time_is_whole(store):
    parent = wait_for(submit(question(), store), store)
    row = submit_what_if(parent, {"shift": {"fx:EUR": "-5%"}})
    store.queue.lease("one that dies", 0.0)
    worked(store)
    done = open_run(row.run_id, store=store)
    assert done.row.fence == 2
    assert made.same_bits(done, rg.what_if(parent, {"shift": {"fx:EUR": "-5%"}}))
    assert done.pnl().sizes["scenario"] == 30


def test_what_if__that_waits_keeps_its_snapshot_from_the_collector(store):
    parent = wait_for(submit(question(), store), store)
    row = submit_what_if(parent, Changes(snapshot=made.market({"equity:SPX": 2200.0}), shift={"fx:EUR": "-5%"}))
    gc(store, grace=timedelta(0))
    worked(store)
    assert wait(store, row, timeout=1.0).market.level("equity:SPX") == 2200.0


def test_runner__takes_up_a_direct_run_whose_process_died(store, tmp_path):
    asked = question()
    row = replace(row_for(asked, "mine"), runner="gone", fence=1, attempts=1)
    save_inputs(store, *inputs(asked), asked.scenario_digest)
    store.catalogue.add(row, lease=-1.0)
    assert store.catalogue.get("mine").status == "interrupted"
    worked(store)
    whole = rg.run(*inputs(asked), store=tmp_path / "fresh", cut=16, progress=None)
    assert made.same_bits(wait(store, "mine", timeout=1.0), whole)


def test_resume__of_a_partial_run_that_what_ifs_stand_on_is_refused(store):
    parent = wait_for(submit(question(), store), store)
    rg.what_if(parent, {"shift": {"fx:EUR": "-5%"}})
    manifest = dict(parent.manifest)
    store.queue.reopen(parent.run_id, "me", 60.0)
    store.catalogue.finish(parent.run_id, "partial", result_id=parent.result_id, seconds=1.0, manifest=manifest)
    with pytest.raises(BadSpec, match="has what-ifs that stand on its answer"):
        store.queue.resume(parent.run_id, "me")


def test_what_if__of_a_run_that_was_removed_meanwhile_is_refused(store):
    parent = wait_for(submit(question(), store), store)
    store.catalogue.remove(parent.run_id)
    with pytest.raises(BadSpec, match=f"run '{parent.run_id}' was removed; a what-if of it cannot be kept"):
        rg.what_if(parent, {"shift": {"fx:EUR": "-5%"}})
    assert store.catalogue.count() == 0


def test_run__whose_own_objects_are_damaged_is_made_anew_under_its_id(store):
    asked = question()
    done = rg.run(*inputs(asked), store=store, cut=16, progress=None)
    child = rg.what_if(done, {"shift": {"fx:EUR": "-5%"}})
    before = child.pnl("desk").values.copy()
    store.path("cells", done.kept).write_bytes(b"spoilt")
    again = rg.run(*inputs(asked), store=store, cut=16, progress=None)
    assert again.run_id == done.run_id
    assert again.result_id == done.result_id
    np.testing.assert_array_equal(open_run(child.run_id, store=store).pnl("desk").values, before)
    assert verify(store).whole


def wait_for(row, store):
    worked(store)
    return wait(store, row.run_id, timeout=1.0)
