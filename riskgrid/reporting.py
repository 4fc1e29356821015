"""A desk head's table: value, VaR, ES, worst scenario and coverage of every node of a tree of labels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr

from riskgrid import chapter, hashing
from riskgrid.errors import BadSpec
from riskgrid.measures.contribution import under_weights
from riskgrid.measures.convention import Level
from riskgrid.page import Front, Section, Shown, money, percent
from riskgrid.registry import MEASURES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Aggregates", "Report", "coverage_sentence", "measure_sentences", "report"]

_CONFIDENCE = "0.95"  # of intervals of drawn scenarios
_COARSE = 1e-4  # share of a figure above which its rounding bound is said
_MOST_COLUMNS = 8  # nodes beside each other in the table of the tail
_COPIED = ("base_value", "coverage", "coverage_value", "trades", "unpriced", "unshocked", "stale")


class Aggregates(Protocol):
    """What a report needs of a run: P&L summed over a tree of labels, in tree order."""

    def aggregate(self, by: list[str], where: Any = None) -> xr.Dataset:
        """P&L (node, scenario) with coverage per node; raises UnknownName for an unknown label."""
        ...


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """Measures of every node of a tree of labels; the same run gives the same numbers and the same digest.

    ``table`` : (node), parents before children.   ``conventions`` : what every number means, JSON-ready.
    ``total`` : P&L (scenario) of the first node, in the currency of the run.   ``tail`` : the scenarios of the tail of
    ES, worst first, with their ``share`` (scenario) of it and ``pnl`` (node, scenario) of the nodes of the first label.
    """

    table: xr.Dataset
    conventions: Mapping[str, Any]
    total: xr.DataArray
    tail: xr.Dataset

    def digest(self) -> str:
        """Hexadecimal digest of the numbers, labels and conventions; the run's random id is not part of it."""
        columns = {str(name): variable.values for name, variable in self.table.variables.items()}
        meaning = json.dumps(
            {name: value for name, value in self.conventions.items() if name not in ("run_id", "what_if")}
        )
        return hashing.digest(columns, meaning).hex()

    def to_pandas(self) -> pd.DataFrame:
        """One row per node: the labels ("" where rolled up), depth, then every variable."""
        frame = self.table.to_dataframe().reset_index(drop=True)
        first = [*self.table.attrs["by"], "depth"]
        return frame[[*first, *(name for name in frame if name not in first)]]

    def to_arrow(self) -> pa.Table:
        """The rows of :meth:`to_pandas`; the conventions are the schema metadata ``riskgrid.conventions``, as JSON."""
        import pyarrow as pa

        table = pa.Table.from_pandas(self.to_pandas(), preserve_index=False)
        return table.replace_schema_metadata({"riskgrid.conventions": json.dumps(self.conventions)})

    def front(self) -> Front:
        """The figures of note."""
        return chapter.front(self)

    def sections(self) -> list[Section]:
        """Risk by node, and the tail behind it."""
        tail = [chapter.tail_section(self)] if self.tail.sizes["scenario"] else []
        return [chapter.risk_section(self), *tail]

    def sentences(self) -> list[str]:
        """Every convention, one sentence each, and whatever keeps a number from being whole."""
        meaning, table = self.conventions, self.table
        said = [
            *measure_sentences(meaning),
            *_interval_sentences(meaning["interval"]),
            f"A loss is positive and not floored at zero; {meaning['pnl']}, in {meaning['currency']}.",
            f"Scenario set {meaning['scenario_set']}, {meaning['weights']}; ties keep scenario order.",
            *meaning["scenario_notes"],
            coverage_sentence(table),
        ]
        if meaning["what_if"]:
            said.insert(0, f"What if: {meaning['what_if']}.")
        if meaning["where"]:
            said.insert(0, f"Only trades with {meaning['where']}; everything else of the run is left out.")
        if lost := meaning["rejected_rows"]:
            rows = "1 row" if lost == 1 else f"{lost:,} rows"
            said.append(
                f"* {rows} of the portfolio's files could not be read and {'is' if lost == 1 else 'are'} in no number."
            )
        for name, words in (("unshocked", "read a factor without history"), ("stale", "rest on a filled observation")):
            share = float(table[name][0])
            if share > 0.0:
                which = meaning["unshocked_factors"] if name == "unshocked" else []
                named = f": {', '.join(which[:8])}" + (f" and {len(which) - 8} more" if len(which) > 8 else "")
                said.append(f"{percent(share, up=True)} of the pairs {words} ({name}){named if which else ''}.")
        bound = meaning["rounding_bound"] * table["trades"].values
        figures = np.fmin(np.abs(table["value_at_risk"].values), np.abs(table["expected_shortfall"].values))
        if coarse := int((bound > _COARSE * figures).sum()):
            said.append(
                f"Rounding is at most {meaning['rounding_bound']:.3g} {meaning['currency']} a trade, more than 1e-4 of "
                f"the measures of {coarse} node{'s' * (coarse > 1)}; more tick bits make it finer."
            )
        return [*said, *meaning["origin"]]


