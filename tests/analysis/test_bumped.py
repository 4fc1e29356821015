"""How sensitivities are shown: tables by node and bucket, sentences, figures, and the command."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from riskgrid import charts
from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
from riskgrid.cli import cli
from riskgrid.page import money
from riskgrid.running import run
from tests.run import made


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    book, market = made.portfolio(count=8), made.market()
    folder = tmp_path_factory.mktemp("bumped")
    return run(book, market, made.scenarios(market, count=3), name="base", store=folder, progress=None)


@pytest.fixture(scope="module")
def shown(finished):
    return sensitivities(finished, by=["region", "desk"])


def column(section, head):
    """The cells of a column by the name of its row, the first of each name."""
    at = [one.head for one in section.columns].index(head)
    found = {}
    for row in section.rows:
        found.setdefault(row.name, row.cells[at])
    return found


def test_table_by_node__adds_deltas_of_a_kind(shown):
    first, table = shown.sections()[0], shown.table
    assert [one.head for one in first.columns] == [
        "Base value", "Equity delta", "FX delta", "Commodity delta", "Vega", "Rho", "Credit", "Dividends",
        "Theta",
    ]  # fmt: skip
    assert [one.unit for one in first.columns[1:]] == [
        *["USD per +1 %"] * 3, "USD per +1 vol", *["USD per +1 bp"] * 3, "USD per day",
    ]  # fmt: skip
    rates = np.isin(table["kind"].values, ["par", "zero"])
    assert column(first, "Rho")["Total"] == money(float(table["delta"][0, rates].sum()))
    assert column(first, "Vega")["Total"] == money(float(table["delta"][0, table["kind"].values == "vol"].sum()))
    assert column(first, "Theta")["Total"] == money(float(table["theta"][0]))
    assert len(first.rows) == table.sizes["node"]


def test_buckets__stand_below_it_and_add_up(shown):
    titles = [section.title for section in shown.sections()]
    assert [title.partition(" ")[0] for title in titles] == [
        "Sensitivities", "Rates", "Vega", "Credit", "Commodities", "Equities", "Dividends", "Currencies",
    ]  # fmt: skip
    rates, vega = shown.sections()[1:3]
    total = shown.table.isel(node=0)["delta"]
    own = total.isel(factor=total["name"].values == "USD-TREASURY")
    assert column(rates, "Rho")["USD-TREASURY"] == money(float(own.sum()))
    assert column(rates, "Rho")["30Y"] == money(float(own.isel(factor=own["tenor"].values == "30Y").sum()))
    assert [row.name for row in vega.rows] == ["1M", "1Y", "2Y"]
    assert [one.head for one in vega.columns] == ["0.80", "0.90", "1.00", "1.10", "1.20"]
    vols = total.isel(factor=total["kind"].values == "vol")
    node = vols.isel(factor=(vols["tenor"].values == "1Y") & (vols["moneyness"].values == "1.00"))
    assert column(vega, "1.00")["1Y"] == money(float(node.sum()))


def test_sentences__state_bump_unit_space_and_rule(shown, finished):
    said = " ".join(shown.sentences())
    for part in (
        "+1 bp of dividend, par, spread, zero",
        "+1 % of",
        "+1 vol of vol",
        "(sticky_strike)",
        "in quotes (par)",
    ):
        assert part in said
    zero = sensitivities(finished, space="zero", sticky=None, where={"desk": "Macro"})
    said = " ".join(zero.sentences())
    assert "in zero rates." in said
    assert "(sticky_moneyness)" in said
    assert said.startswith("Only trades with desk = Macro.")
    assert "desk = Macro" in zero.sections()[0].title


def test_a_kind_with_bumps_of_several_sizes__has_no_column(finished):
    found = sensitivities(finished, patterns=["par:*", "fx:*"], sizes={"par:*:30Y": (5.0, "bp")})
    assert [one.head for one in found.sections()[0].columns] == ["Base value", "FX delta", "Theta"]
    assert "+5 bp of par" in found.sentences()[0]


def test_trades__are_rows_without_buckets(finished):
    found = sensitivities(finished, by="trade_id", where={"instrument": "fx_option"})
    assert len(found.sections()) == 1
    assert [row.name for row in found.sections()[0].rows] == [f"fx_option-{at}" for at in range(8)]


def test_a_page__has_the_figures_of_both(shown, finished, tmp_path):
    grid = spot_vol_ladder(finished, "equity:SPX", spots=[-0.1, 0.0, 0.1], vols=[0.0, 0.05])
    path = tmp_path / "bumps.html"
    shown.to_html(path, also=[grid])
    text = path.read_text(encoding="utf-8")
    for title in ("Rho by tenor, all curves", "Vega", "equity:SPX by spot and volatility"):
        assert title in text
    assert not re.search(r"<script[^>]+src=", text)
    section = grid.sections()[0]
    assert [row.name for row in section.rows] == ["-10%", "+0%", "+10%"]
    assert [one.head for one in section.columns] == ["+0 vol", "+5 vol"]
    assert section.rows[1].cells[0] == "0"
    assert "P&L" in section.drawings()


def test_heat_map__has_a_rectangle_for_every_number_and_none_for_a_gap():
    values = np.array([[1.0, -2.0], [np.nan, 4.0], [0.0, -1.0]])
    plot = charts.heat_map(["a", "b", "c"], ["x", "y"], values, row_name="row", column_name="column")
    cells = [glyph.data_source.data for glyph in plot.renderers]
    assert sorted(zip(cells[0]["y"], cells[0]["x"], strict=True)) == [("a", "x"), ("b", "y"), ("c", "x")]
    assert sorted(zip(cells[1]["y"], cells[1]["x"], strict=True)) == [("a", "y"), ("c", "y")]
    assert max(cells[0]["alpha"]) > max(cells[1]["alpha"])
    assert cells[2]["text"] == ["1.00", "\N{MINUS SIGN}2.00", "4.00", "0", "\N{MINUS SIGN}1.00"]
    many = charts.heat_map(
        list("abcdefghijklmnop"), list("abcdefghijk"), np.ones((16, 11)), row_name="", column_name=""
    )
    assert len(many.renderers) == 2


def test_bars_along__keep_their_order_and_leave_gaps_out():
    plot = charts.bars_along(["1Y", "2Y", "3Y"], np.array([2.0, np.nan, -1.0]), "USD")
    assert list(plot.x_range.factors) == ["1Y", "2Y", "3Y"]
    assert list(plot.renderers[2].data_source.data["text"]) == ["2.00", "", "\N{MINUS SIGN}1.00"]
    empty = charts.bars_along([], np.array([]), "USD")
    assert empty.y_range.start <= 0.0 < empty.y_range.end


def test_command__prints_and_writes(finished, tmp_path):
    page = tmp_path / "page.html"
    asked = ["sensitivities", "base", "--store", str(finished.store.root), "--by", "desk"]
    told = CliRunner().invoke(cli, [*asked, "--spot-vol", "fx:EUR", "--html", str(page)])
    assert told.exit_code == 0, told.output
    assert "Sensitivities of 2016-07-01" in told.output
    assert "fx:EUR by spot and volatility" in told.output
    assert page.is_file()
    chosen = CliRunner().invoke(cli, [*asked, "--factors", "equity:*", "--sticky", "run", "--where", "desk=Flow"])
    assert "(sticky_moneyness)" in chosen.output
    assert "Rates by curve" not in chosen.output
    wrong = CliRunner().invoke(cli, [*asked, "--space", "swap"])
    assert wrong.exit_code == 1
    assert "unknown space 'swap'; known: 'par', 'zero'" in wrong.output
