import pickle

import numpy as np
import pytest

from riskgrid.cluster import Threads
from riskgrid.engine import sending as module
from riskgrid.engine.execute import execute, planned
from riskgrid.engine.outcome import CellSums
from riskgrid.engine.plan import Pricing
from riskgrid.errors import NumericsMismatch, StoreError
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.store import Store
from riskgrid.terms import Names
from tests.run import made

SCENARIOS = made.scenarios(count=6)
BOOK = made.portfolio(150, only=("equity", "equity_option"))
PRICING = Pricing("USD", cut=16)


def ran(store, *, book=BOOK, workers=None, progress=None, scenarios=SCENARIOS, cells=3):
    cell = {name: np.arange(book.tables[name].num_rows) % cells for name in book.instruments}
    states = MarketStates(made.market(), scenarios)
    with workers or Threads(2) as pool:
        pieces = planned(book, states, PRICING, store, cell)
        return execute(pieces, states, PRICING, store=store, workers=pool, cells=cells, progress=progress)


def bits(outcome):
    return {name: getattr(outcome.sums, name).tobytes() for name in CellSums.__dataclass_fields__}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


class Breaking(Threads):
    """Threads on which a task with the block ``guilty`` raises, whichever blocks come with it."""

    def __init__(self, guilty=None, error=RuntimeError, at=0):
        super().__init__(2)
        self.guilty, self.error, self.at, self.bundles = guilty, error, at, []

    def submit(self, function, task, *, key, done):
        keys = [work.key for work in task.works]
        if self.guilty is None and len(keys) > 1:
            self.guilty = keys[self.at]
        self.bundles.append(len(keys))
        return super().submit(self._run, function, task, key=key, done=done)

    def _run(self, function, task):
        if self.guilty in [work.key for work in task.works]:
            raise self.error("the worker died")
        return function(task)


class Elsewhere(Threads):
    """Threads that pass everything as another process would get it."""

    in_process = False

    def submit(self, function, task, *, key, done):
        sent = pickle.dumps(task)
        self.largest = max(getattr(self, "largest", 0), len(sent))
        return super().submit(lambda: pickle.loads(pickle.dumps(function(pickle.loads(sent)))), key=key, done=done)


def test_execute__prices_what_the_store_lacks_and_finds_the_rest(store):
    first = ran(store)
    assert first.found == 0
    assert first.priced > 10
    assert first.valuations == 300 * 7
    assert first.failed == {}
    assert {"planning", "writing", "summing", "pricing equity", "all"} <= set(first.seconds)
    again = ran(store)
    assert (again.priced, again.found, again.valuations) == (0, first.priced, 0)
    assert bits(again) == bits(first)


def test_execute__adds_up_again_where_only_the_cells_are_others(store):
    first = ran(store, cells=1)
    other = ran(store, cells=5)
    assert (other.priced, other.found) == (0, first.priced)
    assert other.sums.pnl.sum(axis=0).tolist() == first.sums.pnl[0].tolist()
    assert other.sums.trades.tolist() == [60] * 5


def test_execute__elsewhere_has_the_same_bits_and_sends_little(store, tmp_path):
    workers = Elsewhere(2)
    found = ran(store, workers=workers)
    assert bits(found) == bits(ran(Store(tmp_path / "other")))
    assert 0 < workers.largest < 60_000


def test_execute__retries_the_blocks_of_a_failed_task_alone(store, tmp_path):
    workers = Breaking(at=1)
    found = ran(store, workers=workers)
    assert list(found.failed) == [workers.guilty]
    assert found.failed[workers.guilty] == "the block could not be priced: RuntimeError: the worker died"
    assert max(workers.bundles) > 1
    assert workers.bundles.count(1) >= max(workers.bundles)
    clean = ran(Store(tmp_path / "clean"))
    assert found.priced == clean.priced - 1
    (lost,) = (block for piece in found.pieces for block in piece.blocks if block.key == workers.guilty)
    assert found.sums.unpriced.sum() == lost.stop - lost.start
    assert found.sums.trades.tolist() == clean.sums.trades.tolist()
    assert bits(ran(store)) == bits(clean)  # a healthy worker finishes what is left