def report(
    run: Aggregates,
    by: Sequence[str] | str = ("region", "desk"),
    *,
    var_level: Level = 0.99,
    es_level: Level = 0.975,
    var_method: str = "inverted_cdf",
    es_method: str = "tail_integral",
    where: Any = None,
) -> Report:
    """Value, VaR, ES, contribution, worst scenario and coverage of the total and of every node of the tree ``by``.

    ``component_value_at_risk, component_expected_shortfall`` : what a node adds to the measure of
    the total. Losses are positive, in the currency of ``run``. A node of which no trade has a number has no measure.
    ``where`` narrows the run before anything is summed. Raises UnknownName for an unknown label or method, BadSpec for
    an impossible level.
    """
    by = [by] if isinstance(by, str) else list(by)
    cube = run.aggregate(by=by, where=where)
    weight = cube.get("weight")
    priced = (cube["coverage"].values > 0.0) | (cube["trades"].values == 0)
    pnl = cube["pnl"] if priced.all() else cube["pnl"].where(xr.DataArray(priced, dims="node"))
    var = MEASURES["value_at_risk"](pnl, var_level, method=var_method, weight=weight)
    es = MEASURES["expected_shortfall"](pnl, es_level, method=es_method, weight=weight)
    worst = MEASURES["tail_scenarios"](pnl, 1).isel(rank=0, drop=True)
    whole = pnl.isel(node=0).reset_coords(drop=True)
    weights = {} if bool(whole.isnull().any()) else {one.name: _weights(whole, one, weight) for one in (var, es)}
    parts = {f"component_{one.name}": _component(pnl, whole, one, weights.get(one.name)) for one in (var, es)}
    columns = {"value_at_risk": var, "expected_shortfall": es, **parts, **worst.data_vars}
    table = xr.Dataset(
        {name: ("node", np.asarray(column.values)) for name, column in columns.items()}
        | {name: ("node", np.asarray(cube[name].values)) for name in _COPIED},
        coords={name: ("node", np.asarray(cube[name].values)) for name in (*by, "depth")},
        attrs={"by": by, "currency": cube.attrs["currency"]},
    )
    total = whole.assign_attrs(currency=cube.attrs["currency"])
    if weight is not None:
        total = total.assign_coords(weight=weight)
    conventions = _conventions(cube, var, es, where) | {"interval": _interval(cube, total, var, es)}
    return Report(table, conventions, total, _tail(table, pnl, es, weights.get(es.name)))


def _interval(cube: xr.Dataset, total: xr.DataArray, var: xr.DataArray, es: xr.DataArray) -> dict[str, Any]:
    """How far VaR and ES of drawn scenarios may be off for their number alone, or why that is not known."""
    if cube.attrs.get("scenario_kind") != "monte_carlo" or bool(total.isnull().any()):
        return {}
    total = total.assign_attrs(scenario_set=cube.attrs["scenario_set"])  # tells which draws depend on each other
    if "batch" in cube.coords:
        total = total.assign_coords(batch=cube["batch"].variable)
    try:
        found = {
            one.name: MEASURES[f"{one.name}_interval"](total, one.attrs["level"], confidence=_CONFIDENCE)
            for one in (var, es)
        }
    except BadSpec as reason:
        return {"none": str(reason)}
    return {"confidence": _CONFIDENCE} | {str(name): bounds.values.tolist() for name, bounds in found.items()}


def _weights(whole: xr.DataArray, of: xr.DataArray, weight: Any) -> xr.DataArray:
    """The weight of every scenario in a measure of the total."""
    convention = {name: of.attrs[name] for name in ("level", "method")}
    made: xr.DataArray = MEASURES["tail_weights"](whole, of.attrs["measure"], weight=weight, **convention)
    return made


def _component(pnl: xr.DataArray, whole: xr.DataArray, of: xr.DataArray, weights: xr.DataArray | None) -> xr.DataArray:
    """What each node adds to a measure of the total; NaN where the total has none."""
    return xr.full_like(of, np.nan) if weights is None else under_weights(pnl, whole, weights)


