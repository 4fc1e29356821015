"""What a backtest found: every day, every test of every node, and how both are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.page import Column, Front, Row, Section, Shown, money, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backtest"]

_MOST_DAYS = 20  # exceptions that are listed
_MOST_FACTORS = 8  # named in a sentence
_TIMES = {
    "excluded": "without the passing of the day, as the shifts behind VaR are instantaneous",
    "included": "with the passing of the day and the cash settled in it",
}


@dataclass(frozen=True, repr=False)
class Backtest(Shown):
    """VaR against P&L, day by day, and the tests of it.

    days : ``pnl, exception (time, date, node)``, ``value_at_risk, risk_theoretical, trades, coverage, unshocked (date,
    node)``; ``unshocked`` is the share of trades that read a factor which the next market lacks; ``date`` is the day of
    the P&L, ``valued`` (date) the day before, of the VaR; ``time`` whether the passing of the day is ``excluded`` or
    ``included``. With actual P&L: ``actual, actual_exception (date)`` of the total.   tests : (time, node);
    ``of_actual`` where they are of actual P&L, which has more exceptions.   conventions : what every number means,
    JSON-ready.
    """

    days: xr.Dataset
    tests: xr.Dataset
    conventions: Mapping[str, Any]

    def to_dataset(self) -> xr.Dataset:
        """Days and tests in one dataset."""
        return xr.merge([self.days, self.tests.drop_vars(self.days.coords, errors="ignore")], combine_attrs="override")

    def to_pandas(self) -> pd.DataFrame:
        """The tests, one row per node: labels ("" where rolled up), depth, then every number."""
        frame = self._chosen(self.tests).to_dataframe().reset_index(drop=True)
        first = [*self.tests.attrs["by"], "depth"]
        return frame[[*first, *(name for name in frame if name not in (*first, "time"))]]

    def front(self) -> Front:
        """The total in figures."""
        total = self._chosen(self.tests).isel(node=0)
        note = [
            ("Exceptions", f"{int(total['exceptions'])} of {int(total['observations'])}", "days"),
            ("Zone", str(total["zone"].values), ""),
            ("Multiplier", f"{float(total['multiplier']):.2f}", ""),
        ]
        return Front(self._title, note=note, notices=self._notices())

    def sections(self) -> list[Section]:
        """The tests of every node, and the days beyond VaR."""
        return [self._tested(), self._exceptional()]

    def sentences(self) -> list[str]:
        """What the numbers mean, and what keeps them from being whole."""
        meaning = self.conventions
        ends = (meaning["scenarios"][0], meaning["scenarios"][-1])
        count = f"n = {ends[0]:,}" + (f" to {ends[1]:,}" if ends[1] != ends[0] else "")
        flags = f"; {', '.join(meaning['flags'])}" if meaning["flags"] else ""
        said = [
            f"VaR {_percent(meaning['level'])} of each day is minus the quantile of P&L, {meaning['method']}, {count}"
            f"{flags}, against the P&L up to the next; in {meaning['currency']}.",
            f"Hypothetical P&L revalues the same book with the next day's market, {_TIMES[meaning['time']]}.",
            "An exception is a loss greater than VaR; a missing number counts as one.",
            "Kupiec: proportion of failures. Christoffersen: independence on n - 1 transitions. Joint: conditional "
            "coverage, both likelihoods given the first day. A p-value below 5 % speaks against the model.",
        ]
        if meaning["where"]:
            said.insert(0, f"Only trades with {meaning['where']}; everything else of the runs is left out.")
        if "actual" in self.days:
            said.append(self._judged())
        if meaning["books"] == 1:
            said.append("One book, which ages: trades expire and are not replaced.")
        else:
            said.append(f"{meaning['books']} different books; each day's P&L is of the book its VaR is of.")
        return [*said, *self._notices()]

    def _judged(self) -> str:
        """Which P&L the tests of the total are of."""
        total = self._chosen(self.days).isel(node=0)
        actual, hypothetical = (int(total[name].sum()) for name in ("actual_exception", "exception"))
        kind = "actual" if bool(self._chosen(self.tests)["of_actual"][0]) else "hypothetical"
        return (
            f"The total has {actual:,} exceptions on actual and {hypothetical:,} on hypothetical P&L; every test of it "
            f"is of {kind} P&L, hypothetical where they are as many. P&L attribution and all other nodes are of "
            "hypothetical P&L."
        )

    def _notices(self) -> list[str]:
        days, meaning, said = self.days, self.conventions, []
        partial = (days["coverage"] < 1.0).any("node").values
        if partial.any():
            first = ", ".join(str(day)[:10] for day in days["date"].values[partial][:3])
            worst = float(days["coverage"].isel(node=0).min())
            said.append(f"* Not full coverage on {partial.sum()} days, e.g. {first}; least {percent(worst)}.")
        if lacking := meaning["lacking"]:
            (first, factors), *more = lacking.items()
            named = ", ".join(factors[:_MOST_FACTORS])
            named += f" and {len(factors) - _MOST_FACTORS:,} more" if len(factors) > _MOST_FACTORS else ""
            said.append(
                f"* The next day's market lacks factors on {_days(1 + len(more))}, of {first}: {named}. They stay "
                "where they are, and trades that read them are not covered."
            )
        if missing := int((self._chosen(days)["pnl"].isnull() | days["value_at_risk"].isnull()).sum()):
            said.append(f"* VaR or P&L is missing for {missing:,} of all days of all nodes, each an exception.")
        if "actual" in days and (missing := int(days["actual"].isnull().sum())):
            said.append(f"* Actual P&L is missing on {_days(missing)}, each an exception on actual P&L.")
        empty = (days["trades"] == 0).any("date") & (days["trades"] > 0).any("date")
        if empty.any():
            said.append(f"* {int(empty.sum())} nodes hold no trade on some days, which count as days without a loss.")
        if meaning["long_gaps"]:
            count, first = len(meaning["long_gaps"]), meaning["long_gaps"][0]
            said.append(f"* {count} P&L of more than four days against a VaR of one, e.g. of {first}.")
        if meaning["horizons"] != [1]:
            told = ", ".join(map(str, meaning["horizons"]))
            said.append(f"* VaR is of {told} days and P&L of one; VaR of one day is right.")
        return [*said, *(f"* {flag[0].upper()}{flag[1:]}." for flag in self.tests.attrs["flags"])]

    @property
    def _title(self) -> str:
        first, last = (str(self.days["date"].values[at])[:10] for at in (0, -1))
        return f"Backtest of VaR {_percent(self.conventions['level'])}, {first} to {last}"

    def _chosen(self, found: xr.Dataset) -> xr.Dataset:
        return found.sel(time=self.conventions["time"], drop=True)

    def _tested(self) -> Section:
        columns = [
            Column("Days", kind="count"),
            Column("Exceptions", kind="count"),
            Column("Expected", kind="count"),
            *(Column(name, "p", "number") for name in ("Kupiec", "Christoffersen", "Joint")),
            Column("Zone", kind="text"),
            Column("Multiplier", kind="number"),
        ]
        table = self._chosen(self.tests)
        attributed = bool((table["attribution_zone"] != "").any())
        if attributed:
            columns += [
                Column("Spearman", "", "number"),
                Column("KS", "", "number"),
                Column("P&L attribution", "", "text"),
            ]
        names = " / ".join(table.attrs["by"])
        rows = [_row(table.isel(node=node), attributed) for node in range(table.sizes["node"])]
        return Section.of_tree(
            self._title, names, columns, rows, sentences=self.sentences(), drawings=lambda: {"Total": self.figure()}
        )

    def figure(self) -> Any:
        """P&L of the total day by day, of the kind that is tested, against minus its VaR, exceptions marked."""
        total = self._chosen(self.days).isel(node=0)
        if "actual" in total and bool(self._chosen(self.tests)["of_actual"][0]):
            total = total.assign(pnl=total["actual"], exception=total["actual_exception"])
        return plots.backtest_chart(total)

    def _exceptional(self) -> Section:
        days = self._chosen(self.days).isel(node=0)
        told = {"P&L": ("pnl", "exception")}
        if "actual" in days:
            told = {"Hypothetical P&L": ("pnl", "exception"), "Actual P&L": ("actual", "actual_exception")}
        pnl, flags = (np.array([days[pair[at]].values for pair in told.values()]) for at in (0, 1))
        var, beyond = days["value_at_risk"].values, np.flatnonzero(flags.any(axis=0))
        worst = np.fmin.reduce(np.where(flags, pnl, np.nan))  # of those beyond VaR
        order = beyond[np.argsort(worst[beyond], kind="stable")][:_MOST_DAYS]
        columns = [Column(head, days.attrs["currency"]) for head in (*told, "VaR", "Beyond VaR")]
        rows = []
        for at in order:
            values = [*pnl[:, at], var[at], -worst[at] - var[at]]
            rows.append(Row(str(days["date"].values[at])[:10], [money(float(value)) for value in values]))
        more = f", the {_MOST_DAYS} worst of {len(beyond)}" if len(beyond) > _MOST_DAYS else ""
        said = () if rows else ("No loss of the total is greater than its VaR.",)
        return Section(f"Days on which the total lost more than its VaR{more}", "Date", columns, rows, said)


def _row(node: xr.Dataset, attributed: bool) -> Row:
    depth = int(node["depth"])
    path = [str(node[label].values) for label in node.attrs["by"]]
    cells = [f"{int(node[name]):,}" for name in ("observations", "exceptions")] + [f"{float(node['expected']):.1f}"]
    cells += [_share(float(node[f"{name}_p"])) for name in ("kupiec", "christoffersen", "joint")]
    cells += [str(node["zone"].values), f"{float(node['multiplier']):.2f}"]
    if attributed:
        cells += [_number(float(node[f"attribution_{name}"])) for name in ("correlation", "distance")]
        cells += [str(node["attribution_zone"].values) or "no number"]
    return Row(plots.node_name(path[depth - 1], node.attrs["by"][depth - 1]) if depth else "Total", cells, depth)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _number(value: float) -> str:
    return "no number" if np.isnan(value) else f"{value:.3f}"


def _share(value: float) -> str:
    return "<0.0001" if 0.0 <= value < 1e-4 else f"{value:.4f}"


def _percent(level: str) -> str:
    return f"{Decimal(level) * 100:f}".rstrip("0").rstrip(".") + " %"
