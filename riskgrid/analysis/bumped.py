"""What bumps of a book came to, as tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import charts
from riskgrid.analysis.bucketing import apart, bucketed, sizes_of
from riskgrid.analysis.comparing import node_rows
from riskgrid.page import Column, Row, Section, Shown, money, percent
from riskgrid.result import Run
from riskgrid.schema import Status

__all__ = ["Sensitivities", "SpotVol"]

_MOST_ROWS = 60

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
            made += bucketed(total, self._gaps())
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
        for head, _, sizes in self._columns():
            if len(sizes) > 1:
                said.append(f"No {head} here: its bumps differ ({', '.join(sizes)}), and their P&L does not add.")
        said += self._gaps()
        if (more := table.sizes["node"] - _MOST_ROWS) > 0:
            said.append(f"{more:,} more rows are in the table of the result.")
        return said

    def _columns(self) -> Iterator[tuple[str, NDArray[np.intp], list[str]]]:
        """Head of a column by node, places of its factors and their bumps; numbers of several bumps have no sum."""
        factors = self.table["delta"].isel(node=slice(0, 0))  # there may be no row
        for head, kinds in _COLUMNS:
            places = np.flatnonzero(np.isin(factors["kind"].values, kinds))
            for which, part in apart(factors.isel(factor=places)):
                if len(own := places[part]):
                    yield head + which, own, sorted(set(sizes_of(factors.isel(factor=own))))

    def _gaps(self) -> list[str]:
        """What keeps the numbers from being of all trades."""
        if "status" in self.table:
            return _gap(int((self.table["status"].values > Status.EXPIRED).sum()), "")
        return _gap(int(self.table["unpriced"][0]), " left out of all sums")

    def _by_node(self) -> Section:
        table, currency = self.table, self.table.attrs["currency"]
        first = table.isel(node=slice(0, _MOST_ROWS))
        columns, values = [Column("Base value", currency)], [first["base_value"].values]
        for head, places, sizes in self._columns():
            if len(sizes) == 1:
                columns.append(Column(head, f"{currency} per {sizes[0]}"))
                values.append(first["delta"].values[:, places].sum(axis=1))
        columns.append(Column("Theta", f"{currency} per day"))
        values.append(first["theta"].values)
        rows = node_rows(first, values)
        if "coverage" in table and self._gaps():
            columns.append(Column("Coverage", "", "share"))
            rows = [_covered(row, share) for row, share in zip(rows, first["coverage"].values.tolist(), strict=True)]
        where = f", {table.attrs['where']}" if table.attrs["where"] else ""
        by = list(table.attrs["by"])
        title = f"Sensitivities of {table.attrs['as_of']}{where}, {currency}"
        return Section.of_tree(title, " / ".join(by), columns, rows, sentences=self.sentences())


@dataclass(frozen=True, repr=False)
class SpotVol(Shown):
    """``pnl`` (node, spot_move, vol_move) of every spot move with every volatility move.   ``run`` : it is taken of.

    Coordinates of ``node``: labels, depth, trades, those ``unpriced`` and left out, and coverage.
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
            *_gap(int(self.pnl["unpriced"][0]), " left out of all sums"),
        ]
        heads = [Column(name, told["currency"]) for name in vols]

        def drawn() -> dict[str, Any]:
            return {"P&L": charts.heat_map(spots, vols, values, row_name="spot", column_name="volatility")}

        return [Section.of_tree(title, "spot", heads, rows, sentences=said, drawings=drawn)]


def _gap(lost: int, what: str) -> list[str]:
    return [f"* {lost:,} trade{'s' * (lost > 1)} without a number in some bump{what}."] if lost else []


def _covered(row: Row, share: float) -> Row:
    return replace(row, cells=[*row.cells, percent(share) + " *" * (share < 1.0)], partial=share < 1.0)


def _bumps(table: xr.Dataset) -> str:
    """Kinds of factors by their bumps."""
    found: dict[str, list[str]] = {}
    for kind, size in zip(table["kind"].values.tolist(), sizes_of(table), strict=True):
        if kind not in found.setdefault(size, []):
            found[size].append(kind)
    return "; ".join(f"{size} of {', '.join(kinds)}" for size, kinds in found.items()) or "none"


def _moves(values: Any, unit: str) -> list[str]:
    return [f"{100.0 * value:+.4g}{unit}" for value in values.tolist()]
