"""Runs the named benchmarks, all of them by default, and prints one table."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import sys
import time
from pathlib import Path

from tests.benchmarks.measure import Figure, machine

WORKLOADS = (
    "chain_equity_options",
    "chain_swaps",
    "chain_bonds",
    "kernel_share",
    "nodes",
    "mixed_100k",
)


def main() -> None:
    """Entry point."""
    asked = _arguments()
    figures: list[Figure] = []
    for name in asked.names or WORKLOADS:
        begun = time.perf_counter()
        figures += importlib.import_module(f"tests.benchmarks.{name}").figures(quick=asked.quick)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    where = machine()
    if asked.json:
        content = {"machine": where, "figures": [dataclasses.asdict(figure) for figure in figures]}
        asked.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    rows = [("workload", "what", "figure", "ratio", "note"), *map(_row, figures)]
    print("\n".join(_markdown(rows) if asked.markdown else _plain(rows)))
    print(f"\nMeasured on {where}. One thread unless said; ratios are of processor time, round by round.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="workload", help=", ".join(WORKLOADS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(WORKLOADS))
    if unknown:
        parser.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(WORKLOADS)}")
    return asked


def _row(figure: Figure) -> tuple[str, ...]:
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.3g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g} x {figure.against}"
    return figure.workload, figure.what, f"{value} {figure.unit}", ratio, figure.note


def _plain(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _markdown(rows: list[tuple[str, ...]]) -> list[str]:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "|---|---|---|---|---|", *rest]


if __name__ == "__main__":
    main()
