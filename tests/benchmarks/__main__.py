"""Measures the named workloads, all of them by default, and prints one table, ratios first."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import importlib
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.compare import Comparison, compare
from tests.benchmarks.measure import Figure, commit, machine, versions

type Rows = Sequence[tuple[str, ...]]

_HEAD = ("figure", "ratio", "against", "target", "met", "measured", "note")
_COMPARED = ("figure", "now", "before", "change", "noise", "")


def workloads() -> dict[str, str]:
    """Name to question of every file beside this one that has a function ``figures``."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        source = file.read_text(encoding="utf-8")
        if re.search(r"^def figures\(", source, re.MULTILINE):
            found[file.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


def main() -> int:
    """Entry point; 1 where ``--compare`` finds a regression."""
    asked = _arguments()
    old = asked.compare and _result_in(asked.compare)
    figures: list[Figure] = []
    for name in asked.names or workloads():
        begun = time.perf_counter()
        figures += importlib.import_module(f"tests.benchmarks.{name}").figures(quick=asked.quick)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    made = result(figures, quick=asked.quick)
    if asked.json:
        asked.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    form = _markdown if asked.markdown else _plain
    print("\n".join(form([_HEAD, *(_row(figure, judged=not asked.quick) for figure in figures)])))
    print(f"\n{_conditions(made)} One thread unless said; ratios are of processor time, round by round.")
    if old is None:
        return 0
    if asked.names:
        old["figures"] = [one for one in old["figures"] if one["workload"] in asked.names]
    found = compare(old, made)
    print("\n" + "\n".join([*_compared(found, form)]))
    return 1 if found.regressions else 0


def _result_in(file: Path) -> Any:
    """What ``--json`` wrote; the process ends where the file holds something else, before anything is measured."""
    with contextlib.suppress(ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict) and {"figures", "machine"} <= found.keys():
            return found
    sys.exit(f"riskgrid bench: {file} holds no figures; --json of an earlier run writes them")


def result(figures: Sequence[Figure], *, quick: bool) -> dict[str, Any]:
    """What ``--json`` writes and ``--compare`` reads."""
    told = [
        {"id": one.id, **dataclasses.asdict(one), "lower_wins": one.lower_wins, "met": None if quick else one.met}
        for one in figures
    ]
    where = {"machine": machine(), "versions": versions(), "commit": commit()}
    return {"format": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "quick": quick, **where} | {
        "figures": told
    }


def _arguments() -> argparse.Namespace:
    known = workloads()
    parser = argparse.ArgumentParser(
        prog="riskgrid bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n" + "\n".join(f"  {name:22} {question}" for name, question in known.items()),
    )
    parser.add_argument("names", nargs="*", metavar="workload", help="one of the list below")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show what changed; exit 1 on a regression")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: a smoke test, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(known))
    if unknown:
        parser.error(f"unknown workload {', '.join(unknown)}; known: {', '.join(known)}")
    if asked.compare and not asked.compare.is_file():
        parser.error(f"no file {asked.compare}; --json of an earlier run writes one")
    if asked.json and not asked.json.parent.is_dir():
        parser.error(f"no folder {asked.json.parent} for --json; make it first")
    return asked


def _row(figure: Figure, *, judged: bool) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g} x"
    met = {None: "", True: "yes", False: "NO"}[figure.met if judged else None]
    name = f"{figure.workload}: {figure.what}"
    return name, ratio, figure.against, figure.target, met, f"{_number(figure.value)} {figure.unit}", figure.note


def _compared(found: Comparison, form: Any) -> list[str]:
    rows = [
        (
            line.id,
            "" if line.new is None else f"{_number(line.new)} {line.unit}",
            "" if line.old is None else f"{_number(line.old)} {line.unit}",
            "" if line.change is None else f"{line.change:+.1%}",
            "" if line.band is None else f"{line.band:.0%}",
            line.verdict,
        )
        for line in found.lines
    ]
    count = len(found.regressions)
    last = (
        f"{count} regression{'s' * (count != 1)}: worse by more than the noise of the rounds, at least 10 %; a rate "
        "that falls by a factor counts as a time that rises by it."
    )
    return [*found.remarks, *form([_COMPARED, *rows]), "", last]


def _conditions(made: dict[str, Any]) -> str:
    where, of = made["machine"], made["versions"]
    told = ", ".join(f"{name} {version}" for name, version in of.items())
    load = "" if where["load"] is None else f", load average {where['load']} at the end"
    at = f" Commit {made['commit']}." if made["commit"] else ""
    quick = "A smoke test with --quick, a tenth of the work: no measurement. " if made["quick"] else ""
    return f"{quick}Measured on {where['cores']} cores, {where['processor']}{load}; {told}.{at}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plain(rows: Rows) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _markdown(rows: Rows) -> list[str]:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "|" + "---|" * len(rows[0]), *rest]


if __name__ == "__main__":
    sys.exit(main())
