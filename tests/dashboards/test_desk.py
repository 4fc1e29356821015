from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from riskgrid.dashboards.desk import Results, Turns


def test_results__are_made_once_for_all_who_ask_at_once() -> None:
    results, made, gate = Results(), [], threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return len(made)

    def ask(_: int) -> int:
        gate.wait()
        return int(results.once("key", make))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [1] * 8
    assert len(made) == 1


def test_results__keep_those_used_last() -> None:
    results = Results(2)
    for name in "ab":
        results.once(name, lambda name=name: name)
    results.get("a")
    results.once("c", lambda: "c")
    assert (results.get("a"), results.get("b"), results.get("c")) == ("a", None, "c")


def test_results__of_a_failure_are_asked_again() -> None:
    results = Results()
    with pytest.raises(ZeroDivisionError):
        results.once("key", lambda: 1 // 0)
    assert results.once("key", lambda: 5) == 5


def test_turns__are_taken_however_much_one_has_waiting() -> None:
    turns, order, gate, done = Turns(1, "test"), list[str](), threading.Event(), threading.Event()
    turns.submit("kim", gate.wait)
    for _ in range(20):
        turns.submit("kim", lambda: order.append("kim"))
    turns.submit("lee", lambda: order.append("lee"))
    turns.submit("kim", done.set)
    gate.set()
    assert done.wait(10)
    assert order.index("lee") <= 1
    assert order.count("kim") == 20


def test_turns__go_on_after_work_that_failed() -> None:
    turns, done = Turns(1, "test"), threading.Event()
    turns.submit("kim", lambda: 1 // 0)
    turns.submit("kim", done.set)
    assert done.wait(10)
