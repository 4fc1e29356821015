"""Workers, and the scheduler, that are killed while a run is on its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.errors import ClusterLost
from tests.faults import deadly
from tests.faults.commands import Forked, dask_command

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
#: Some seconds of work for two workers.
SLOW = 0.02


class Grid:
    """A scheduler and its workers, each a process of its own: commands of a user, or forked in no time."""

    def __init__(self, folder: Path, workers: int = 2, *, forked: bool = True) -> None:
        self.address_file, self.forked = folder / "scheduler.json", forked
        self.processes: dict[str, Forked | subprocess.Popen[bytes]] = {}
        self.start("scheduler", "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", self.address_file)
        deadline = time.monotonic() + 60.0
        while not self.address_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        for number in range(workers):
            self.start_worker(number)

    def start(self, name: str, *arguments: Any) -> None:
        words, log = list(map(str, arguments)), self.address_file.parent / f"{name}.log"
        failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        environment = {**os.environ, **failures, "PYTHONPATH": str(ROOT), "DEADLY": "1"}
        if self.forked:
            self.processes[name] = Forked(dask_command, *words, environment=environment, out=log, err=log)
            return
        with log.open("wb") as file:
            command = [sys.executable, "-m", "dask", *words]
            self.processes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)

    def start_worker(self, number: int) -> None:
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0")
        self.start(f"worker-{number}", "worker", "--scheduler-file", self.address_file, *options)

    @property
    def address(self) -> str:
        return str(json.loads(self.address_file.read_text())["address"])

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    made = Grid(tmp_path)
    yield made
    made.close()


@pytest.fixture
def started_grid(tmp_path: Path) -> Iterator[Grid]:
    """As a user starts it."""
    made = Grid(tmp_path, forked=False)
    yield made
    made.close()


def test_a_worker_that_is_killed_mid_block_costs_its_unfinished_blocks(store, other, tmp_path, monkeypatch):
    monkeypatch.setenv("DEADLY_LOG", str(tmp_path / "log"))
    book, told = deadly.book(200, seconds=SLOW), []
    with connect("processes:2") as workers:
        (first, *_) = workers._client.run(os.getpid).values()
        killer = deadly.when(store, 3, lambda: os.kill(first, signal.SIGKILL))
        found = deadly.executed(store, workers, book, notice=lambda kind, facts: told.append(kind))
        killer.join()
    clean = deadly.executed(other, Threads(2), book)
    assert found.failed == {}
    assert "worker lost" in told
    assert "quarantined" not in told
    assert "split" not in told
    assert deadly.bits(found) == deadly.bits(clean)
    assert found.priced + found.found == clean.priced == len(deadly.block_files(store))
    # no block was priced again that the lost worker had finished
    ended = (tmp_path / "log").read_text().split()
    assert len(ended) == len(set(ended)) == clean.priced


def test_a_scheduler_that_is_killed_stops_the_run_at_once_and_asking_again_finishes_it(store, other, grid, tmp_path):
    book, killed = deadly.book(200, seconds=SLOW), []

    def kill() -> None:
        grid.kill("scheduler")
        killed.append(time.monotonic())

    address = grid.address
    with connect(address) as workers:
        killer = deadly.when(store, 3, kill)
        with pytest.raises(
            ClusterLost, match=rf"the scheduler at {address} was lost; \d+ of \d+ blocks are finished and kept: ask"
        ):
            deadly.executed(store, workers, book)
        killer.join()
    assert time.monotonic() - killed[0] < 10.0
    grid.close()
    left = deadly.block_files(store)
    clean = deadly.executed(other, Threads(2), book)
    assert 3 <= len(left) < clean.priced

    (tmp_path / "scheduler.json").unlink()
    again = Grid(tmp_path)
    try:
        with connect(again.address) as workers:
            found = deadly.executed(store, workers, book)
    finally:
        again.close()
    assert found.failed == {}
    assert (found.found, found.priced) == (len(left), clean.priced - len(left))
    assert {key: at for key, at in deadly.block_files(store).items() if key in left} == left
    assert deadly.bits(found) == deadly.bits(clean)


def test_a_run_waits_for_a_worker_and_finishes_when_one_comes(store, other, started_grid):
    grid = started_grid
    book, told = deadly.book(100, seconds=SLOW), []

    def replace() -> None:
        grid.kill("worker-0")
        grid.kill("worker-1")
        time.sleep(6.0)
        grid.start_worker(2)

    with connect(grid.address) as workers:
        killer = deadly.when(store, 2, replace)
        found = deadly.executed(store, workers, book, notice=lambda kind, facts: told.append(kind))
        killer.join()
    assert found.failed == {}
    assert "waiting for workers" in told
    assert any("there is no worker at" in sentence for sentence in found.notices)
    assert deadly.bits(found) == deadly.bits(deadly.executed(other, Threads(2), book))


def test_a_run_that_waits_in_vain_for_a_worker_says_so(store, grid, monkeypatch):
    monkeypatch.setenv("RISKGRID_PATIENCE", "4")

    def kill() -> None:
        grid.kill("worker-0")
        grid.kill("worker-1")

    with connect(grid.address) as workers:
        killer = deadly.when(store, 2, kill)
        with pytest.raises(
            ClusterLost, match=r"there has been no worker at tcp://.* for \d s; \d+ of \d+ blocks are finished and kept"
        ):
            deadly.executed(store, workers, deadly.book(100, seconds=SLOW))
        killer.join()
    assert deadly.block_files(store)


def test_a_poison_trade_is_found_on_a_scheduler_that_was_there(store, grid):
    """It tries every task twice before it says so, and a worker goes with every try; others take their place."""
    running = threading.Event()
    running.set()

    def nurse() -> None:
        number = 10
        while running.is_set():
            for name, process in list(grid.processes.items()):
                if name != "scheduler" and process.poll() is not None:
                    grid.processes.pop(name)
                    grid.start_worker(number)
                    number += 1
            time.sleep(0.1)

    thread = threading.Thread(target=nurse)
    thread.start()
    try:
        with connect(grid.address) as workers:
            found = deadly.executed(store, workers, deadly.book(2, crash={1: deadly.EXITS}))
    finally:
        running.clear()
        thread.join()
    assert list(found.failed.values()) == ["pricing this trade ended its worker process 2 times; it was left out"]
    assert found.sums.unpriced.sum() == 1
