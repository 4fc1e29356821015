"""Contributions of nodes against the measures of the book with and without each of them."""

import numpy as np
import pytest

from riskgrid import contributions, run, sample, what_if
from riskgrid.analysis.contributing import contribution
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.contribution import component, incremental
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.scenarios.compose import weighted

MEASURED = {"value_at_risk": value_at_risk, "expected_shortfall": expected_shortfall}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    scenarios = sample.scenarios("2016-06-24", count=60)
    store = tmp_path_factory.mktemp("store")
    return run(sample.portfolio(300), sample.market("2016-06-24"), scenarios, store=store, progress=None)


def desks(made):
    table = made.to_dataset()
    return table.isel(node=np.flatnonzero(table["depth"].values == 1))


@pytest.mark.parametrize("name", MEASURED)
def test_incremental__is_what_dropping_the_desk_saves(base, name):
    made = desks(contributions(base, "desk"))
    desk = made["desk"].values.tolist().index("Rates")
    gone = base.trade_table({"desk": "Rates"})["trade_id"].values.tolist()
    without = what_if(base, {"drop": gone})
    expected = float(MEASURED[name](base.pnl())) - float(MEASURED[name](without.pnl()))
    assert float(made[f"incremental_{name}"][desk]) == expected


@pytest.mark.parametrize("name", MEASURED)
def test_components__add_up_and_marginals_are_per_value(base, name):
    made = contributions(base, ["region", "desk"]).to_dataset()
    parts, depth = made[f"component_{name}"].values, made["depth"].values
    assert parts[0] == pytest.approx(float(MEASURED[name](base.pnl())), rel=1e-12)
    for level in (1, 2):
        assert parts[depth == level].sum() == pytest.approx(parts[0], rel=1e-12)
    np.testing.assert_allclose(made[f"marginal_{name}"] * np.abs(made["base_value"]), parts, rtol=1e-12)


def test_the_total__alone_adds_itself(base):
    made = contributions(base, ()).to_dataset()
    for name in MEASURED:
        whole = float(made[name][0])
        assert float(made[f"incremental_{name}"][0]) == whole
        assert float(made[f"component_{name}"][0]) == pytest.approx(whole, rel=1e-13)


def test_weights_levels_and_where__are_those_asked_for(base):
    heavy = run(base.portfolio, base.market, weighted(base.scenarios, np.arange(1.0, 61.0)), store=base.store,
                progress=None)  # fmt: skip
    where = {"region": "EMEA"}
    made = contributions(heavy, "desk", where=where, es_level=0.9).to_dataset()
    assert float(made["expected_shortfall"][0]) == float(expected_shortfall(heavy.pnl(where=where), 0.9))
    desk = made["desk"].values.tolist().index("Rates")
    rest = heavy.pnl(where=where) - heavy.pnl(where={**where, "desk": "Rates"})
    expected = float(expected_shortfall(heavy.pnl(where=where), 0.9)) - float(expected_shortfall(rest, 0.9))
    assert float(made["incremental_expected_shortfall"][desk]) == pytest.approx(expected, rel=1e-12)


def test_a_node__without_a_number_has_none_and_the_others_have(base, tmp_path):
    book = sample.portfolio(100, faulty=True)
    made = run(book, base.market, base.scenarios, store=tmp_path, progress=None)
    lost = [str(one) for one in made.trade_table()["book"].values[made.trade_table()["status"].values > 1]]
    table = contributions(made, "book").to_dataset()
    alone = {name for name in lost if (made.trade_table()["book"].values == name).sum() == lost.count(name)}
    for at, name in enumerate(table["book"].values):
        assert np.isnan(float(table["incremental_value_at_risk"][at])) == (name in alone)


def test_text_and_page__show_both_measures(base):
    made = contributions(base, "desk")
    text = str(made)
    for word in ("What adds to ES 97.5 %", "What adds to VaR 99 %", "Incremental", "Share", "Rates"):
        assert word in text
    assert "Component ES by desk" in made.to_html()


def test_bad_questions__are_refused_with_a_sentence(base):
    with pytest.raises(UnknownName, match="unknown label 'team'"):
        contributions(base, "team")
    with pytest.raises(BadSpec, match="level 1 is not between 0 and 1"):
        contributions(base, var_level=1)


@pytest.mark.parametrize("where", [{"desk": "Rates"}, {"desk": ["Rates", "Delta One"], "region": "EMEA"}])
def test_contribution__of_a_part_is_what_its_node_has(base, where):
    found = contribution(base, where, es_level=0.9)
    part, whole = base.pnl(where=where), base.pnl()
    for name, measure in MEASURED.items():
        how = {"level": 0.9} if name == "expected_shortfall" else {}
        assert float(found[f"whole_{name}"]) == float(measure(whole, **how))
        assert float(found[name]) == float(measure(part, **how))
        assert float(found[f"component_{name}"]) == float(component(part, whole, name, **how))
        assert float(found[f"incremental_{name}"]) == float(incremental(part, whole, name, **how))


def test_contribution__of_one_desk_is_that_of_the_tree(base):
    tree = desks(contributions(base, "desk"))
    at = tree["desk"].values.tolist().index("Rates")
    found = contribution(base, {"desk": "Rates"})
    for name in tree.data_vars:
        if name in found:
            assert float(found[name]) == float(tree[name][at])


def test_contribution__of_trades_without_a_number_has_none(tmp_path):
    book = sample.portfolio(20, faulty=True)
    base = run(book, sample.market(), sample.scenarios(count=20), store=tmp_path, progress=None)
    found = contribution(base, {"trade_id": "FAULTY-1"})
    assert np.isnan(float(found["expected_shortfall"]))
    assert np.isnan(float(found["component_expected_shortfall"]))
    assert float(found["whole_expected_shortfall"]) == float(expected_shortfall(base.pnl()))
