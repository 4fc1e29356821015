"""Why two runs differ: their inputs one after another, each revalued exactly, and what it adds to value, VaR and ES."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid.analysis import contrast
from riskgrid.analysis.comparing import MEASURED, aligned, node_rows, run_names
from riskgrid.change import Changes
from riskgrid.engine.outcome import Progress
from riskgrid.errors import InputError
from riskgrid.manifest import by_this_code
from riskgrid.measures.convention import Level
from riskgrid.page import Column, Row, Section, Shown, money
from riskgrid.reporting import measure_sentences, report
from riskgrid.result import Run, run_given
from riskgrid.running import revalue
from riskgrid.running import run as full_run
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import Store
from riskgrid.whatif import what_if

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Difference", "diff"]


@dataclass(frozen=True, repr=False)
class Difference(Shown):
    """What each step from one run to another adds. ``table`` : ``base_value, value_at_risk, expected_shortfall``
    (step, node), the last minus the first of each step, and ``..._first, ..._last (node)`` of the two runs.

    The steps add up: of values exactly, since they are counted money; of VaR and ES to float rounding. Another order of
    the steps gives other parts of VaR and ES, which do not add. ``runs`` : ids of the first run and of that after each
    step, all kept.   ``inputs`` : part of the question to sentences on what differs in it.   ``names`` : of the first
    run and the last.
    """

    table: xr.Dataset
    conventions: Mapping[str, Any]
    inputs: Mapping[str, tuple[str, ...]]
    runs: tuple[str, ...]
    names: tuple[str, str]

    def to_dataset(self) -> xr.Dataset:
        """The table; labels are coordinates of the nodes."""
        return self.table.copy()

    def sentences(self) -> list[str]:
        """What differs, in what order it was revalued, and what the numbers mean."""
        said = [sentence for part in self.inputs.values() for sentence in part]
        if not said:
            said.append("Nothing differs: both runs ask the same of the same code.")
        steps = list(map(str, self.table["step"].values))
        if steps:
            said.append(f"Revalued in this order, each step on top of those before: {', '.join(steps)}.")
        return [*said, *measure_sentences(self.conventions), f"In {self.conventions['currency']}."]

    def sections(self) -> list[Section]:
        """A column a step, or of the total alone a row a step: there the few numbers are read downwards."""
        title = f"From run {self.names[0]} to {self.names[1]}, {self.conventions['currency']}"
        made = self._of_total() if self.table.sizes["node"] == 1 else self._of_nodes()
        return [Section.of_tree(title, *made, sentences=self.sentences())]

    def _of_nodes(self) -> tuple[str, list[Column], list[Row]]:
        steps, heads, columns = list(map(str, self.table["step"].values)), [], []
        for measured in MEASURED:
            first, last = (self.table[f"{measured}_{end}"].values for end in ("first", "last"))
            for name, values in (
                (self.names[0], first),
                *zip(steps, self.table[measured].values, strict=True),
                (self.names[1], last),
            ):
                heads.append(Column(self._head(measured), name))
                columns.append(values)
        return " / ".join(self.table.attrs["by"]), heads, node_rows(self.table, columns)

    def _of_total(self) -> tuple[str, list[Column], list[Row]]:
        steps = list(map(str, self.table["step"].values))
        rows = []
        for at, name in enumerate([f"Run {self.names[0]}", *steps, f"Run {self.names[1]}"]):
            end = {0: "_first", len(steps) + 1: "_last"}.get(at)
            found = [self.table[f"{one}{end}"][0] if end else self.table[one][at - 1, 0] for one in MEASURED]
            rows.append(Row(name, [money(float(value)) for value in found], 0 if end else 1))
        return "step", [Column(self._head(one), self.conventions["currency"]) for one in MEASURED], rows

    def _head(self, measured: str) -> str:
        level = f" {self.conventions[measured]['percent']}" if measured in self.conventions else ""
        return f"{MEASURED[measured]}{level}"


def diff(
    a: Run,
    b: Run,
    *,
    by: Sequence[str] | str = (),
    var_level: Level = 0.99,
    es_level: Level = 0.975,
    store: Store | Path | str | None = None,
    cluster: Any = "threads",
    progress: Callable[[Progress], None] | None = None,
) -> Difference:
    """What differs between two runs, and what each difference adds to value, VaR and ES.

    From a's question the inputs become those of b one after another, each step an exact revaluation that is kept as a
    run: this code, market (date and levels), scenarios, trades dropped, added, amended, re-hung, spec, the code of b.
    A step in which nothing differs is left out; market and scenarios are one where the old scenarios do not fit the
    new market, and all inputs are one where the spec fits only them. Where the reporting currency differs, amounts
    before the step ``spec`` are in that of a.
    by : labels for contributions by node.   store : of the steps, by default that of a.

    >>> import tempfile
    >>> from riskgrid import run, sample, what_if
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     base = run(sample.portfolio(200), sample.market(), sample.scenarios(count=20), store=folder, progress=None)
    ...     other = what_if(base, {"drop": ["T0000001"] if "T0000001" in base.portfolio.places() else [],
    ...                            "shift": {"fx:EUR": "-1%"}})
    ...     made = diff(base, other).to_dataset()
    >>> "market" in made["step"].values
    True
    """
    path = _Path(run_given(a), run_given(b), store, cluster, progress)
    path.walk()
    reports = [report(run, by, var_level=var_level, es_level=es_level) for run in path.runs]
    every = aligned(reports)
    steps = {name: np.diff(every[name].values, axis=0) for name in MEASURED}
    table = xr.Dataset(
        {name: (("step", "node"), parts) for name, parts in steps.items()}
        | {
            f"{name}_{end}": ("node", every[name].values[at])
            for name in MEASURED
            for end, at in (("first", 0), ("last", -1))
        },
        {**every.coords, "step": np.array(path.names, dtype=object)},
        {"by": every.attrs["by"], "currency": b.manifest["reporting"]},
    )
    runs = (a.known_as, *(run.known_as for run in path.runs[1:-1]), b.known_as)
    first, last = run_names([a, b])
    return Difference(table, reports[-1].conventions, path.inputs, runs, (first, last))


class _Path:
    """Runs from one to another, a step between each two."""

    def __init__(self, a: Run, b: Run, store: Any, cluster: Any, progress: Callable[[Progress], None] | None) -> None:
        self.a, self.b, self._cluster, self._progress = a, b, cluster, progress
        self._store = a.store if store is None else store if isinstance(store, Store) else Store(store)
        self.names: list[str] = []
        self.runs = [a]
        self._now = a
        self._trades = contrast.trades(a.portfolio, b.portfolio)
        told = {
            "environment": contrast.environment_sentences(a.manifest, b.manifest),
            "market": contrast.market_sentences(a.market, b.market),
            "scenarios": contrast.scenario_sentences(a.scenarios, b.scenarios),
            "portfolio": self._trades.sentences(),
            "spec": contrast.spec_sentences(a.manifest, b.manifest),
        }
        self.inputs = {name: tuple(said) for name, said in told.items() if said}

    def append(self, name: str, run: Run) -> None:
        """A step and the run after it."""
        self.names.append(name)
        self.runs.append(run)
        self._now = run

    def walk(self) -> None:
        """Every step."""
        if not by_this_code(self.a.manifest):
            self.append("this code", self._again(self.a))
        elif self.a.store != self._store:
            self._now = self._again(self.a)
        fits = self._market_and_scenarios()
        if fits:
            self._portfolio()
        same = all(self.a.manifest[name] == self.b.manifest[name] for name in ("reporting", "bits"))
        if not fits or not same:
            name = "spec" if fits else "market, scenarios, portfolio and spec"
            self.append(name, self.b if by_this_code(self.b.manifest) else self._again(self.b))
        if not by_this_code(self.b.manifest):
            self.append("code of the second run", self.b)
        elif not self._is_at_the_end():
            self.append("unexplained", self.b)

    def _is_at_the_end(self) -> bool:
        """Whether the last step has the numbers of the second run."""
        if self._now is self.b or self._now.result_id == self.b.result_id:
            return True
        one, other = (run.aggregate() for run in (self._now, self.b))
        return all(
            np.array_equal(one[name].values, other[name].values, equal_nan=True) for name in ("pnl", "base_value")
        )

    def _market_and_scenarios(self) -> bool:
        """Whether a's spec and trades can be valued in b's market and scenarios."""
        a, b = self.a, self.b
        changes = {"market": Changes(snapshot=b.market)} if a.market.digest != b.market.digest else {}
        moved = Changes().scenario_set(a.scenarios, a.market, b.market)
        try:
            differ = scenario_set.digest(scenario_set.check_against(moved, b.market)) != scenario_set.digest(
                b.scenarios
            )
        except InputError:
            differ = True
        if differ:
            changes["scenarios"] = Changes(scenarios=b.scenarios)
        try:
            for name, asked in changes.items():
                self._change(name, asked)
        except InputError:
            try:
                self._change("market and scenarios", Changes(snapshot=b.market, scenarios=b.scenarios))
            except InputError:
                return False
        return True

    def _portfolio(self) -> None:
        book = self.b.portfolio
        found = self._trades.within({name: table.column_names for name, table in self.a.portfolio.tables.items()}, book)
        parts: dict[str, Callable[[], Changes]] = {
            "trades dropped": lambda: Changes(drop=found.dropped),
            "trades added": lambda: Changes(add=book.select(found.added)),
            "trades amended": lambda: Changes(drop=found.amended, add=book.select(found.amended)),
            "trades re-hung": lambda: Changes(amend=found.rehung),
        }
        given = (found.dropped, found.added, found.amended, found.rehung)
        for (name, make), some in zip(parts.items(), given, strict=True):
            if some:
                self._change(name, make())

    def _change(self, name: str, changes: Changes) -> None:
        self.append(
            name,
            what_if(
                self._now,
                changes,
                name=f"diff {self.a.known_as} {self.b.known_as}: {name}",
                cluster=self._cluster,
                progress=self._progress,
                serves=self.a.row.serves or self.a.run_id,
            ),
        )

    def _again(self, run: Run) -> Run:
        """The question of a run asked of this code, in the store of the steps; in its own store it serves the run."""
        if run.store == self._store:
            name = f"diff {self.a.known_as} {self.b.known_as}: {run.known_as} by this code"
            return revalue(run, run.scenarios, name=name, cluster=self._cluster, progress=self._progress)
        spec = {name: run.manifest[name] for name in ("reporting", "cell_labels", "bits", "cut")}
        inputs = (run.portfolio, run.market, run.scenarios)
        return full_run(*inputs, store=self._store, cluster=self._cluster, progress=self._progress, **spec)
