"""How long does any pivot of the cells in memory take, with VaR and ES at every node?

5,000 cells x 1,000 scenarios with eight labels; each question takes three of them in random order (up to 2,000 nodes)
and is put to a cube that remembers no tree. NumPy sorts the same cells by the same labels, as one float matrix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import riskgrid as rg
from riskgrid.cube import Codes, Cube, Placement
from riskgrid.engine.outcome import CellSums
from riskgrid.store import Store
from tests.benchmarks.measure import Figure, Spent, assert_equal, timed

CELLS, SCENARIOS, BITS = 5_000, 1_000, 10
#: Names of each label: three of them make at most 15 + 15 x 12 + 15 x 12 x 10 nodes and the total.
SIZES = {"region": 3, "rating": 4, "entity": 5, "currency": 6, "sector": 8, "desk": 10, "strategy": 12, "book": 15}


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    rng = np.random.default_rng(7)
    cube = _cube(rng)
    pnl = cube.cells.pnl * 2.0**-BITS
    names = {label: np.array([cell[at] for cell in cube.cell_labels.values]) for at, label in enumerate(SIZES)}
    spent: dict[str, list[Spent]] = {"riskgrid": [], "NumPy": []}
    nodes = []
    for number in range(12 if quick else 120):
        by = [str(label) for label in rng.permutation(list(SIZES))[:3]]
        anew = replace(cube)
        if number < 3:
            _assert_alike(_ours(anew, by), _numpy(pnl, names, by))
        spent["riskgrid"].append(timed(lambda: _ours(replace(cube), by)))  # noqa: B023, called at once
        spent["NumPy"].append(timed(lambda: _numpy(pnl, names, by)))  # noqa: B023
        nodes.append(len(_ours(anew, by)[0]))
    note = f"{CELLS:,} cells x {SCENARIOS:,}; {min(nodes)} to {max(nodes)} nodes, median {int(np.median(nodes))}"
    found = []
    for share in (50, 95):
        at = {name: np.percentile(np.array(rounds), share, axis=0).tolist() for name, rounds in spent.items()}
        for name, (wall, cpu) in at.items():
            first = name == "riskgrid"
            times, words = (None, "") if first else (cpu / at["riskgrid"][1], "riskgrid's time")
            line = Figure(
                "pivot", f"{name}, p{share}", 1e3 * cpu, "ms", times, words, f"{note}; wall {1e3 * wall:.3g} ms"
            )
            found.append(line)
    return found


def _cube(rng: np.random.Generator) -> Cube:
    """A cube of cells alone, as a run would keep it."""
    drawn = {tuple(f"{label}-{rng.integers(size):02d}" for label, size in SIZES.items()) for _ in range(CELLS)}
    values = tuple(sorted(drawn))
    cells = CellSums.zeros(len(values), SCENARIOS)
    cells.pnl[...] = rng.standard_t(4, cells.pnl.shape) * 1e6 * 2**BITS
    cells.trades[...] = 20
    none = np.zeros(0, np.int64)
    return Cube(
        Store("."),
        cells,
        Codes(tuple(SIZES), values, np.arange(len(values))),
        lambda: Placement(none, none, (), (), {}, none, none),
        {},
        np.array([f"day {day:04d}" for day in range(SCENARIOS)], dtype=object),
        None,
        BITS,
        {"currency": "USD"},
    )


def _ours(cube: Cube, by: list[str]) -> tuple[Any, Any]:
    nodes = cube.nodes(by)["pnl"]
    return rg.value_at_risk(nodes, 0.99).values, rg.expected_shortfall(nodes, 0.975).values


def _numpy(pnl: Any, names: dict[str, Any], by: list[str]) -> tuple[Any, Any]:
    codes = [np.unique(names[label], return_inverse=True)[1] for label in by]
    order = np.lexsort(codes[::-1])
    rows, change = pnl[order], np.zeros(len(order), np.bool_)
    change[0] = True
    starts = [np.zeros(1, np.int64)]
    for code in codes:
        change[1:] |= np.diff(code[order]) != 0
        starts.append(np.flatnonzero(change))
    nodes = np.concatenate([np.add.reduceat(rows, at, axis=0) for at in starts])
    worst = np.sort(np.partition(nodes, 24, axis=1)[:, :25], axis=1)
    return -worst[:, 9], -worst.mean(axis=1)


def _assert_alike(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    for name, one, other in zip(("VaR", "ES"), ours, theirs, strict=True):
        assert_equal(name, np.sort(one), np.sort(other), 1e-3)
