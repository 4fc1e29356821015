"""Scheduler and workers as processes: how they end, and what that costs a run."""

import contextlib
import http.client
import os
import signal
import socket
import threading
import time
import urllib.request

import psutil
import pytest

from riskgrid.cluster import connect
from riskgrid.engine import sending
from riskgrid.registry import INSTRUMENTS
from riskgrid.running import run
from riskgrid.store import Store
from tests.cluster.parts import free_port, part, until
from tests.faults import deadly
from tests.run import made

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster():
    """A scheduler, its port, how many workers it has, and what starts one more."""
    port, probes = free_port(), free_port()

    def workers():
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{probes}/api/v1/get_workers", timeout=5) as answer,
        ):
            return answer.read().count(b"address")
        return -1

    with part("scheduler", "--host", "127.0.0.1", "--port", str(port), "--http-port", str(probes)) as scheduler:
        until(lambda: workers() == 0)
        yield (
            scheduler,
            f"tcp://127.0.0.1:{port}",
            workers,
            ("worker", f"127.0.0.1:{port}", "--threads", "1", "--http-port", "0"),
        )


def test_worker__ends_well_when_it_is_told_to_and_not_when_it_is_left_alone(cluster):
    scheduler, _, workers, line = cluster
    with part(*line, start_new_session=True) as first, part(*line) as second:
        until(lambda: workers() == 2)
        os.killpg(first.pid, signal.SIGINT)  # a terminal's Ctrl-C, which its processes all get
        assert first.wait(timeout=30) == 0
        until(lambda: workers() == 1)
        scheduler.kill()
        assert second.wait(timeout=30) == 1


def test_worker__that_is_evicted_is_not_taken_for_one_that_a_trade_has_ended(cluster, monkeypatch, tmp_path):
    _, address, workers, line = cluster
    monkeypatch.setattr(sending, "task_seconds", lambda threads: 0.0)  # a task for each block
    INSTRUMENTS.add("deadly", deadly.DEADLY)
    book, how = deadly.book(96, seconds=0.02), {"cut": 16, "bits": 10, "progress": None}
    environment = {"DEADLY": "1", "PYTHONPATH": os.getcwd()}
    store, evicted = Store(tmp_path / "there"), []
    with contextlib.ExitStack() as stack:
        stack.callback(INSTRUMENTS.remove, "deadly")
        started = [stack.enter_context(part(*line, **environment)) for _ in range(2)]
        until(lambda: workers() == 2)

        def evict():
            for worker in started:  # one after the other, each with a block in its hands
                time.sleep(0.5)
                worker.terminate()
                evicted.append(worker.wait(timeout=30))
                stack.enter_context(part(*line, **environment))

        evicting = threading.Thread(target=evict)
        evicting.start()
        there = run(book, made.market(), deadly.SCENARIOS, store=store, cluster=address, **how)
        evicting.join()
        here = run(book, made.market(), deadly.SCENARIOS, store=tmp_path / "here", cluster="threads:1", **how)
        assert evicted == [0, 0]
        assert there.row.status == "complete"
        assert store.journal.attempts(there.run_id) == []
        assert there.trade_table()["base_value"].values.tobytes() == here.trade_table()["base_value"].values.tobytes()


@pytest.mark.parametrize("which", ["--port", "--http-port"])
def test_scheduler__says_that_a_port_is_in_use_and_takes_no_other(which):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        free = "--http-port" if which == "--port" else "--port"
        with part("scheduler", "--host", "127.0.0.1", which, port, free, "0", told=True) as process:
            said = process.communicate(timeout=60)[1]
            assert process.returncode == 1
    assert said.decode().strip() == (
        f"riskgrid: port {port} cannot be listened at: Address already in use; another one, or 0 for any, is right"
    )


def test_processes__of_this_machine_take_no_stranger_and_answer_no_browser():
    with connect("processes:1") as workers:
        assert workers.address.startswith("tls://")
        listened = [one.laddr.ip for one in psutil.Process().net_connections("tcp") if one.status == "LISTEN"]
        assert set(listened) == {"127.0.0.1"}
        port = workers.client.scheduler_info()["services"]["dashboard"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            assert connection.getresponse().status == 404
