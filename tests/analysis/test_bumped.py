"""How sensitivities are shown: tables by node and bucket, sentences, figures, and the command."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from riskgrid import charts
from riskgrid.analysis.bucketing import bucketed
from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
from riskgrid.cli import cli
from riskgrid.page import money
from riskgrid.portfolio import Portfolio
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


def test_no_trades__have_a_table_without_rows(finished):
    found = sensitivities(finished, by="trade_id", where={"desk": "Nobody"})
    assert found.sections()[0].rows == []
    assert "Vega" in [one.head for one in found.sections()[0].columns]


def section_of(result, title):
    """The section whose title begins so."""
    return next(section for section in result.sections() if section.title.startswith(title))


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


def test_a_kind_with_bumps_of_several_sizes__has_no_column_and_says_so(finished):
    found = sensitivities(finished, patterns=["par:*", "fx:*"], sizes={"par:*:30Y": (5.0, "bp")})
    assert [one.head for one in found.sections()[0].columns] == ["Base value", "FX delta", "Theta"]
    assert "+5 bp of par" in found.sentences()[0]
    assert "No Rho here: its bumps differ (+1 bp, +5 bp), and their P&L does not add." in found.sentences()
    assert not any(sentence.startswith("No FX delta") for sentence in found.sentences())


def test_rates_with_bumps_of_several_sizes__stand_under_their_own_and_are_not_added(finished, shown):
    found = sensitivities(finished, sizes={"par:USD-TREASURY:5Y": (10.0, "bp")})
    total = found.table["delta"].isel(node=0)
    rates = section_of(found, "Rates")
    assert [(one.head, one.unit) for one in rates.columns[1:]] == [("Rho", "USD per bump"), ("Gamma", "USD per bump")]
    bumps, rho = column(rates, "Bump"), column(rates, "Rho")
    assert (bumps["USD-TREASURY"], rho["USD-TREASURY"]) == ("several", "")
    assert (bumps["5Y"], bumps["10Y"], bumps["EUR"]) == ("+10 bp", "+1 bp", "+1 bp")
    assert rho["5Y"] == money(float(total.sel(factor="par:USD-TREASURY:5Y")))
    once = shown.table["delta"].isel(node=0)
    assert float(total.sel(factor="par:USD-TREASURY:5Y")) == pytest.approx(
        10.0 * float(once.sel(factor="par:USD-TREASURY:5Y")), rel=1e-2
    )
    assert rho["EUR"] == column(section_of(shown, "Rates"), "Rho")["EUR"]
    assert any("not added" in sentence for sentence in rates.sentences)
    assert isinstance(rates.drawings()["Rho by tenor, all curves"], str)


def test_a_currency_with_a_bump_of_its_own__stands_under_it(finished):
    found = section_of(sensitivities(finished, sizes={"fx:EUR": (1.0, "bp")}), "Currencies")
    assert [one.unit for one in found.columns] == ["", "USD per bump", "USD per bump"]
    assert column(found, "Bump") == {"EUR": "+1 bp", "GBP": "+1 %"}


def test_a_curve_bumped_in_two_spaces__has_each_apart(finished, shown):
    found = sensitivities(finished, by="desk", patterns=["par:*", "zero:*"])
    first, rates, total = found.sections()[0], section_of(found, "Rates"), found.table["delta"].isel(node=0)
    assert [one.head for one in first.columns] == ["Base value", "Rho (par)", "Rho (zero)", "Theta"]
    for space in ("par", "zero"):
        own = total.isel(factor=total["space"].values == space)
        assert column(first, f"Rho ({space})")["Total"] == money(float(own.sum()))
        curve = own.isel(factor=own["name"].values == "USD-TREASURY")
        assert column(rates, "Rho")[f"USD-TREASURY ({space})"] == money(float(curve.sum()))
    assert "EUR" in column(rates, "Rho")  # in one space alone
    assert "USD-TREASURY" not in column(rates, "Rho")
    assert isinstance(rates.drawings()["Rho by tenor, all curves"], str)
    assert "Rho" in [one.head for one in shown.sections()[0].columns]


def test_vega_with_bumps_of_several_sizes__is_a_table_a_size(finished, shown):
    found = sensitivities(finished, sizes={"vol:SPX:1Y:1.00": (0.5, "vol")})
    tables = [section for section in found.sections() if section.title.startswith("Vega")]
    assert {section.title for section in tables} == {
        "Vega by expiry and moneyness, USD per +1 vol", "Vega by expiry and moneyness, USD per +0.5 vol",
    }  # fmt: skip
    whole, small = sorted(tables, key=lambda one: -len(one.rows))
    own = float(found.table["delta"].isel(node=0).sel(factor="vol:SPX:1Y:1.00"))
    assert [(row.name, row.cells) for row in small.rows] == [("1Y", [money(own)])]
    before = shown.table["delta"].isel(node=0)
    rest = before.isel(factor=(before["tenor"].values == "1Y") & (before["moneyness"].values == "1.00"))
    rest = rest.isel(factor=rest["name"].values != "SPX")
    assert column(whole, "1.00")["1Y"] == money(float(rest.sum()))
    assert all("Vega" in section.drawings() for section in tables)


def test_names_beyond_the_largest__are_left_out_whole(shown):
    """A curve of prices is left out or told with all its tenors, so that its row is its sum."""
    total = shown.table.isel(node=0)
    oil = total.isel(factor=(total["name"].values == "WTI") & (total["kind"].values == "commodity"))
    names, count = [f"N{at:02d}" for at in range(40)], oil.sizes["factor"]
    many = oil.isel(factor=np.tile(np.arange(count), 40)).assign_coords(name=("factor", np.repeat(names, count)))
    many["delta"] = many["delta"] * np.repeat(np.arange(40.0), count)
    many.attrs = total.attrs
    (found,) = bucketed(many, [])
    parents = [row for row in found.rows if row.depth == 0]
    assert [row.name for row in parents] == names[15:]
    assert parents[-1].cells[0] == money(39.0 * float(oil["delta"].sum()))
    assert len(found.rows) == 25 * (1 + count)
    assert found.sentences == ["The 25 largest; 15 more are in the table of the result."]


def test_trades__are_rows_without_buckets(finished):
    found = sensitivities(finished, by="trade_id", where={"instrument": "fx_option"})
    assert len(found.sections()) == 1
    assert [row.name for row in found.sections()[0].rows] == [f"fx_option-{at}" for at in range(8)]


@pytest.fixture(scope="module")
def gapped(tmp_path_factory):
    """A desk whose trades all lack their market, one that lacks one of them, one without a gap."""
    table = made.tables(count=6)["equity_option"]
    desks, names = ["Lost", "Lost", "Some", "Some", "Whole", "Whole"], ["GONE", "GONE", "GONE", "SPX", "SPX", "AAPL"]
    expiry = made.TODAY + np.timedelta64(200, "D")
    book = Portfolio.from_tables({"equity_option": table.assign(desk=desks, underlying=names, expiry=expiry)})
    return run(book, made.market(), made.scenarios(count=2), store=tmp_path_factory.mktemp("gaps"), progress=None)


def test_a_node_without_any_number__has_none(gapped):
    table = sensitivities(gapped, by="desk").table
    lost = table["desk"].values == "Lost"
    for name in ("delta", "gamma", "theta", "base_value"):
        assert np.isnan(table[name].values[lost]).all()
        assert not np.isnan(table[name].values[~lost]).any()
    assert table["coverage"].values[lost].tolist() == [0.0]
    ladder = spot_vol_ladder(gapped, "equity:SPX", by="desk", spots=[-0.1, 0.1], vols=[0.0]).pnl
    assert np.isnan(ladder.values[lost]).all()
    assert not np.isnan(ladder.values[~lost]).any()
    assert ladder["coverage"].values.tolist() == [0.5, 0.0, 0.5, 1.0]


def test_gaps__are_told_wherever_numbers_are_shown(gapped):
    nodes, trades = sensitivities(gapped, by="desk"), sensitivities(gapped, by="trade_id")
    ladder = spot_vol_ladder(gapped, "equity:SPX", spots=[-0.1, 0.1], vols=[0.0])
    left_out = "* 3 trades without a number in some bump left out of all sums."
    for section in (*nodes.sections(), *ladder.sections()):
        assert left_out in section.sentences
    assert "* 3 trades without a number in some bump." in trades.sections()[0].sentences
    first = nodes.sections()[0]
    assert column(first, "Coverage") == {"Total": "50.00 % *", "Lost": "0 % *", "Some": "50.00 % *", "Whole": "100 %"}
    assert [row.partial for row in first.rows] == [True, True, True, False]
    assert column(first, "Vega")["Lost"] == "no number"


def test_a_choice_without_any_number__is_shown_as_none(gapped):
    chosen = {"desk": "Lost"}
    for found in (
        sensitivities(gapped, where=chosen),
        spot_vol_ladder(gapped, "equity:SPX", where=chosen, spots=[-0.1, 0.1], vols=[0.0]),
    ):
        assert "no number" in str(found)
        assert "* 2 trades without a number" in found.to_html()


def test_whole_results__tell_of_no_gap(shown, finished):
    ladder = spot_vol_ladder(finished, "equity:SPX", spots=[-0.1, 0.1], vols=[0.0])
    for section in (*shown.sections(), *ladder.sections()):
        assert not any(sentence.startswith("*") for sentence in section.sentences)
        assert "Coverage" not in [one.head for one in section.columns]


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
