"""Monte Carlo scenarios: statistics of the draws against their targets, the same bits, and every mistake a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios import file
from riskgrid.scenarios.covariance import covariance, factor_returns
from riskgrid.scenarios.draw import Sampling
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.monte_carlo import monte_carlo
from riskgrid.scenarios.set import check_against, digest

TODAY = {
    "commodity:WTI:0D": 50.0,
    "equity:ACME": 100.0,
    "fx:EUR": 1.25,
    "par:USD-TREASURY:10Y": 0.02,
    "vol:ACME:1Y:1.00": 0.2,
}
SIZE = {
    "commodity:WTI:0D": 0.02,
    "equity:ACME": 0.01,
    "fx:EUR": 0.006,
    "par:USD-TREASURY:10Y": 0.0005,
    "vol:ACME:1Y:1.00": 0.05,
}


@pytest.fixture
def market(market_of):
    return market_of(TODAY)


@pytest.fixture
def history(history_of):
    random = np.random.default_rng(7)
    days = [str(day) for day in np.datetime64("2016-07-01") - np.arange(120)[::-1]]
    shared = random.standard_normal(120)
    steps = {name: size * (0.6 * shared + 0.8 * random.standard_normal(120)) for name, size in SIZE.items()}
    paths = {name: np.cumsum(step) for name, step in steps.items()}
    rates = {name: (path + 0.02 if name.startswith("par") else np.exp(path)).tolist() for name, path in paths.items()}
    return history_of(rates, days)


@pytest.fixture
def target(history, market):
    return covariance(historical(history, market))


FIRST = [-0.7990613887328212, 0.9191632233041768]


def provenance(scenarios):
    return json.loads(scenarios.attrs["provenance"])


def labelled(values, names):
    return xr.DataArray(np.array(values, float), {"factor": names, "factor_": names}, ("factor", "factor_"))


def test_monte_carlo__is_a_checked_set_that_names_what_it_is(history, market):
    found = monte_carlo(history, market, count=10, seed=1)
    assert check_against(found, market) is found
    assert SCENARIO_SETS["monte_carlo"] is monte_carlo
    assert found["scenario"].values[[0, -1]].tolist() == ["mc-000001", "mc-000010"]
    assert found["factor"].values.tolist() == list(market.factors)
    assert found.attrs["name"] == "monte carlo gaussian, 10 draws"
    facts = provenance(found)
    assert (facts["kind"], facts["model"], facts["random"], facts["seed"]) == ("monte_carlo", "gaussian", "philox", 1)
    assert facts["window"] == [str(history.dates[0]), str(history.dates[-1])]
    assert facts["components"] == facts["rank"] == 5


def sampling_error(target, count, kurtosis=3.0):
    """Standard deviation of a sample covariance about zero: (kurtosis / 3 (c_ii c_jj + 2 c_ij^2) - c_ij^2) / n."""
    variance = np.diagonal(target)
    fourth = kurtosis / 3.0 * (np.outer(variance, variance) + 2.0 * target**2)
    return np.sqrt((fourth - target**2) / count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "kurtosis"),
    [({}, 3.0), ({"antithetic": True}, 3.0), ({"random": "sobol"}, 3.0), ({"model": "student_t", "degrees": 9}, 4.2)],
)
def test_monte_carlo__has_the_covariance_of_the_history(history, market, target, options, kurtosis):
    count = 16_384
    returns = factor_returns(monte_carlo(history, market, count=count, seed=11, **options)).values
    # a mirrored draw repeats a square, so pairs tell half as much of a covariance
    error = sampling_error(target.values, count / (2 if options.get("antithetic") else 1), kurtosis)
    assert (np.abs(returns.T @ returns / count - target.values) < 4.5 * error).all()
    mean_error = np.sqrt(np.diagonal(target.values) / count)
    assert (np.abs(returns.mean(axis=0)) < 4.5 * mean_error).all()


def test_monte_carlo__returns_take_the_shape_of_their_kind(history, market, target):
    found = monte_carlo(history, market, count=64, seed=3)
    move = {name: found.sel(factor=name) for name in TODAY}
    returns = factor_returns(found)
    assert returns["returns"].values.tolist() == ["log", "log", "log", "absolute", "relative"]
    np.testing.assert_allclose(np.log(move["equity:ACME"].scale), returns.sel(factor="equity:ACME"), rtol=1e-12)
    assert (move["par:USD-TREASURY:10Y"].scale == 1.0).all()
    assert (move["par:USD-TREASURY:10Y"].offset != 0.0).all()
    assert (move["vol:ACME:1Y:1.00"].offset == 0.0).all()


@pytest.mark.slow
def test_gaussian__margins_are_normal():
    draws = Sampling(20_000, 5).draws(3)
    for column in draws.T:
        assert stats.kstest(column, "norm").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [2.5, 5, 30])
def test_student_t__margins_are_students_with_variance_one(degrees):
    draws = Sampling(20_000, 5, degrees=degrees).draws(2)
    for column in draws.T:
        assert stats.kstest(column * np.sqrt(degrees / (degrees - 2.0)), stats.t(degrees).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_student_t__has_its_kurtosis():
    draws = Sampling(200_000, 1, degrees=12.0).draws(1)[:, 0]
    # 3 + 6 / (degrees - 4); the error of the fourth moment from the moments of t with 12 degrees
    eighth = 105 * 10.0**4 / (10 * 8 * 6 * 4)
    error = np.sqrt((eighth - 3.75**2) / 200_000)
    assert abs((draws**4).mean() - 3.75) < 4.0 * error


@pytest.mark.slow
def test_student_t__factors_are_far_out_together():
    draws = Sampling(50_000, 2, degrees=4.0).draws(2)
    squares = np.minimum(draws**2, 25.0)
    assert np.corrcoef(draws.T)[0, 1] == pytest.approx(0.0, abs=0.05)
    assert np.corrcoef(squares.T)[0, 1] > 0.1  # one chi-square moves both; independent t would have none
    assert np.corrcoef(np.minimum(Sampling(50_000, 2).draws(2) ** 2, 25.0).T)[0, 1] == pytest.approx(0.0, abs=0.02)


@pytest.mark.slow
def test_sobol__integrates_a_smooth_function_better_than_philox():
    def error(random):
        means = [np.exp(0.2 * Sampling(1_024, seed, random).draws(6).sum(axis=1)).mean() for seed in range(20)]
        return np.sqrt(np.mean((np.array(means) - np.exp(0.5 * 6 * 0.04)) ** 2))

    assert error("sobol") < error("philox") / 10


def test_antithetic__scenarios_mirror_each_other_in_pairs(history, market):
    returns = factor_returns(monte_carlo(history, market, count=20, seed=4, antithetic=True, model="student_t")).values
    np.testing.assert_allclose(returns[0::2], -returns[1::2], rtol=1e-9, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"model": "student_t"}, {"antithetic": True}, {"components": 2}])
def test_monte_carlo__begins_with_the_same_scenarios_whatever_the_count(history, market, options):
    few = monte_carlo(history, market, count=1_030, seed=9, **options)
    many = monte_carlo(history, market, count=3_000, seed=9, **options)
    np.testing.assert_array_equal(few["scale"], many["scale"][:1_030])
    np.testing.assert_array_equal(few["offset"], many["offset"][:1_030])
    other = monte_carlo(history, market, count=1_030, seed=10, **options)
    assert not (few["scale"] == other["scale"]).all()


@pytest.mark.parametrize("random", ["philox", "sobol"])
def test_monte_carlo__of_one_scenario_is_one(history, market, random):
    found = monte_carlo(history, market, count=np.int64(1), seed=np.int64(2**40), random=random)
    assert found.sizes["scenario"] == 1
    assert provenance(found)["seed"] == 2**40


def test_sobol__begins_with_the_same_points_whatever_the_count():
    np.testing.assert_array_equal(Sampling(64, 3, "sobol").draws(5), Sampling(256, 3, "sobol").draws(5)[:64])


_SCRIPT = """
import numpy as np
from riskgrid import sample
from riskgrid.scenarios.monte_carlo import monte_carlo
from riskgrid.scenarios.set import digest
market, rules = sample.market("2016-07-01"), {"window": 250, "proxies": sample.proxies()}
for options in ({}, {"components": 0.9, "model": "student_t"}):
    print(digest(monte_carlo(sample.history(), market, count=300, seed=1, **rules, **options)).hex())
