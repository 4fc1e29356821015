import numpy as np
import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.engine.budget import Estimate, Limits, check, estimate, stored_blocks
from riskgrid.engine.cost import cost_of, learned
from riskgrid.engine.execute import execute, planned
from riskgrid.engine.plan import Pricing
from riskgrid.errors import BadSpec, TooLarge
from riskgrid.market.states import MarketStates
from riskgrid.store import Store
from tests.run import made

SCENARIOS = made.scenarios(count=40)
BOOK = made.portfolio(300, only=("equity_option", "fixed_rate_bond"))
PRICING = Pricing("USD", cut=64)
STATES = MarketStates(made.market(), SCENARIOS)
NEEDED = Estimate(
    blocks=90, missing=70, valuations=10**9, busy=680.0, largest=3.0, disk=4 * 10**9, memory=10**9, workers=2
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.check_writable()
    return store


def plan(store, cells=3):
    cell = {name: np.arange(BOOK.tables[name].num_rows) % cells for name in BOOK.instruments}
    return list(planned(BOOK, STATES, PRICING, store, cell))


def needed(pieces, store, workers, costs=None):
    stored = stored_blocks(pieces, store)
    return estimate(pieces, STATES, PRICING, stored=stored, costs=costs or {}, workers=workers)


def run(pieces, store, workers):
    return execute(pieces, STATES, PRICING, store=store, workers=workers, cells=3)


def size(store):
    return sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file())


def test_estimate__counts_the_work_that_the_store_lacks(store):
    with Threads(2) as workers:
        pieces = plan(store)
        before = needed(pieces, store, workers)
        made_ = run(pieces, store, workers)
        after = needed(plan(store), store, workers)
    assert before.blocks == before.missing == made_.priced == after.blocks
    assert before.valuations == made_.valuations == 600 * 41
    assert (after.missing, after.valuations, after.busy, after.seconds) == (0, 0, 0.0, 0.0)
    assert after.disk < before.disk
    assert after.memory < before.memory


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("where", ["threads:2", pytest.param("processes:1", marks=pytest.mark.slow)])
def test_estimate__of_disk_is_a_little_more_than_what_is_written(store, where):
    with connect(where) as workers:
        pieces = plan(store)
        told = needed(pieces, store, workers).disk
        run(pieces, store, workers)
    assert 0.9 * size(store) <= told <= 3.0 * size(store)


def test_estimate__of_time_follows_costs_and_workers(store):
    pieces = plan(store)
    costs = {"equity_option": 1e-3, "fixed_rate_bond": 1e-6}
    with Threads(1) as one, Threads(2) as two:
        alone, both = (needed(pieces, store, workers, costs) for workers in (one, two))
    assert alone.busy == both.busy == pytest.approx(300 * 41 * (1e-3 + 1e-6))
    assert alone.seconds == pytest.approx(2 * both.seconds)
    assert alone.largest == max(
        (block.stop - block.start) * 41 * costs[piece.instrument.name] for piece in pieces for block in piece.blocks
    )
    assert cost_of("unknown", costs) > 0.0
    assert learned(store) == {}


def test_estimate__is_never_less_than_the_longest_block():
    assert Estimate(1, 1, 1, busy=10.0, largest=8.0, disk=0, memory=0, workers=5).seconds == 8.0


def test_check__says_what_is_needed_what_is_allowed_and_what_would_do():
    with pytest.raises(TooLarge) as caught:
        check(NEEDED, Limits(seconds=60.0))
    assert str(caught.value) == (
        "this run needs about 340 s on 2 workers; its time limit is 60 s: give more workers (12), fewer trades or "
        "scenarios, or a limit of 410 s"
    )
    assert isinstance(caught.value, BadSpec)
    with pytest.raises(
        TooLarge, match=r"needs about 1\.0 GB of memory on 2 workers; its limit is 500\.0 MB: .* 1\.2 GB"
    ):
        check(NEEDED, Limits(memory=5 * 10**8))
    with pytest.raises(TooLarge, match=r"needs about 4\.0 GB of disk; its limit is 1\.0 GB: .* a limit of 4\.8 GB"):
        check(NEEDED, Limits(disk=10**9))
    with pytest.raises(
        TooLarge, match=r"needs 4\.0 GB of disk or more and the store has 3\.0 GB free: free some space"
    ):
        check(NEEDED, Limits(), free=3 * 10**9)


def test_check__names_all_that_is_too_large_and_offers_workers_only_where_they_help():
    long = Estimate(2, 2, 10, busy=680.0, largest=600.0, disk=0, memory=10**9, workers=2)
    with pytest.raises(TooLarge) as caught:
        check(long, Limits(seconds=60.0, memory=10**6))
    assert "more workers" not in str(caught.value)
    assert "; this run needs about 1.0 GB of memory" in str(caught.value)


def test_check__counts_valuations_that_the_store_lacks():
    with pytest.raises(TooLarge, match=r"asks for 1,000,000,000 valuations; at most 20,000,000 are right here"):
        check(NEEDED, Limits(valuations=2e7))


def test_check__lets_pass_what_fits():
    check(NEEDED, Limits())
    check(NEEDED, Limits(seconds=341.0, memory=10**9, disk=4 * 10**9, valuations=1e9), free=4 * 10**9)
