"""VaR of stored runs against what their books made next: numbers by hand, gaps, pages and the command line."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bokeh.models import Scatter, Step, VBar
from click.testing import CliRunner

from riskgrid import plots, sample
from riskgrid.analysis.backtesting import backtest
from riskgrid.analysis.rolling import roll
from riskgrid.cli import cli
from riskgrid.demo import write_sample
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.backtest import christoffersen, joint, kupiec, traffic_light
from riskgrid.measures.tail import value_at_risk
from riskgrid.portfolio import Portfolio
from riskgrid.result import open_run
from riskgrid.running import run
from riskgrid.store import store_of

DATES = ["2016-06-20", "2016-06-21", "2016-06-22", "2016-06-23", "2016-06-24", "2016-06-27"]


def scenarios_of(market):
    return sample.scenarios(market.date, count=40, market=market)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    kept = store_of(tmp_path_factory.mktemp("store"))
    roll(sample.portfolio(150), DATES, sample.market, scenarios_of, name="vote", store=kept, progress=None)
    return kept


def by_hand(store, desk=None, time=0, level=0.95):
    """P&L and VaR day by day from the stored runs, node by node."""
    where = None if desk is None else {"desk": desk}
    rows = []
    for before, after in itertools.pairwise(DATES):
        var = value_at_risk(open_run(f"backtest-vote-{before}", store=store).pnl(where=where), level)
        made = open_run(f"backtest-vote-{before}-realised-{after}", store=store).pnl(where=where)
        rows.append((after, float(made[time]), float(var)))
    return rows


@pytest.mark.parametrize(("time", "state"), [("excluded", 0), ("included", 1)])
def test_days__are_what_the_runs_say(store, time, state):
    tested = backtest("vote", by="desk", level=0.95, store=store)
    days = tested.days.sel(time=time)
    for node in range(days.sizes["node"]):
        desk = str(days["desk"].values[node]) or None
        for day, (date, pnl, var) in enumerate(by_hand(store, desk, state)):
            assert str(days["date"].values[day])[:10] == date
            assert float(days["pnl"][day, node]) == pnl
            assert float(days["value_at_risk"][day, node]) == var
            assert bool(days["exception"][day, node]) == (-pnl > var)
    assert [str(day)[:10] for day in days["valued"].values] == DATES[:-1]


def test_tests__count_the_days(store):
    tested = backtest("vote", by="desk", level=0.95, store=store)
    for time, state in (("excluded", 0), ("included", 1)):
        total = tested.tests.sel(time=time).isel(node=0)
        count = sum(-pnl > var for _, pnl, var in by_hand(store, None, state))
        assert (int(total["observations"]), int(total["exceptions"])) == (5, count)
        assert float(total["expected"]) == pytest.approx(0.25)


def test_nodes__are_a_tree_and_parts_add_up(store):
    days = backtest("vote", by=["region", "desk"], store=store).days
    depth = days["depth"].values
    assert depth[0] == 0
    for name in ("pnl", "risk_theoretical"):
        parts = days[name].isel(node=np.flatnonzero(depth == 2)).sum("node")
        np.testing.assert_allclose(parts.values, days[name].isel(node=0).values, atol=1e-6)


def test_where__narrows_and_says_so(store):
    tested = backtest("vote", where={"desk": "Rates"}, level=0.95, store=store)
    assert [float(pnl) for pnl in tested.days["pnl"].sel(time="excluded")[:, 0]] == [
        pnl for _, pnl, _ in by_hand(store, "Rates")
    ]
    assert "Only trades with desk = Rates" in str(tested)
    with pytest.raises(UnknownName, match="unknown label 'dsk'"):
        backtest("vote", by="dsk", store=store)


def of_total(tested):
    total = tested.tests.sel(time="excluded").isel(node=0)
    return {name: total[name].item() for name in TESTS}


TESTS = ("exceptions", "kupiec_p", "christoffersen_p", "joint_p", "clusters", "cumulative", "zone", "multiplier")


def test_actual__pnl_with_more_exceptions_is_what_every_test_of_the_total_is_of(store):
    plain = backtest("vote", level=0.95, by="desk", store=store)
    actual = xr.DataArray([-1e9, -1e9, 0.0, -1e9, 0.0], {"date": pd.to_datetime(DATES[1:])}, "date")
    tested = backtest("vote", level=0.95, by="desk", actual=actual, store=store)
    flags = xr.DataArray([True, True, False, True, False], dims="date")
    pof, follow, both, light = (
        test(flags, **options)
        for test, options in ((kupiec, {"level": 0.95}), (christoffersen, {}), (joint, {"level": 0.95}),
                              (traffic_light, {"level": 0.95}))
    )  # fmt: skip
    expected = [3, pof["p_value"], follow["p_value"], both["p_value"], follow["clusters"]]
    expected += [light[name] for name in ("cumulative", "zone", "multiplier")]
    assert list(of_total(tested).values()) == [getattr(one, "item", lambda one=one: one)() for one in expected]
    assert of_total(tested)["kupiec_p"] < of_total(plain)["kupiec_p"]
    below = [one.tests.drop_vars("of_actual", errors="ignore").isel(node=slice(1, None)) for one in (tested, plain)]
    xr.testing.assert_identical(*below)
    assert tested.tests["of_actual"].sel(time="excluded").values.tolist() == [True, *[False] * (len(below[0]["node"]))]
    assert "every test of it is of actual P&L" in str(tested)
    (marks,) = glyphs(tested.figure(), Scatter)
    assert marks["y"].tolist() == [-1e9] * 3


def test_actual__pnl_with_as_many_exceptions_leaves_the_tests_to_the_hypothetical(store):
    plain = backtest("vote", level=0.75, store=store)
    count = int(plain.tests["exceptions"].sel(time="excluded")[0])
    assert count > 0
    days = plain.days.sel(time="excluded").isel(node=0)
    other = np.roll(days["exception"].values, 1)  # as many, on other days
    actual = xr.DataArray(np.where(other, -1e9, 0.0), {"date": days["date"].values}, "date")
    tested = backtest("vote", level=0.75, actual=actual, store=store)
    assert of_total(tested) == of_total(plain)
    assert f"The total has {count} exceptions on actual and {count} on hypothetical P&L" in str(tested)
    assert "every test of it is of hypothetical P&L" in str(tested)


def test_list_of_days__has_those_beyond_var_of_either_pnl_with_both(store):
    plain = backtest("vote", level=0.75, store=store)
    days = plain.days.sel(time="excluded").isel(node=0)
    kept = np.flatnonzero(~days["exception"].values)[0]
    values = np.zeros(5)
    values[kept] = -1e9
    actual = xr.DataArray(values, {"date": days["date"].values}, "date")
    section = backtest("vote", level=0.75, actual=actual, store=store).sections()[1]
    assert [column.head for column in section.columns] == ["Hypothetical P&L", "Actual P&L", "VaR", "Beyond VaR"]
    assert len(section.rows) == int(days["exception"].sum()) + 1
    first, var = section.rows[0], float(days["value_at_risk"][kept])
    assert first.name == str(days["date"].values[kept])[:10]
    shown = [float(days["pnl"][kept]), -1e9, var, 1e9 - var]
    assert list(first.cells) == [f"{value:,.0f}" for value in shown]
    for row in section.rows[1:]:
        assert (row.cells[1], float(row.cells[3].replace(",", "")) > 0) == ("0", True)


def test_actual__pnl_of_a_missing_day_is_an_exception_and_what_cannot_be_read_is_refused(store):
    actual = xr.DataArray([0.0, 0.0, 0.0], {"date": pd.to_datetime(DATES[1:4])}, "date")
    tested = backtest("vote", level=0.95, by="desk", actual=actual, store=store)
    assert tested.days["actual_exception"].values.tolist() == [False] * 3 + [True] * 2
    assert "no number" in tested.sections()[1].rows[-1].cells[1]
    assert "* Actual P&L is missing on 2 days, each an exception on actual P&L." in tested.sentences()
    with pytest.raises(BadSpec, match=r"actual P&L has dims \('day',\)"):
        backtest("vote", actual=xr.DataArray([0.0], dims="day"), store=store)
    with pytest.raises(BadSpec, match="actual P&L has a day twice"):
        backtest("vote", actual=xr.concat([actual, actual], "date"), store=store)


def test_what_cannot_be_tested_is_refused(store):
    with pytest.raises(UnknownName, match="unknown time 'ignored'"):
        backtest("vote", time="ignored", store=store)
    with pytest.raises(BadSpec, match="is not between 0 and 1"):
        backtest("vote", level=1, store=store)
    euros = run(
        sample.portfolio(10), sample.market("2016-06-28"), sample.scenarios("2016-06-28", count=5), reporting="EUR",
        store=store, progress=None,
    )  # fmt: skip
    with pytest.raises(BadSpec, match="the runs report in USD and EUR"):
        backtest([f"backtest-vote-{DATES[-1]}", euros, f"backtest-vote-{DATES[0]}", late(store)], store=store)


def late(store):
    return run(sample.portfolio(10), sample.market("2016-06-29"), sample.scenarios("2016-06-29", count=5), store=store,
               progress=None)  # fmt: skip


def test_unpriced_trades__are_said_with_their_days(tmp_path):
    book = sample.portfolio(40, faulty=True)
    roll(book, DATES[:3], sample.market, scenarios_of, name="bad", store=tmp_path, progress=None)
    tested = backtest("bad", by="book", store=tmp_path)
    assert (tested.days["coverage"].isel(node=0) < 1.0).all()
    assert "* Not full coverage on 2 days, e.g. 2016-06-21, 2016-06-22" in str(tested)


def test_node_without_any_number__counts_as_exceptions(tmp_path):
    book = sample.portfolio(40, faulty=True)
    roll(book, DATES[:3], sample.market, scenarios_of, name="bad", store=tmp_path, progress=None)
    tested = backtest("bad", where={"trade_id": "FAULTY-1"}, store=tmp_path)
    assert np.isnan(tested.days["pnl"].values).all()
    assert tested.days["exception"].values.all()
    # both VaR and P&L are missing on both days, which are two exceptions
    assert "* VaR or P&L is missing for 2 of all days of all nodes, each an exception." in tested.sentences()
    assert int(tested.tests["exceptions"].sel(time="excluded")[0]) == 2
    assert "no number" in str(tested)


SHARE = {"trade_date": "2016-01-04", "quantity": 100.0, "region": "EMEA", "counterparty": "C", "netting_set": "N",
         "currency": "USD"}  # fmt: skip
SHARES = {"S1": ("SPX", "Index"), "A1": ("AAPL", "Single"), "A2": ("AAPL", "Index")}


def shares():
    rows = [
        {**SHARE, "trade_id": trade, "underlying": name, "desk": desk, "book": desk}
        for trade, (name, desk) in SHARES.items()
    ]
    return Portfolio.from_tables({"equity": {name: [row[name] for row in rows] for name in rows[0]}})


def rolled_without(lost, day, store, name):
    """A history of shares where the market of one day lacks a factor."""

    def market_of(date):
        whole = sample.market(date)
        if str(date) != day:
            return whole
        keep = [factor for factor in whole.factors if factor != lost]
        levels = [whole.level(factor) for factor in keep]
        return MarketSnapshot(whole.date, whole.numeraire, tuple(keep), levels, whole.conventions, whole.fixings)

    def shocks(market):
        made = sample.scenarios(market.date, count=20)
        return made.sel(factor=[factor for factor in made["factor"].values if str(factor) in market.factors])

    roll(shares(), DATES[:4], market_of, shocks, name=name, store=store, progress=None)
    return backtest(name, by="desk", level=0.95, store=store)


def test_factor__that_the_next_market_lacks_takes_its_trades_out_of_coverage(tmp_path):
    tested = rolled_without("equity:SPX", DATES[2], tmp_path, "lack")
    days = tested.days.sel(time="excluded")
    assert days["desk"].values.tolist() == ["", "Index", "Single"]
    # on the day after, the book of the day has no price of it either
    np.testing.assert_allclose(days["coverage"].values, [[1, 1, 1], [2 / 3, 1 / 2, 1], [2 / 3, 1 / 2, 1]], rtol=1e-15)
    np.testing.assert_allclose(days["unshocked"].values, [[0, 0, 0], [1 / 3, 1 / 2, 0], [0, 0, 0]], rtol=1e-15)
    assert not days["pnl"].isnull().any()
    said = "* The next day's market lacks factors on 1 day, of 2016-06-22: equity:SPX. They stay where they are"
    assert said in " ".join(tested.sentences())
    assert tested.conventions["lacking"] == {"2016-06-22": ["equity:SPX"]}


def test_node__whose_trades_all_stand_still_has_no_pnl_and_counts_as_an_exception(tmp_path):
    tested = rolled_without("equity:AAPL", DATES[2], tmp_path, "lack")
    alone = tested.days.isel(node=2)
    assert str(alone["desk"].values) == "Single"
    assert np.isnan(alone["pnl"].values[:, 1]).all()
    assert alone["exception"].values[:, 1].all()
    assert float(alone["coverage"][1]) == 0.0
    assert not tested.days["pnl"].isel(node=[0, 1]).isnull().any()


def test_nodes_that_come_and_go__hold_nothing_on_the_other_days(tmp_path):
    def books(day):
        every = sample.portfolio(60)
        keep = every.instruments if day == np.datetime64(DATES[0]) else ("equity", "equity_option")
        return type(every)({name: every.tables[name] for name in keep})

    roll(books, DATES[:3], sample.market, scenarios_of, name="shrinks", store=tmp_path, progress=None)
    tested = backtest("shrinks", by="desk", store=tmp_path)
    rates = tested.days.isel(node=tested.days["desk"].values.tolist().index("Rates"))
    assert rates["trades"].values.tolist()[1] == 0
    assert float(rates["value_at_risk"][1]) == 0.0
    assert not rates["exception"].values[:, 1].any()
    assert "hold no trade on some days" in str(tested)
    assert "2 different books" in str(tested)


def test_long_gaps_and_long_horizons__are_said(store, tmp_path):
    tested = backtest([f"backtest-vote-{DATES[0]}", f"backtest-vote-{DATES[-1]}"], store=store)
    assert "* 1 P&L of more than four days against a VaR of one, e.g. of 2016-06-27." in str(tested)

    def ten_days(market):
        return sample.scenarios(market.date, count=20, market=market, horizon=10)

    roll(sample.portfolio(10), DATES[:2], sample.market, ten_days, name="slow", store=tmp_path, progress=None)
    assert "* VaR is of 10 days and P&L of one" in str(backtest("slow", store=tmp_path))


def test_page__shows_tests_exceptions_and_the_figure(store, tmp_path):
    tested = backtest("vote", by="desk", level=0.75, store=store)
    page = tested.to_html(tmp_path / "page.html")
    assert "Backtest of VaR 75 %" in page
    assert "Days on which the total lost more than its VaR" in page
    assert "Kupiec" in tested._repr_html_()
    frame = tested.to_pandas()
    assert frame["exceptions"].tolist() == tested.tests["exceptions"].sel(time="excluded").values.tolist()
    assert set(tested.to_dataset()) >= {"pnl", "exception", "kupiec_p", "zone"}


def chart(pnl, var):
    days = xr.Dataset(
        {"pnl": ("date", pnl), "value_at_risk": ("date", var)},
        {"date": pd.date_range("2016-06-20", periods=len(pnl))},
        {"currency": "USD"},
    )
    beyond = np.isnan(pnl) | np.isnan(var) | (-np.array(pnl) > np.array(var))
    return plots.backtest_chart(days.assign(exception=("date", beyond)))


def glyphs(plot, kind):
    return [one.data_source.data for one in plot.renderers if isinstance(one.glyph, kind)]


def test_chart__holds_pnl_var_and_marks_exceptions():
    plot = chart([5.0, -20.0, -3.0, np.nan], [10.0, 11.0, 12.0, 13.0])
    kept, beyond = glyphs(plot, VBar)
    assert kept["top"].tolist() == [5.0, -3.0]
    assert beyond["top"].tolist() == [-20.0]
    (line,) = glyphs(plot, Step)
    assert line["y"].tolist() == [-10.0, -11.0, -12.0, -13.0]
    (marks,) = glyphs(plot, Scatter)
    assert marks["y"].tolist() == [-20.0, 0.0]
    assert [item.label.value for item in plot.legend[0].items] == ["minus VaR", "2 exceptions of 4 days"]


def call(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def test_command_line__rolls_the_sample_and_tests_it(tmp_path):
    asked = ("roll", "--days", "3", "--trades", "40", "--until", "2016-06-24", "--store", str(tmp_path))
    made = call(*asked)
    assert made.exit_code == 0, made.output
    assert "history 'sample': 4 runs, 2016-06-21 to 2016-06-24, 0 of them found finished" in made.output
    assert "4 of them found finished" in call(*asked).output
    page = tmp_path / "page.html"
    told = call("backtest", "sample", "--by", "desk", "--html", str(page), "--store", str(tmp_path))
    assert told.exit_code == 0, told.output
    assert "Equity Derivatives" in told.output
    assert page.exists()
    names = [f"backtest-sample-2016-06-{day}" for day in (22, 23, 24)]
    some = call("backtest", *names, "--time", "included", "--where", "desk=Rates", "--store", str(tmp_path))
    assert "with the passing of the day" in some.output
    assert call("backtest", "smple", "--store", str(tmp_path)).output.startswith("riskgrid: unknown history of runs")


def test_command_line__strikes_the_sample_again_each_month(tmp_path):
    made = call(
        "roll", "--days", "2", "--trades", "30", "--until", "2016-06-02", "--restrike", "--store", str(tmp_path)
    )
    assert made.exit_code == 0, made.output
    tested = backtest("sample", store=tmp_path)
    assert tested.conventions["books"] == 2


def test_command_line__rolls_what_a_spec_describes(tmp_path):
    spec = tmp_path / "book.yaml"
    text = "portfolio: {sample: {trades: 20}}\nhistory: sample\ndate: 2016-06-24\n"
    spec.write_text(text + "scenarios: {historical: {count: 30, proxies: sample}}\n")
    made = call("roll", str(spec), "--days", "2", "--until", "2016-06-24", "--store", str(tmp_path / "store"))
    assert made.exit_code == 0, made.output
    assert "history 'book': 3 runs, 2016-06-22 to 2016-06-24" in made.output
    spec.write_text(text.replace("history: sample", "market: sample") + "scenarios: sample\n")
    assert (
        call("roll", str(spec), "--days", "1", "--until", "2016-06-24", "--store", str(tmp_path / "s")).exit_code == 0
    )
    written = write_sample(tmp_path / "files", trades=20)
    refused = call("roll", str(written), "--store", str(tmp_path / "store"))
    assert refused.exit_code == 1
    assert "riskgrid: 'sample' has one market or one scenario file; a book is rolled where" in refused.output
