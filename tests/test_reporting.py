"""The report against measures taken of its P&L directly, and what page, table and terminal say about gaps."""

import json
import re
import sys

import numpy as np
import pytest
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.reporting import report

TREE = {"Americas": ["Credit", "Rates"], "EMEA": ["Credit", "FX", "Rates"]}
SIZE = 250


def summed(leaves, path):
    return sum(
        value for key, value in leaves.items() if all(label in ("", own) for label, own in zip(path, key, strict=True))
    )


class Run:
    """A run of five desks with seeded P&L; ``gaps`` counts trades without a number per desk."""

    def __init__(self, gaps=(), weighted=False, seed=11, trades=400, **attrs):
        generator = np.random.default_rng(seed)
        self.desks = [(region, desk) for region, desks in TREE.items() for desk in desks]
        self.pnl = {desk: np.round(generator.standard_t(4, SIZE) * 1e6, 2) for desk in self.desks}
        self.base = {desk: float(generator.normal(4e7, 6e7)) for desk in self.desks}
        self.trades = dict.fromkeys(self.desks, trades)
        self.gaps = dict.fromkeys(self.desks, 0) | dict(gaps)
        self.weight = np.arange(1.0, SIZE + 1) / np.arange(1.0, SIZE + 1).sum() if weighted else None
        self.attrs = attrs
        self.asked = []

    def aggregate(self, by, where=None):
        self.asked.append((by, where))
        for label in by:
            if label not in ("region", "desk"):
                raise UnknownName("label", label, ["region", "desk"])
        paths = [("", "")]
        if by:
            for region, desks in TREE.items():
                paths += [(region, "")] + ([(region, desk) for desk in desks] if "desk" in by else [])
        trades = np.array([summed(self.trades, path) for path in paths])
        unpriced = np.array([summed(self.gaps, path) for path in paths])
        coverage = 1.0 - unpriced / np.maximum(trades, 1)
        variables = {
            "pnl": (("node", "scenario"), np.array([summed(self.pnl, path) for path in paths])),
            "base_value": ("node", np.array([summed(self.base, path) for path in paths])),
            "trades": ("node", trades),
            "unpriced": ("node", unpriced),
            "coverage": ("node", coverage),
            "coverage_value": ("node", coverage),
            "unshocked": ("node", np.where(unpriced > 0, 0.00002, 0.0)),
            "stale": ("node", np.zeros(len(paths))),
        }
        if self.weight is not None:
            variables["weight"] = ("scenario", self.weight)
        labels = {name: ("node", [path[place] for path in paths]) for place, name in enumerate(by)}
        depth = ("node", [sum(map(bool, path)) for path in paths])
        scenarios = [str(date) for date in np.datetime64("2025-06-02") + np.arange(SIZE)]
        attrs = {"currency": "USD", "scenario_set": "history", "as_of": "2026-03-31", "run_id": "r1", "tick_bits": 10}
        return xr.Dataset(
            variables,
            coords={"scenario": scenarios, "depth": depth, **labels},
            attrs=attrs | {"rounding_bound": 2.0**-11} | self.attrs,
        )


@pytest.fixture(scope="module")
def whole():
    return report(Run())


@pytest.fixture(scope="module")
def partial():
    return report(Run(gaps={("EMEA", "FX"): 3}))


def test_table__holds_the_measures_of_every_node_in_tree_order(whole):
    run = Run()
    assert whole.table["region"].values.tolist() == ["", "Americas", "Americas", "Americas"] + ["EMEA"] * 4
    assert whole.table["desk"].values.tolist() == ["", "", "Credit", "Rates", "", "Credit", "FX", "Rates"]
    for node in range(whole.table.sizes["node"]):
        path = (str(whole.table["region"].values[node]), str(whole.table["desk"].values[node]))
        pnl = xr.DataArray(summed(run.pnl, path), dims="scenario")
        assert float(whole.table["value_at_risk"][node]) == float(value_at_risk(pnl, 0.99))
        assert float(whole.table["expected_shortfall"][node]) == float(expected_shortfall(pnl, 0.975))
        assert float(whole.table["worst_pnl"][node]) == float(pnl.min())
        worst = str(whole.total["scenario"].values[int(pnl.values.argmin())])
        assert str(whole.table["worst_scenario"].values[node]) == worst


