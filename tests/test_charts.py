"""Figures of signed numbers draw what they are given."""

import numpy as np
import pytest

from riskgrid.charts import bars_along, heat_map, waterfall


def glyphs(plot, name):
    return [one for one in plot.renderers if type(one.glyph).__name__ == name]


def spans(plot):
    found = {}
    for bar in glyphs(plot, "HBar"):
        data = bar.data_source.data
        found |= {y: (left, right) for y, left, right in zip(data["y"], data["left"], data["right"], strict=True)}
    return found


def test_waterfall__starts_each_part_where_the_last_one_ended():
    plot = waterfall(["theta", "spot", "rates"], np.array([2.0, -5.0, 1.0]))
    assert spans(plot) == {"theta": (0.0, 2.0), "spot": (2.0, -3.0), "rates": (-3.0, -2.0), "Total": (0.0, -2.0)}
    assert plot.y_range.factors == ["Total", "rates", "spot", "theta"]
    (texts,) = glyphs(plot, "Text")
    assert list(texts.data_source.data["text"]) == ["2.00", "\u22125.00", "1.00", "\u22122.00"]


def test_waterfall__colours_gains_losses_and_the_whole_apart():
    plot = waterfall(["a", "b"], np.array([1.0, -1.0]))
    colours = {one.data_source.data["y"][0]: one.glyph.fill_color for one in glyphs(plot, "HBar")}
    assert len(set(colours.values())) == 3


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [np.nan, 1.0]])
def test_waterfall__of_nothing_or_a_gap_still_draws(values):
    plot = waterfall([f"part {at}" for at in range(len(values))], np.array(values))
    assert plot.x_range.end > plot.x_range.start
    assert spans(plot)["Total"][1] == np.nansum(values)


def test_bars_along__keeps_the_order_and_leaves_gaps_out():
    plot = bars_along(["1M", "1Y", "10Y"], np.array([1.0, np.nan, -2.0]), "USD")
    assert plot.x_range.factors == ["1M", "1Y", "10Y"]
    (texts,) = glyphs(plot, "Text")
    assert list(texts.data_source.data["text"]) == ["1.00", "", "\u22122.00"]


def test_heat_map__writes_numbers_into_few_cells_only():
    few = heat_map(["a"], ["x", "y"], np.array([[1.0, np.nan]]), row_name="row", column_name="column")
    (texts,) = glyphs(few, "Text")
    assert list(texts.data_source.data["x"]) == ["x"]
    many = heat_map(
        [f"r{at}" for at in range(20)], [f"c{at}" for at in range(20)], np.ones((20, 20)), row_name="", column_name=""
    )
    assert not glyphs(many, "Text")


@pytest.mark.parametrize("values", [[126e3, -128e3], [1.0, 3.0], [-2.0, -1e-3], [0.0, 0.0]])
def test_bars_along__leaves_every_number_a_line_of_pixels(values):
    plot = bars_along(["1M", "1Y"], np.array(values), "USD")
    pixels = 200.0 / (plot.y_range.end - plot.y_range.start)  # drawn of 260: the rest are names and border
    low, high = min(0.0, *values), max(0.0, *values)
    if min(values) < 0.0:
        assert (low - plot.y_range.start) * pixels > 19.0
    if max(values) >= 0.0:
        assert (plot.y_range.end - high) * pixels > 19.0


def test_waterfall__leaves_its_longest_number_room_in_a_narrow_column():
    plot = waterfall(["a", "b"], np.array([-123.4e9, 1.0]))
    pixels = 290.0 / (plot.x_range.end - plot.x_range.start)
    assert plot.x_range.end * pixels > 7.0 * len("\u2212123 bn")
