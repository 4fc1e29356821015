"""How long do VaR and ES take at every node of region, desk and book, from the cells in memory?

225 nodes and 1,000 scenarios. NumPy is handed the same cells as one float matrix, sorted by book.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import riskgrid as rg
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, assert_equal, cold_store, in_turns, ratio, timed

TREE = ["region", "desk", "book"]


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 1000)
    with cold_store() as folder:
        run = rg.run(data.mixed(10_000), market, scenarios, store=folder)
        cells = run.cells
        frame = cells[[*TREE]].to_dataframe().reset_index(drop=True)
        order = frame.sort_values(TREE).index.to_numpy()
        pnl, frame = cells["pnl"].values[order], frame.iloc[order]
        starts = [np.zeros(1, np.int64)]
        starts += [np.flatnonzero(~frame.duplicated(TREE[: level + 1]).to_numpy()) for level in range(len(TREE))]

        def ours() -> tuple[Any, Any]:
            nodes = run.aggregate(TREE)["pnl"]
            return rg.value_at_risk(nodes, 0.99).values, rg.expected_shortfall(nodes, 0.975).values

        def numpy() -> tuple[Any, Any]:
            nodes = np.concatenate([np.add.reduceat(pnl, at, axis=0) for at in starts])
            worst = np.sort(np.partition(nodes, 24, axis=1)[:, :25], axis=1)
            return -worst[:, 9], -worst.mean(axis=1)

        for name, one, other in zip(("VaR", "ES"), ours(), numpy(), strict=True):
            assert_equal(name, np.sort(one), np.sort(other), 1e-6)
        contenders = {
            "riskgrid: aggregate, VaR, ES": lambda: timed(ours),
            "NumPy: reduceat, partition": lambda: timed(numpy),
            "riskgrid.report": lambda: timed(lambda: rg.report(run, by=TREE)),
        }
        medians = in_turns(contenders, 5 if quick else 40)
    count = sum(map(len, starts))
    first = next(iter(medians.values()))
    return [
        Figure(
            "nodes",
            name,
            1e3 * spent.cpu,
            "ms",
            None if spent is first else ratio(first, spent),
            "" if spent is first else "riskgrid's time",
            f"{count} nodes from {len(pnl)} cells; wall {1e3 * spent.wall:.3g} ms",
        )
        for name, spent in medians.items()
    ]
