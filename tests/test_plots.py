"""Figures hold the numbers of their table, in one style."""

import sys

import numpy as np
import pytest
import xarray as xr
from bokeh.models import HBar, Label, Quad, Segment, Span, Text

from riskgrid import plots
from riskgrid.charts import bars_along, waterfall
from riskgrid.errors import BadSpec
from riskgrid.measures.tail import expected_shortfall, tail_scenarios, value_at_risk


@pytest.fixture
def pnl():
    values = np.random.default_rng(4).standard_t(4, 500) * 1e6
    labels = [f"s{place}" for place in range(500)]
    return xr.DataArray(values, dims="scenario", coords={"scenario": labels}, attrs={"currency": "USD"})


@pytest.fixture
def table():
    return xr.Dataset(
        {
            "value_at_risk": ("node", [2e6, 5e6, -1e5, np.nan]),
            "coverage": ("node", [1.0, 0.99999, 1.0, 0.5]),
            "trades": ("node", [10, 100_000, 4, 6]),
            "unpriced": ("node", [0, 1, 0, 3]),
        },
        coords={
            "region": ("node", ["EMEA", "EMEA", "Asia", "Asia"]),
            "desk": ("node", ["FX", "Rates", "FX", "Credit"]),
        },
        attrs={"by": ["region", "desk"]},
    )


def glyphs(plot, kind):
    return [renderer for renderer in plot.renderers if isinstance(renderer.glyph, kind)]


def texts(plot):
    (shown,) = glyphs(plot, Text)
    return dict(zip(shown.data_source.data["y"], shown.data_source.data["text"], strict=True))


def held(renderer, *columns):
    return [list(renderer.data_source.data[name]) for name in columns]


def labels(plot):
    return [label for label in plot.center if isinstance(label, Label)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12.0, "12.0"),
        (-999.0, "\N{MINUS SIGN}999"),
        (2_100_000.0, "2.10 m"),
        (999_999.0, "1.00 m"),
        (-3.456e9, "\N{MINUS SIGN}3.46 bn"),
        (7e12, "7.00 tn"),
        (float("nan"), "no number"),
    ],
)
def test_short_number__has_three_digits_and_a_unit(value, text):
    assert plots.short_number(value) == text


def test_colours__are_told_apart_by_their_light_shade():
    light = [shades[0] for shades in plots.COLOURS.values()]
    assert len(set(light)) == len(light)
    assert not set(light) & {shades[1] for shades in plots.COLOURS.values()}


def test_pnl_distribution__counts_every_scenario_once_and_marks_both_measures(pnl):
    var, es = value_at_risk(pnl), expected_shortfall(pnl)
    plot = plots.pnl_distribution(pnl, var, es)
    assert sum(sum(quads.data_source.data["top"]) for quads in glyphs(plot, Quad)) == 500
    places = [float(line.data_source.data["x0"][0]) for line in glyphs(plot, Segment)]
    assert places == [-float(var), -float(es)]
    shown = [label.text for label in labels(plot)]
    assert shown == [f"VaR 99 % {plots.short_number(float(var))}", f"ES 97.5 % {plots.short_number(float(es))}"]
    assert plot.xaxis[0].axis_label == "P&L, USD"


@pytest.mark.parametrize("levels", [(0.99, 0.975), (0.999, 0.9)])
def test_pnl_distribution__lets_the_worse_line_stand_taller(pnl, levels):
    plot = plots.pnl_distribution(pnl, value_at_risk(pnl, levels[0]), expected_shortfall(pnl, levels[1]))
    worse, other = sorted(labels(plot), key=lambda label: label.x)
    assert worse.y > other.y


def test_pnl_distribution__of_weighted_scenarios_shows_shares(pnl):
    weight = np.arange(1.0, 501.0)
    weighted = pnl.assign_coords(weight=("scenario", weight / weight.sum()))
    plot = plots.pnl_distribution(weighted, value_at_risk(pnl), expected_shortfall(pnl))
    assert sum(sum(quads.data_source.data["top"]) for quads in glyphs(plot, Quad)) == pytest.approx(1.0)
    assert plot.yaxis[0].axis_label == "share of scenarios"


