import os
import queue
import threading
import time

import pytest

from riskgrid.cluster import Threads, connect
from riskgrid.errors import BadSpec


def twice(number):
    return 2 * number, os.getpid()


def fails(number):
    raise ValueError(f"no {number}")


def all_of(workers, function, numbers):
    done = queue.SimpleQueue()
    futures = [workers.submit(function, number, key=f"probe-{number}", done=done) for number in numbers]
    return futures, {done.get(timeout=60) for _ in futures}


def test_threads__run_calls_in_this_process():
    with connect("threads:2") as workers:
        futures, done = all_of(workers, twice, range(5))
        assert done == set(futures)
        assert [future.result() for future in futures] == [(2 * at, os.getpid()) for at in range(5)]
        assert workers.in_process
        assert workers.count == 2


def test_threads__hand_on_what_a_call_raised():
    with connect("threads:1") as workers:
        futures, _ = all_of(workers, fails, [7])
        with pytest.raises(ValueError, match="no 7"):
            futures[0].result()


def test_threads__are_as_many_as_the_settings_say(monkeypatch):
    monkeypatch.setenv("RISKGRID_THREADS", "3")
    with connect("threads") as workers:
        assert workers.count == 3


def test_threads__forget_calls_that_have_not_started():
    gate = threading.Event()
    done = queue.SimpleQueue()
    with Threads(1) as workers:
        futures = [workers.submit(gate.wait, 30, key=str(at), done=done) for at in range(3)]
        while not futures[0].running():
            time.sleep(0.001)
        workers.cancel(futures[1:])
        gate.set()
        assert futures[0].result()
        assert [future.cancelled() for future in futures] == [False, True, True]


def test_processes__run_calls_elsewhere_and_hand_on_what_they_raised(monkeypatch):
    monkeypatch.setenv("RISKGRID_THREADS", "1")
    with connect("processes") as workers:
        assert not workers.in_process
        assert workers.count == 1
        futures, done = all_of(workers, twice, range(3))
        assert done == set(futures)
        assert [future.result()[0] for future in futures] == [0, 2, 4]
        assert os.getpid() not in {future.result()[1] for future in futures}
        wrong, _ = all_of(workers, fails, [7])
        with pytest.raises(ValueError, match="no 7"):
            wrong[0].result()
        workers.cancel(futures)
        with connect(workers._client) as borrowed:
            assert borrowed.count == 1
        futures, _ = all_of(workers, twice, [4])  # whoever only borrowed it left it running
        assert futures[0].result()[0] == 8


def test_workers__of_ones_own_are_taken_as_they_are():
    with Threads(1) as workers:
        assert connect(workers) is workers


@pytest.mark.parametrize("wrong", ["threads:0", "threads:two", "processes:-1"])
def test_connect__refuses_a_count_that_is_none(wrong):
    with pytest.raises(BadSpec, match=f"cluster '{wrong}' asks for .* a count above 0 is right"):
        connect(wrong)


def test_connect__refuses_a_word_it_does_not_know():
    with pytest.raises(BadSpec, match="unknown cluster 'slurm'; known: 'threads', 'threads:N'"):
        connect("slurm")


def test_connect__says_that_no_scheduler_answers(monkeypatch):
    monkeypatch.setattr("riskgrid.cluster.connecting.ANSWER", 0.2)
    with pytest.raises(BadSpec, match=r"no scheduler answers at 'tcp://127.0.0.1:9'"):
        connect("tcp://127.0.0.1:9")
    with pytest.raises(BadSpec, match="no scheduler answers at 'nowhere://x'"):
        connect("nowhere://x")


@pytest.mark.slow
def test_processes__do_not_become_the_workers_of_every_dask_array():
    from distributed import default_client

    with connect("processes:1"), pytest.raises(ValueError, match="No clients found"):
        default_client()
