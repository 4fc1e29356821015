"""VaR and ES by risk class against runs of each class asked for alone."""

import numpy as np
import pytest

from riskgrid import run, sample, what_if
from riskgrid.analysis.decomposing import risk_classes
from riskgrid.errors import BadScenarios, BadSpec, UnknownName
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.scenarios.compose import weighted
from riskgrid.scenarios.group import RISK_CLASSES, restrict


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    scenarios = sample.scenarios("2016-06-24", count=60)
    return run(sample.portfolio(300), sample.market("2016-06-24"), scenarios, store=store, progress=None)


def alone(base, name):
    prefixes = tuple(pattern.removesuffix("*") for pattern in RISK_CLASSES[name])
    factors = [str(factor) for factor in base.scenarios["factor"].values if str(factor).startswith(prefixes)]
    scenarios = restrict(base.scenarios, factors, name)
    bits = base.manifest["bits"]
    return run(base.portfolio, base.market, scenarios, store=base.store, bits=bits, progress=None)


@pytest.mark.parametrize("name", ["rates", "fx", "volatility"])
def test_a_class__is_a_run_of_its_moves_alone(base, name):
    made = risk_classes(base, "desk")
    at = made.table["risk_class"].values.tolist().index(name)
    pnl = alone(base, name).aggregate("desk")["pnl"]
    np.testing.assert_array_equal(made.table["value_at_risk"][at], value_at_risk(pnl))
    np.testing.assert_array_equal(made.table["expected_shortfall"][at], expected_shortfall(pnl))


def test_all_together__is_the_run_itself_and_diversification_what_is_missing(base):
    made = risk_classes(base).table
    for name, measured in (("value_at_risk", value_at_risk), ("expected_shortfall", expected_shortfall)):
        whole = float(measured(base.pnl()))
        assert float(made[name][-1, 0]) == whole
        assert float(made[f"{name}_diversification"][0]) == pytest.approx(whole - float(made[name][:-1, 0].sum()))


def test_weights__are_those_of_the_run(base, tmp_path):
    shares = np.arange(1.0, 61.0)
    scenarios = weighted(base.scenarios, shares)
    heavy = run(base.portfolio, base.market, scenarios, store=base.store, progress=None)
    made = risk_classes(heavy).table
    pnl = alone(base, "rates").pnl().assign_coords(weight=("scenario", shares / shares.sum()))
    assert float(made["expected_shortfall"][0, 0]) == float(expected_shortfall(pnl))


def test_levels_and_methods__are_those_asked_for(base):
    made = risk_classes(base, var_level=0.9, es_level=0.9, es_method="inverted_cdf", where={"desk": "Rates"})
    assert float(made.table["value_at_risk"][-1, 0]) == float(value_at_risk(base.pnl(where={"desk": "Rates"}), 0.9))
    assert made.conventions["expected_shortfall"]["method"] == "inverted_cdf"


def test_classes__of_a_what_if_are_those_of_the_changed_book(base):
    hedged = what_if(base, {"drop": base.portfolio.tables["equity"]["trade_id"].to_pylist()})
    made = risk_classes(hedged)
    assert float(made.table["value_at_risk"][-1, 0]) == float(value_at_risk(hedged.pnl()))
    assert "equity" in made.table["risk_class"].values  # options are left


def test_text_and_page__show_every_class_and_the_diversification(base):
    made = risk_classes(base, "region")
    text = str(made)
    assert "Diversification" in text
    assert "All together" in text
    assert f"{float(made.table['value_at_risk'][0, 0]):,.0f}" in text
    assert "VaR 99 % by risk class" in made.to_html()
    assert len(made.sections()) == 2
    assert len(risk_classes(base).sections()) == 1


def test_bad_questions__are_refused_with_a_sentence(base):
    with pytest.raises(BadScenarios, match="is of the risk classes 'money' and 'euro'"):
        risk_classes(base, classes={"money": ["fx:*"], "euro": ["fx:EUR"]})
    with pytest.raises(UnknownName, match="unknown label 'team'"):
        risk_classes(base, "team")
    with pytest.raises(BadSpec, match="level 2 is not between 0 and 1"):
        risk_classes(base, var_level=2)


def test_figures__name_the_classes_as_the_table_does(base):
    (section,) = risk_classes(base).sections()
    named = {row.name for row in section.rows} - {"All together", "Diversification"}
    assert "FX" in named
    for figure in section.drawings().values():
        assert set(figure.y_range.factors) == named
