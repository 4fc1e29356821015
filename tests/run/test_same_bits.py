"""The same question has the same answer to the last bit, whoever computes it, where, and in which order."""

import queue
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest

from riskgrid.engine import sending
from riskgrid.portfolio import Portfolio
from riskgrid.reporting import report
from riskgrid.result import open_run
from riskgrid.running import run
from tests.run import made


class Backwards:
    """Workers that wait until nobody submits any more, then run what they have from the last task to the first."""

    in_process = True
    count = 100_000

    def __init__(self):
        self._waiting, self._submitted, self.ran = [], queue.SimpleQueue(), []
        self._thread = threading.Thread(target=self._work)

    def submit(self, function, *args, key, done):
        future = Future()
        self._submitted.put((future, function, args, key, done))
        return future

    def cancel(self, futures):
        pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._submitted.put(None)
        self._thread.join()

    def _work(self):
        while True:
            try:
                one = self._submitted.get(timeout=0.3)
                if one is None:
                    return
                self._waiting.append(one)
            except queue.Empty:
                while self._waiting:
                    future, function, args, key, done = self._waiting.pop()
                    self.ran.append(key)
                    future.set_result(function(*args))
                    done.put(future)


@pytest.fixture
def again(book, market, scenarios, tmp_path):
    """Ask the question of ``finished`` anew, in a store of its own."""

    def ask(**options):
        return run(options.pop("book", book), market, scenarios, **{"store": tmp_path, "cut": 16, **options})

    return ask


def assert_same(one, other):
    assert other.manifest["blocks"]["priced"] > 0, "the blocks were there before"
    assert made.same_bits(one, other)
    tables = [report(each, by=("desk", "counterparty")) for each in (one, other)]
    assert tables[0].digest() == tables[1].digest()


@pytest.mark.parametrize("cluster", ["threads:1", "threads:2"])
def test_threads_give_the_same_bits(finished, again, cluster):
    assert_same(finished, again(cluster=cluster))


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_processes_give_the_same_bits(finished, again):
    assert_same(finished, again(cluster="processes:2"))


def test_tasks_in_reversed_order_give_the_same_bits(finished, again, monkeypatch):
    monkeypatch.setattr(sending, "_TASK_SECONDS", 0.0)  # a task for each block
    workers = Backwards()
    done = again(cluster=workers)
    assert len(workers.ran) == done.manifest["blocks"]["priced"]
    assert_same(finished, done)


@pytest.mark.parametrize("cut", [32, 256, 4096])
def test_another_cut_gives_the_same_bits(finished, again, cut):
    done = again(cut=cut)
    assert done.content_id != finished.content_id
    assert done.manifest["blocks"]["priced"] < finished.manifest["blocks"]["priced"]
    assert_same(finished, done)


def test_rows_in_another_order_give_the_same_bits(finished, again):
    rng = np.random.default_rng(5)
    shuffled = {name: frame.iloc[rng.permutation(len(frame))] for name, frame in made.tables().items()}
    done = again(book=Portfolio.from_tables(shuffled))
    assert done.content_id == finished.content_id
    assert_same(finished, done)


def test_rows_in_another_order_after_a_block_was_lost_keep_their_labels(finished, again):
    first = again()
    next(first.store.root.glob("blocks/*/*")).unlink()
    turned = Portfolio.from_tables({name: frame.iloc[::-1] for name, frame in made.tables().items()})
    second = again(book=turned)
    assert not second.found
    for one in (first, second):
        opened = open_run(one.run_id, store=one.store)
        assert made.same_bits(finished, opened)
        assert report(opened, by="counterparty").digest() == report(finished, by="counterparty").digest()


@pytest.mark.parametrize("options", [{"cut": 16}, {"cut": 256, "cluster": "threads:2"}])
def test_another_reporting_currency_gives_the_same_bits_in_any_blocks(again, tmp_path, options):
    one = again(reporting="EUR", cut=4096, store=tmp_path / "one")
    other = again(reporting="EUR", **options)
    assert one.aggregate().attrs["currency"] == "EUR"
    assert_same(one, other)


def test_states_of_several_dates_have_the_bits_they_have_alone(book, market, scenarios, tmp_path):
    days = np.array([0, 10, 0, 30, 10, 0], dtype="timedelta64[D]")
    mixed = scenarios.isel(scenario=slice(6)).assign(date=("scenario", made.TODAY + days))
    asked = {"cluster": "threads:1", "bits": 20}
    together = run(book, market, mixed, store=tmp_path / "together", cut=16, **asked)
    pnl = together.cube.trade_pnl(np.arange(len(book)))
    for row in range(6):
        alone = run(book, market, mixed.isel(scenario=[row]), store=tmp_path / "alone", **asked)
        assert alone.cube.trade_pnl(np.arange(len(book))).tobytes() == pnl[:, [row]].tobytes()
    at_base_date = run(book, market, scenarios.isel(scenario=[1]), store=tmp_path / "alone", **asked)
    assert (at_base_date.cube.trade_pnl(np.arange(len(book)))[:, 0] != pnl[:, 1]).any()


def test_the_same_question_finds_the_finished_run(finished, book, market, scenarios):
    begun = time.perf_counter()
    found = run(book, market, scenarios, store=finished.store, cut=16)
    assert found.found
    assert found.run_id == finished.run_id
    assert time.perf_counter() - begun < 2.0
