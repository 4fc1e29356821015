"""Intervals of VaR and ES: exact ranks, coverage by simulation, standard errors in closed form, bad input."""

import csv
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.interval import expected_shortfall_interval, value_at_risk_interval
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.registry import MEASURES
from riskgrid.scenarios.draw import Sampling

REFERENCES = Path(__file__).parents[1] / "references"
BOTH = (value_at_risk_interval, expected_shortfall_interval)


def row(values, **coords):
    labels = [f"s{number}" for number in range(len(values))]
    return xr.DataArray(np.array(values, float), {"scenario": labels, **coords}, ("scenario",))


def samples(distribution, replications, size, seed):
    random = np.random.Generator(np.random.Philox(seed))
    return xr.DataArray(-distribution.rvs((replications, size), random_state=random), dims=("sample", "scenario"))


def share_inside(bounds, truth):
    lower, upper = bounds.sel(bound="lower"), bounds.sel(bound="upper")
    return float(((lower <= truth) & (truth <= upper)).mean())


def shortfall_of(distribution, level):
    return distribution.expect(lambda loss: loss, lb=distribution.ppf(level)) / (1.0 - level)


def published():
    lines = (REFERENCES / "order_statistics.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("case", published(), ids=lambda case: case["draws"])
def test_value_at_risk_interval__of_the_median_is_the_sign_tests(case):
    size = int(case["draws"])
    found = value_at_risk_interval(row(-np.arange(1.0, size + 1)), 0.5)
    assert found.values.tolist() == [float(case["low"]), float(case["high"])]
    assert found.attrs["reached"] == pytest.approx(float(case["reached"]), abs=float(case["tolerance"]))


@pytest.mark.parametrize(("size", "level", "confidence"), [(500, 0.99, 0.95), (300, 0.975, 0.9), (250, 0.95, 0.99)])
def test_value_at_risk_interval__takes_the_tightest_ranks_that_the_exact_binomial_allows(size, level, confidence):
    tail, spare = 1 - Fraction(str(level)), (1 - Fraction(str(confidence))) / 2
    masses = [math.comb(size, k) * tail**k * (1 - tail) ** (size - k) for k in range(size // 3)]
    below = [sum(masses[:k]) for k in range(len(masses) + 1)]  # P(K < k)
    high = max(k for k in range(len(below)) if below[k] <= spare)
    low = min(k for k in range(len(below)) if 1 - below[k] <= spare)
    found = value_at_risk_interval(row(np.arange(float(size))), level, confidence=confidence)
    assert found.values.tolist() == [1.0 - low, 1.0 - high]
    assert found.attrs["reached"] == pytest.approx(float(below[low] - below[high]), abs=1e-12)
    assert found.attrs["reached"] >= confidence


@pytest.mark.parametrize("distribution", [stats.norm(), stats.t(4), stats.expon()], ids=["normal", "t", "exponential"])
@pytest.mark.parametrize(("size", "level"), [(1000, 0.99), (400, 0.95)])
def test_value_at_risk_interval__holds_the_truth_as_often_as_it_says(distribution, size, level):
    bounds = value_at_risk_interval(samples(distribution, 1_000, size, seed=5), level)
    reached = bounds.attrs["reached"]
    share = share_inside(bounds, distribution.ppf(level))
    assert abs(share - reached) < 3.5 * np.sqrt(reached * (1 - reached) / 1_000)


@pytest.mark.parametrize("method", ["asymptotic", "bootstrap"])
@pytest.mark.parametrize(("distribution", "short"), [(stats.norm(), 0.015), (stats.t(6), 0.025)], ids=["normal", "t"])
def test_expected_shortfall_interval__holds_the_truth_about_as_often_as_asked(method, distribution, short):
    pnl = samples(distribution, 800, 4_000, seed=8)
    share = share_inside(expected_shortfall_interval(pnl, method=method), shortfall_of(distribution, 0.975))
    error = 3.5 * np.sqrt(0.95 * 0.05 / 800)
    assert 0.95 - short - error < share < 0.95 + error  # 100 in the tail: known to be a little short


def test_expected_shortfall_interval__of_exponential_losses_has_the_closed_form_error():
    # in the tail an exponential is an exponential: variance 1, ES - VaR 1, so the variance of ES is (1 + level) / (n a)
    level, size = 0.95, 4_000
    pnl = samples(stats.expon(), 1_500, size, seed=3)
    expected = np.sqrt((1 + level) / (size * (1 - level)))
    assert float(expected_shortfall(pnl, level).std()) == pytest.approx(expected, rel=0.07)
    for options in ({}, {"method": "bootstrap", "resamples": 10_000}):
        bounds = expected_shortfall_interval(pnl[:200], level, **options)
        half = float((bounds.sel(bound="upper") - bounds.sel(bound="lower")).mean()) / 2
        assert half / stats.norm.ppf(0.975) == pytest.approx(expected, rel=0.04)


def test_expected_shortfall_interval__is_the_formula_of_manistre_and_hancock():
    losses = np.sort(np.random.default_rng(4).standard_t(5, 1_010))[::-1]
    level, exact = 0.975, 25.25
    weight = np.append(np.ones(25), 0.25)
    tail = losses[:26]
    mean = (weight * tail).sum() / exact
    variance = (weight * (tail - mean) ** 2).sum() / (exact - 1)
    half = stats.norm.ppf(0.95) * np.sqrt((variance + level * (mean - tail[-1]) ** 2) / exact)
    found = expected_shortfall_interval(row(-losses), level, confidence=0.9)
    np.testing.assert_allclose(found.values, [mean - half, mean + half], rtol=1e-12)
    assert float(expected_shortfall(row(-losses), level)) == pytest.approx(mean, rel=1e-12)


def test_bootstrap__resamples_as_drawing_with_replacement_does():
    losses = np.random.default_rng(6).standard_normal(400)
    random = np.random.default_rng(7)
    drawn = -np.sort(-losses[random.integers(0, 400, (4_000, 400))], axis=1)[:, :10].mean(axis=1)
    pnl = row(-losses)
    for confidence in (0.5, 0.9):
        options = {"method": "bootstrap", "confidence": confidence, "resamples": 4_000}
        found = expected_shortfall_interval(pnl, 0.975, **options)
        expected = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
        np.testing.assert_allclose(found.values, expected, atol=4 * drawn.std() / np.sqrt(4_000) * 2)
        again = expected_shortfall_interval(pnl, 0.975, **options)
        np.testing.assert_array_equal(found.values, again.values)
        other = expected_shortfall_interval(pnl, 0.975, **options, seed=1)
        assert not np.array_equal(found.values, other.values)
        assert (found.attrs["resamples"], found.attrs["seed"]) == (4_000, 0)


def sectioned(random, antithetic, replications=400, size=1_024, replicates=16):
    """P&L of a portfolio of six factors with a little convexity, drawn anew for every sample."""
    rows = []
    for seed in range(replications):
        draws = Sampling(size, seed, random, antithetic, replicates).draws(6)
        rows.append(draws.sum(axis=1) + 0.05 * (draws**2).sum(axis=1))
    batch = xr.DataArray(np.repeat(np.arange(replicates), size // replicates), dims="scenario")
    return xr.DataArray(np.array(rows), dims=("sample", "scenario")), batch


@pytest.mark.slow
@pytest.mark.parametrize(("random", "antithetic"), [("sobol", False), ("philox", True)])
def test_batches__hold_the_truth_where_draws_depend_on_each_other(random, antithetic):
    pnl, batch = sectioned(random, antithetic)
    far = Sampling(2**20, 999, "sobol").draws(6)
    truth = row(far.sum(axis=1) + 0.05 * (far**2).sum(axis=1))
    cases = ((value_at_risk_interval, value_at_risk, 0.9), (expected_shortfall_interval, expected_shortfall, 0.8))
    for interval, measure, level in cases:
        bounds = interval(pnl, level, batch=batch)
        share = share_inside(bounds, float(measure(truth, level)))
        # estimates of batches of 64 are biased, which widens the spread about the whole: rather too long than too short
        assert share > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 400)
        assert bounds.attrs["method"] == "sectioning"
        assert bounds.attrs["batches"] == 16


def test_batches__are_students_t_about_the_whole_estimate():
    values = np.random.default_rng(2).standard_normal(400)
    batch = np.tile(np.arange(4), 100)
    pnl = row(values, batch=("scenario", batch))
    apart = np.array([float(value_at_risk(row(values[batch == number]), 0.95)) for number in range(4)])
    whole = float(value_at_risk(row(values), 0.95))
    half = stats.t(3).ppf(0.975) * np.sqrt(((apart - whole) ** 2).sum() / 3 / 4)
    found = value_at_risk_interval(pnl, 0.95)
    np.testing.assert_allclose(found.values, [whole - half, whole + half], rtol=1e-12)
    assert found.dims == ("bound",)


def test_batches__too_small_for_the_level_are_flagged():
    found = value_at_risk_interval(row(np.arange(100.0), batch=("scenario", np.arange(100) // 25)), 0.99)
    assert found.attrs["flags"] == ["in a batch: fewer than the 100 scenarios of this level"]


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ([1, 1, 1, 1], "there are 1 batches of 4 to 4 scenarios; two or more of equal size are right"),
        ([1, 1, 1, 2], "there are 2 batches of 1 to 3 scenarios"),
    ],
)
def test_batches__that_tell_nothing_are_refused(batch, sentence):
    with pytest.raises(BadSpec, match=sentence):
        value_at_risk_interval(row([1.0, 2, 3, 4]), 0.5, batch=row(batch))


def test_batches__are_of_the_scenarios_of_the_pnl():
    with pytest.raises(BadSpec, match="not of the scenarios"):
        value_at_risk_interval(row([1.0, 2]), 0.5, batch=row([1, 2]).assign_coords(scenario=["a", "b"]))
    with pytest.raises(BadSpec, match=r"dims \('desk',\)"):
        value_at_risk_interval(row([1.0, 2]), 0.5, batch=xr.DataArray([1, 2], dims="desk"))


@pytest.mark.parametrize("interval", BOTH)
def test_interval__of_dependent_draws_without_batches_is_refused(interval):
    pnl = row(np.arange(100.0))
    pnl.attrs["scenario_set"] = "monte carlo gaussian, 64 Sobol points (not independent)"
    with pytest.raises(BadSpec, match=r"are not independent, .* draw them with replicates=16"):
        interval(pnl)


@pytest.mark.parametrize("interval", BOTH)
def test_interval__of_weighted_scenarios_is_refused(interval):
    with pytest.raises(BadSpec, match="an interval of weighted scenarios is not defined"):
        interval(row([1.0, 2.0], weight=("scenario", [0.4, 0.6])))
    equal = row(np.arange(200.0), weight=("scenario", np.full(200, 1 / 200)))
    np.testing.assert_array_equal(interval(equal).values, interval(equal.drop_vars("weight")).values)


@pytest.mark.parametrize("interval", BOTH)
def test_interval__refuses_levels_outside_zero_and_one_and_no_scenarios(interval):
    for options in ({"level": 1.0}, {"confidence": 0.0}, {"confidence": 95}):
        with pytest.raises(BadSpec, match="is not between 0 and 1"):
            interval(row([1.0]), **options)
    with pytest.raises(BadSpec, match="has no scenarios"):
        interval(row([]))


def test_bootstrap__says_what_is_wrong_with_its_options():
    pnl = row(np.arange(100.0))
    with pytest.raises(UnknownName, match="unknown method 'boot'; did you mean 'bootstrap'"):
        expected_shortfall_interval(pnl, method="boot")
    for options, sentence in (({"resamples": 50}, "resamples is 50"), ({"seed": -1}, "seed is -1")):
        with pytest.raises(BadSpec, match=sentence):
            expected_shortfall_interval(pnl, method="bootstrap", **options)


def test_interval__without_enough_scenarios_is_open_and_flagged():
    found = value_at_risk_interval(row(np.arange(100.0)), 0.99)
    assert found.sel(bound="upper").item() == np.inf
    assert found.attrs["flags"] == ["no upper bound: too few scenarios"]
    one = value_at_risk_interval(row([1.0]), 0.01)
    assert one.sel(bound="lower").item() == -np.inf
    assert "no lower bound: too few scenarios" in one.attrs["flags"]
    for method in ("asymptotic", "bootstrap"):
        none = expected_shortfall_interval(row(np.arange(79.0)), method=method)
        assert np.isnan(none.values).all()
        assert none.attrs["flags"] == ["no bounds: fewer than 2 scenarios in the tail"]
        few = expected_shortfall_interval(row(np.arange(80.0)), method=method)
        assert np.isfinite(few.values).all()
        assert few.attrs["flags"] == ["few scenarios in the tail: interval too short"]


@pytest.mark.parametrize("options", [{}, {"method": "bootstrap", "resamples": 200}])
def test_interval__of_a_row_with_a_nan_is_nan_and_only_of_that_row(options):
    values = np.random.default_rng(1).standard_normal((3, 2, 500))
    whole = xr.DataArray(values.copy(), dims=("desk", "book", "scenario"))
    values[1, 0, 7] = np.nan
    for interval in BOTH:
        chosen = {} if interval is value_at_risk_interval else options
        found = interval(xr.DataArray(values, dims=("desk", "book", "scenario")), **chosen)
        assert found.dims == ("desk", "book", "bound")
        expected = interval(whole, **chosen).values
        expected[1, 0] = np.nan
        np.testing.assert_array_equal(found.values, expected)


def test_interval__stays_lazy_on_dask():
    pnl = xr.DataArray(np.random.default_rng(1).standard_normal((4, 300)), dims=("trade", "scenario"))
    for interval in BOTH:
        lazy = interval(pnl.chunk(trade=2))
        assert lazy.chunks is not None
        np.testing.assert_array_equal(lazy.compute().values, interval(pnl).values)


def test_interval__of_equal_pnl_is_a_point():
    for interval in BOTH:
        found = interval(row(np.full(1_000, -3.0)))
        assert found.values.tolist() == [3.0, 3.0]


@given(st.integers(100, 400), st.sampled_from([0.5, 0.8, 0.95]), st.integers(0, 1_000), st.floats(-50, 50))
@settings(max_examples=40, deadline=None)
def test_interval__holds_the_estimate_and_moves_with_the_pnl(size, level, seed, gain):
    values = np.random.default_rng(seed).standard_t(3, size)
    for interval, measure in (
        (value_at_risk_interval, value_at_risk),
        (expected_shortfall_interval, expected_shortfall),
    ):
        lower, upper = interval(row(values), level).values
        assert lower <= float(measure(row(values), level)) <= upper
        np.testing.assert_allclose(
            interval(row(4.0 * values + gain), level), [4 * lower - gain, 4 * upper - gain], rtol=1e-9, atol=1e-9
        )


def test_interval__is_wider_for_more_confidence():
    pnl = row(np.random.default_rng(1).standard_normal(2_000))
    for interval in BOTH:
        narrow, wide = interval(pnl, confidence=0.8).values, interval(pnl, confidence=0.99).values
        assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_registry__finds_the_intervals():
    for interval in BOTH:
        assert MEASURES[interval.__name__].function is interval
        assert MEASURES[interval.__name__].inputs == ("pnl", "batch")
