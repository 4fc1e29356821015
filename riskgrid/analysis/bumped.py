"""What bumps of a book came to, as tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from riskgrid import charts
from riskgrid.analysis.comparing import node_rows
from riskgrid.errors import BadSpec
from riskgrid.measures.bucket import bucket
from riskgrid.page import Column, Row, Section, Shown, money
from riskgrid.result import Run

__all__ = ["Sensitivities", "SpotVol"]

_MOST_ROWS = 60
_MOST_NAMES = 25

#: Columns of the table by node: head, kinds of factors.
_COLUMNS = (
    ("Equity delta", ("equity", "index")),
    ("FX delta", ("fx",)),
    ("Commodity delta", ("commodity",)),
    ("Vega", ("vol",)),
    ("Rho", ("par", "zero")),
    ("Credit", ("spread", "hazard")),
    ("Dividends", ("dividend",)),
)

_RULES = {
    "sticky_strike": "A volatility stays with its strike when the spot moves (sticky_strike).",
    "sticky_moneyness": "A volatility stays with its moneyness when the spot moves (sticky_moneyness).",
}


@dataclass(frozen=True, repr=False)
class Sensitivities(Shown):
    """``table`` : base value, theta (node), delta and gamma (node, factor).   ``run`` : the ladder they are taken of.

    attrs of ``table``: by, where, currency, space, sticky, as_of and the id of the run that was asked.
    """

    table: xr.Dataset
    run: Run

    def sections(self) -> list[Section]:
        """By node; then rates by tenor, vega by expiry and moneyness, credit and commodities of the first node."""
        made = [self._by_node()]
        if self.table["depth"].values[:1].tolist() == [0]:  # the total; one trade's buckets are a choice away
            total = self.table.isel(node=0)
            made += [section for section in (_rates(total), _vega(total), *_others(total)) if section is not None]
        return made

    def sentences(self) -> list[str]:
        """Bumps, units, space and rules of every number."""
        table = self.table
        told = table.attrs
        spaces = sorted(set(table["space"].values.tolist()) - {""})
        said = [
            f"P&L in {told['currency']} per bump: {_bumps(table)}.",
            "Delta is half of P&L up less P&L down, gamma the change of delta over one bump, without cross gammas.",
            "Theta is the P&L of a calendar day in which no level moves; curves keep their tenors (constant_tenor).",
            _RULES.get(told["sticky"], f"Surfaces move by their own rules: {told['sticky']}."),
        ]
        if spaces:
            where = " and ".join({"par": "quotes (par)", "zero": "zero rates"}[space] for space in spaces)
            said.append(f"Curves are bumped at one node at a time, in {where}.")
        if told["where"]:
            said.insert(0, f"Only trades with {told['where']}.")
        if "unpriced" in table and (lost := int(table["unpriced"][0])):
            said.append(f"* {lost:,} trade{'s' * (lost > 1)} without a number in some bump left out of all sums.")
        if (more := table.sizes["node"] - _MOST_ROWS) > 0:
            said.append(f"{more:,} more rows are in the table of the result.")
        return said

    def _by_node(self) -> Section:
        table, currency = self.table, self.table.attrs["currency"]
        first = table.isel(node=slice(0, _MOST_ROWS))
        columns, values = [Column("Base value", currency)], [first["base_value"].values]
        for head, kinds in _COLUMNS:
            own = first["delta"].isel(factor=np.isin(first["kind"].values, kinds))
            sizes = sorted(set(_sizes(own)))
            if len(sizes) == 1:
                columns.append(Column(head, f"{currency} per {sizes[0]}"))
                values.append(own.values.sum(axis=1))
        columns.append(Column("Theta", f"{currency} per day"))
        values.append(first["theta"].values)
        where = f", {table.attrs['where']}" if table.attrs["where"] else ""
        by = list(table.attrs["by"])
        title = f"Sensitivities of {table.attrs['as_of']}{where}, {currency}"
        return Section.of_tree(title, " / ".join(by), columns, node_rows(first, values), sentences=self.sentences())


@dataclass(frozen=True, repr=False)
class SpotVol(Shown):
    """``pnl`` (node, spot_move, vol_move) of every spot move with every volatility move.   ``run`` : it is taken of.

    attrs of ``pnl``: underlying, by, where, currency, sticky, as_of and the id of the run that was asked.
    """

    pnl: xr.DataArray
    run: Run

    def sections(self) -> list[Section]:
        """Spot moves downwards, volatility moves to the right, of the first node."""
        told = self.pnl.attrs
        spots, vols = _moves(self.pnl["spot_move"].values, "%"), _moves(self.pnl["vol_move"].values, " vol")
        values = self.pnl.values[0]
        rows = [Row(name, [money(float(value)) for value in line]) for name, line in zip(spots, values, strict=True)]
        where = f", {told['where']}" if told["where"] else ""
        title = f"{told['underlying']} by spot and volatility, {told['as_of']}{where}, {told['currency']}"
        said = [
            f"P&L in {told['currency']} of relative moves of the spot and of moves of every volatility of its surface.",
            _RULES.get(told["sticky"], f"Surfaces move by their own rules: {told['sticky']}."),
        ]
        heads = [Column(name, told["currency"]) for name in vols]

        def drawn() -> dict[str, Any]:
            return {"P&L": charts.heat_map(spots, vols, values, row_name="spot", column_name="volatility")}

        return [Section.of_tree(title, "spot", heads, rows, sentences=said, drawings=drawn)]


def _rates(total: xr.Dataset) -> Section | None:
    """Every curve with its tenors; the figure adds the curves by tenor."""
    own = total.isel(factor=np.isin(total["kind"].values, ("par", "zero")))
    found = _bucketed(own, ("name", "tenor"))
    if found is None:
        return None
    delta, unit = found["delta"], f"{total.attrs['currency']} per {_sizes(own)[0]}"
    columns = [Column("Rho", unit), Column("Gamma", unit)]
    rows = [*_grouped(found)]

    def drawn() -> dict[str, Any]:
        along = bucket(own["delta"], by=("tenor",))
        return {"Rho by tenor, all curves": charts.bars_along(along["tenor"].values.tolist(), along.values, unit)}

    said = [f"{delta.sizes['bucket']} nodes; a curve's row is the sum of its nodes."]
    return Section.of_tree(
        f"Rates by curve and tenor, {unit}", "curve / tenor", columns, rows, sentences=said, drawings=drawn
    )


def _vega(total: xr.Dataset) -> Section | None:
    """Vega of all surfaces together by expiry and moneyness."""
    own = total.isel(factor=total["kind"].values == "vol")
    found = _bucketed(own, ("tenor", "moneyness"))
    if found is None:
        return None
    unit = f"{total.attrs['currency']} per {_sizes(own)[0]}"
    grid = found["delta"].set_index(bucket=["tenor", "moneyness"]).unstack("bucket")
    tenors = list(dict.fromkeys(found["tenor"].values.tolist()))
    across = sorted(set(found["moneyness"].values.tolist()), key=float)
    values = grid.sel(tenor=tenors, moneyness=across).transpose("tenor", "moneyness").values
    rows = [Row(tenor, [money(float(value)) for value in line]) for tenor, line in zip(tenors, values, strict=True)]
    columns = [Column(text) for text in across]
    names = len(set(own["name"].values.tolist()))

    def drawn() -> dict[str, Any]:
        return {"Vega": charts.heat_map(tenors, across, values, row_name="expiry", column_name="moneyness K/F")}

    said = [f"All {names} surfaces together, by expiry and by moneyness, strike over forward."]
    return Section.of_tree(
        f"Vega by expiry and moneyness, {unit}", "expiry", columns, rows, sentences=said, drawings=drawn
    )


def _others(total: xr.Dataset) -> Iterator[Section]:
    """Credit by issuer, commodities by tenor, shares and currencies by name; the largest of each."""
    for title, kinds, by in (
        ("Credit by issuer", ("spread", "hazard"), ("name", "tenor")),
        ("Commodities by tenor", ("commodity",), ("name", "tenor")),
        ("Equities by name", ("equity",), ("name",)),
        ("Dividends by name", ("dividend",), ("name",)),
        ("Currencies", ("fx",), ("name",)),
    ):
        own = total.isel(factor=np.isin(total["kind"].values, kinds))
        found = _bucketed(own, by)
        if found is None:
            continue
        unit = f"{total.attrs['currency']} per {_sizes(own)[0]}"
        columns, said = [Column("Delta", unit), Column("Gamma", unit)], []
        if (left := found.sizes["bucket"] - _MOST_NAMES) > 0:
            largest = np.sort(np.argsort(-np.abs(found["delta"].values), kind="stable")[:_MOST_NAMES])
            found = found.isel(bucket=largest)
            said = [f"The {_MOST_NAMES} largest; {left:,} more are in the table of the result."]
        yield Section.of_tree(title, " / ".join(by), columns, [*_grouped(found)], sentences=said)


def _bucketed(own: xr.Dataset, by: Sequence[str]) -> xr.Dataset | None:
    """Delta and gamma of the buckets that move; None where there is none, or where bumps have several sizes."""
    try:
        found = xr.Dataset({name: bucket(own[name], by=by) for name in ("delta", "gamma")})
    except BadSpec:
        return None
    return found if found.sizes.get("bucket", 0) and found["delta"].values.any() else None


def _grouped(found: xr.Dataset) -> Iterable[Row]:
    """A row a name, and below it one a tenor where there are several."""
    names = found["name"].values
    tenors = found["tenor"].values if "tenor" in found.coords else np.full(len(names), "")
    for name in dict.fromkeys(names.tolist()):
        at = np.flatnonzero(names == name)
        yield Row(name, [money(float(found[greek].values[at].sum())) for greek in ("delta", "gamma")], 0)
        if len(at) > 1:
            for place in at.tolist():
                cells = [money(float(found[greek].values[place])) for greek in ("delta", "gamma")]
                yield Row(str(tenors[place]), cells, 1)


def _sizes(of: Any) -> list[str]:
    """The bump of each factor, e.g. ``+1 bp``."""
    return [
        f"+{size:g} {unit}" for size, unit in zip(of["bump"].values.tolist(), of["unit"].values.tolist(), strict=True)
    ]


def _bumps(table: xr.Dataset) -> str:
    """Kinds of factors by their bumps."""
    found: dict[str, list[str]] = {}
    for kind, size in zip(table["kind"].values.tolist(), _sizes(table), strict=True):
        if kind not in found.setdefault(size, []):
            found[size].append(kind)
    return "; ".join(f"{size} of {', '.join(kinds)}" for size, kinds in found.items()) or "none"


def _moves(values: Any, unit: str) -> list[str]:
    return [f"{100.0 * value:+.4g}{unit}" for value in values.tolist()]
