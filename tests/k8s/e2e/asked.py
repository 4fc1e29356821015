"""What is asked of the cluster, and of this process for comparison."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid.detail import trade_pnl
from riskgrid.question import CELL_LABELS
from tests.k8s.e2e.deployed import PATIENCE
from tests.k8s.e2e.kubectl import Cluster

__all__ = ["BATCH", "LITTLE", "Asked", "assert_same", "at_work", "blocks_again", "blocks_of", "kept"]


@dataclass(frozen=True)
class Asked:
    """Sample trades under the latest scenarios. cut : trades of a block, few, so that there are many blocks."""

    name: str
    trades: int
    scenarios: int
    seed: int = 1
    cut: int = 16

    def other(self, seed: int) -> Asked:
        """As much work that nobody has done yet: other trades."""
        return dataclasses.replace(self, name=f"{self.name}-{seed}", seed=self.seed + seed)

    def portfolio(self) -> rg.Portfolio:
        """Its trades."""
        return rg.sample.portfolio(self.trades, seed=self.seed)

    def here(self, store: Path) -> rg.Run:
        """The run, by threads of this process."""
        inputs = self.portfolio(), rg.sample.market(), rg.sample.scenarios(count=self.scenarios)
        return rg.run(*inputs, cut=self.cut, store=store, progress=None)


LITTLE = Asked("little", trades=300, scenarios=250)
#: A minute for one worker of one thread that shares two cores with all the rest.
BATCH = Asked("batch", trades=20_000, scenarios=250, seed=100)


def kept(service: rg.Client, asked: Asked) -> Any:
    """The run at the service, submitted with inputs that it keeps from now on."""
    service.keep(asked.portfolio(), asked.name)
    service.keep(rg.sample.market(), "market")
    scenarios = f"latest-{asked.scenarios}"
    service.keep(rg.sample.scenarios(count=asked.scenarios), scenarios)
    return service.submit(
        portfolio=asked.name, market="market", scenarios=scenarios, name=asked.name, cut=asked.cut, key=asked.name
    )


def at_work(run: Any) -> dict[str, Any]:
    """What the run says of itself as soon as a quarter of its blocks is priced."""
    for event in run.events(timeout=PATIENCE):
        data = event.data
        if event.kind == "progress" and data["total"] > 1000 and data["total"] / 4 <= data["priced"] < data["total"]:
            return dict(data)
    raise AssertionError(f"the run ended as {run.refreshed().status} before it was seen at work; a larger one is right")


def assert_same(there: Any, here: Any) -> None:
    """Every cell under every scenario, every trade's value, and some trades under every scenario, to the last bit."""
    mine, theirs = here.aggregate(CELL_LABELS), there.aggregate(CELL_LABELS)
    assert mine["pnl"].values.size
    assert np.array_equal(mine["pnl"].values, theirs["pnl"].values)
    mine, theirs = here.trade_table(), there.trade_table()
    assert mine["trade_id"].values.tolist() == theirs["trade_id"].values.tolist()
    assert np.array_equal(mine["base_value"].values, theirs["base_value"].values, equal_nan=True)
    for trade in mine["trade_id"].values[:: max(len(mine["trade_id"]) // 20, 1)]:
        own, other = trade_pnl(here, [str(trade)]), there.trade_pnl(str(trade))
        assert np.array_equal(own["pnl"].values, other["pnl"].values), trade


def blocks_again(run_id: str, store: str, other: str) -> list[str]:
    """Keys of the blocks of a run of ``store`` that is made anew in another one.

    Of its inputs, and not of such as are drawn again, whose last bits are those of another processor.
    """
    run = rg.open_run(run_id, store=store)
    made = rg.run(run.portfolio, run.market, run.scenarios, cut=run.manifest["cut"], store=other, progress=None)
    return sorted(entry.key for entry in made.store.backend.list("blocks"))


def blocks_of(cluster: Cluster) -> set[str]:
    """Keys of all blocks in the cluster's store."""
    program = "import json; from riskgrid.store import store_of; "
    program += "print(json.dumps([entry.key for entry in store_of(None).backend.list('blocks')]))"
    return set(json.loads(cluster.inside("runner", "python", "-c", program)))
