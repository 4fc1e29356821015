import dataclasses
import io
import os
import time
from datetime import timedelta

import numpy as np
import pytest

from riskgrid.change import Changes
from riskgrid.errors import BadSpec, DamagedObject, UnknownName
from riskgrid.inputs import object_of
from riskgrid.keeping import gc, remove, verify
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.store import KINDS, RunRow, Store
from riskgrid.whatif import what_if
from tests.run import made

NONE = timedelta(0)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def ask(store, count=20, seed=3):
    book = made.portfolio(count, only=("equity", "fx_forward"))
    return run(book, made.market(), made.scenarios(count=seed), store=store, cut=16)


def keys(store):
    return {kind: {entry.key for entry in store.list(kind)} for kind in KINDS}


def age(store, hours=48):
    """As if everything in the store had been written so long ago."""
    then = time.time() - 3600 * hours
    for path in store.root.rglob("*"):
        if path.is_file() and path.name != "catalogue.sqlite":
            os.utime(path, (then, then))


def everything(found):
    return found.trades.pnl.values.tobytes(), found.aggregate("desk").pnl.values.tobytes(), found.portfolio.digest


def test_gc__of_a_store_whose_objects_are_all_needed_removes_no_block_and_no_answer(store):
    first = ask(store)
    second = what_if(first, Changes(shift={"equity:AAPL": "+1%"}))
    third = what_if(second, Changes(drop=[first.trades.trade_id.values[0]]))
    before = keys(store)
    freed = gc(store, grace=NONE)
    after = keys(store)
    for kind in ("blocks", "cells", "plans", "changes", "inputs"):
        assert before[kind] == after[kind] != set(), kind
        assert freed.objects[kind] == 0
        assert freed.kept[kind] == len(before[kind])
    for one in (first, second, third):
        assert everything(open_run(one.run_id, store=store)) == everything(one)
    assert what_if(open_run(first.run_id, store=store), second.branch.changes).found


def test_gc__frees_exactly_what_a_removed_run_alone_referred_to(store):
    kept = ask(store, count=20)
    before = keys(store)
    gone = ask(store, count=30)
    shared = set(kept.cube.placement.keys) & set(gone.cube.placement.keys)
    own = set(gone.cube.placement.keys) - shared
    assert own
    sizes = {entry.key: entry.size for entry in store.list("blocks")}
    assert gc(store, grace=NONE).objects["blocks"] == 0
    remove(store, gone.run_id)
    told = gc(store, grace=NONE, dry_run=True)
    assert keys(store)["blocks"] >= own, "a dry run removes nothing"
    freed = gc(store, grace=NONE)
    assert (freed.objects, freed.bytes) == (told.objects, told.bytes)
    assert freed.objects["blocks"] == len(own)
    assert freed.bytes["blocks"] == sum(sizes[key] for key in own)
    assert (freed.objects["cells"], freed.objects["plans"], freed.objects["inputs"]) == (1, 1, 1)
    after = keys(store)
    for kind in ("blocks", "cells", "plans", "inputs"):
        assert after[kind] == before[kind], kind
    assert everything(open_run(kept.run_id, store=store)) == everything(kept)
    with pytest.raises(UnknownName):
        open_run(gone.run_id, store=store)


def test_gc__leaves_alone_what_is_younger_than_the_grace(store):
    gone = ask(store)
    remove(store, gone.run_id)
    before = keys(store)
    assert sum(gc(store).objects.values()) == 0
    assert keys(store) == before
    age(store)
    assert gc(store).objects["blocks"] == len(before["blocks"]) > 0
    assert not any(keys(store).values())


@pytest.mark.parametrize("kind", ["sums", "panels", "pieces", "reads", "quarantine", "blocks"])
def test_gc__keeps_whatever_a_plan_names_in_its_refs(store, kind):
    stored = ask(store)
    plan = store.get("plans", stored.run_id)
    meta, arrays = {**plan.meta, "refs": {kind: ["ab12"]}}, {name: np.array(a) for name, a in plan.arrays.items()}
    store.discard("plans", stored.run_id)
    store.put("plans", stored.run_id, meta, arrays)
    ticks = np.zeros((1, 1), np.int32)
    for key in ("ab12", "cd34"):
        store.put(kind, key, {}, {"ticks": ticks})
    gc(store, grace=NONE)
    assert store.has(kind, ["ab12", "cd34"]) == {"ab12"}


def test_gc__keeps_inputs_that_have_a_name(store):
    gone = ask(store)
    key = gone.manifest["inputs"]["market"]
    store.names.keep("market", "close", key)
    remove(store, gone.run_id)
    gc(store, grace=NONE)
    assert keys(store)["inputs"] == {object_of("market", key)}


def test_gc__keeps_inputs_of_a_queued_run(store):
    gone = ask(store)
    waiting = {"status": "queued", "manifest": {}, "request": {"inputs": gone.manifest["inputs"]}}
    row = dataclasses.replace(gone.row, run_id="queued1", result_id=None, **waiting)
    store.catalogue.add(row)
    remove(store, gone.run_id)
    gc(store, grace=NONE)
    found = keys(store)
    assert len(found["inputs"]) == 3
    assert not found["blocks"]


def test_gc__removes_nothing_while_a_run_is_executed_and_says_which(store):
    gone = ask(store)
    remove(store, gone.run_id)
    store.catalogue.add(RunRow("busy", "content", "", "2016-07-01", 1, 1), lease=60.0)
    before = keys(store)
    freed = gc(store, grace=NONE)
    assert freed.running == ("busy",)
    assert str(freed) == "nothing removed while run busy is being executed; ask again later"
    assert keys(store) == before


