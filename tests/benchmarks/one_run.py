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
from collections.abc import Callable
from typing import Any

from tests.benchmarks import data
from tests.benchmarks.measure import cold_store

KIB = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there


def main(trades: int, scenarios: int, cluster: str) -> dict[str, Any]:
    """Figures of one run: seconds, bytes, and the digest of the answer."""
    market = data.market("par")
    days, portfolio = data.scenarios(market, scenarios), data.mixed(trades)
    before = _peak(resource.RUSAGE_SELF)
    with cold_store() as folder:
        made: dict[str, Any] = {"imported": IMPORTED}
        cpu = _processor()
        run = _timed(made, "run", lambda: rg.run(portfolio, market, days, store=folder, cluster=cluster))
        made |= {"cpu": _processor() - cpu, "parts": dict(run.manifest["seconds"]), "result": run.result_id}
        made |= {"peak": _peak(resource.RUSAGE_SELF), "peak_before": before}
        made["peak_workers"] = 0 if cluster.startswith("threads") else _peak(resource.RUSAGE_CHILDREN)
        _timed(made, "first report by cell label", lambda: run.pnl(["desk", "instrument"]))
        _timed(made, "report by cell label", lambda: run.pnl(["region", "currency"]))
        _timed(made, "report by another label", lambda: run.pnl("counterparty"))
        _timed(made, "225 nodes, report", lambda: rg.report(run, by=("region", "desk", "book")))
        again = _timed(made, "same question again", lambda: RUN(portfolio, market, days, store=folder))
        assert again.found
        assert again.result_id == run.result_id
        labels = ("desk", "instrument")
        other = _timed(
            made, "other cell labels", lambda: rg.run(portfolio, market, days, store=folder, cell_labels=labels)
        )
        assert other.manifest["blocks"]["priced"] == 0
        assert int(run.aggregate()["unpriced"][0]) == 0
    return made


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
    return resource.getrusage(who).ru_maxrss * KIB


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
