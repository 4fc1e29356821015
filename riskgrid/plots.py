"""Bokeh figures from labelled tables: a distribution, bars by node, the worst scenarios, coverage, a backtest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec

if TYPE_CHECKING:
    from bokeh.plotting import figure

__all__ = [
    "COLOURS",
    "FONT",
    "MOST_BARS",
    "backtest_chart",
    "bar_by_node",
    "bar_by_run",
    "bokeh_models",
    "canvas",
    "coverage",
    "node_name",
    "node_names",
    "pnl_distribution",
    "require",
    "room_beside",
    "short_number",
    "time_spent",
    "worst_scenarios",
    "zero_line",
]

# (light, dark); a page swaps one for the other, so no two names share a light colour
COLOURS = {
    "paper": ("#ffffff", "#12151a"),
    "panel": ("#f6f7f9", "#1a1e25"),
    "ink": ("#1b2027", "#e7eaef"),
    "muted": ("#5c6673", "#9ba5b3"),
    "rule": ("#dde1e7", "#2d343e"),
    "bar": ("#4c78b5", "#6a97d6"),
    "value_at_risk": ("#b3541e", "#f0a261"),
    "expected_shortfall": ("#8f2346", "#ee86a4"),
    "loss": ("#b3261e", "#ff8f86"),
    "warning": ("#8a5a00", "#e9b752"),
    "gap": ("#e2a33d", "#b9822a"),
}
FONT = "'Helvetica Neue', Helvetica, Arial, sans-serif"  # digits of equal width, which a canvas cannot ask for

MOST_BARS = 20
_BAR_HEIGHT = 26
_THICKNESS = 0.62  # of a bar, in rows
_PLOT_WIDTH = 290.0  # pixels left for bars and numbers in the narrowest column of a page
_LEAST_GAP = 0.012
_DAY_WIDTH = 0.7 * 86_400_000  # of a bar, in milliseconds
_QUIET = 0.4
_SUFFIXES = ((1e12, " tn"), (1e9, " bn"), (1e6, " m"), (1e3, " k"))
_TICKS = """
const size = Math.abs(tick)
const [unit, name] = size >= 1e12 ? [1e12, " tn"] : size >= 1e9 ? [1e9, " bn"] : size >= 1e6 ? [1e6, " m"]
                   : size >= 1e3 ? [1e3, " k"] : [1, ""]