def test_report__hands_labels_and_filter_to_the_run():
    run = Run()
    report(run, "region", where={"region": "EMEA"})
    assert run.asked == [(["region"], {"region": "EMEA"})]


def test_report__takes_levels_and_methods():
    made = report(Run(), "region", var_level=0.95, es_level=0.9, var_method="centred", es_method="inverted_cdf")
    pnl = xr.DataArray(summed(Run().pnl, ("", "")), dims="scenario")
    assert float(made.table["value_at_risk"][0]) == float(value_at_risk(pnl, 0.95, method="hazen"))
    assert float(made.table["expected_shortfall"][0]) == float(expected_shortfall(pnl, 0.9, method="inverted_cdf"))
    assert made.conventions["value_at_risk"]["method"] == "hazen"
    assert "VaR 95 %" in str(made)


def test_report__weighs_scenarios():
    run = Run(weighted=True)
    made = report(run)
    pnl = xr.DataArray(summed(run.pnl, ("", "")), dims="scenario")
    weight = xr.DataArray(run.weight, dims="scenario")
    assert float(made.table["value_at_risk"][0]) == float(value_at_risk(pnl, 0.99, weight=weight))
    assert made.conventions["weights"] == "weighted scenarios"
    assert "weighted scenarios" in made.to_html()


def test_report__of_an_unknown_label_names_the_known_ones():
    with pytest.raises(UnknownName, match="'desk', 'region'"):
        report(Run(), ["regoin"])


def test_report__of_an_impossible_level_is_refused():
    with pytest.raises(BadSpec, match="99"):
        report(Run(), var_level=99)


def test_digest__is_the_same_for_the_same_run_and_ignores_its_random_id(whole):
    assert whole.digest() == report(Run()).digest()
    assert whole.digest() == report(Run(run_id="another")).digest()
    assert whole.digest() != report(Run(seed=12)).digest()
    assert whole.digest() != report(Run(), es_level=0.97).digest()


def test_to_pandas__has_labels_first_and_one_row_per_node(whole):
    frame = whole.to_pandas()
    assert list(frame.columns[:3]) == ["region", "desk", "depth"]
    assert len(frame) == 8
    assert set(frame.columns[3:]) == {
        "base_value", "value_at_risk", "expected_shortfall", "worst_pnl", "worst_scenario", "coverage",
        "coverage_value", "trades", "unpriced", "unshocked", "stale", "component_value_at_risk",
        "component_expected_shortfall",
    }  # fmt: skip
    np.testing.assert_array_equal(frame["value_at_risk"].to_numpy(), whole.table["value_at_risk"].values)


def test_to_arrow__carries_the_conventions(whole):
    table = whole.to_arrow()
    assert table.num_rows == 8
    assert json.loads(table.schema.metadata[b"riskgrid.conventions"]) == whole.conventions
    assert table["value_at_risk"].to_pylist() == whole.table["value_at_risk"].values.tolist()


def test_text__indents_the_tree_and_separates_thousands(whole):
    lines = str(whole).splitlines()
    total = next(line for line in lines if line.lstrip().startswith("Total"))
    assert f"{float(whole.table['value_at_risk'][0]):,.0f}" in total
    indents = [len(line) - len(line.lstrip()) for line in lines if re.match(r"\s*(Total|Americas|Credit) ", line)]
    assert indents[:3] == [indents[0], indents[0] + 2, indents[0] + 4]
    assert sum("USD" in line for line in lines[:5]) >= 1
    assert "VaR 99 % is minus the quantile of P&L, inverted_cdf, n = 250." in lines
    assert "Every trade is priced in every scenario." in lines