def _tail(table: xr.Dataset, pnl: xr.DataArray, es: xr.DataArray, weighted: xr.DataArray | None) -> xr.Dataset:
    """The scenarios of the tail of ES, for the nodes of the first label that add most to it."""
    whole, by = pnl.isel(node=0).reset_coords(drop=True), table.attrs["by"]
    if weighted is None:
        return xr.Dataset({"share": ("scenario", []), "total": ("scenario", [])}, {"scenario": []})
    weights = weighted.values
    order = np.argsort(whole.values, kind="stable")
    order = order[weights[order] > 0.0]
    losses, shortfall = -weights * whole.values, float(es[0])
    nodes = np.flatnonzero(table["depth"].values == 1)
    parts = np.abs(table["component_expected_shortfall"].values[nodes])
    chosen = np.sort(nodes[np.argsort(-parts, kind="stable")[:_MOST_COLUMNS]])
    made = {
        "share": ("scenario", losses[order] / shortfall if shortfall else np.zeros(len(order))),
        "weight": ("scenario", weights[order]),
        "total": ("scenario", whole.values[order]),
        "pnl": (("node", "scenario"), pnl.values[np.ix_(chosen, order)]),
    }
    coords: dict[str, Any] = {"scenario": whole["scenario"].values[order]}
    coords["node_name"] = ("node", table[by[0]].values[chosen] if by else np.empty(0, object))
    return xr.Dataset(made, coords, {"label": by[0] if by else "", "left_out": len(nodes) - len(chosen)})


def _conventions(cube: xr.Dataset, var: xr.DataArray, es: xr.DataArray, where: Any) -> dict[str, Any]:
    def of(measured: xr.DataArray) -> dict[str, Any]:
        named = {name: measured.attrs[name] for name in ("level", "method", "scenarios", "flags")}
        return named | {"percent": f"{Decimal(measured.attrs['level']) * 100:f}".rstrip("0").rstrip(".") + " %"}

    return {
        "as_of": str(cube.attrs["as_of"]),
        "scenario_set": str(cube.attrs["scenario_set"]),
        "currency": str(cube.attrs["currency"]),
        "run_id": str(cube.attrs["run_id"]),
        "value_at_risk": of(var),
        "expected_shortfall": of(es),
        "loss": "positive",
        "pnl": "P&L is value plus settled cash minus base value",
        "weights": "weighted scenarios" if "weight" in cube else "equal weights",
        "coverage": "share of priced trade x scenario pairs",
        "rounding_bound": float(cube.attrs["rounding_bound"]),
        "unshocked_factors": str(cube.attrs.get("unshocked_factors", "")).split(),
        "rejected_rows": int(cube.attrs.get("rejected_rows", 0)),
        "what_if": str(cube.attrs.get("what_if", "")),
        "scenario_notes": str(cube.attrs.get("scenario_notes", "")).splitlines(),
        "where": " and ".join(_spoken(label, wanted) for label, wanted in (where or {}).items()),
        "origin": str(cube.attrs.get("origin", "")).splitlines(),
    }


def _spoken(label: str, wanted: Any) -> str:
    values = [wanted] if isinstance(wanted, str) else [str(value) for value in wanted]
    return f"{label} = {' or '.join(values)}"


def measure_sentences(meaning: Mapping[str, Any]) -> list[str]:
    """What VaR and ES are, by the conventions of a report."""
    return [
        _measure_sentence("VaR", "minus the quantile of P&L", meaning["value_at_risk"]),
        _measure_sentence("ES", "the mean loss of the tail", meaning["expected_shortfall"]),
    ]


def _measure_sentence(name: str, words: str, meaning: Mapping[str, Any]) -> str:
    flags, mark = (f"; {', '.join(meaning['flags'])}", "* ") if meaning["flags"] else ("", "")
    said = f"{name} {meaning['percent']} is {words}, {meaning['method']}, n = {meaning['scenarios']:,}"
    return f"{mark}{said}{flags}."


def _interval_sentences(interval: Mapping[str, Any]) -> list[str]:
    if not interval:
        return []
    if "none" in interval:
        return [f"No interval of VaR and ES: {interval['none']}."]
    var, es = ([money(bound) for bound in interval[name]] for name in ("value_at_risk", "expected_shortfall"))
    percentage = f"{Decimal(interval['confidence']) * 100:f}".rstrip("0").rstrip(".")
    return [
        f"With {percentage} % confidence VaR of the total lies between {var[0]} and {var[1]}, ES between {es[0]} and "
        f"{es[1]}: what so many draws leave open."
    ]


def coverage_sentence(table: xr.Dataset) -> str:
    """Whether the first node has a number for every trade, marked with ``*`` where it has not."""
    if not int(table["trades"][0]):
        return "* There is no trade in it."
    share, by_value, unpriced = (float(table[name][0]) for name in ("coverage", "coverage_value", "unpriced"))
    if share >= 1.0 and not unpriced:
        return "Every trade is priced in every scenario."
    value = "" if math.isnan(by_value) else f", {percent(by_value)} by the |PV| that is known"
    count = f"{int(unpriced):,} trade{'s' * (unpriced != 1)} without a number"
    priced = f"{percent(share)} of trade x scenario pairs are priced{value}"
    return f"* Not full coverage: {priced}; {count} left out of all sums."
