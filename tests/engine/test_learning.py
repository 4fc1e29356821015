"""What a run learns about costs is there for the next one, and moves no block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import riskgrid as rg
from riskgrid.cluster import Threads
from riskgrid.store import Catalogue, RunRow
from tests.run import made

BOOK, MARKET, SCENARIOS = made.portfolio(200, only=("equity_option",)), made.market(), made.scenarios(count=20)


class Bundles(Threads):
    """Threads that note how many blocks come in each task."""

    def __init__(self) -> None:
        super().__init__(1)
        self.sizes: list[int] = []

    def submit(self, function: Any, task: Any, **options: Any) -> Any:  # type: ignore[override]
        self.sizes.append(len(task.works))
        return super().submit(function, task, **options)


def remembered(store: Path, *seconds: float) -> None:
    """A catalogue in which a valuation of an equity option has cost so much, latest last."""
    for number, cost in enumerate(seconds):
        one = {"valuations": 10**6, "seconds": cost * 10**6, "blocks": 10, "median": 0.1}
        labour = {"workers": 1, "tasks": 10, "bytes": 0, "instruments": {"equity_option": one}}
        row = RunRow(f"run{number}", "q", "", "2016-07-01", 1, 1, "complete", created=f"2026-01-0{number + 1}")
        Catalogue(store).add(row)
        Catalogue(store).finish(row.run_id, "complete", result_id="r", seconds=1.0, manifest={"labour": labour})


def ran(store: Path) -> tuple[rg.Run, list[int]]:
    workers = Bundles()
    run = rg.run(BOOK, MARKET, SCENARIOS, store=store, cluster=workers, cut=16, progress=None)
    return run, workers.sizes


@pytest.mark.parametrize(("costs", "alone"), [((1e-9, 1.0), True), ((1.0, 1e-9), False)])
def test_run__bundles_blocks_by_what_the_latest_run_of_the_store_learned(
    tmp_path: Path, costs: tuple[float, float], alone: bool
) -> None:
    remembered(tmp_path, *costs)
    _, sizes = ran(tmp_path)
    assert sum(sizes) > 10
    assert (max(sizes) == 1) is alone
    assert (len(sizes) == 1) is not alone


def test_run__of_a_cost_that_nobody_knows_leaves_work_for_everybody(tmp_path: Path) -> None:
    _, sizes = ran(tmp_path)
    assert len(sizes) == 4  # of one worker


def test_run__cuts_the_same_blocks_whatever_was_learned(tmp_path: Path) -> None:
    remembered(tmp_path / "dear", 1.0)
    runs = [ran(tmp_path / name)[0] for name in ("dear", "unknown")]
    assert runs[0].result_id == runs[1].result_id
    blocks = [sorted(path.name for path in (tmp_path / name / "blocks").rglob("*")) for name in ("dear", "unknown")]
    assert blocks[0] == blocks[1]


def test_run__keeps_what_its_workers_did(tmp_path: Path) -> None:
    run, sizes = ran(tmp_path)
    labour = run.manifest["labour"]
    (known,) = labour["instruments"].values()
    assert (labour["workers"], labour["tasks"]) == (1, len(sizes))
    assert known["blocks"] == run.manifest["blocks"]["priced"] == sum(sizes)
    assert known["valuations"] == run.manifest["valuations"] == 200 * 21
    assert known["seconds"] > known["median"] > 0.0
