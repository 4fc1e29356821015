"""How many workers a run wants."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from riskgrid.cluster.sizing import SCHEDULING, TASK_SECONDS, Sizing, sized, task_seconds
from riskgrid.errors import BadSpec

#: A run of ten hours of work in 5,000 blocks.
RUN: dict[str, Any] = {"threads": 4, "most": 1000, "blocks": 5_000, "longest": 9.0}

SECONDS = st.floats(0.0, 1e7, allow_nan=False)
WITHIN = st.one_of(st.just(math.inf), st.floats(0.0, 1e6, allow_nan=False))


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "threads": draw(st.integers(1, 16)),
        "most": draw(st.integers(1, 20_000)),
        "blocks": draw(st.integers(1, 1_000_000)),
        "longest": draw(st.floats(0.0, 100.0)),
        "starting": draw(st.floats(0.0, 300.0)),
    }


def test_sized__without_work_wants_no_worker() -> None:
    made = sized(0.0, within=300.0, threads=4, most=50, blocks=0, longest=0.0)
    assert (made.workers, made.tasks, made.seconds, made.met, made.binds) == (0, 0, 0.0, True, "nothing to do")


def test_sized__of_any_time_wants_one_worker() -> None:
    made = sized(36_000.0, within=math.inf, **RUN)
    assert (made.workers, made.threads, made.met, made.binds) == (1, 4, True, "deadline")
    assert made.seconds == pytest.approx(20.0 + 36_000.0 / 4 + 0.75 * 9.1)


def test_sized__with_less_time_than_workers_take_to_start_takes_all_that_shorten_the_run() -> None:
    hopeless = sized(36_000.0, within=10.0, starting=20.0, **RUN)
    assert hopeless.workers == sized(36_000.0, within=0.0, starting=20.0, **RUN).workers
    assert not hopeless.met
    assert hopeless.workers > sized(36_000.0, within=120.0, **RUN).workers


def test_sized__says_what_keeps_it_from_more_workers() -> None:
    hurried = {"within": 0.0, "threads": 4}
    assert sized(36_000.0, most=10, blocks=5_000, longest=9.0, **hurried).binds == "most allowed"
    assert sized(36_000.0, most=1000, blocks=40, longest=900.0, **hurried).binds == "blocks"
    assert sized(36_000.0, most=1000, blocks=5_000, longest=900.0, **hurried).binds == "longest block"
    assert sized(36_000.0, most=1000, blocks=500_000, longest=0.1, **hurried).binds == "scheduler"


def test_sized__gives_a_scheduler_no_more_tasks_a_second_than_it_can_send() -> None:
    made = sized(500_000.0, within=0.0, threads=4, most=100_000, blocks=10_000_000, longest=0.1)
    assert made.binds == "scheduler"
    assert made.threads / made.task_seconds <= 1.0 / SCHEDULING * 1.01
    assert made.tasks / made.threads == pytest.approx(4.0, rel=0.01)


def test_sized__of_one_block_wants_one_worker() -> None:
    made = sized(60.0, within=1.0, threads=4, most=50, blocks=1, longest=60.0, starting=0.0)
    assert (made.workers, made.tasks, made.seconds) == (1, 1, 60.0)


def test_task_seconds__grow_with_threads_from_a_floor() -> None:
    assert task_seconds(1) == task_seconds(38) == TASK_SECONDS
    assert task_seconds(40_000) == pytest.approx(104.0)


@given(busy=SECONDS, within=WITHIN, run=runs())
@example(busy=1e-300, within=0.0, run={"threads": 1, "most": 1, "blocks": 1, "longest": 0.0})
@example(busy=0.0, within=0.0, run={"threads": 4, "most": 9, "blocks": 7, "longest": 0.0})
def test_sized__wants_a_worker_where_there_is_work_and_no_more_than_are_allowed(
    busy: float, within: float, run: dict[str, Any]
) -> None:
    made = sized(busy, within=within, **run)
    assert 1 <= made.workers <= run["most"]
    assert made.threads == made.workers * run["threads"]
    assert 1 <= made.tasks <= run["blocks"]
    assert made.met == (made.binds == "deadline")


@given(busy=SECONDS, more=SECONDS, within=WITHIN, run=runs())
def test_sized__wants_no_fewer_workers_for_more_work(
    busy: float, more: float, within: float, run: dict[str, Any]
) -> None:
    assume(run["longest"] <= busy)
    assert sized(busy + more, within=within, **run).workers >= sized(busy, within=within, **run).workers


@given(busy=SECONDS, within=WITHIN, later=st.floats(0.0, 1e6), run=runs())
def test_sized__wants_no_more_workers_for_more_time(
    busy: float, within: float, later: float, run: dict[str, Any]
) -> None:
    assert sized(busy, within=within + later, **run).workers <= sized(busy, within=within, **run).workers


@given(busy=SECONDS, within=WITHIN, run=runs())
def test_sized__takes_the_fewest_workers_that_meet_the_deadline(
    busy: float, within: float, run: dict[str, Any]
) -> None:
    made = sized(busy, within=within, **run)
    if made.met and made.workers > 1:
        fewer = sized(busy, within=within, **run | {"most": made.workers - 1})
        assert not fewer.met
        assert fewer.seconds >= made.seconds


@given(costs=st.lists(st.floats(0.01, 20.0), min_size=1, max_size=200), threads=st.integers(1, 8))
def test_sized__says_a_time_in_which_a_greedy_schedule_is_done(costs: list[float], threads: int) -> None:
    made = sized(sum(costs), within=30.0, threads=threads, most=40, blocks=len(costs), longest=max(costs), starting=0.0)
    assert _scheduled(costs, made) <= made.seconds * (1.0 + 1e-9)


def _scheduled(costs: list[float], made: Sizing) -> float:
    """Seconds of blocks that are bundled in order and taken by whichever thread is free first."""
    bundles, bundle = [], 0.0
    for cost in costs:
        bundle += cost
        if bundle >= task_seconds(made.threads):
            bundles.append(bundle)
            bundle = 0.0
    free = [0.0] * made.threads
    for seconds in [*bundles, bundle]:
        free[free.index(min(free))] += seconds
    return max(free)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"threads": 0}, "'threads' = 0; 1 or more is right"),
        ({"most": 0}, "'most' = 0; 1 or more is right"),
        ({"blocks": -1}, "'blocks' = -1; 0 or more is right"),
        ({"longest": -1.0}, "'longest' = -1.0 s; 0 or more is right"),
        ({"starting": math.nan}, "'starting' = nan s; 0 or more is right"),
        ({"within": math.nan}, "'within' = nan s; 0 or more is right, math.inf for any time"),
    ],
)
def test_sized__refuses_what_is_no_size(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSpec, match="workers of a run are sized by") as error:
        sized(10.0, **{"within": 1.0, "threads": 1, "most": 1, "blocks": 1, "longest": 1.0} | wrong)
    assert told in str(error.value)
