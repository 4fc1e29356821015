"""A run that is told to stop ends soon, and what it leaves is whole."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.engine import sending
from riskgrid.errors import TooLarge
from riskgrid.registry import INSTRUMENTS, Instrument
from tests.faults import deadly


class Cancelled(Exception):
    pass


class Slow:
    """A pricer whose blocks take a while, and that knows how many are being priced."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.running, self.most = seconds, 0, 0
        self._lock = threading.Lock()

    def __call__(self, terms, market):
        if not market.reading.recording:
            with self._lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(self.seconds)
            with self._lock:
                self.running -= 1
        return terms.strike * market.spot(terms.underlying)


@pytest.fixture
def slow():
    def made(seconds: float) -> Slow:
        pricer = Slow(seconds)
        INSTRUMENTS.add(
            "deadly", Instrument("deadly", deadly.Terms, pricer, "currency", None, None, False, ("strike",), "slow")
        )
        return pricer

    return made


class Stop:
    """Raises when it has been asked so often, and notes when it was."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, []

    def __call__(self) -> None:
        self.asked.append(time.perf_counter())
        if len(self.asked) > self.most:
            raise Cancelled


@pytest.mark.parametrize("bundled", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_stopping__ends_tasks_of_this_process_before_it_returns_and_leaves_whole_blocks(
    store, other, slow, workers, bundled, monkeypatch
):
    if bundled:
        monkeypatch.setattr(sending, "_ROUNDS", 1 / workers)
    else:
        monkeypatch.setattr(sending, "_TASK_SECONDS", 0.0)
    pricer, stop = slow(0.15), Stop(4)
    with Threads(workers) as pool:
        with pytest.raises(Cancelled):
            deadly.executed(store, pool, deadly.book(400), stop=stop)
        assert pricer.running == 0
        left = deadly.block_files(store)
        time.sleep(0.4)
        assert deadly.block_files(store) == left, "a task went on behind the caller's back"
    assert pricer.most == (1 if bundled else workers)
    for key in left:
        store.check("blocks", key)
    slow(0.0)
    again = deadly.executed(store, Threads(2), deadly.book(400))
    clean = deadly.executed(other, Threads(2), deadly.book(400))
    assert 0 < len(left) < clean.priced
    assert (again.found, again.priced) == (len(left), clean.priced - len(left))
    assert deadly.bits(again) == deadly.bits(clean)


def test_stopping__is_asked_for_four_times_a_second_while_a_block_takes_long(store, slow):
    slow(1.5)
    stop = Stop(10**6)
    begun = time.perf_counter()
    deadly.executed(store, Threads(1), deadly.book(2), stop=stop)
    asked = [begun, *stop.asked, time.perf_counter()]
    assert len(asked) >= 12
    assert max(after - before for before, after in itertools.pairwise(asked)) < 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_stopping__in_other_processes_is_as_quick(store, other):
    book = deadly.book(200, seconds=0.02)
    with connect("processes:2") as workers:
        begun = time.perf_counter()
        with pytest.raises(Cancelled):
            deadly.executed(store, workers, book, stop=Stop(5))
        assert time.perf_counter() - begun < 5.0
    for key in deadly.block_files(store):
        store.check("blocks", key)
    again = deadly.executed(store, Threads(2), book)
    assert deadly.bits(again) == deadly.bits(deadly.executed(other, Threads(2), book))


def test_a_run_whose_blocks_cannot_fit_the_disk_is_refused_before_it_prices_any(store, monkeypatch):
    monkeypatch.setattr(type(store), "free_bytes", lambda self: 1000)
    with pytest.raises(TooLarge, match=r"this run needs 1\.4 kB of disk or more and the store has 1\.0 kB free"):
        deadly.executed(store, Threads(1), deadly.book(60))
    assert not deadly.block_files(store)
