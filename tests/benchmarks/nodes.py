"""How long do VaR and ES take at every node of region, desk and book, from the cells in memory?

225 nodes from 200 cells and 1,000 scenarios, end to end through labelled arrays; the tree of a question is made once
and remembered, its first time is the line "asked anew". Beside it the kernels under the labels, NumPy on the same cells
as one float matrix sorted by book, and the time that reading the cells and writing the nodes once takes at the speed
of a plain sum.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid import formulas
from tests.benchmarks import data
from tests.benchmarks.measure import Figure, assert_equal, cold_store, in_turns, ratio, timed

TREE = ["region", "desk", "book"]


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    market = data.market()
    scenarios = data.scenarios(market, 1000)
    with cold_store() as folder:
        run = rg.run(data.mixed(10_000), market, scenarios, store=folder, cell_labels=TREE, progress=None)
        cells = run.cells
        frame = cells[[*TREE]].to_dataframe().reset_index(drop=True)
        order = frame.sort_values(TREE).index.to_numpy()
        pnl, frame = cells["pnl"].values[order], frame.iloc[order]
        starts = [np.zeros(1, np.int64)]
        starts += [np.flatnonzero(~frame.duplicated(TREE[: level + 1]).to_numpy()) for level in range(len(TREE))]
        cube = run.cube
        tree = cube.tree(TREE)
        node, scale = tree.node[tree.leaf], 2.0**-cube.bits

        def measures(nodes: Any) -> tuple[Any, Any]:
            return rg.value_at_risk(nodes, 0.99).values, rg.expected_shortfall(nodes, 0.975).values

        def kernels() -> tuple[Any, Any]:
            nodes = np.empty((len(tree.parent), 1000))
            formulas.sum_tree(cube.cells.pnl, tree.rows, node, tree.parent, scale, out=nodes)
            worst, _ = formulas.lowest_values(nodes, 25)
            return -worst[:, 9], -worst.mean(axis=1)

        def numpy() -> tuple[Any, Any]:
            nodes = np.concatenate([np.add.reduceat(pnl, at, axis=0) for at in starts])
            worst = np.sort(np.partition(nodes, 24, axis=1)[:, :25], axis=1)
            return -worst[:, 9], -worst.mean(axis=1)

        def ours() -> tuple[Any, Any]:
            return measures(run.aggregate(TREE)["pnl"])

        for other in (kernels, numpy):
            for name, one, two in zip(("VaR", "ES"), ours(), other(), strict=True):
                assert_equal(name, np.sort(one), np.sort(two), 1e-6)
        contenders = {
            "riskgrid: aggregate, VaR, ES": lambda: timed(ours),
            "asked anew": lambda: timed(lambda: measures(dataclasses.replace(cube).nodes(TREE)["pnl"])),
            "kernels: sum_tree, lowest_values": lambda: timed(kernels),
            "NumPy: reduceat, partition": lambda: timed(numpy),
            "plain sum of as many bytes": lambda: timed(lambda: (pnl.sum(), tree_bytes.sum())),
            "riskgrid.report": lambda: timed(lambda: rg.report(run, by=TREE)),
        }
        tree_bytes = np.zeros((len(tree.parent), 1000))
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
