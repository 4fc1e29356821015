"""How a report is shown: the rows of its table as text, its figures, and one page that needs no network."""

from __future__ import annotations

import functools
import io
import math
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr

from riskgrid import plots
from riskgrid.errors import BadSpec

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Told", "content", "fragment", "html", "money", "percent", "table_html", "terminal", "text"]

_WORST = 10


class Told(Protocol):
    """What a page needs of a report."""

    @property
    def table(self) -> xr.Dataset:
        """Measures (node), parents before children."""
        ...

    @property
    def conventions(self) -> Mapping[str, Any]:
        """What every number means."""
        ...

    @property
    def total(self) -> xr.DataArray:
        """P&L (scenario) of the first node."""
        ...

    def sentences(self) -> list[str]:
        """The conventions for people."""
        ...


def html(told: Told) -> str:
    """The whole page. Raises BadSpec where the extra ``plots`` is not installed."""
    plots.coverage(told.table.isel(node=[0]))  # the sentence about the missing extra, before anything else
    from bokeh.embed import components
    from bokeh.resources import Resources

    script, drawings = components(_figures(told))
    made: str = _template("report.html").render(
        content=content(told),
        colours=plots.COLOURS,
        font=plots.FONT,
        resources=Resources(mode="inline", components=["bokeh"]).render(),
        script=script,
        drawings=drawings,
    )
    return made


def fragment(told: Told) -> str:
    """The table alone, for a notebook."""
    return table_html(content(told), told)


def table_html(shown: Mapping[str, Any], told: Any) -> str:
    """Rows and sentences as a piece of a page; the text of ``told`` where the extra ``plots`` is not installed."""
    try:
        return str(_template("report.html").module.fragment(shown, plots.COLOURS, plots.FONT))
    except BadSpec:
        return f"<pre>{escape(str(told))}</pre>"