return (tick / unit).toLocaleString("en-GB", {maximumFractionDigits: 2}).replace("-", "\\u2212") + name
"""


def short_number(value: float) -> str:
    """Three significant digits with k, m, bn or tn and a true minus sign.

    >>> short_number(1_234_567.0), short_number(999_600.0), short_number(0.0)
    ('1.23 m', '1.00 m', '0')
    """
    if math.isnan(value):
        return "no number"
    rounded = float(f"{value:.3g}")
    if rounded == 0.0:
        return "0"
    unit, suffix = next(((unit, name) for unit, name in _SUFFIXES if abs(rounded) >= unit), (1.0, ""))
    digits = f"{rounded / unit:#.3g}".removesuffix(".")
    return f"{digits}{suffix}".replace("-", "\N{MINUS SIGN}")


def pnl_distribution(pnl: xr.DataArray, value_at_risk: xr.DataArray, expected_shortfall: xr.DataArray) -> figure:
    """Histogram of one row of P&L (scenario), with its value at risk and expected shortfall marked at minus the loss.

    A coordinate ``weight`` (scenario) turns counts into shares. The measures are scalars with the attr ``level``.
    Bars beyond the value at risk are called ``tail``, the others ``rest``.
    Raises BadSpec where the row holds a NaN or no scenario.
    """
    values = _row(pnl)
    weight = pnl.coords["weight"].values if "weight" in pnl.coords else None
    bins = int(np.clip(2 * math.sqrt(values.size), 12, 60))
    counts, edges = np.histogram(values, bins=bins, weights=weight)
    unit = "share of scenarios" if weight is not None else "scenarios"
    plot = canvas(300, f"P&L, {pnl.attrs.get('currency', '')}".rstrip(", "), unit)
    tail = (edges[:-1] + edges[1:]) / 2 < -float(value_at_risk)
    for chosen, name, colour in ((~tail, "rest", "bar"), (tail, "tail", "value_at_risk")):
        bars: dict[str, Any] = {"left": edges[:-1][chosen], "right": edges[1:][chosen], "top": counts[chosen]}
        source = bokeh_models().ColumnDataSource({**bars, "name": [name] * int(chosen.sum())})
        plot.quad(
            left="left", right="right", bottom=0, top="top", source=source, fill_color=COLOURS[colour][0],
            line_color=COLOURS["paper"][0],
        )  # fmt: skip
    top = float(counts.max())
    plot.y_range = bokeh_models().Range1d(0.0, top * 1.34)
    plot.xaxis.formatter = bokeh_models().CustomJSTickFormatter(code=_TICKS)
    # the worse line is the taller one: its name passes above the other line
    worse = float(expected_shortfall) >= float(value_at_risk)
    _mark(plot, "VaR", "value_at_risk", value_at_risk, top * (1.15 if worse else 1.3))
    _mark(plot, "ES", "expected_shortfall", expected_shortfall, top * (1.3 if worse else 1.15))
    return plot


def bar_by_node(table: xr.Dataset, measure: str, most: int = MOST_BARS, *, losses: bool = False) -> figure:
    """One bar per node of ``table`` for the variable ``measure``, largest first; the ``most`` largest of either sign.

    Nodes are named by the label coordinates in ``table.attrs["by"]``. A node without full coverage is marked with an
    asterisk.   losses : the numbers are P&L: what is below zero has the colour of losses, which in a measure of risk it
    has not.
    """
    values = np.asarray(table[measure].values, dtype=float)
    shown = [place for place in np.argsort(-np.abs(values), kind="stable") if not math.isnan(values[place])][:most]
    order = sorted(shown, key=lambda place: (-values[place], place))
    partial = table["coverage"].values < 1.0 if "coverage" in table else np.zeros(values.size, dtype=bool)
    texts = [short_number(values[place]) + (" *" if partial[place] else "") for place in order]
    names = node_names(table)
    return _bars([names[place] for place in order], values[order], texts, "bar", below="loss" if losses else "bar")


def bar_by_run(table: xr.Dataset, measure: str) -> figure:
    """One bar per run of a comparison (run, node), of all that it holds, in the order of the runs.

    A run without the number has no bar.
    """
    values = np.asarray(table[measure].isel(node=0).values, dtype=float)
    names = [str(name) for name in table["run"].values]
    return _bars(names, np.nan_to_num(values), [short_number(value) for value in values], "bar")


def worst_scenarios(pnl: xr.DataArray, count: int = 10) -> figure:
    """The ``count`` worst scenarios of one row of P&L (scenario), worst first; ties keep scenario order.

    As in every figure of P&L, losses stand to the left in their own colour.
    """
    values = _row(pnl)
    order = np.argsort(values, kind="stable")[:count]
    names = [str(pnl["scenario"].values[place]) for place in order]
    return _bars(names, values[order], [short_number(values[place]) for place in order], "bar", below="loss")


def coverage(table: xr.Dataset, most: int = MOST_BARS) -> figure:
    """Share of priced trade x scenario pairs per node, gaps in their own colour; lowest first, at most ``most`` nodes.

    A node without trades has no coverage and no bar.
    """
    shares = np.asarray(table["coverage"].values, dtype=float)
    order = [place for place in np.argsort(shares, kind="stable") if not math.isnan(shares[place])][:most]
    texts = []
    for place in order:
        missing = int(table["unpriced"].values[place])
        share = "100 %" if shares[place] >= 1.0 else f"{min(round(shares[place] * 100, 2), 99.99):.2f} %"
        texts.append(f"{share}, {missing:,} unpriced" if missing else share)
    names = node_names(table)
    plot = _bars([names[place] for place in order], np.ones(len(order)), texts, "bar", alpha=_QUIET)
    gaps = [place for place in order if shares[place] < 1.0]
    # a gap of a few trades in thousands must still be seen
    left = np.minimum(shares[gaps], 1.0 - _LEAST_GAP)
    shown: dict[str, Any] = {"y": [names[place] for place in gaps], "height": _THICKNESS, "line_color": None}
    plot.hbar(left=0, right=left, fill_color=COLOURS["bar"][0], **shown)
    plot.hbar(left=left, right=1, fill_color=COLOURS["gap"][0], **shown)
    return plot


def time_spent(parts: xr.Dataset, most: int = MOST_BARS) -> figure:
    """Seconds of each part of a run's time, longest first, with its share; the ``most`` longest.

    parts : ``seconds, share (part)`` with the coordinate ``name``, as :meth:`riskgrid.profiling.Profile.to_dataset`.
    """
    seconds, shares = (np.asarray(parts[name].values, dtype=float) for name in ("seconds", "share"))
    order = np.argsort(-seconds, kind="stable")[:most]
    names = [str(parts["name"].values[place]) for place in order]
    texts = [f"{seconds[place]:,.2f} s, {shares[place] * 100:.1f} %" for place in order]
    return _bars(names, seconds[order], texts, "bar")


def backtest_chart(days: xr.Dataset) -> figure:
    """P&L of each day as a bar and minus the VaR of the day before as a line; exceptions are marked.

    days : ``pnl, value_at_risk, exception (date)`` of one node, the currency among its attrs. A missing number leaves a
    gap in the line or no bar, and its mark stands at zero.
    """
    models, dates = bokeh_models(), days["date"].values.astype("datetime64[ms]")
    pnl, var = (np.asarray(days[name].values, dtype=np.float64) for name in ("pnl", "value_at_risk"))
    beyond = np.asarray(days["exception"].values, dtype=np.bool_)
    currency = days.attrs.get("currency", "")
    plot = canvas(320, "", f"P&L, {currency}".rstrip(", "), x_axis_type="datetime")
    known = ~np.isnan(pnl)
    for chosen, colour in ((known & ~beyond, "bar"), (known & beyond, "loss")):
        plot.vbar(
            x=dates[chosen], top=pnl[chosen], bottom=0, width=_DAY_WIDTH, fill_color=COLOURS[colour][0],
            line_color=None,
        )  # fmt: skip
    plot.step(
        x=dates, y=-var, mode="center", line_width=2, line_color=COLOURS["value_at_risk"][0], legend_label="minus VaR"
    )
    marks = np.where(known, pnl, 0.0)[beyond]
    plot.scatter(
        x=dates[beyond], y=marks, size=9, marker="inverted_triangle", fill_color=COLOURS["loss"][0],
        line_color=COLOURS["paper"][0], legend_label=f"{int(beyond.sum())} exceptions of {beyond.size} days",
    )  # fmt: skip
    plot.yaxis.formatter = models.CustomJSTickFormatter(code=_TICKS)
    zero_line(plot, "x")
    legend = plot.legend[0]
    legend.location, legend.orientation = "top_left", "horizontal"
    legend.background_fill_color = legend.border_line_color = None
    legend.label_text_color, legend.label_text_font = COLOURS["ink"][0], FONT
    legend.label_text_font_size = "13px"
    plot.add_layout(legend, "above")
    return plot


def _row(pnl: xr.DataArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.asarray(pnl.values, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or np.isnan(values).any():
        raise BadSpec(f"a figure needs one row of P&L with a number in every scenario, not dims {pnl.dims}")
    return values


def node_name(value: str, label: str) -> str:
    """What a node is called: the value of its label, and in words where it has none.

    >>> node_name("Rates", "desk"), node_name("", "netting_set")
    ('Rates', 'no netting set')
    """
    return value or f"no {label.replace('_', ' ')}"


def node_names(table: xr.Dataset) -> list[str]:
    """The last label of each node, or its whole path where the last one is not unique; no two are the same."""
    by = table.attrs["by"]
    columns = [table[label].values.astype(str).tolist() for label in by]
    depths = table["depth"].values.tolist() if "depth" in table.coords else [len(by)] * table.sizes["node"]
    kept = [
        [node_name(column[node], label) for label, column in zip(by[:depth], columns, strict=False)] or ["Total"]
        for node, depth in enumerate(depths)
    ]
    last = [labels[-1] for labels in kept]
    return last if len(set(last)) == len(last) else _apart([" / ".join(labels) for labels in kept])


def _apart(names: Sequence[str]) -> list[str]:
    """Of names that are the same, as of a label that is called as one without any is, the later ones numbered."""
    made: dict[str, None] = {}
    for name in names:
        text, again = name, 1
        while text in made:
            again += 1
            text = f"{name} ({again})"
        made[text] = None
    return list(made)


def _bars(
    names: Sequence[str],
    values: Any,
    texts: Sequence[str],
    colour: str,
    *,
    below: str = "",
    alpha: float = 1.0,
) -> figure:
    """Horizontal bars with their numbers at the ends; ``below`` is the colour of what is below zero."""
    models = bokeh_models()
    plot = canvas(len(names) * _BAR_HEIGHT + 24, "", "", y_range=models.FactorRange(*reversed(names)))
    ends = np.asarray(values, dtype=float)
    for chosen, shade in ((ends >= 0.0, colour), (ends < 0.0, below or colour)):
        at = np.flatnonzero(chosen).tolist()
        shown: dict[str, Any] = {"y": [names[place] for place in at], "right": ends[at]}
        plot.hbar(**shown, left=0, height=_THICKNESS, fill_color=COLOURS[shade][0], fill_alpha=alpha, line_color=None)
    low, high = min(0.0, ends.min(initial=0.0)), max(0.0, ends.max(initial=0.0))
    start, end = room_beside(texts, low=low, high=high)
    plot.x_range = models.Range1d(start if low < 0 else low, end if high > 0 or low == 0 else high)
    rightwards = ends >= 0
    source = {"x": ends, "y": list(names), "text": list(texts)}
    source["x_offset"] = np.where(rightwards, 6, -6)
    source["text_align"] = np.where(rightwards, "left", "right")
    plot.text(
        x="x", y="y", text="text", x_offset="x_offset", text_align="text_align", text_baseline="middle",
        text_color=COLOURS["ink"][0], text_font={"value": FONT}, text_font_size="13px",
        source=models.ColumnDataSource(source),
    )  # fmt: skip
    plot.xaxis.visible = False
    plot.grid.visible = False
    plot.yaxis.major_label_text_color = COLOURS["ink"][0]
    zero_line(plot, "y")
    return plot


def zero_line(plot: figure, axis: Literal["x", "y"]) -> None:
    """A thin line where bars begin, in place of that of the axis of their names, which stands at the edge."""
    names = plot.xaxis if axis == "x" else plot.yaxis
    names.axis_line_color = None
    side = "width" if axis == "x" else "height"
    plot.add_layout(bokeh_models().Span(location=0, dimension=side, line_color=COLOURS["muted"][0], line_width=1))


def room_beside(texts: Sequence[str], *, low: float, high: float) -> tuple[float, float]:
    """The ends of an axis from ``low`` to ``high`` with room for texts beyond either end, in the narrowest column.

    >>> room_beside(["1.00 m"], low=0.0, high=228.0)
    (-62.0, 290.0)
    """
    width = min(7.0 * max(map(len, texts), default=0) + 20.0, 0.6 * _PLOT_WIDTH)
    room = ((high - low) or 1.0) * width / (_PLOT_WIDTH - width)
    return low - room, high + room


def _mark(plot: figure, name: str, colour: str, measure: xr.DataArray, height: float) -> None:
    """A line at minus ``measure`` up to ``height`` and its name beside the top of it."""
    place = -float(measure)
    shade = COLOURS[colour][0]
    plot.segment(x0=[place], y0=[0], x1=[place], y1=[height], line_color=shade, line_width=2)
    level = f"{float(measure.attrs['level']) * 100:g} %" if "level" in measure.attrs else ""
    text = f"{name} {level} {short_number(float(measure))}".replace("  ", " ")
    plot.add_layout(
        bokeh_models().Label(
            x=place, y=height, x_offset=6, text=text, text_color=shade, text_font=FONT,
            text_font_size="13px", text_font_style="bold", text_baseline="top",
        )
    )  # fmt: skip


def require() -> None:
    """Raises BadSpec where the extra ``plots`` is not installed."""
    bokeh_models()


def bokeh_models() -> Any:
    """Bokeh's models. Raises BadSpec where the extra ``plots`` is not installed."""
    try:
        import bokeh.models
    except ImportError as error:
        raise BadSpec("figures need Bokeh, which is an extra; pip install 'riskgrid[plots]' installs it") from error
    return bokeh.models


def canvas(height: int, x_label: str, y_label: str, **ranges: Any) -> figure:
    """An empty figure in the one style: full width, no toolbar, quiet axes, nothing behind it."""
    bokeh_models()
    from bokeh.plotting import figure

    options = {"height": height, "sizing_mode": "stretch_width", "toolbar_location": None, "tools": "", **ranges}
    plot = figure(**options)
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    plot.min_border = 8
    for axis, label in ((plot.xaxis, x_label), (plot.yaxis, y_label)):
        axis.axis_label = label or None
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = COLOURS["muted"][0]
        axis.axis_line_color = COLOURS["rule"][0]
        axis.major_tick_line_color = axis.minor_tick_line_color = None
    plot.xgrid.visible = False
    plot.ygrid.grid_line_color = COLOURS["rule"][0]
    return plot
