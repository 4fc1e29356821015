import dataclasses
import pickle

import numpy as np
import pytest

from riskgrid.engine import task as module
from riskgrid.engine.numerics import engine_code, numerics_digest
from riskgrid.engine.plan import Pricing, plan_instrument
from riskgrid.engine.task import Task, Work, columns_from_store, columns_to_store, priced_from, run_task, sum_key
from riskgrid.errors import NumericsMismatch, StoreError
from riskgrid.market.states import MarketStates
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store
from riskgrid.terms import Names
from tests.run import made

STATES = MarketStates(made.market(), made.scenarios(count=4))
PRICING = Pricing("USD", cut=16)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FEW", 1)  # the blocks of these tests are small
    return Store(tmp_path)


def task(store, *, shared=False, name="equity_option"):
    columns = made.portfolio(60, only=(name,)).columns(name)
    (piece,) = plan_instrument(INSTRUMENTS[name], columns, STATES, PRICING)
    works = []
    for block in piece.blocks:
        cell = np.arange(block.stop - block.start) % 2
        count = int(cell.max()) + 1
        works.append(
            Work(
                block.key,
                sum_key(block.key, cell),
                block.start,
                block.stop,
                block.roles,
                block.states,
                cell,
                count,
                False,
            )
        )
    objects = {role: STATES[role] for work in works for role in work.roles}
    if shared:
        for role, found in objects.items():
            if found is None:
                continue
            store.put("panels", found.digest().hex(), *found.parts())
            objects[role] = found.digest().hex()
    terms = columns_to_store(store, piece.columns) if shared else piece.columns
    return Task(store, name, terms, objects, STATES.dates, PRICING, "USD", numerics_digest(), CODE, tuple(works))


CODE = (engine_code(), None)


def contents(store):
    files = [path for kind in ("blocks", "sums") for path in (store.root / kind).rglob("*") if path.is_file()]
    return {path.name: path.read_bytes() for path in files}


def test_task__refuses_other_code(store):
    for code in ((b"other", None), (engine_code(), b"other")):
        with pytest.raises(NumericsMismatch, match="other code of riskgrid or of the instrument"):
            run_task(dataclasses.replace(task(store), code=code))


def test_task__stores_its_blocks_and_their_sums(store):
    given = task(store)
    receipt = run_task(given)
    keys = [work.key for work in given.works]
    assert store.has("blocks", keys) == set(keys)
    assert receipt.priced == len(given.works) > 1
    assert receipt.valuations == 60 * STATES.count
    assert receipt.bytes_written == sum(store.path("blocks", key).stat().st_size for key in keys)
    assert receipt.unrecorded == {}
    assert receipt.seconds >= receipt.writing + receipt.summing >= 0.0
    for work in given.works:
        priced, sums = priced_from(store.get("blocks", work.key)), store.get("sums", work.sum_key).arrays
        assert priced.ticks.shape == (work.stop - work.start, STATES.count - 1)
        assert sums["pnl"].sum(axis=0).tolist() == priced.ticks.sum(axis=0, dtype=np.int64).tolist()


def test_task__of_a_small_block_hands_its_sums_over_in_the_process(store, monkeypatch):
    monkeypatch.setattr(module, "_FEW", 1000)
    given = task(store)
    receipt = run_task(given)
    assert store.has("sums", [work.sum_key for work in given.works]) == set()
    for work in given.works:
        expected = priced_from(store.get("blocks", work.key)).ticks.sum(axis=0, dtype=np.int64)
        assert receipt.sums[work.key]["pnl"].sum(axis=0).tolist() == expected.tolist()
    other = run_task(task(store, shared=True))
    assert other.sums == {}
    assert store.has("sums", [work.sum_key for work in given.works]) == {work.sum_key for work in given.works}


def test_task__run_twice_changes_nothing(store):
    given = task(store)
    run_task(given)
    before = contents(store)
    again = run_task(given)
    assert contents(store) == before
    assert again.bytes_written == 0


def test_task__through_the_store_has_the_same_bits(store, tmp_path):
    run_task(task(store))
    other = Store(tmp_path / "other")
    run_task(pickle.loads(pickle.dumps(task(other, shared=True))))
    assert contents(other) == contents(store)


def test_task__of_a_block_that_is_priced_only_adds_it_up(store):
    given = task(store)
    expected = run_task(given)
    for work in given.works:
        store.discard("sums", work.sum_key)
    priced = tuple(dataclasses.replace(work, priced=True) for work in given.works)
    receipt = run_task(dataclasses.replace(given, works=priced))
    assert (receipt.priced, receipt.valuations) == (0, 0)
    assert expected.priced == len(store.has("sums", [work.sum_key for work in given.works]))


def test_task__refuses_another_numerics(store):
    given = dataclasses.replace(task(store), numerics=b"other")
    with pytest.raises(NumericsMismatch, match=r"this worker computes with .*numpy.*pin NUMBA_CPU_NAME"):
        run_task(given)
    assert contents(store) == {}


def test_task__tells_the_read_that_its_plan_lacks(store):
    given = task(store)
    first, *rest = given.works
    lacking = dataclasses.replace(first, roles=tuple(role for role in first.roles if not role.startswith("vol")))
    receipt = run_task(dataclasses.replace(given, works=(lacking, *rest)))
    assert list(receipt.unrecorded) == [first.key]
    assert receipt.unrecorded[first.key].startswith("vol:")
    assert not store.has("blocks", [first.key])
    assert receipt.priced == len(rest)


def test_only__is_the_task_with_one_of_its_blocks(store):
    given = task(store)
    alone = given.only(given.works[1])
    assert alone.works == (given.works[1],)
    assert run_task(alone).priced == 1


def test_columns__come_back_from_the_store_as_they_were(store):
    columns = made.portfolio(9, only=("fx_option",)).columns("fx_option")
    key = columns_to_store(store, columns)
    assert columns_to_store(store, columns) == key
    found = columns_from_store(store, key)
    assert list(found) == list(columns)
    for name, column in columns.items():
        if isinstance(column, Names):
            assert found[name].names == column.names
            assert found[name].codes.tolist() == column.codes.tolist()
        else:
            assert found[name].dtype == column.dtype
            assert found[name].tobytes() == column.tobytes()
    with pytest.raises(StoreError, match="no object 'absent' of kind 'pieces'"):
        columns_from_store(store, "absent")


def test_sum_key__depends_on_how_rows_fall_into_cells_alone():
    assert sum_key("a", np.array([0, 1])) == sum_key("a", np.array([0, 1]))
    assert len({sum_key("a", np.array([0, 1])), sum_key("a", np.array([1, 0])), sum_key("b", np.array([0, 1]))}) == 3


def test_columns__that_a_worker_does_not_see_are_told_with_its_name(tmp_path):
    with pytest.raises(StoreError, match=r"worker \S+ does not see what was put into .*; give workers and"):
        columns_from_store(Store(tmp_path), "0" * 64)