def terminal(shown: Mapping[str, Any]) -> Table:
    """The rows as a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=shown["title"], box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column(shown["node_head"], no_wrap=True)
    for at, (head, unit) in enumerate(shown["heads"]):
        table.add_column(f"{head}\n{unit}", justify="left" if at in shown["texts"] else "right", no_wrap=True)
    for row in shown["rows"]:
        cells = [Text(cell, style="red" if cell.startswith("-") else "") for cell in row["cells"]]
        table.add_row(Text("  " * row["depth"] + row["name"]), *cells, style="bold" if row["depth"] == 0 else "")
    return table


def text(table: Table, sentences: Sequence[str]) -> str:
    """A table and the sentences below it as plain text, as wide as the table needs."""
    from rich.console import Console
    from rich.measure import Measurement

    whole = Measurement.get(Console(width=1000), Console(width=1000).options, table).maximum
    width = max(whole, shutil.get_terminal_size((120, 24)).columns)  # a cut number is a wrong number
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(table)
    console.print("\n".join(sentences), highlight=False, markup=False)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines())


def content(told: Told) -> dict[str, Any]:
    """What page and terminal both show, as text."""
    table, meaning = told.table, told.conventions
    currency = meaning["currency"]
    var_head, es_head = (
        f"VaR {meaning['value_at_risk']['percent']}",
        f"ES {meaning['expected_shortfall']['percent']}",
    )
    heads = [("Trades", ""), ("Base value", currency), (var_head, currency), (es_head, currency)]
    heads += [("Worst P&L", currency), ("Worst scenario", ""), ("Coverage", "")]
    extra = [name for name in ("unshocked", "stale") if (table[name].values > 0.0).any()]
    heads += [(name.capitalize(), "") for name in extra]
    rows = [_row(table.isel(node=node), extra) for node in range(table.sizes["node"])]
    for row, following in zip(rows, [*rows[1:], {"depth": 0}], strict=True):
        row["parent"] = following["depth"] > row["depth"]
    return {
        "title": ", ".join(
            filter(None, (f"Risk of {meaning['as_of']}", meaning["where"], meaning["scenario_set"], currency))
        ),
        "node_head": " / ".join(table.attrs["by"]).capitalize() or "Portfolio",
        "heads": heads,
        "money": (1, 2, 3, 4),
        "texts": (5,),
        "shares": (6,),
        "rows": rows,
        "sentences": told.sentences(),
        "conventions": meaning,
        "partial": any(row["partial"] for row in rows),
        "figure_titles": _titles(told),
        "covered": _covered(told),
    }


def _titles(told: Told) -> dict[str, str]:
    depth, label = _branch(told)
    among = f" by {label}" if depth else ""
    counted = min(_WORST, told.total.sizes["scenario"])
    nodes = int((told.table["depth"] == depth).sum())
    many = nodes > plots.MOST_BARS
    largest, lowest = (f", the {plots.MOST_BARS} {word} of {nodes:,}" if many else "" for word in ("largest", "lowest"))
    return {
        "distribution": "P&L of the portfolio over all scenarios",
        "by_node": f"VaR {told.conventions['value_at_risk']['percent']}{among}{largest}",
        "worst": f"The {counted} worst scenarios of the portfolio",
        "coverage": f"Coverage{among}{'' if _covered(told) else lowest}",
    }


def _covered(told: Told) -> str:
    """The sentence that stands for the figure of coverage where nothing is missing, else an empty one."""
    if (told.table["coverage"] < 1.0).any() or (told.table["unpriced"] > 0).any():
        return ""
    label = _branch(told)[1]
    return f"Every trade{f' of every {label}' if label else ''} is priced in every scenario."


def _branch(told: Told) -> tuple[int, str]:
    """The depth that figures compare: the second label of the tree, else the first, else the total."""
    by = told.table.attrs["by"]
    depth = min(2, len(by))
    return depth, by[depth - 1] if depth else ""


def _figures(told: Told) -> dict[str, Any]:
    branch = told.table.isel(node=np.flatnonzero(told.table["depth"].values == _branch(told)[0]))
    var, es = (
        told.table[name][0].assign_attrs(level=told.conventions[name]["level"])
        for name in ("value_at_risk", "expected_shortfall")
    )
    if told.total.isnull().any():
        return {"coverage": plots.coverage(branch)}
    figures = {
        "distribution": plots.pnl_distribution(told.total, var, es),
        "worst": plots.worst_scenarios(told.total, _WORST),
        "by_node": plots.bar_by_node(branch, "value_at_risk"),
    }
    return figures if _covered(told) else {**figures, "coverage": plots.coverage(branch)}


def _row(node: xr.Dataset, extra: Sequence[str]) -> dict[str, Any]:
    path = [str(node[label].values) for label in node.attrs["by"]]
    depth = int(node["depth"])
    partial = bool(node["coverage"] < 1.0) or bool(node["unpriced"] > 0)
    moneys = [money(float(node[name])) for name in ("base_value", "value_at_risk", "expected_shortfall", "worst_pnl")]
    cells = [f"{int(node['trades']):,}", *moneys, str(node["worst_scenario"].values)]
    cells += [percent(float(node["coverage"])) + (" *" if partial else "")]
    cells += [percent(float(node[name]), up=True) for name in extra]
    name = (path[depth - 1] or "(none)") if depth else "Total"
    return {"depth": depth, "name": name, "cells": cells, "partial": partial}


def money(value: float) -> str:
    """An amount without cents."""
    if math.isnan(value):
        return "no number"
    digits = f"{value:,.0f}"
    return "0" if digits == "-0" else digits


def percent(share: float, *, up: bool = False) -> str:
    """A share in per cent; neither a gap nor a small share rounds away (``up`` for shares that should be zero)."""
    if share in (0.0, 1.0) or math.isnan(share):
        return "no number" if math.isnan(share) else f"{share * 100:.0f} %"
    rounded = round(share * 100, 2)
    return f"{max(rounded, 0.01) if up else min(rounded, 99.99):.2f} %"


@functools.cache
def _template(name: str) -> Any:
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise BadSpec("a page needs Jinja, which is an extra; pip install 'riskgrid[plots]' installs it") from error
    environment = Environment(loader=PackageLoader("riskgrid"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["minus"] = lambda text: text.replace("-", "\N{MINUS SIGN}", 1) if text[:1] == "-" else text
    return environment.get_template(name)