def test_bar_by_node__orders_by_size_and_marks_a_gap(table):
    plot = plots.bar_by_node(table, "value_at_risk")
    assert list(plot.y_range.factors) == ["Asia / FX", "EMEA / FX", "EMEA / Rates"]  # the first bar is the top one
    assert texts(plot) == {"EMEA / Rates": "5.00 m *", "EMEA / FX": "2.00 m", "Asia / FX": "\N{MINUS SIGN}100 k"}


def test_bar_by_node__uses_the_last_label_where_it_is_unique(table):
    plot = plots.bar_by_node(table.isel(node=[0, 1]), "value_at_risk")
    assert list(plot.y_range.factors) == ["FX", "Rates"]


def test_bar_by_node__tells_nodes_with_empty_labels_apart(table):
    table = table.assign_coords(depth=("node", [0, 1, 2, 2]))
    table["desk"][2] = ""
    table["value_at_risk"][3] = 1.0
    assert set(plots.bar_by_node(table, "value_at_risk").y_range.factors) == {"Total", "EMEA", "no desk", "Credit"}


def test_bar_by_node__keeps_two_bars_of_nodes_that_are_called_the_same(table):
    desks, regions = ("node", ["", "no desk", "(none)"]), ("node", ["EMEA"] * 3)
    table = table.isel(node=[0, 1, 2]).assign_coords(desk=desks, region=regions)
    table["value_at_risk"][:] = [3.0, 2.0, 1.0]
    plot = plots.bar_by_node(table, "value_at_risk")
    assert texts(plot) == {"EMEA / no desk": "3.00", "EMEA / no desk (2)": "2.00 *", "EMEA / (none)": "1.00"}
    assert list(plot.y_range.factors) == list(reversed(texts(plot)))


def test_bar_by_node__shows_at_most_so_many(table):
    assert list(plots.bar_by_node(table, "value_at_risk", most=1).y_range.factors) == ["EMEA / Rates"]


def test_worst_scenarios__are_those_of_the_measure(pnl):
    plot = plots.worst_scenarios(pnl, 7)
    worst = tail_scenarios(pnl, 7)
    assert list(reversed(plot.y_range.factors)) == worst["worst_scenario"].values.tolist()
    assert list(texts(plot).values()) == [plots.short_number(value) for value in worst["worst_pnl"].values]


def test_pnl__has_losses_left_and_red_and_gains_right_and_blue(pnl, table):
    few = pnl[:4].copy(data=[3e5, -2e6, 1e6, -1e5])
    for plot in (plots.worst_scenarios(few), plots.bar_by_node(table, "value_at_risk", losses=True)):
        assert plot.x_range.start < 0.0 < plot.x_range.end
        shades = {bar.glyph.fill_color: bar for bar in glyphs(plot, HBar)}
        assert (np.asarray(shades[plots.COLOURS["loss"][0]].data_source.data["right"]) < 0.0).all()
        assert (np.asarray(shades[plots.COLOURS["bar"][0]].data_source.data["right"]) > 0.0).all()


def test_bars__begin_at_a_line_at_zero(pnl, table):
    dates = np.array(["2016-06-23", "2016-06-24"], "datetime64[ns]")
    columns = {"pnl": [1.0, -2.0], "value_at_risk": [1.0, 1.0], "exception": [False, True]}
    days = xr.Dataset({name: ("date", values) for name, values in columns.items()}, {"date": dates})
    lying = [plots.worst_scenarios(pnl), plots.bar_by_node(table, "value_at_risk"), waterfall(["a"], np.array([-1.0]))]
    upright = [bars_along(["1Y", "2Y"], np.array([1.0, -1.0]), "USD"), plots.backtest_chart(days)]
    for plots_of, side, axis in ((lying, "height", "yaxis"), (upright, "width", "xaxis")):
        for plot in plots_of:
            (line,) = [one for one in plot.center if isinstance(one, Span)]
            assert (line.location, line.dimension) == (0, side)
            assert getattr(plot, axis)[0].axis_line_color is None


def test_a_measure_of_risk__below_zero_is_no_loss(table):
    assert {bar.glyph.fill_color for bar in glyphs(plots.bar_by_node(table, "value_at_risk"), HBar)} == {
        plots.COLOURS["bar"][0]
    }


