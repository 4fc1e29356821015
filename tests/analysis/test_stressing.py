"""The stress report against runs of each scenario and class asked for alone."""

import numpy as np
import pytest

from riskgrid import run, sample, what_if
from riskgrid.analysis.stressing import stress_report
from riskgrid.errors import BadScenarios, BadSpec, UnknownName
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.episode import episodes
from riskgrid.scenarios.generic import generic
from riskgrid.scenarios.stress import stress

SHOCKS = {
    "calm": {"vol:*": "-5%"},
    "crash": {"equity:*": "-20%", "vol:*": "x1.5", "fx:JPY": "+4%", "fx:GBP": "-3%"},
    "oil": {"commodity:WTI:*": "-30%", "fx:CAD": "-3%"},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    store, market = tmp_path_factory.mktemp("store"), sample.market("2016-06-24")
    scenarios = sample.scenarios("2016-06-24", count=10)
    return run(sample.portfolio(300, faulty=True), market, scenarios, store=store, progress=None)


def alone(base, shocks):
    scenarios = stress(shocks, base.market)
    return run(base.portfolio, base.market, scenarios, store=base.store, bits=base.manifest["bits"], progress=None)


def test_pnl__is_a_run_of_the_scenarios_worst_first(base):
    table = stress_report(base, SHOCKS, by=["region", "desk"]).table
    expected = alone(base, SHOCKS).aggregate(["region", "desk"])["pnl"]
    total = expected[0].values
    assert table["pnl"][:, 0].values.tolist() == sorted(total.tolist())
    order = [list(SHOCKS).index(name) for name in table["scenario"].values.tolist()]
    np.testing.assert_array_equal(table["pnl"].values, expected.values.T[order])


@pytest.mark.parametrize(
    ("name", "lines"),
    [("equity", {"equity:*": "-20%"}), ("fx", {"fx:JPY": "+4%", "fx:GBP": "-3%"}), ("volatility", {"vol:*": "x1.5"})],
)
def test_a_class__is_a_run_of_its_lines_alone(base, name, lines):
    table = stress_report(base, SHOCKS).table
    expected = alone(base, {"crash": lines}).aggregate("desk")["pnl"].values[:, 0]
    np.testing.assert_array_equal(table["class_pnl"].sel(risk_class=name, scenario="crash").values, expected)


def test_classes_and_cross__add_up_to_the_pnl(base):
    table = stress_report(base).table
    np.testing.assert_allclose(table["class_pnl"].sum("risk_class") + table["cross"], table["pnl"], atol=1e-6)
    one = table.sel(scenario="rates up 100 bp")
    np.testing.assert_array_equal(one["cross"].values, 0.0)
    assert float(abs(table["cross"].sel(scenario="flight to quality")[0])) > 1.0


def test_default__is_the_generic_library_and_says_what_is_missing(base):
    made = stress_report(base)
    assert sorted(made.table["scenario"].values) == sorted(generic(base.market)["scenario"].values.tolist())
    assert "history= adds the documented episodes" in str(made)


def test_episodes__of_a_history_stand_beside_and_carry_their_notes(base):
    made = stress_report(base, SHOCKS, history=sample.history(), names=["brexit_2016", "lehman_2008"])
    sources = dict(zip(made.table["scenario"].values, made.table["source"].values, strict=True))
    assert sources["crash"] == "stress"
    assert sources["brexit_2016"] == "episodes"
    text = str(made)
    assert "brexit_2016 * " in text
    assert "* lehman_2008: volatility not shocked." in text
    assert "Episodes left out: china_2015" in text
    days = episodes(sample.history(), base.market, names=["brexit_2016"])
    expected = run(base.portfolio, base.market, days, store=base.store, bits=base.manifest["bits"], progress=None)
    assert float(made.table["pnl"].sel(scenario="brexit_2016")[0]) == float(expected.pnl()[0])


def test_volatility__moves_in_episodes_with_proxies(base):
    made = stress_report(base, SHOCKS, history=sample.history(), names="brexit_2016", proxies=sample.proxies())
    assert "volatility not shocked" not in str(made)


def test_a_ready_set__and_a_file_and_a_what_if_are_stressed_alike(base, tmp_path):
    path = tmp_path / "stress.yaml"
    path.write_text("crash: {'equity:*': -20%}", encoding="utf-8")
    ready = select(stress({"crash": {"equity:*": "-20%"}, "more": {"equity:*": "-30%"}}, base.market), ["crash"])
    expected = float(alone(base, {"crash": {"equity:*": "-20%"}}).pnl()[0])
    assert float(stress_report(base, path).table["pnl"][0, 0]) == expected
    assert float(stress_report(base, ready).table["pnl"][0, 0]) == expected
    hedged = what_if(base, {"drop": base.portfolio.tables["equity"]["trade_id"].to_pylist()})
    changed = float(stress_report(hedged, ready).table["pnl"][0, 0])
    assert changed == float(alone(hedged, {"crash": {"equity:*": "-20%"}}).pnl()[0])
    assert changed != expected


def test_where__narrows_every_sum(base):
    made = stress_report(base, SHOCKS, "book", where={"desk": "FX Options"})
    expected = alone(base, SHOCKS).pnl(where={"desk": "FX Options"})
    assert sorted(made.table["pnl"][:, 0].values.tolist()) == sorted(expected.values.tolist())


def test_trades__without_a_number_are_said(base):
    lost = int(base.aggregate()["unpriced"][0])
    assert lost > 1
    assert f"{lost} trades are in no sum." in str(stress_report(base, SHOCKS))


def test_a_trade__that_only_stress_takes_the_number_of_is_named(base):
    made = stress_report(base, {"negative forward": {"commodity:WTI:*": "=-5"}})
    new = int(made.table["unpriced"][0]) - int(base.aggregate()["unpriced"][0])
    assert new > 0
    assert "priced in the run, and not under stress" in str(made)


def test_the_worst_node__is_named_with_its_share(base):
    made = stress_report(base, SHOCKS)
    nodes = made.table["pnl"].sel(scenario="crash")[1:]
    at = int(np.argmin(nodes.values))
    row = next(row for row in made.sections()[0].rows if row.name == "crash")
    loss = float(made.table["pnl"].sel(scenario="crash")[0])
    assert row.cells[-3] == str(made.table["desk"].values[1 + at])
    assert row.cells[-2] == f"{float(nodes[at]):,.0f}"
    assert row.cells[-1] == (f"{float(nodes[at]) / loss * 100:.1f} %" if loss < 0 else "")


def test_the_worst_node__is_empty_where_no_node_loses(base):
    owned = base.trade_table(where={"instrument": "equity"})
    long = owned["trade_id"].values[owned["base_value"].values > 0].tolist()
    book = base.portfolio.select(long)
    shares = run(book, base.market, base.scenarios, store=base.store, progress=None)
    made = stress_report(shares, {"up": {"equity:*": "+10%"}, "down": {"equity:*": "-10%"}, "oil": SHOCKS["oil"]})
    rows = {row.name: list(row.cells[-3:]) for row in made.sections()[0].rows}
    assert made.table["pnl"].sel(scenario="up").values.min() > 0.0
    assert rows["up"] == ["", "", ""]
    assert all(rows["down"])


def test_nodes__beyond_eight_are_added_up(base):
    made = stress_report(base, SHOCKS, "book")
    section = made.sections()[1]
    assert section.columns[8].head == f"{made.table.sizes['node'] - 9} more"
    cells = [float(cell.replace(",", "")) for cell in section.rows[0].cells]
    assert sum(cells[:-1]) == pytest.approx(cells[-1], abs=10)


def test_page__shows_tables_and_bars(base):
    page = stress_report(base, SHOCKS).to_html()
    assert "P&amp;L by scenario" in page
    assert len(stress_report(base, SHOCKS, ()).sections()) == 1


def test_bad_questions__are_refused_with_a_sentence(base):
    with pytest.raises(BadScenarios, match="scenario 'x': unknown factor 'equty:\\*'"):
        stress_report(base, {"x": {"equty:*": "-20%"}})
    with pytest.raises(BadScenarios, match="there is no such file"):
        stress_report(base, "nowhere.yaml")
    with pytest.raises(UnknownName, match="unknown label 'team'"):
        stress_report(base, SHOCKS, "team")
    with pytest.raises(UnknownName, match="unknown episode 'tulips_1637'"):
        stress_report(base, SHOCKS, history=sample.history(), names=["tulips_1637"])
    with pytest.raises(BadSpec, match="'proxies' says how a history becomes episodes"):
        stress_report(base, SHOCKS, proxies=sample.proxies())
    with pytest.raises(BadScenarios, match="moves no factor"):
        stress_report(base, {"nothing": {"equity:*": "+0%"}})


def test_a_book__without_any_number_is_refused_and_an_empty_one_loses_nothing(base):
    def of(names):
        book = sample.portfolio(300, faulty=True).select(names)
        return run(book, base.market, base.scenarios, store=base.store, progress=None)

    with pytest.raises(BadSpec, match=r"no trade of run '.*' has a number under stress"):
        stress_report(of(["FAULTY-1"]), SHOCKS)
    assert stress_report(of([]), SHOCKS).table["pnl"].values.tolist() == [[0.0]] * 3
