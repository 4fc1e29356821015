"""Runs side by side: every number is that of the runs' own reports."""

import numpy as np
import pytest

import riskgrid as rg
from riskgrid.analysis.comparing import since
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.page import money
from tests.run import made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    base = rg.run(made.portfolio(12), made.market(), made.scenarios(), store=folder, name="base", progress=None)
    new = {"where": {"desk": "Macro"}, "to": {"desk": "Rates"}}
    return base, rg.what_if(base, {"shift": {"equity:*": "-5%"}}, name="down"), rg.what_if(base, {"rehang": [new]})


def test_compare__has_the_numbers_of_each_run_and_their_changes(runs):
    table = rg.compare(*runs, by="desk", var_level=0.95).to_dataset()
    assert table["desk"].values.tolist() == ["", "Exotic", "Flow", "Macro", "Rates"]
    assert table["run"].values.tolist() == ["base", "down", runs[2].run_id]
    for at, run in enumerate(runs):
        reported = rg.report(run, "desk", var_level=0.95).table
        for node, desk in enumerate(table["desk"].values):
            own = np.flatnonzero(reported["desk"].values == desk)
            for name in ("base_value", "value_at_risk", "expected_shortfall"):
                expected = reported[name].values[own[0]] if len(own) else 0.0
                assert table[name].values[at, node] == expected
                assert table[f"{name}_change"].values[at, node] == expected - table[name].values[0, node]


def test_compare__counts_a_node_that_a_run_does_not_have_as_nothing(runs):
    table = rg.compare(runs[0], runs[2], by="desk").to_dataset()
    assert not any(np.isnan(table[name].values).any() for name in table.data_vars)
    assert table["trades"].values[:, table["desk"].values.tolist().index("Rates")].tolist()[0] == 0
    assert table["base_value_change"].values[1, 0] == 0.0


def test_comparison__is_shown_with_its_sentences(runs):
    made_of = rg.compare(*runs, by=["region", "desk"], names=["today", "equities down", "renamed"])
    assert "equities down" in repr(made_of)
    assert "VaR 99 % is minus the quantile of P&L" in repr(made_of)
    assert "<table" in made_of._repr_html_()
    assert len(made_of.to_pandas()) == 3 * made_of.to_dataset().sizes["node"]


def test_comparison__of_the_total_alone_has_a_row_a_run(runs):
    made_of = rg.compare(*runs, by=(), names=["today", "equities down", "renamed"])
    (section,) = made_of.sections()
    assert [row.name for row in section.rows] == ["today", "equities down", "renamed"]
    assert [column.head for column in section.columns] == [
        "Value",
        "change",
        "VaR 99 %",
        "change",
        "ES 97.5 %",
        "change",
    ]
    changes = made_of.to_dataset()["value_at_risk_change"].values[:, 0]
    assert [row.cells[3] for row in section.rows] == ["", *map(money, changes[1:])]


def test_compare__says_what_else_differs(runs, tmp_path):
    other = rg.what_if(runs[0], {"overlay": {"crash": {"equity:*": "-10%"}}})
    assert "under scenarios made (30) of base" in "\n".join(rg.compare(runs[0], other).sentences())


@pytest.mark.parametrize(
    ("ask", "kind", "sentence"),
    [
        (lambda a, b: rg.compare(a), BadSpec, "one run is compared with nothing"),
        (lambda a, b: rg.compare(a, b, names=["x"]), BadSpec, "2 different ones are right"),
        (lambda a, b: rg.compare(a, b, by="colour"), UnknownName, "unknown label 'colour'"),
    ],
)
def test_compare__refuses_what_cannot_be_compared(runs, ask, kind, sentence):
    with pytest.raises(kind, match=sentence):
        ask(*runs[:2])


def test_compare__refuses_two_currencies(runs):
    base = runs[0]
    other = rg.run(base.portfolio, base.market, base.scenarios, reporting="EUR", store=base.store, progress=None)
    with pytest.raises(BadSpec, match="the runs report in USD and EUR"):
        rg.compare(base, other)


def test_since__is_how_far_each_node_of_a_report_has_moved(runs):
    base, down, rehung = (rg.report(run, "desk") for run in runs)
    moved = since(down, base)
    for name in moved.data_vars:
        assert moved[name].values.tolist() == (down.table[name].values - base.table[name].values).tolist()
    new = since(rehung, base)
    at = new["desk"].values.tolist().index("Rates")
    before = base.table["desk"].values.tolist()
    expected = rehung.table["base_value"].values[at]
    expected -= base.table["base_value"].values[before.index("Rates")] if "Rates" in before else 0.0
    assert new["base_value"].values[at] == expected


def test_since__nothing_is_no_number(runs):
    moved = since(rg.report(runs[0], "desk"), None)
    assert all(np.isnan(held.values).all() for held in moved.data_vars.values())
