"""Runs side by side: value, VaR and ES of each at every node of a tree of labels, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.errors import BadSpec
from riskgrid.page import Column, Row, Section, Shown, money, percent
from riskgrid.reporting import Report, measure_sentences, report
from riskgrid.result import Run, run_given

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURED", "Comparison", "aligned", "compare", "node_rows", "run_names", "since"]

#: What is measured of every run, and its head.
MEASURED = {"base_value": "Value", "value_at_risk": "VaR", "expected_shortfall": "ES"}

_MOVED = (*MEASURED, "component_value_at_risk", "component_expected_shortfall")


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Measures (run, node) and their changes against the first run; nodes in tree order, parents before children.

    A node that a run does not have holds no trade in it: there its value, VaR and ES are 0. A node whose trades have
    no number has none here either (NaN), as in a report.
    """

    table: xr.Dataset
    conventions: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_dataset(self) -> xr.Dataset:
        """``base_value, value_at_risk, expected_shortfall, trades (run, node)`` and ``..._change`` against the first
        run; labels are coordinates of the nodes."""
        return self.table.copy()

    def to_pandas(self) -> pd.DataFrame:
        """One row per run and node."""
        return self.table.reset_coords().to_dataframe().reset_index()

    def sentences(self) -> list[str]:
        """What the numbers mean, and what else differs between the runs than the changes asked for."""
        meaning = self.conventions
        said = [f"Against {self.table['run'].values[0]}: {'; '.join(map(str, self.table['run'].values[1:]))}."]
        said += measure_sentences(meaning)
        said.append(f"A loss is positive and not floored at zero; in {meaning['currency']}.")
        return [*said, *self.notes]

    def sections(self) -> list[Section]:
        """Each measure of every run, and its changes; of the total alone a row a run."""
        title = f"{self.table.sizes['run']} runs side by side, {self.conventions['currency']}"
        if self.table.sizes["node"] == 1:
            return [self._downwards(title)]
        names, currency = list(map(str, self.table["run"].values)), self.conventions["currency"]
        heads: list[Column] = []
        columns = []
        for measured in MEASURED:
            for at, name in enumerate(names):
                heads.append(Column(self._head(measured), name))
                columns.append(self.table[measured].values[at])
                if at:
                    heads.append(Column("change", currency))
                    columns.append(self.table[f"{measured}_change"].values[at])
        names_of = " / ".join(self.table.attrs["by"])
        return [Section.of_tree(title, names_of, heads, node_rows(self.table, columns), sentences=self.sentences())]

    def _head(self, measured: str) -> str:
        level = f" {self.conventions[measured]['percent']}" if measured in self.conventions else ""
        return f"{MEASURED[measured]}{level}"

    def _downwards(self, title: str) -> Section:
        total, currency = self.table.isel(node=0), self.conventions["currency"]
        heads = [head for name in MEASURED for head in (Column(self._head(name), currency), Column("change", currency))]
        rows = []
        for at, run in enumerate(map(str, total["run"].values)):
            cells = []
            for name in MEASURED:
                cells.append(money(float(total[name][at])))
                cells.append(money(float(total[f"{name}_change"][at])) if at else "")
            rows.append(Row(run, cells))
        return Section.of_tree(title, "run", heads, rows, sentences=self.sentences())


def compare(
    base: Run,
    *others: Run,
    by: Sequence[str] | str = ("region", "desk"),
    names: Sequence[str] | None = None,
    **measures: Any,
) -> Comparison:
    """Value, VaR and ES of runs at the total and every node of the tree ``by``, and the changes against ``base``.

    names : of the runs, by default what they are called.   measures : levels and methods as
    :func:`riskgrid.reporting.report` has them: ``var_level=0.99, es_level=0.975, var_method, es_method, where``.
    A node that only some runs have counts as 0 in the others. Other dates and scenario sets are said. BadSpec for runs
    in different currencies, UnknownName for an unknown label.

    >>> import tempfile
    >>> from riskgrid import run, sample, what_if
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     base = run(sample.portfolio(200), sample.market(), sample.scenarios(count=20), store=folder, progress=None)
    ...     less = what_if(base, {"drop": sample.portfolio(200).tables["equity"]["trade_id"].to_pylist()})
    ...     made = compare(base, less, by="desk", names=["today", "without equities"]).to_dataset()
    >>> made["value_at_risk_change"].dims, float(made["value_at_risk_change"][0, 0])
    (('run', 'node'), 0.0)
    """
    runs = [base, *others]
    if not others:
        raise BadSpec("one run is compared with nothing; compare(base, other) is right")
    currencies = dict.fromkeys(run_given(run).manifest["reporting"] for run in runs)
    if len(currencies) > 1:
        raise BadSpec(f"the runs report in {' and '.join(currencies)}; runs in one currency can be compared")
    called = run_names(runs) if names is None else list(map(str, names))
    if len(called) != len(runs) or len(set(called)) < len(called):
        raise BadSpec(f"names are {called}; {len(runs)} different ones are right, one a run")
    reports = [report(run, by, **measures) for run in runs]
    table = aligned(reports).assign_coords(run=np.array(called, dtype=object))
    for name in MEASURED:
        table[f"{name}_change"] = table[name] - table[name].isel(run=0)
    table.attrs |= {"currency": next(iter(currencies)), "run_ids": [run.known_as for run in runs]}
    return Comparison(table, reports[0].conventions, tuple(_notes(runs, called, reports)))


