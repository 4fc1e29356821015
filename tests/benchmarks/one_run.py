"""One run in a process of its own, as a user starts it: prints its seconds and memory as JSON."""

# ruff: noqa: E402
from __future__ import annotations

import time

BEGUN = time.perf_counter()

import riskgrid as rg

RUN = rg.run  # names are imported when first used
IMPORTED = time.perf_counter() - BEGUN

import json
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from riskgrid.cluster import connect
from riskgrid.profiling import Profile, profile
from tests.benchmarks import data
from tests.benchmarks.measure import cold_store

KIB = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there


def main(trades: int, scenarios: int, where: str) -> dict[str, Any]:
    """Figures of one run: seconds, bytes, and the digest of the answer.

    where : as ``cluster`` of run; or, after a small run, ``warm:N`` threads or ``standing:N`` worker processes.
    """
    market = data.market("par")
    days, portfolio = data.scenarios(market, scenarios), data.mixed(trades)
    with _workers(where, market, days) as cluster, cold_store() as folder:
        made: dict[str, Any] = {"imported": IMPORTED, "peak_before": _peak(resource.RUSAGE_SELF)}
        cpu = _processor()
        run = _timed(made, "run", lambda: RUN(portfolio, market, days, store=folder, cluster=cluster))
        made |= {"cpu": _processor() - cpu, "result": run.result_id, "peak": _peak(resource.RUSAGE_SELF)}
        made |= _account(profile(run), run)
        made["store_bytes"] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        assert int(run.aggregate()["unpriced"][0]) == 0
        if where == "threads:2":
            _ask(made, run, market, days)
            _ask_again(made, run, (market, days), folder, trades=trades)
    made["peak_workers"] = 0 if where.startswith("threads") else _peak(resource.RUSAGE_CHILDREN)
    return made


def _ask(made: dict[str, Any], run: rg.Run, market: Any, days: Any) -> None:
    _timed(made, "first report by cell label", lambda: run.pnl(["desk", "instrument"]))
    _timed(made, "report by cell label", lambda: run.pnl(["region", "currency"]))
    _timed(made, "report by another label", lambda: run.pnl("counterparty"))
    _timed(made, "225 nodes, report", lambda: rg.report(run, by=("region", "desk", "book")))
    again = _timed(made, "same question again", lambda: RUN(run.portfolio, market, days, store=run.store))
    assert again.found
    assert again.result_id == run.result_id


def _ask_again(made: dict[str, Any], run: rg.Run, inputs: tuple[Any, Any], folder: Path, *, trades: int) -> None:
    labels, (market, days) = ("desk", "instrument"), inputs
    ask = lambda: RUN(run.portfolio, market, days, store=folder, cell_labels=labels)  # noqa: E731, on the clock
    assert _timed(made, "other cell labels", ask).manifest["blocks"]["priced"] == 0
    for file in folder.glob("catalogue.sqlite*"):
        file.unlink()  # so that the question is new, and all blocks and sums are there
    same = data.mixed(trades)  # with nothing remembered
    again = _timed(made, "every block cached", lambda: RUN(same, market, days, store=folder))
    assert again.manifest["blocks"]["priced"] == 0
    assert not again.found
    assert again.result_id == run.result_id


def _account(told: Profile, run: rg.Run) -> dict[str, Any]:
    labour, blocks = run.manifest["labour"], run.manifest["blocks"]["priced"]
    around = sum(told.seconds("caller", name) for name in ("panels", "looking up", "submitting", "reducing"))
    around += told.seconds("workers", "reading")
    return {
        "pricing": told.seconds("workers", "pricing"),
        "planning": run.manifest["seconds"]["planning, processor"],
        "per_task": told.seconds("workers", "scheduler") / labour["tasks"],
        "per_block": around / blocks,
        "blocks": blocks,
        "tasks": labour["tasks"],
        "parts": {part.name: part.seconds for part in told.parts},
    }


@contextmanager
def _workers(where: str, market: Any, days: Any) -> Iterator[Any]:
    kind, _, count = where.partition(":")
    with connect(f"processes:{count}") if kind == "standing" else nullcontext() as workers:
        cluster = where.replace("warm", "threads") if workers is None else workers.client  # a run ends what it starts
        if kind in ("standing", "warm"):
            with cold_store() as folder:  # small blocks, so that every worker meets every instrument
                for number in range(2):
                    few = days.isel(scenario=slice(0, 20))
                    RUN(data.mixed(3000), market, few, store=folder / str(number), cluster=cluster, cut=64)
        yield cluster


def _timed[Answer](made: dict[str, Any], name: str, ask: Callable[[], Answer]) -> Answer:
    begun = time.perf_counter()
    answer = ask()
    made[name] = time.perf_counter() - begun
    return answer


def _processor() -> float:
    """Processor seconds of this process and of the workers it started and stopped."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def _peak(who: int) -> int:
    status = Path("/proc/self/status")
    if (
        who == resource.RUSAGE_SELF and status.exists()
    ):  # what getrusage says there includes the process that started it
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(told.split()[1]) * 1024
    return resource.getrusage(who).ru_maxrss * KIB


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