def test_coverage__shows_the_lowest_first_and_never_rounds_a_gap_away(table):
    plot = plots.coverage(table)
    assert plot.y_range.factors[-2:] == ["EMEA / Rates", "Asia / Credit"]
    assert texts(plot)["EMEA / Rates"] == "99.99 %, 1 unpriced"
    assert texts(plot)["Asia / Credit"] == "50.00 %, 3 unpriced"
    assert texts(plot)["EMEA / FX"] == "100 %"
    gaps = glyphs(plot, HBar)[-1]
    assert gaps.glyph.fill_color == plots.COLOURS["gap"][0]
    assert min(1.0 - np.asarray(gaps.data_source.data["left"])) > 0.01


def test_coverage__leaves_out_a_node_without_trades(table):
    table["coverage"][0] = np.nan
    assert "EMEA / FX" not in plots.coverage(table).y_range.factors


def test_figure__is_quiet_and_as_wide_as_its_page(pnl, table):
    made = [plots.coverage(table), plots.bar_by_node(table, "value_at_risk"), plots.worst_scenarios(pnl)]
    for plot in [*made, plots.pnl_distribution(pnl, value_at_risk(pnl), expected_shortfall(pnl))]:
        assert plot.toolbar_location is None
        assert plot.sizing_mode == "stretch_width"
        assert plot.height > 0
        assert plot.yaxis[0].major_label_text_font_size == "13px"


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0]]])
def test_figure__of_no_row_of_numbers_is_refused(values):
    array = np.array(values)
    with pytest.raises(BadSpec, match="one row of P&L"):
        plots.worst_scenarios(xr.DataArray(array, dims=["desk", "scenario"][-array.ndim :]))


def test_figure__without_bokeh_says_how_to_install_it(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh.models", None)
    with pytest.raises(BadSpec, match=r"pip install 'riskgrid\[plots\]'"):
        plots.coverage(table)


def test_bar_by_run__has_the_runs_in_their_order_and_no_bar_for_a_gap():
    values = (("run", "node"), [[2.0, 9.0], [3.0, 9.0], [np.nan, 9.0]])
    plot = plots.bar_by_run(xr.Dataset({"value_at_risk": values}, {"run": ["base", "less", "lost"]}), "value_at_risk")
    assert plot.y_range.factors == ["lost", "less", "base"]
    drawn = {}
    for one in plot.renderers:
        data = one.data_source.data
        if "right" in data:
            drawn |= dict(zip(data["y"], data["right"], strict=True))
        else:
            texts = dict(zip(data["y"], data["text"], strict=True))
    assert drawn == {"base": 2.0, "less": 3.0, "lost": 0.0}
    assert texts == {"base": "2.00", "less": "3.00", "lost": "no number"}


def test_pnl_distribution__calls_its_bars_tail_and_rest(pnl):
    plot = plots.pnl_distribution(pnl, value_at_risk(pnl, 0.9), expected_shortfall(pnl, 0.9))
    shown = [renderer.data_source.data for renderer in plot.renderers if "name" in renderer.data_source.data]
    assert [set(data["name"]) for data in shown] == [{"rest"}, {"tail"}]
    assert max(shown[1]["left"]) < -float(value_at_risk(pnl, 0.9)) < max(shown[0]["right"])


@pytest.fixture
def parts():
    columns = {"seconds": ("part", [0.5, 2.25, 0.0, 2.25]), "share": ("part", [0.1, 0.45, 0.0, 0.45])}
    return xr.Dataset(columns, {"name": ("part", ["planning", "pricing swap", "waiting", "commit"])})


def test_time_spent__shows_the_longest_first_with_its_share(parts):
    plot = plots.time_spent(parts)
    assert plot.y_range.factors[::-1] == ["pricing swap", "commit", "planning", "waiting"]
    assert texts(plot)["pricing swap"] == "2.25 s, 45.0 %"
    assert texts(plot)["waiting"] == "0.00 s, 0.0 %"
    ends = {name: end for bars in glyphs(plot, HBar) for name, end in zip(*held(bars, "y", "right"), strict=True)}
    assert ends == {"pricing swap": 2.25, "commit": 2.25, "planning": 0.5, "waiting": 0.0}


def test_time_spent__shows_at_most_so_many(parts):
    assert plots.time_spent(parts, most=1).y_range.factors == ["pricing swap"]