def aligned(reports: Sequence[Report]) -> xr.Dataset:
    """The measures (run, node) of several reports by the same labels, over the nodes that any of them has."""
    by = list(reports[0].table.attrs["by"])
    places = [{path: at for at, path in enumerate(_paths(one.table, by))} for one in reports]
    every = sorted({path for place in places for path in place})  # a parent is the beginning of its children
    data: dict[str, Any] = {}
    for name in (*MEASURED, "trades"):
        rows = []
        for one, place in zip(reports, places, strict=True):
            values = one.table[name].values
            rows.append([values[place[path]] if path in place else 0 for path in every])
        data[name] = (("run", "node"), np.array(rows))
    coords = {
        label: ("node", np.array([(*path, *[""] * len(by))[at] for path in every], object))
        for at, label in enumerate(by)
    }
    return xr.Dataset(data, {**coords, "depth": ("node", [len(path) for path in every])}, {"by": by})


def since(now: Report, then: Report | None) -> xr.Dataset:
    """How far the measures (node) of a report have moved since an earlier one by the same labels.

    ``base_value, value_at_risk, expected_shortfall`` and both components. A node that the earlier one has not counts
    as 0 there; NaN throughout where there is no earlier one.
    """
    by, nodes = list(now.table.attrs["by"]), now.table.sizes["node"]
    places = {} if then is None else {path: at for at, path in enumerate(_paths(then.table, by))}
    at = np.array([places.get(path, -1) for path in _paths(now.table, by)], np.int64)
    moved: dict[str, Any] = {}
    for name in _MOVED:
        before = np.full(nodes, np.nan) if then is None else np.where(at < 0, 0.0, then.table[name].values[at])
        moved[name] = ("node", now.table[name].values - before)
    return xr.Dataset(moved, {label: now.table[label].variable for label in (*by, "depth")}, {"by": by})


def node_rows(table: xr.Dataset, columns: Sequence[Any]) -> list[Row]:
    """A row of text a node. columns : amounts (node,)."""
    by = table.attrs["by"]
    rows = []
    for node, depth in enumerate(table["depth"].values.tolist()):
        name = plots.node_name(str(table[by[depth - 1]].values[node]), by[depth - 1]) if depth else "Total"
        rows.append(Row(name, [money(float(column[node])) for column in columns], depth))
    return rows


def run_names(runs: Sequence[Run]) -> list[str]:
    """Different names, one a run: its own, or its id where it has none or shares it."""
    names = [run.called for run in runs]
    counts = Counter(names)
    names = [name if counts[name] == 1 else run.known_as for name, run in zip(names, runs, strict=True)]
    return [name if names.index(name) == at else f"{name} again" for at, name in enumerate(names)]


def _paths(table: xr.Dataset, by: Sequence[str]) -> list[tuple[str, ...]]:
    labels = [table[name].values.tolist() for name in by]
    return [
        tuple(column[node] for column in labels[:depth]) for node, depth in enumerate(table["depth"].values.tolist())
    ]


def _notes(runs: Sequence[Run], names: Sequence[str], reports: Sequence[Report]) -> list[str]:
    """What keeps the runs from being the same question with other inputs."""
    said = []
    for what, told in (
        ("as of", [run.row.as_of for run in runs]),
        ("under scenarios", [f"{run.manifest['scenario_set']} ({run.row.scenarios:,})" for run in runs]),
    ):
        if len(set(told)) > 1:
            said.append(f"* The runs are {what} {', '.join(map(' of '.join, zip(told, names, strict=True)))}.")
    keys = [run.manifest["inputs"]["scenarios"] for run in runs]
    if len(set(keys)) > 1 and not any("scenarios" in one for one in said):
        said.append("* The runs' scenario sets differ in content, though not in name.")
    for name, one in zip(names, reports, strict=True):
        if float(one.table["coverage"][0]) < 1.0:
            said.append(f"* {name} covers {percent(float(one.table['coverage'][0]))} of its pairs.")
    return said