@pytest.mark.parametrize("error", [StoreError, NumericsMismatch, OverflowError])
def test_execute__stops_where_going_on_is_no_use(store, error):
    with pytest.raises(error, match="the worker died"):
        ran(store, workers=Breaking(error=error))


def test_execute__keeps_what_is_finished_when_it_is_stopped(store, tmp_path):
    class Enough(Exception):
        pass

    def stop(at):
        if at.priced > 3:
            raise Enough

    with pytest.raises(Enough):
        ran(store, progress=stop)
    again = ran(store)
    assert again.found > 3
    assert bits(again) == bits(ran(Store(tmp_path / "clean")))


def test_execute__tells_how_far_it_is(store):
    seen = []
    found = ran(store, progress=seen.append)
    assert [at.planned for at in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1].done == seen[-1].total == found.priced
    assert [at.done for at in seen] == sorted(at.done for at in seen)
    assert [at.seconds for at in seen] == sorted(at.seconds for at in seen)
    assert seen[-1].valuations == found.valuations


def test_execute__keeps_a_window_of_tasks_on_their_way(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TASK_SECONDS", 0.0)

    class Counting(Threads):
        most = 0

        def submit(self, *args, **options):
            self.most = max(self.most, self._pool._work_queue.qsize())
            return super().submit(*args, **options)

    workers = Counting(1)
    found = ran(store, workers=workers)
    assert found.priced > workers.most
    assert workers.most <= 6
    assert bits(found) == bits(ran(Store(tmp_path / "other")))


def test_execute__of_no_trades_gives_nothing(store):
    found = ran(store, book=Portfolio({}))
    assert (found.priced, found.found, found.pieces) == (0, 0, [])
    assert not found.sums.pnl.any()


def test_execute__adds_pruned_scenarios_as_no_change(store):
    found = ran(store, scenarios=made.one_factor("vol:SPX:1Y:1.00", 1.2))
    spared = [block for piece in found.pieces for block in piece.blocks if len(block.states) == 1]
    moved = [block for piece in found.pieces for block in piece.blocks if len(block.states) == 2]
    assert spared
    assert moved
    assert found.sums.pnl.shape == (3, 1)
    assert found.sums.pnl.any()


def asks_more_of_a_block(terms, market):
    """A plan that runs this does not see what its block will read."""
    value = terms.strike * market.spot(terms.underlying)
    if market.reading.recording:
        return value
    for name in ("AAPL", "SPX"):
        value = value + market.spot(Names(np.zeros((1, 1), np.int32), (name,), "equity")) * 1e-3
    return value


def test_execute__records_a_trade_again_that_read_more_than_was_planned(store, register, columns):
    register(asks_more_of_a_block)
    table = columns([1.0, 2.0], underlying="SPX")
    frame = {name: column.texts() if isinstance(column, Names) else column for name, column in table.items()}
    book = Portfolio.from_tables({"probe": {"trade_id": ["a", "b"], **frame}})
    first = ran(store, book=book, cells=1)
    assert first.failed == {}
    assert first.priced == 1
    (block,) = first.pieces[0].blocks
    assert block.roles == ("equity:AAPL", "equity:SPX")
    panels = MarketStates(made.market(), SCENARIOS)
    spx, aapl = (panels[f"equity:{name}"].panel[0] for name in ("SPX", "AAPL"))
    value = np.array([1.0, 2.0])[:, None] * spx + aapl * 1e-3 + spx * 1e-3
    ticks = np.rint((value[:, 1:] - value[:, :1]) * 1024).sum(axis=0)
    np.testing.assert_allclose(first.sums.pnl[0], ticks, atol=2)
    again = ran(store, book=book, cells=1)
    assert (again.priced, again.found) == (0, 1)
    assert bits(again) == bits(first)