"""


@pytest.mark.slow
def test_monte_carlo__has_the_same_bits_on_one_thread_and_on_two():
    def bits(threads):
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        there = {**os.environ, **limits, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", _SCRIPT]
        return subprocess.run(command, env=there, capture_output=True, text=True, timeout=120, check=True).stdout

    assert bits("1") == bits("2")


def test_draws__of_a_seed_are_these():
    # a change of these numbers changes every stored Monte Carlo run
    words = np.random.Philox(np.random.SeedSequence(1, spawn_key=(0,))).random_raw(2)
    expected = stats.norm.ppf((np.right_shift(words, np.uint64(12)) + 0.5) / 2.0**52)
    np.testing.assert_allclose(Sampling(1, 1).draws(2)[0], expected, rtol=1e-13)
    np.testing.assert_allclose(expected, FIRST, rtol=1e-13)


def test_horizon__scales_by_the_root_of_time_and_says_so(history, market):
    one, ten = (monte_carlo(history, market, count=50, seed=2, horizon=days) for days in (1, 10))
    np.testing.assert_allclose(factor_returns(ten), factor_returns(one) * np.sqrt(10.0), rtol=1e-9, atol=1e-15)
    assert ten.attrs["name"] == "monte carlo gaussian, 50 draws, 10-day by the root of time"
    assert (provenance(ten)["horizon"], provenance(ten)["horizon_rule"]) == (10, "root of time")


def test_mean__of_the_history_is_added_only_if_asked(history, market):
    zero = monte_carlo(history, market, count=2_000, seed=2, antithetic=True)
    assert np.abs(factor_returns(zero).mean("scenario")).max() < 1e-15
    drift = monte_carlo(history, market, count=2_000, seed=2, antithetic=True, mean="historical", horizon=4)
    expected = factor_returns(historical(history, market)).mean("scenario")
    np.testing.assert_allclose(factor_returns(drift).mean("scenario"), 4 * expected, rtol=1e-9)


def test_components__leave_out_the_rest_and_say_how_much_they_explain(history, market, target):
    found = monte_carlo(history, market, count=200, seed=1, components=2)
    assert np.linalg.matrix_rank(factor_returns(found).values, tol=1e-9) == 2
    facts = provenance(found)
    assert (facts["components"], facts["rank"]) == (2, 5)
    assert set(facts["explained"]) == {"commodity", "equity", "fx", "par", "vol"}
    share = provenance(monte_carlo(history, market, count=4, seed=1, components=0.8))
    assert min(share["explained"].values()) >= 0.8


def test_relative__returns_leave_a_volatility_one_point_and_are_counted(market):
    names = ["index:VIX", "vol:ACME:1Y:1.00"]
    wild = labelled([[1.0, 0.0], [0.0, 1.0]], names)
    base = type(market)(
        **{
            **vars(market),
            "factors": tuple(sorted([*TODAY, "index:VIX"])),
            "levels": np.array([50, 100, 1.25, 15, 0.02, 0.2]),
        }
    )
    found = monte_carlo(None, base, count=1_000, seed=1, covariance=wild)
    vol, index = (found["scale"].sel(factor=name).values for name in names[::-1])
    assert vol.min() == pytest.approx(0.05)
    assert index.min() == pytest.approx(0.01)
    assert provenance(found)["counts"]["floored"] == (vol == vol.min()).sum() + (index == index.min()).sum() > 200


def test_covariance__given_is_taken_as_it_is_and_what_it_does_not_name_is_unshocked(market):
    names = ["equity:ACME", "fx:EUR"]
    given = labelled([[4e-4, 1e-4], [1e-4, 1e-4]], names)
    found = monte_carlo(None, market, count=8_192, seed=1, random="sobol", covariance=given)
    assert found["factor"].values[~found["unshocked"].values].tolist() == names
    returns = np.log(found["scale"].sel(factor=names)).values
    np.testing.assert_allclose(returns.T @ returns / 8_192, given.values, atol=2e-7)
    facts = provenance(found)
    assert (facts["repair"], facts["counts"]["unshocked"]) == ("none", 3)
    kinds = given.assign_coords(returns=("factor", ["absolute", "log"]), mean=("factor", [5.0, 0.0]))
    moved = monte_carlo(None, market, count=8, seed=1, covariance=kinds, mean="historical")
    np.testing.assert_allclose(moved["offset"].sel(factor="equity:ACME"), 5.0, atol=0.2)
    assert factor_returns(moved).sel(factor="equity:ACME")["returns"].item() == "absolute"


@pytest.mark.slow
def test_covariance__that_is_not_semi_definite_is_repaired_and_that_is_said(market):
    names = ["commodity:WTI:0D", "equity:ACME", "fx:EUR"]
    given = labelled(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]) * 1e-4, names)
    found = monte_carlo(None, market, count=16_384, seed=1, random="sobol", covariance=given)
    facts = provenance(found)
    assert facts["repair"] == "nearest"
    assert facts["moved"] == pytest.approx(0.5278, abs=5e-5)
    assert facts["smallest_eigenvalue"] == pytest.approx(1 - np.sqrt(2))
    correlation = np.corrcoef(np.log(found["scale"].sel(factor=names)).values.T)
    np.testing.assert_allclose(correlation[0], [1.0, 0.7607, 0.1573], atol=5e-3)


def test_replicates__are_marked_and_drawn_apart(history, market, tmp_path):
    found = monte_carlo(history, market, count=32, seed=1, random="sobol", replicates=4)
    assert found["batch"].values.tolist() == [1] * 8 + [2] * 8 + [3] * 8 + [4] * 8
    batches = [found["scale"].values[8 * at : 8 * at + 8] for at in range(4)]
    assert len({batch.tobytes() for batch in batches}) == 4
    file.write(found, tmp_path / "set.parquet")
    again = file.read(tmp_path / "set.parquet")
    assert again["batch"].values.tolist() == found["batch"].values.tolist()
    assert digest(again) == digest(found)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"count": 0}, "count is 0; a whole number of at least 1 is right"),
        ({"count": 1.5}, "count is 1.5; a whole number"),
        ({"count": True}, "count is True"),
        ({"seed": -1}, "seed is -1; a whole number of at least 0 is right"),
        ({"seed": None}, "seed is None"),
        ({"replicates": 0}, "replicates is 0"),
        ({"replicates": 3}, "16 scenarios cannot stand in 3 replicates of equal size"),
        ({"model": "student_t", "degrees": 2}, "degrees is 2; Student's t has a covariance above 2 degrees"),
        ({"model": "student_t", "degrees": float("nan")}, "degrees is nan"),
        ({"model": "student_t", "degrees": "5"}, "degrees is '5'"),
        ({"degrees": 5}, "degrees of freedom go with model='student_t'"),
        ({"random": "sobol", "count": 100}, r"100 Sobol points are not balanced; .* e.g. 128"),
        ({"random": "sobol", "count": 96, "replicates": 8}, r"12 Sobol points are not balanced; .* e.g. 16"),
        ({"random": "sobol", "antithetic": True}, "Sobol points are balanced as they are"),
        ({"antithetic": True, "count": 15}, "antithetic scenarios come in pairs; 15 for each replicate is odd"),
        ({"antithetic": "yes"}, "antithetic is 'yes'; True or False is right"),
        ({"components": 0}, "components is 0; a whole number of at least 1, or a share"),
        ({"horizon": 0}, "horizon is 0; a whole number of at least 1"),
        ({"horizon": 1.5}, "horizon is 1.5"),
        ({"decay": 2.0}, "decay is 2.0; a number above 0"),
        ({"window": 500}, "the window has 120 dates"),
        ({"window": "60"}, "window is '60'; a whole number of at least 1"),
        ({"window": 60, "start": "2016-05-02"}, "from a start on or from a window of so many days"),
        ({"start": "soon"}, "start is 'soon', which is no date"),
        ({"on_stlae": "keep"}, "unknown option 'on_stlae'; did you mean 'on_stale'"),
        ({"skip": ["*"]}, "no factor of the market moves in 'historical"),
    ],
)
def test_monte_carlo__says_what_is_wrong_with_an_option(history, market, options, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        monte_carlo(history, market, **{"count": 16, "seed": 1, **options})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "normal"}, "unknown model 'normal'; known: 'gaussian', 'student_t'"),
        ({"random": "mersenne"}, "unknown random 'mersenne'; known: 'philox', 'sobol'"),
        ({"mean": "sample"}, "unknown mean 'sample'; known: 'historical', 'zero'"),
    ],
)
def test_monte_carlo__lists_what_it_knows(history, market, options, sentence):
    with pytest.raises(UnknownName, match=sentence):
        monte_carlo(history, market, count=16, seed=1, **options)


def test_covariance__given_says_what_is_wrong_with_it(market, market_of):
    good = labelled([[1e-4]], ["equity:ACME"])
    draw = {"count": 4, "seed": 1}
    with pytest.raises(UnknownName, match="unknown factor of the covariance 'equity:ACNE'; did you mean 'equity:ACME'"):
        monte_carlo(None, market, covariance=labelled([[1e-4]], ["equity:ACNE"]), **draw)
    with pytest.raises(BadScenarios, match="which is no variance"):
        monte_carlo(None, market, covariance=-good, **draw)
    with pytest.raises(BadScenarios, match="'decay' says how a covariance comes from a history"):
        monte_carlo(None, market, covariance=good, decay=0.9, **draw)
    with pytest.raises(BadScenarios, match="has no coordinate 'mean'"):
        monte_carlo(None, market, covariance=good, mean="historical", **draw)
    with pytest.raises(UnknownName, match="unknown return of 'equity:ACME' 'lg'; did you mean 'log'"):
        monte_carlo(None, market, covariance=good.assign_coords(returns=("factor", ["lg"])), **draw)
    with pytest.raises(BadScenarios, match="neither a history nor a covariance"):
        monte_carlo(None, market, **draw)
    sunk = market_of({**TODAY, "commodity:WTI:0D": -3.0})
    with pytest.raises(BadScenarios, match="'commodity:WTI:0D' stands at -3, which has no log return"):
        monte_carlo(None, sunk, covariance=labelled([[1e-4]], ["commodity:WTI:0D"]), **draw)
