"""What a run writes down beside its numbers: inputs, conventions, code, and the machine it ran on."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import platform
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from riskgrid.engine.numerics import engine_code, numerics
from riskgrid.engine.outcome import Outcome
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.question import Question, code_of, instrument_codes

__all__ = ["answered_by", "by_this_code", "environment", "make_manifest"]

#: Packages whose version may explain another number, or another error.
_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "pandas", "pyarrow", "xarray", "dask", "distributed", "holidays")

#: Rejected rows that a run keeps word for word; all are counted.
_MOST_REJECTED = 1000


def make_manifest(question: Question, outcome: Outcome, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of an answered question. inputs : key of each in the store."""
    scenarios, rejected = question.scenarios, question.portfolio.rejected
    told = {
        "inputs": dict(inputs),
        **question.spec.to_dict(),
        "scenario_set": str(scenarios.attrs.get("name", "")),
        "provenance": str(scenarios.attrs.get("provenance", "")),
        "origin": _origins(question.market),
        "unshocked": outcome.unshocked,
        "notices": outcome.notices,
        "rejected": [str(row) for row in rejected[:_MOST_REJECTED]],
        "rejected_rows": len({(row.file, row.line) for row in rejected}),
        "blocks": {"priced": outcome.priced, "found": outcome.found, "failed": len(outcome.failed)},
        "valuations": outcome.valuations,
        "seconds": {name: round(spent, 6) for name, spent in sorted(outcome.seconds.items())},
        "labour": outcome.labour.to_manifest(),
        **answered_by(question.portfolio.instruments, question.code),
    }
    if question.origin is not None:
        told |= {"parent": question.origin.known_as, "changes": question.origin.changes}
    return told


def answered_by(instruments: tuple[str, ...], code: str) -> dict[str, Any]:
    """The code and the environment that answer. code : digest of the code that prices all of these instruments."""
    return {
        "code": code,
        "code_parts": {"riskgrid": engine_code().hex(), **instrument_codes(instruments)},
        "instruments": list(instruments),
        "numerics": numerics(),
        "environment": environment(),
    }


def by_this_code(manifest: Mapping[str, Any]) -> bool:
    """Whether this code with these libraries made the run, so that its blocks are what would be priced now."""
    return bool(manifest["code"] == code_of(manifest["instruments"]) and manifest["numerics"] == numerics())


@functools.cache
def environment() -> dict[str, Any]:
    """This process: riskgrid's version and git commit, Python, platform, packages and the conventions of quantiles."""
    return {
        "riskgrid": sys.modules["riskgrid"].__version__,  # not imported by name: it names every floor
        "commit": _commit(Path(__file__).parent),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "quantiles": {function.__name__: _method(function) for function in (value_at_risk, expected_shortfall)},
    }


def _method(measure: Callable[..., Any]) -> str:
    return str(inspect.signature(measure).parameters["method"].default)


def _commit(package: Path) -> str:
    """The commit that a build of the package wrote down, else that of its checkout, else nothing; and no word on
    uncommitted changes, which the digest of the code tells."""
    told, checkout = package / "commit.txt", package.parent
    try:
        if told.is_file():
            return told.read_text(encoding="utf-8").strip()
        folder = checkout / ".git"
        if folder.is_file():  # a worktree points to its folder
            folder = checkout / folder.read_text(encoding="utf-8").partition(":")[2].strip()
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (folder / name).exists():
            return (folder / name).read_text(encoding="utf-8").strip()
        packed = (folder / "packed-refs").read_text(encoding="utf-8")
        found = re.search(rf"^([0-9a-f]{{40,}}) {re.escape(name)}$", packed, re.MULTILINE)
        return found[1] if found else ""
    except OSError:
        return ""


def _origins(market: MarketSnapshot) -> list[str]:
    """Which factors are not real market data, in a sentence a kind; ``market.origin`` has each factor's own."""
    counts: dict[str, dict[str, int]] = {}
    for factor in market.factors:
        origin = market.origin.get(factor, "of unstated origin").partition(":")[0]
        kinds = counts.setdefault(origin, {})
        kind = factor.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    told = {origin: ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) for origin, kinds in counts.items()}
    return [f"{origin}: {told[origin]} of {len(market.factors)} factors" for origin in sorted(told) if origin != "real"]
