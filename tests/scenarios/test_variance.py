"""Conditional variances: printed steps, a plain loop, returns that are not fresh."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.scenarios.variance import Recursion, exponential, mean_square

REFERENCES = Path(__file__).parents[1] / "references" / "volatility.csv"


def references():
    with REFERENCES.open() as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("case", references(), ids=lambda case: f"{case['name']}-{case['kind']}")
def test_forecasts__are_the_printed_figures_of_hull(case):
    constant, weight, persistence, volatility = (
        np.array([float(case[key])]) for key in ("constant", "weight", "persistence", "volatility")
    )
    step = Recursion(constant, weight, persistence, volatility**2)
    found = step.forecasts(np.array([[float(case["return"])]]), np.array([[True]]))[1, 0]
    found = found if case["kind"] == "variance" else np.sqrt(found)
    assert abs(found - float(case["value"])) <= float(case["tolerance"])


def test_exponential__is_the_case_without_a_constant():
    made = exponential(0.94, np.array([0.01]))
    assert (made.constant[0], made.weight[0], made.persistence[0]) == (0.0, 1.0 - 0.94, 0.94)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 4))
def test_forecasts__are_those_of_a_plain_loop(seed, dates, series):
    random = np.random.default_rng(seed)
    returns, fresh = random.normal(size=(dates, series)), random.random((dates, series)) < 0.8
    returns[~fresh] = np.where(random.random((~fresh).sum()) < 0.5, np.nan, 1e6)
    model = Recursion(*random.random((4, series)))
    found = model.forecasts(returns, fresh)
    assert found.shape == (dates + 1, series)
    for at in range(series):
        variance = model.initial[at]
        for date in range(dates):
            assert found[date, at] == pytest.approx(variance, rel=1e-12)
            if fresh[date, at]:
                variance = model.constant[at] + model.weight[at] * returns[date, at] ** 2
                variance += model.persistence[at] * found[date, at]
        assert found[dates, at] == pytest.approx(variance, rel=1e-12)


def test_forecasts__of_a_day_know_nothing_of_that_day():
    returns = np.array([[0.01], [-0.02], [0.03], [0.0]])
    known, other = exponential(0.9, np.array([1e-4])), returns.copy()
    other[2] = 0.5
    fresh = np.ones_like(returns, dtype=bool)
    before, after = known.forecasts(returns, fresh), known.forecasts(other, fresh)
    assert before[:3].tolist() == after[:3].tolist()
    assert after[3] > before[3]


def test_mean_square__of_no_fresh_return_is_nil():
    square, count = mean_square(np.array([[np.nan, 0.2], [5.0, 0.4]]), np.array([[False, True], [False, True]]))
    assert count.tolist() == [0, 2]
    assert square == pytest.approx([0.0, 0.1])
