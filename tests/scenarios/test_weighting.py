"""Weights of scenarios that fade with their age, and the measures of a run under them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgrid as rg
from riskgrid.errors import BadScenarios
from riskgrid.scenarios.compose import concatenate, weighted
from riskgrid.scenarios.set import shifts
from riskgrid.scenarios.weighting import age_weighted

REFERENCES = Path(__file__).parents[1] / "references" / "var_es.csv"

ROW = {
    "trade_id": ["T"],
    "region": ["AMER"],
    "desk": ["Equity"],
    "book": ["B"],
    "trade_date": ["2016-01-04"],
    "underlying": ["ACME"],
    "currency": ["USD"],
}


def made(labels, scale=1.0):
    return shifts(labels, ["equity:ACME"], scale, 0.0, name="set", kind="historical", provenance={"by": "hand"})


def days(count):
    return [str(day) for day in np.datetime64("2006-08-07") + np.arange(count, dtype="timedelta64[D]")]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.floats(0.5, 0.9999))
def test_age_weighted__is_the_published_formula(count, decay):
    age = np.arange(count - 1, -1, -1)
    published = decay**age * (1 - decay) / (1 - decay**count)
    np.testing.assert_allclose(age_weighted(made(days(count)), decay).weight, published, rtol=1e-9)


def test_age_weighted__goes_by_the_dates_not_by_the_order_of_the_rows():
    shuffled = age_weighted(made(["2016-06-27", "2016-06-23", "2016-06-24"]), 0.5)
    np.testing.assert_allclose(shuffled.weight, [4 / 7, 1 / 7, 2 / 7], rtol=1e-15)


def test_age_weighted__says_its_decay_and_leaves_the_shifts_alone():
    plain = made(days(3), [[0.9], [1.0], [1.1]])
    found = age_weighted(plain, 0.98)
    facts = json.loads(found.attrs["provenance"])
    assert (facts["kind"], facts["decay"], facts["of"]["provenance"]) == ("age_weighted", 0.98, {"by": "hand"})
    assert found.scale.identical(plain.scale)
    assert "weight" not in plain
    np.testing.assert_array_equal(age_weighted(weighted(plain, [1, 2, 3]), 0.98).weight, found.weight)


def test_age_weighted__of_one_scenario_weighs_one():
    assert age_weighted(made(days(1)), 0.5).weight.values.tolist() == [1.0]


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.0001, float("nan"), "0.9", None])
def test_age_weighted__names_a_decay_outside_its_range(decay):
    with pytest.raises(BadScenarios, match="above 0 and at most 1 is right"):
        age_weighted(made(days(2)), decay)


@pytest.mark.parametrize("label", ["crash", "2016", "2016-06", "2016-06-24T10", "1", "NaT", "base/2016-06-24"])
def test_age_weighted__names_a_label_that_is_no_date(label):
    with pytest.raises(BadScenarios, match=f"scenario '{label}' of 'set' is no date, so it has no age"):
        age_weighted(made([*days(2), label]), 0.9)


def hull():
    with REFERENCES.open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.fixture
def ranked(market_of):
    """A share worth 1,000 and its moves, which give Hull's printed losses in their scenarios and small gains else."""
    gain = np.full(500, 25.0)
    for line in hull():
        if line["kind"] == "loss":
            gain[int(line["name"]) - 1] = -float(line["value"])
    base = market_of({"equity:ACME": 1000.0})
    portfolio = rg.Portfolio.from_tables({"equity": ROW})
    return portfolio, base, made(days(500), 1.0 + gain[:, None] / 1000.0)


@pytest.mark.parametrize("case", [c for c in hull() if c["decay"]], ids=lambda c: f"{c['kind']}-{c['decay']}")
def test_run__on_an_age_weighted_set_reports_the_printed_number_of_hull(case, ranked, tmp_path):
    portfolio, base, plain = ranked
    run = rg.run(portfolio, base, age_weighted(plain, float(case["decay"])), store=tmp_path, bits=20, progress=None)
    take = {"value_at_risk": rg.value_at_risk, "expected_shortfall": rg.expected_shortfall}[case["kind"]]
    assert float(take(run.pnl(), case["level"])) == pytest.approx(float(case["value"]), abs=5.1e-4)  # and half a tick


def test_run__with_a_decay_of_one_reports_the_unweighted_number_exactly(ranked, tmp_path):
    portfolio, base, plain = ranked
    runs = [rg.run(portfolio, base, one, store=tmp_path, progress=None) for one in (plain, age_weighted(plain, 1.0))]
    for level in ("0.99", "0.975", "0.9"):
        for method in ("inverted_cdf", "hazen"):
            of_plain, of_aged = (float(rg.value_at_risk(run.pnl(), level, method=method)) for run in runs)
            assert of_plain == of_aged
        of_plain, of_aged = (float(rg.expected_shortfall(run.pnl(), level)) for run in runs)
        assert of_plain == of_aged
    nearly = rg.run(portfolio, base, age_weighted(plain, 1 - 1e-9), store=tmp_path, progress=None)
    assert float(rg.value_at_risk(nearly.pnl())) == float(rg.value_at_risk(runs[0].pnl()))


def test_concatenate__of_aged_sets_keeps_weights_that_sum_to_one():
    found = concatenate({"x": age_weighted(made(days(3)), 0.9), "y": made(days(2))})
    assert float(found.weight.sum()) == pytest.approx(1.0, abs=1e-15)
