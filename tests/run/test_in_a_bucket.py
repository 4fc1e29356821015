"""Runs whose store is a bucket: the same bits as in a folder, by threads and by processes, and what-ifs on top."""

import pytest

from riskgrid.change import Changes
from riskgrid.errors import DamagedObject
from riskgrid.keeping import gc, remove, verify
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.store import Store
from riskgrid.whatif import what_if
from tests.buckets import overwrite
from tests.run import made


@pytest.fixture
def store(bucket, tmp_path):
    return Store(bucket, f"sqlite:///{tmp_path / 'runs.sqlite'}")


def test_a_run_and_its_what_if_have_the_bits_of_a_folder(finished, book, market, scenarios, store, tmp_path):
    ours = run(book, market, scenarios, store=store, cluster="threads:2", cut=16)
    assert ours.result_id == finished.result_id
    opened = open_run(ours.run_id, store=store)
    assert made.same_bits(finished, opened)
    assert opened.portfolio.digest == finished.portfolio.digest
    changes = Changes(drop=[str(finished.trades.trade_id.values[0])], shift={"equity:AAPL": "+2%"})
    assert what_if(opened, changes).result_id == what_if(finished, changes).result_id
    assert run(book, market, scenarios, store=store, cut=16).found


def test_a_flipped_bit_in_the_bucket_is_found_and_priced_anew(market, store):
    question = made.portfolio(40, only=("equity",)), market, made.scenarios(count=30)
    done = run(*question, store=store)
    (key,) = done.cube.placement.keys
    overwrite(store, "blocks", key, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedObject, match=f"run '{done.run_id}' has a block that cannot be read: s3://"):
        _ = open_run(done.run_id, store=store).trades.pnl.values
    again = run(*question, store=store)
    assert again.manifest["blocks"]["priced"] == 1
    assert made.same_bits(done, again)


def test_what_no_run_refers_to_is_freed_in_the_bucket(market, store):
    from datetime import timedelta

    kept = run(made.portfolio(20, only=("equity",)), market, made.scenarios(count=3), store=store)
    gone = run(made.portfolio(30, only=("equity",)), market, made.scenarios(count=3), store=store)
    remove(store, gone.run_id)
    freed = gc(store, grace=timedelta(0))
    assert freed.objects["blocks"] == 1
    assert [entry.key for entry in store.list("blocks")] == list(kept.cube.placement.keys)
    assert verify(store).whole


@pytest.mark.slow
def test_processes_work_through_a_bucket(market, store, tmp_path):
    question = made.portfolio(200, only=("equity", "fx_forward")), market, made.scenarios(count=20)
    ours = run(*question, store=store, cluster="processes:2", cut=64)
    theirs = run(*question, store=tmp_path / "folder", cluster="threads:2", cut=64)
    assert ours.result_id == theirs.result_id
    assert made.same_bits(ours, theirs)
    assert store.has("blocks", ours.cube.placement.keys) == set(ours.cube.placement.keys)
    assert list(store.list("pieces"))
