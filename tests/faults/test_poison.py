"""A trade that ends the process that prices it costs itself and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.engine.execute import planned
from riskgrid.engine.plan import make_block
from riskgrid.engine.quarantine import Quarantine
from riskgrid.market.states import MarketStates
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.schema import Status
from riskgrid.store import Store
from riskgrid.whatif import what_if
from tests.faults import deadly
from tests.run import made

SAID = "pricing this trade ended its worker process 2 times; it was left out"
CRASH = {17: deadly.EXITS, 44: deadly.FAULTS}
#: Trades of a block where the engine is asked itself: it is halved twice, not four times, before one trade is left.
CUT = 4


def asked(book, store, cluster, **options):
    return run(
        book, made.market(), deadly.SCENARIOS, store=store, cluster=cluster, cut=16, bits=10, progress=None, **options
    )


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_trade_that_ends_its_worker_is_named_and_all_others_are_priced(store, other, third):
    poisoned = deadly.book(crash={17: deadly.EXITS})
    partial = asked(poisoned, store, "processes:2")
    table = partial.trade_table()
    assert partial.row.status == "partial"
    problems = zip(table.trade_id.values.tolist(), table.problem.values.tolist(), strict=True)
    assert {trade: text for trade, text in problems if text} == {"d-17": SAID}
    assert table.status.values.tolist().count(Status.FAILED) == 1
    assert int(partial.aggregate().unpriced[0]) == 1

    events = {event.kind: event.data for event in store.journal.events(partial.run_id)}
    assert events["quarantined"]["trade"] == "d-17"
    tried = store.journal.attempts(partial.run_id)
    assert max(attempt.number for attempt in tried) == 2
    assert {attempt.reason for attempt in tried} == {"its worker process ended while it was priced alone"}

    clean = asked(deadly.book(), other, "threads:1")
    expected = {trade: found for trade, found in made.bits_by_trade(clean).items() if trade != "d-17"}
    found = made.bits_by_trade(partial)
    assert {trade: found[trade] for trade in expected} == expected

    # asked again, it walks to the same blocks and ends no worker, and no process that has threads
    before = deadly.block_files(store)
    (store.root / "catalogue.sqlite").unlink()
    again = asked(poisoned, Store(store.root), "threads:1")
    assert again.manifest["blocks"]["priced"] == 0
    assert again.manifest["blocks"]["failed"] == 1
    assert deadly.block_files(store) == before
    assert again.result_id == partial.result_id

    # a what-if of it, as it was left or as it is stored, is the full run of the changed book
    changes = {"drop": ["d-3", "d-44"], "resize": {"d-18": 2.0}}
    full = asked(deadly.book(crash={17: deadly.EXITS}, resize={18: 2.0}, gone=(3, 44)), third, "processes:1")
    for parent in (again, open_run(again.run_id, store=Store(store.root))):
        child = what_if(parent, changes, cluster=Threads(1))
        assert child.manifest["blocks"]["failed"] == 1
        assert child.row.status == full.row.status == "partial"
        assert made.same_bits(child, full)


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_a_poison_trade_is_found_by_halves_and_nothing_is_priced_twice(store, other):
    told = []
    with connect("processes:2") as workers:
        partial = deadly.executed(
            store, workers, deadly.book(crash=CRASH), cut=CUT, notice=lambda kind, facts: told.append((kind, facts))
        )
    clean = deadly.executed(other, Threads(1), deadly.book(), cut=CUT)
    assert list(partial.failed.values()) == [SAID, SAID]
    blocks = [block for piece in partial.pieces for block in piece.blocks]
    assert [block.stop - block.start for block in blocks if block.key in partial.failed] == [1, 1]
    assert sum(block.stop - block.start for block in blocks) == 60
    # a block whose receipt was lost with its worker is found
    assert partial.priced + partial.found == len(blocks) - 2 == len(deadly.block_files(store))
    assert partial.sums.trades.tolist() == clean.sums.trades.tolist()
    assert partial.sums.unpriced.sum() == 2

    kinds = [kind for kind, _ in told]
    assert {"worker lost", "attempt", "split", "quarantined"} <= set(kinds)
    assert len(partial.notices) == len(told)
    rows = [facts["row"] for kind, facts in told if kind == "quarantined"]
    assert sorted(rows) == sorted(CRASH)
    assert partial.used["quarantine"] == {entry.key for entry in store.list("quarantine")}
    assert partial.used["blocks"] == set(deadly.block_files(store))
    assert partial.used["sums"] == {entry.key for entry in store.list("sums")}
    for kind in ("panels", "pieces"):
        assert partial.used[kind] == {entry.key for entry in store.list(kind)}

    # another market knows the trade too, where it would end this process
    moved = deadly.executed(
        store, Threads(1), deadly.book(crash=CRASH), cut=CUT, scenarios=made.scenarios(count=3, seed=1)
    )
    assert moved.failed.keys().isdisjoint(partial.failed)
    assert list(moved.failed.values()) == [SAID, SAID]

    # threads of this process price the trade: only there it is harmless
    retried = deadly.executed(store, Threads(1), deadly.book(crash=CRASH), cut=CUT, retry=True)
    assert retried.failed == {}
    assert retried.sums.unpriced.sum() == 0
    assert not list(store.list("quarantine"))
    assert deadly.bits(retried) == deadly.bits(clean)


def test_a_shift_of_a_run_with_a_trade_that_has_since_been_left_out_is_the_full_run(store, other):
    """The trade was priced where it could end nobody; then another run found out what it does."""
    book = deadly.book(crash={17: deadly.EXITS})
    whole = asked(book, store, "threads:1")
    piece, *_ = planned(
        book,
        MarketStates(made.market(), deadly.SCENARIOS),
        deadly.PRICING,
        store,
        {"deadly": np.zeros(60, np.int64)},
    )
    at = int(np.flatnonzero(piece.rows == 17)[0])
    states = MarketStates(made.market(), deadly.SCENARIOS)
    one = make_block(piece, (at, at + 1), piece.blocks[-1].roles, states, deadly.PRICING)
    for kept in (store, other):
        Quarantine(kept, states, deadly.PRICING, set()).leave_out(piece, one, SAID)

    child = what_if(whole, {"shift": {"equity:*": "+5%"}})
    assert whole.row.status == "complete"
    assert child.row.status == "partial"
    table = child.trade_table()
    assert table.problem.values[table.trade_id.values == "d-17"].tolist() == [SAID]
    assert int(child.aggregate().unpriced[0]) == 1
    shifted = run(
        book, child.market, deadly.SCENARIOS, store=other, cluster="threads:1", cut=16, bits=10, progress=None
    )
    assert made.same_bits(child, shifted)
