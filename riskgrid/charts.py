"""Bokeh figures of signed numbers: bars along an axis, a waterfall, and a heat map of two coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.plots import COLOURS, FONT, bokeh_models, canvas, room_beside, short_number, zero_line

if TYPE_CHECKING:
    from bokeh.plotting import figure

__all__ = ["MOST_CELLS", "bars_along", "heat_map", "waterfall"]

#: Most cells of a heat map that have their numbers written in them.
MOST_CELLS = 150

_ROW = 30
_BAR = 26
_WIDTH = 0.7
_HEIGHT = 260
_DRAWN = 200  # pixels of it that the names below and the border surely leave
_LINE = 20  # pixels of a number above or below its bar
_STRONGEST, _FAINTEST = 0.75, 0.04


def bars_along(names: Sequence[str], values: NDArray[np.float64], unit: str) -> figure:
    """One upright bar a name, in the order given, losses in their own colour. A value that is NaN has no bar."""
    models = bokeh_models()
    plot = canvas(_HEIGHT, "", unit, x_range=models.FactorRange(*names))
    numbers = np.nan_to_num(np.asarray(values, np.float64))
    for chosen, colour in ((numbers >= 0.0, "bar"), (numbers < 0.0, "loss")):
        at = np.flatnonzero(chosen).tolist()
        shown: dict[str, Any] = {"x": [names[place] for place in at], "top": numbers[at]}
        plot.vbar(**shown, bottom=0, width=_WIDTH, fill_color=COLOURS[colour][0], line_color=None)
    low, high = min(0.0, float(numbers.min(initial=0.0))), max(0.0, float(numbers.max(initial=0.0)))
    lines = int(low < 0) + int(high > 0 or low == 0)
    room = ((high - low) or 1.0) * _LINE / (_DRAWN - lines * _LINE)
    plot.y_range = models.Range1d(low - (room if low < 0 else 0.0), high + (room if high > 0 or low == 0 else 0.0))
    texts = ["" if np.isnan(value) else short_number(float(value)) for value in np.asarray(values, np.float64)]
    source: dict[str, Any] = {"x": list(names), "y": numbers, "text": texts}
    source["y_offset"] = np.where(numbers < 0.0, 14, -4)
    plot.text(
        x="x", y="y", text="text", y_offset="y_offset", text_align="center",
        source=models.ColumnDataSource(source), **_written("11px"),
    )  # fmt: skip
    plot.yaxis.visible = False
    plot.ygrid.visible = False
    zero_line(plot, "x")
    return plot


def waterfall(names: Sequence[str], values: NDArray[np.float64], whole: str = "Total") -> figure:
    """Parts in their order, each from where the one before it ended, and the whole below them."""
    models = bokeh_models()
    parts = np.nan_to_num(np.asarray(values, np.float64))
    ends = np.append(np.cumsum(parts), parts.sum())
    starts = np.append(ends[:-1] - parts, 0.0)
    rows, moves = [*names, whole], np.append(parts, parts.sum())
    plot = canvas(len(rows) * _BAR + 24, "", "", y_range=models.FactorRange(*reversed(rows)))
    last = np.arange(len(rows)) == len(parts)
    for chosen, colour in ((~last & (moves >= 0.0), "bar"), (~last & (moves < 0.0), "loss"), (last, "muted")):
        at = np.flatnonzero(chosen).tolist()
        shown: dict[str, Any] = {"y": [rows[place] for place in at], "left": starts[at], "right": ends[at]}
        plot.hbar(**shown, height=0.62, fill_color=COLOURS[colour][0], line_color=None)
    low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
    texts = [short_number(float(move)) for move in moves]  # to the right of every bar
    plot.x_range = models.Range1d(low - 0.005 * (high - low), room_beside(texts, low=low, high=high)[1])
    source: dict[str, Any] = {"x": np.maximum(starts, ends), "y": rows, "text": texts}
    plot.text(
        x="x", y="y", text="text", x_offset=6, text_align="left", text_baseline="middle",
        source=models.ColumnDataSource(source), **_written("13px"),
    )  # fmt: skip
    plot.xaxis.visible = False
    plot.grid.visible = False
    plot.yaxis.major_label_text_color = COLOURS["ink"][0]
    zero_line(plot, "y")
    return plot


def heat_map(
    rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float64], *, row_name: str, column_name: str
) -> figure:
    """A cell for every row and column, stronger for larger numbers, losses in their own colour.

    values : (row, column); NaN leaves its cell empty. Rows stand from the top. Beyond :data:`MOST_CELLS` cells the
    numbers are not written.
    """
    models = bokeh_models()
    plot = canvas(
        len(rows) * _ROW + 60,
        column_name,
        row_name,
        x_range=models.FactorRange(*columns),
        y_range=models.FactorRange(*reversed(rows)),
    )
    numbers = np.asarray(values, np.float64)
    known = ~np.isnan(numbers)
    largest = float(np.abs(numbers[known]).max(initial=0.0)) or 1.0
    for chosen, colour in ((known & (numbers >= 0.0), "bar"), (known & (numbers < 0.0), "loss")):
        down, across = (places.tolist() for places in np.nonzero(chosen))
        alpha = _FAINTEST + (_STRONGEST - _FAINTEST) * np.abs(numbers[chosen]) / largest
        source: dict[str, Any] = {"x": [columns[at] for at in across], "y": [rows[at] for at in down], "alpha": alpha}
        plot.rect(
            x="x", y="y", width=1, height=1, fill_alpha="alpha", fill_color=COLOURS[colour][0],
            line_color=COLOURS["paper"][0], source=models.ColumnDataSource(source),
        )  # fmt: skip
    if numbers.size <= MOST_CELLS:
        down, across = (places.tolist() for places in np.nonzero(known))
        told = {"x": [columns[at] for at in across], "y": [rows[at] for at in down]}
        told["text"] = [short_number(float(number)) for number in numbers[known]]
        plot.text(
            x="x", y="y", text="text", text_align="center", text_baseline="middle",
            source=models.ColumnDataSource(told), **_written("11px"),
        )  # fmt: skip
    plot.grid.visible = False
    return plot


def _written(size: str) -> dict[str, Any]:
    return {"text_color": COLOURS["ink"][0], "text_font": {"value": FONT}, "text_font_size": size}