def test_gc__takes_a_run_whose_lease_has_lapsed_for_dead(store):
    store.catalogue.add(RunRow("dead", "content", "", "2016-07-01", 1, 1), lease=-1.0)
    assert gc(store, grace=NONE).running == ()


def test_gc__takes_a_run_without_a_lease_for_dead_after_the_grace(store):
    old = "2016-07-01T00:00:00.000+00:00"
    store.catalogue.add(RunRow("dead", "content", "", "2016-07-01", 1, 1, created=old, started=old))
    assert gc(store).running == ()
    store.catalogue.add(RunRow("busy", "content", "", "2016-07-01", 1, 1))
    assert gc(store).running == ("busy",)


def test_gc__removes_what_killed_writers_left_once_it_is_old(store):
    ask(store)
    folder = next((store.root / "blocks").iterdir())
    (folder / ".abcd.123.456.789").write_bytes(b"half a block")
    assert gc(store).objects["leftovers"] == 0
    age(store)
    freed = gc(store)
    assert (freed.objects["leftovers"], freed.bytes["leftovers"]) == (1, 12)
    assert not list(store.root.rglob(".abcd*"))


def test_gc__refuses_where_it_cannot_tell_what_a_run_refers_to(store):
    stored = ask(store)
    path = store.path("plans", stored.run_id)
    path.write_bytes(path.read_bytes()[:-1])
    before = keys(store)
    with pytest.raises(DamagedObject, match=f"nothing was removed: .*'riskgrid verify {stored.run_id} --repair' first"):
        gc(store, grace=NONE)
    assert keys(store) == before


def test_gc__that_stops_half_way_leaves_every_run_whole(store, monkeypatch):
    kept, gone = ask(store, count=20), ask(store, count=60)
    remove(store, gone.run_id)
    discard, calls = Store.discard, []

    def stopped(self, kind, key):
        calls.append(key)
        if len(calls) > 3:
            raise KeyboardInterrupt
        discard(self, kind, key)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "discard", stopped)
        with pytest.raises(KeyboardInterrupt):
            gc(store, grace=NONE)
    assert verify(store).whole
    assert everything(open_run(kept.run_id, store=store)) == everything(kept)
    assert gc(store, grace=NONE).objects["blocks"] > 0
    assert verify(store).whole


def test_freed__is_told_in_a_sentence_and_a_table(store):
    from rich.console import Console

    gone = ask(store)
    remove(store, gone.run_id)
    freed = gc(store, grace=NONE, dry_run=True)
    assert str(freed).startswith(f"would remove {sum(freed.objects.values())} objects, ")
    assert f"{len(gone.cube.placement.keys)} blocks (" in str(freed)
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(freed)
    assert "blocks" in console.export_text()


def flip(path, back=1):
    content = bytearray(path.read_bytes())
    content[-back] ^= 1
    path.write_bytes(content)


def test_verify__of_a_sound_store_says_so(store):
    first = ask(store)
    second = what_if(first, Changes(drop=[first.trades.trade_id.values[0]]))
    found = verify(store)
    assert found.whole
    assert set(found.runs) == {first.run_id, second.run_id}
    assert found.read == sum(len(there) for kind, there in keys(store).items() if kind not in ("sums", "reads"))
    assert str(found) == f"{found.read} objects of 2 runs are as they were written"
    assert set(verify(store, second.run_id).runs) == {first.run_id, second.run_id}
    assert verify(store, first.run_id).runs == (first.run_id,)


@pytest.mark.parametrize("kind", ["blocks", "cells", "plans", "inputs"])
@pytest.mark.parametrize("repair", [False, True])
def test_verify__names_what_is_damaged_and_who_needs_it(store, kind, repair):
    stored = ask(store)
    path = sorted((store.root / kind).glob("*/*"))[0]
    before = path.read_bytes()
    flip(path)
    found = verify(store, repair=repair)
    (fault,) = found.damaged
    assert (fault.kind, fault.key, fault.runs) == (kind, path.name, (stored.run_id,))
    assert f"damaged: {kind} {path.name}: {path} is damaged" in str(found)
    assert ("--repair" in str(found)) != repair
    assert path.exists() != repair
    if repair:
        (gone,) = verify(store).missing
        assert (gone.kind, gone.key) == (kind, path.name)
        again = ask(store)
        assert again.result_id == stored.result_id
        assert kind in ("cells", "plans") or path.read_bytes() == before
        assert verify(store, again.run_id).whole


def test_verify__names_an_input_that_is_another_than_was_kept(store):
    stored, other = ask(store, count=20), ask(store, count=30)
    ours, theirs = (object_of("portfolio", one.manifest["inputs"]["portfolio"]) for one in (stored, other))
    store.path("inputs", ours).write_bytes(store.path("inputs", theirs).read_bytes())
    (fault,) = verify(store, stored.run_id).damaged
    assert (fault.kind, fault.key) == ("inputs", ours)
    assert "is not what was kept" in str(fault)


def test_verify__tells_how_far_it_is(store):
    ask(store)
    told = []
    found = verify(store, tell=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, found.read + 1))
    assert {total for _, total in told} == {found.read}


def test_remove__refuses_a_run_with_what_ifs(store):
    first = ask(store)
    child = what_if(first, Changes(drop=[first.trades.trade_id.values[0]]))
    with pytest.raises(BadSpec, match=child.run_id):
        remove(store, first.run_id)
    assert remove(store, child.run_id).run_id == child.run_id
    assert remove(store, first.run_id[:6]).run_id == first.run_id
    assert store.catalogue.count() == 0
