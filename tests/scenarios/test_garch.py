"""GARCH fits: another optimiser on a plain-loop likelihood, known parameters, and what is no good and says so."""

import numpy as np
import pytest
from scipy.optimize import minimize

from riskgrid.scenarios.garch import LEAST_RETURNS, fit


def simulated(weight, persistence, dates, seed, variance=1e-4):
    """A GARCH(1,1) of Gaussian residuals, by a plain loop."""
    random, now, found = np.random.default_rng(seed), variance, np.empty(dates)
    for date in range(dates):
        found[date] = np.sqrt(now) * random.standard_normal()
        now = (1 - weight - persistence) * variance + weight * found[date] ** 2 + persistence * now
    return found


def loss(place, returns):
    """Half the mean of log h + r^2 / h with the variance targeted, date by date."""
    weight, persistence = place
    if weight < 0 or persistence < 0 or weight + persistence >= 0.9999:
        return np.inf
    target = np.mean(np.square(returns))
    now, total = target, 0.0
    for one in returns:
        total += np.log(now) + one * one / now
        now = (1 - weight - persistence) * target + weight * one * one + persistence * now
    return 0.5 * total / len(returns)


@pytest.mark.parametrize(("weight", "persistence"), [(0.1, 0.85), (0.05, 0.93), (0.3, 0.4), (0.2, 0.0)])
def test_fit__is_where_another_optimiser_ends(weight, persistence):
    returns = simulated(weight, persistence, 1200, seed=5)
    found = fit(returns[:, None], np.ones((1200, 1), dtype=bool))
    here = np.array([found.recursion.weight[0], found.recursion.persistence[0]])
    start = np.maximum(here + np.array([0.02, -0.03]), 1e-3)
    options = {"xatol": 1e-9, "fatol": 1e-15, "maxiter": 2000}
    there = minimize(loss, start, args=(returns / returns.std(),), method="Nelder-Mead", options=options)
    assert found.problem.tolist() == [""]
    assert here == pytest.approx(there.x, abs=2e-6)
    assert loss(here, returns / returns.std()) <= there.fun + 1e-13


def test_fit__finds_the_parameters_that_made_the_returns():
    # five standard errors at 20,000 returns, measured over seeds: below 0.02 of either parameter
    known = np.array([[0.05, 0.1, 0.2], [0.92, 0.85, 0.6]])
    returns = np.stack([simulated(*pair, 20_000, seed=11) for pair in known.T], axis=1)
    found = fit(returns, np.ones_like(returns, dtype=bool))
    assert found.recursion.weight == pytest.approx(known[0], abs=0.02)
    assert found.recursion.persistence == pytest.approx(known[1], abs=0.03)
    assert found.recursion.initial == pytest.approx(np.square(returns).mean(axis=0))


def test_fit__targets_the_variance():
    returns = simulated(0.1, 0.8, 800, seed=2)[:, None]
    made = fit(returns, np.ones_like(returns, dtype=bool)).recursion
    long_run = made.constant / (1 - made.weight - made.persistence)
    assert long_run == pytest.approx(np.square(returns).mean(axis=0), rel=1e-12)


def test_fit__of_a_series_does_not_see_the_others():
    returns = np.stack([simulated(0.1, 0.8, 500, 1), 30 * simulated(0.05, 0.9, 500, 2), np.zeros(500)], axis=1)
    fresh = np.ones_like(returns, dtype=bool)
    fresh[100:200, 1] = False
    whole = fit(returns, fresh).recursion
    for at in range(3):
        alone = fit(returns[:, [at]], fresh[:, [at]]).recursion
        assert whole.weight[at] == pytest.approx(alone.weight[0], abs=1e-12)
        assert whole.persistence[at] == pytest.approx(alone.persistence[0], abs=1e-12)


def test_fit__does_not_depend_on_the_unit_of_the_returns():
    returns, fresh = simulated(0.1, 0.8, 500, 1)[:, None], np.ones((500, 1), dtype=bool)
    one, other = fit(returns, fresh).recursion, fit(1e4 * returns, fresh).recursion
    assert one.weight == pytest.approx(other.weight, abs=1e-7)
    assert other.constant == pytest.approx(1e8 * one.constant, rel=1e-6)


def test_fit__passes_over_returns_that_are_not_fresh():
    returns = simulated(0.1, 0.8, 500, 1)
    padded, fresh = np.insert(returns, [50, 50, 300], [np.nan, 7.0, 0.0]), np.ones(503, dtype=bool)
    fresh[[50, 51, 302]] = False
    plain = fit(returns[:, None], np.ones((500, 1), dtype=bool)).recursion
    found = fit(padded[:, None], fresh[:, None]).recursion
    for name in ("weight", "persistence", "initial"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9)


def test_fit__says_what_is_no_good():
    random = np.random.default_rng(4)
    trend = np.exp(np.arange(400) / 50) * np.sign(random.standard_normal(400))  # ever larger: no way back
    returns = np.stack([np.zeros(400), random.standard_normal(400), trend], axis=1)
    fresh = np.ones_like(returns, dtype=bool)
    fresh[LEAST_RETURNS - 1 :, 1] = False
    assert fit(returns, fresh).problem.tolist() == ["still", "short", "persistent"]
    assert fit(returns[:0], fresh[:0]).problem.tolist() == ["still"] * 3
    assert fit(returns[:, :0], fresh[:, :0]).problem.tolist() == []


def test_fit__of_returns_without_clusters_leaves_a_constant_variance():
    alternating = np.where(np.arange(400) % 2, 0.01, -0.02)[:, None]  # large never follows large
    found = fit(alternating, np.ones_like(alternating, dtype=bool))
    assert found.problem.tolist() == [""]
    assert found.recursion.weight.tolist() == [0.0]
    forecasts = found.recursion.forecasts(alternating, np.ones_like(alternating, dtype=bool))
    assert forecasts == pytest.approx(2.5e-4, rel=1e-9)
