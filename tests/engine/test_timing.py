"""Durations: what was spent on what, and by whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from riskgrid.engine.timing import Arrivals, Labour, compile_seconds, shortage, spending
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import INTERPRETED, Loop


def test_spending__adds_up_and_counts_what_raises_too() -> None:
    spent: dict[str, float] = {}
    with spending(spent, "sleep"):
        time.sleep(0.01)
    first = spent["sleep"]
    with pytest.raises(KeyError), spending(spent, "sleep"):
        raise KeyError
    assert spent["sleep"] > first >= 0.01


def test_arrivals__keep_when_each_came() -> None:
    done = Arrivals()
    done.put("a")
    done.put("b")
    (first, at), (second, later) = done.get(), done.get()
    assert (first, second) == ("a", "b")
    assert at <= later <= time.perf_counter()


@pytest.mark.parametrize(
    ("spans", "workers", "missing"),
    [
        ([], 3, 30.0),
        ([(0.0, 10.0), (0.0, 10.0)], 2, 0.0),
        ([(0.0, 4.0), (2.0, 10.0)], 2, 8.0),
        ([(0.0, 10.0)] * 5, 2, 0.0),
        ([(-5.0, 5.0), (5.0, 25.0)], 1, 0.0),
    ],
)
def test_shortage__counts_workers_without_a_task(
    spans: list[tuple[float, float]], workers: int, missing: float
) -> None:
    assert shortage(spans, workers, 0.0, 10.0) == missing
    rng = np.random.default_rng(0)
    for cut in rng.uniform(0.0, 10.0, 5):  # parts add up
        assert shortage(spans, workers, 0.0, cut) + shortage(spans, workers, cut, 10.0) == pytest.approx(missing)
    assert shortage(spans, workers, 3.0, 3.0) == 0.0


def test_labour__knows_a_cost_once_enough_was_valued() -> None:
    labour = Labour()
    labour.add("equity", 50_000, 0.5, [0.25, 0.25], 800)
    assert labour.costs() == {}
    assert labour.cost("swap") is None
    labour.add("equity", 50_000, 1.5, [0.5], 800)
    labour.add("equity", 0, 9.0, [], 0)  # summing found blocks tells nothing about pricing
    assert labour.costs() == {"equity": 2e-5}
    kept = labour.to_manifest()
    assert kept["instruments"]["equity"] == {"valuations": 100_000, "seconds": 2.0, "blocks": 3, "median": 0.25}
    assert (kept["tasks"], kept["bytes"]) == (3, 1600)
    assert Labour.of({"labour": kept}).costs() == {"equity": 2e-5}
    assert Labour.of({"labour": kept}).valuations() == 100_000
    assert Labour.of({}).costs() == {}


@pytest.mark.skipif(BACKEND != "numba", reason="nothing compiles")
def test_compile_seconds__are_of_the_thread_that_compiles() -> None:
    import numba

    if numba.config.DISABLE_JIT:
        pytest.skip("the compiler is switched off")
    before, elsewhere = compile_seconds(), []

    def other() -> None:
        numba.njit(lambda x: x + 1.0)(1.0)
        elsewhere.append(compile_seconds())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert compile_seconds() == before
    assert elsewhere[0] > 0.0
    numba.njit(lambda x: x * 2.0)(1.0)
    after = compile_seconds()
    assert after > before


@pytest.mark.skipif(INTERPRETED, reason="compilation is switched off")
def test_compile_seconds__are_of_those_who_wait_for_a_loop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, loop = threading.Event(), Loop(lambda _: None, ())

    def slowly(_loop: Loop, _args: object) -> Callable[..., None]:
        begun.set()
        time.sleep(0.2)
        return lambda *_: None

    monkeypatch.setattr(Loop, "compile", slowly)
    other = threading.Thread(target=loop, args=(1,))
    compile_seconds()  # from the first call on
    other.start()
    assert begun.wait(5.0)
    before = compile_seconds()
    loop(1)
    assert compile_seconds() - before > 0.1
    other.join()