def test_text__never_cuts_a_number_in_a_narrow_terminal(whole, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert f"{float(whole.table['base_value'][0]):,.0f}" in str(whole)


def test_text__marks_everything_without_full_coverage(partial):
    marked = [line for line in str(partial).splitlines() if "% *" in line]
    assert [line.split()[0] for line in marked] == ["Total", "EMEA", "FX"]
    assert "99.25 % *" in marked[2]


def test_sentences__name_the_gap_and_the_unshocked_share(partial):
    said = " ".join(partial.sentences())
    assert (
        "* Not full coverage: 99.85 % of trade x scenario pairs are priced, 99.85 % by the |PV| that is known; 3 trades"
        in said
    )
    assert "0.01 % of the pairs read a factor without history (unshocked)." in said
    assert "stale" not in said


def test_coverage__never_rounds_up_to_full():
    made = report(Run(gaps={("EMEA", "FX"): 1}, trades=1_000_000))
    assert "99.99 % *" in str(made)


def test_node__without_a_priced_trade_has_no_measure():
    made = report(Run(gaps={("EMEA", "FX"): 400}))
    place = made.table["desk"].values.tolist().index("FX")
    assert np.isnan(float(made.table["value_at_risk"][place]))
    assert str(made.table["worst_scenario"].values[place]) == ""
    assert re.search(r"FX .*no number", str(made))
    assert "no number" in made.to_html()


def test_report__of_a_portfolio_without_a_price_still_makes_a_page():
    made = report(Run(gaps={(region, desk): 400 for region, desks in TREE.items() for desk in desks}))
    page = made.to_html()
    assert "0 % covered *" in page
    assert "Coverage by desk" in page
    assert "worst scenarios" not in page


def test_sentences__say_when_rounding_is_coarse():
    said = " ".join(report(Run(rounding_bound=10.0)).sentences())
    assert "Rounding is at most 10 USD a trade, more than 1e-4 of the measures of 8 nodes" in said


def test_sentences__hold_flags_and_origin():
    made = report(Run(origin="Dividend yields are synthetic."), es_level=0.999)
    assert "Dividend yields are synthetic." in made.sentences()
    flag = "fewer than the 1,000 scenarios of this level"
    assert f"* ES 99.9 % is the mean loss of the tail, tail_integral, n = 250; {flag}." in made.sentences()


def test_html__stands_alone_and_shows_the_numbers_of_the_table(partial, tmp_path):
    page = partial.to_html(tmp_path / "risk.html")
    assert (tmp_path / "risk.html").read_text(encoding="utf-8") == page
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']?(https?:)?//""", page)
    for name in ("value_at_risk", "expected_shortfall", "base_value"):
        for value in partial.table[name].values:
            assert f"{value:,.0f}".replace("-", "\N{MINUS SIGN}") in page
    assert page.count('data-depth="2"') == 5
    for title in (
        "What each adds to ES 97.5 % by desk",
        "The tail of ES 97.5 % by region",
        "P&amp;L of the portfolio",
        "VaR 99 % by desk",
        "The 10 worst scenarios",
        "Coverage by desk",
    ):
        assert title in page
    assert len(re.findall(r'<div id="[^"]+" data-root-id=', page)) == 5


def test_html__says_full_coverage_in_one_sentence_instead_of_a_figure(whole):
    page = whole.to_html()
    assert page.count("priced in every scenario.") == 1
    assert "Coverage by desk" not in page
    assert len(re.findall(r'<div id="[^"]+" data-root-id=', page)) == 4
    assert "priced in every scenario." not in report(Run(gaps={("EMEA", "FX"): 1})).to_html()


def test_html__says_how_many_nodes_a_figure_leaves_out():
    desks = [f"Desk {number:02d}" for number in range(30)]
    nodes = len(desks) + 1
    noise = np.random.default_rng(1).normal(size=(30, SIZE)) * 1e6
    cube = Run().aggregate([]).isel(node=[0] * nodes)
    cube = cube.assign(pnl=(("node", "scenario"), np.vstack([noise.sum(axis=0), noise])))
    cube = cube.assign_coords(desk=("node", ["", *desks]), depth=("node", [0] + [1] * 30))
    cube = cube.assign(coverage=("node", np.full(nodes, 0.5)))
    run = Run()
    run.aggregate = lambda by, where=None: cube
    page = report(run, "desk").to_html()
    assert "VaR 99 % by desk, the 20 largest of 30" in page
    assert "Coverage by desk, the 20 lowest of 30" in page


def test_html__escapes_labels():
    run = Run()
    cube = run.aggregate(["region", "desk"])
    cube = cube.assign_coords(desk=("node", [str(desk).replace("FX", "<b>FX</b>") for desk in cube["desk"].values]))
    run.aggregate = lambda by, where=None: cube
    assert "<b>FX</b>" not in report(run).to_html().split("<footer>")[0].split("<table")[1].split("</table>")[0]
    assert "&lt;b&gt;FX" in report(run)._repr_html_()


def test_html__of_the_same_run_has_the_same_table(whole):
    def tables(page):
        return re.findall(r"<table.*?</table>", page, flags=re.DOTALL)

    assert tables(whole.to_html()) == tables(report(Run()).to_html())


def test_notebook__shows_the_table_and_the_figures_of_the_page(whole):
    shown, page = whole._repr_html_(), whole.to_html()
    assert "<table" in shown
    for figure in ("P&amp;L of the portfolio over all scenarios", "VaR 99 % by desk"):
        assert figure in shown
        assert figure in page
    assert "Every trade is priced in every scenario." in shown


def test_report__works_for_the_total_alone():
    made = report(Run(), ())
    assert made.table.sizes["node"] == 1
    assert "Portfolio" in str(made)
    assert "Coverage" in made.to_html()


@pytest.mark.parametrize("missing", ["bokeh.models", "jinja2"])
def test_html__without_the_extra_says_how_to_install_it(whole, monkeypatch, missing):
    from riskgrid.page import _template

    _template.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(BadSpec, match=r"pip install 'riskgrid\[plots\]'"):
        whole.to_html()
    if missing == "jinja2":
        assert whole._repr_html_().startswith("<pre>")


def test_components__of_the_children_add_up_to_their_parent(whole):
    table = whole.table
    for name in ("component_value_at_risk", "component_expected_shortfall"):
        parts = table[name].values
        by_depth = [parts[table["depth"].values == depth].sum() for depth in (0, 1, 2)]
        np.testing.assert_allclose(by_depth[1:], by_depth[0], rtol=1e-12)
        np.testing.assert_allclose(by_depth[0], table[name.removeprefix("component_")].values[0], rtol=1e-12)


def test_text__shows_what_diversification_saves(whole):
    table = whole.table
    first = table["depth"].values == 1
    saved = table["expected_shortfall"].values[0] - table["expected_shortfall"].values[first].sum()
    assert saved < 0.0
    assert any("Diversification" in line and f"{saved:,.0f}" in line for line in str(whole).splitlines())
    assert "Diversification" not in str(report(Run(), ()))


def test_tail__has_the_scenarios_of_es_with_shares_that_add_up(whole):
    tail = whole.tail
    worst = np.argsort(whole.total.values, kind="stable")[:7]
    assert tail["scenario"].values.tolist() == whole.total["scenario"].values[worst].tolist()
    np.testing.assert_allclose(tail["share"].sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(tail["pnl"].sum("node"), tail["total"], rtol=1e-12)


def test_tail__shows_the_nodes_that_add_most_and_counts_the_others():
    run = Run()
    cube = run.aggregate([]).isel(node=[0] * 31)
    noise = np.random.default_rng(1).normal(size=(30, SIZE)) * np.arange(1.0, 31.0)[:, None]
    cube = cube.assign(pnl=(("node", "scenario"), np.vstack([noise.sum(axis=0), noise])))
    desks = ["", *(f"Desk {number:02d}" for number in range(30))]
    run.aggregate = lambda by, where=None: cube.assign_coords(desk=("node", desks), depth=("node", [0] + [1] * 30))
    made = report(run, "desk")
    assert made.tail.sizes["node"] == 8
    parts = np.abs(made.table["component_expected_shortfall"].values[1:])
    assert np.abs(made.tail.attrs["left_out"]) == 22
    shown = {int(str(name)[-2:]) for name in made.tail["node_name"].values}
    assert shown == set(np.argsort(-parts)[:8].tolist())
    assert "22 more nodes by desk have smaller components" in str(made)
