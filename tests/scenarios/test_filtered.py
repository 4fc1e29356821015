"""Filtered historical scenarios: paths by a plain loop, forecast variances, joint draws, and their sentences."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios import file
from riskgrid.scenarios.filtered import filtered_historical
from riskgrid.scenarios.garch import fit
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.set import check_against, digest

COUNT = 400
DAYS = np.datetime64("2014-01-01") + np.arange(COUNT, dtype="timedelta64[D]")
TODAY = {"equity:ACME": 100.0, "par:USD-TREASURY:10Y": 0.02, "vol:ACME:1Y:1.00": 0.2}
KINDS = {"equity:ACME": "log", "par:USD-TREASURY:10Y": "absolute", "vol:ACME:1Y:1.00": "relative"}
SIZES = {"equity:ACME": 0.01, "par:USD-TREASURY:10Y": 5e-4, "vol:ACME:1Y:1.00": 0.04}


def clustered(seed=1):
    """Returns of three series with volatility that clusters, (date, series), and the levels they lead to."""
    random, now = np.random.default_rng(seed), np.ones(3)
    returns = np.empty((COUNT - 1, 3))
    for date in range(COUNT - 1):
        returns[date] = np.sqrt(now) * random.standard_normal(3)
        now = 0.05 + 0.15 * returns[date] ** 2 + 0.8 * now
    returns *= list(SIZES.values())
    levels = {}
    for at, (name, kind) in enumerate(KINDS.items()):
        grown = {"log": np.exp(returns[:, at]), "relative": 1 + returns[:, at]}.get(kind)
        path = TODAY[name] + np.cumsum(returns[:, at]) if grown is None else TODAY[name] * np.cumprod(grown)
        levels[name] = [TODAY[name], *path]
    return returns, levels


@pytest.fixture
def today(market_of):
    return market_of(TODAY, date=str(DAYS[-1]))


@pytest.fixture
def history(history_of):
    return history_of(clustered()[1], [str(day) for day in DAYS])


def sigma_of(returns, fresh):
    """The fitted recursion as numbers, and the volatility before each return and after the last, by a plain loop."""
    made = fit(returns[:, None], fresh[:, None])
    assert made.problem.tolist() == [""]
    numbers = [float(getattr(made.recursion, name)[0]) for name in ("constant", "weight", "persistence", "initial")]
    found = [numbers[3]]
    for one, good in zip(returns, fresh, strict=True):
        found.append(numbers[0] + numbers[1] * one**2 + numbers[2] * found[-1] if good else found[-1])
    return numbers, np.sqrt(found)


@pytest.mark.parametrize("warm_up", [0, 5, 100])
def test_filtered__each_date_once_is_scaled_by_garch(history, today, warm_up):
    returns, _ = clustered()
    found = filtered_historical(history, today, cap=None, warm_up=warm_up)
    assert found.scenario.values.tolist() == [str(day) for day in DAYS[warm_up + 1 :]]
    for at, (name, kind) in enumerate(KINDS.items()):
        _, sigma = sigma_of(returns[:, at], np.ones(COUNT - 1, dtype=bool))
        scaled = (returns[:, at] * sigma[-1] / sigma[:-1])[warm_up:]
        shift = {"log": np.exp(scaled), "relative": np.maximum(1 + scaled, 0.01 / 0.2), "absolute": scaled}[kind]
        got = found.offset if kind == "absolute" else found.scale
        assert got.sel(factor=name).values == pytest.approx(shift, rel=1e-9)
    assert found.drawn.values.tolist() == found.scenario.values.tolist()
    assert check_against(found, today) is found


@pytest.mark.parametrize("horizon", [1, 4])
def test_filtered__a_path_is_a_plain_loop_over_its_dates(history, today, horizon):
    returns, _ = clustered()
    found = filtered_historical(history, today, count=50, horizon=horizon, seed=7, cap=None)
    place = {str(day): at for at, day in enumerate(DAYS[1:])}
    for at, (name, kind) in enumerate(KINDS.items()):
        numbers, sigma = sigma_of(returns[:, at], np.ones(COUNT - 1, dtype=bool))
        for row in range(50):
            variance, total = sigma[-1] ** 2, 0.0 if kind == "absolute" else 1.0
            for day in str(found.drawn.values[row]).split():
                one = returns[place[day], at] / sigma[place[day]] * np.sqrt(variance)
                step = {"log": np.exp(one), "relative": 1 + one, "absolute": one}[kind]
                if kind == "relative" and horizon > 1:
                    step = max(step, 0.01)
                    one = step - 1
                total = total + step if kind == "absolute" else total * step
                variance = numbers[0] + numbers[1] * one**2 + numbers[2] * variance
            if kind == "relative":
                total = max(total, 0.01 / 0.2)
            got = found.offset if kind == "absolute" else found.scale
            assert float(got.sel(factor=name)[row]) == pytest.approx(total, rel=1e-8, abs=1e-12)


def test_filtered__spreads_as_the_variance_is_forecast(history, today):
    returns, _ = clustered()
    found = filtered_historical(history, today, count=40_000, horizon=10, cap=None)
    numbers, sigma = sigma_of(returns[:, 0], np.ones(COUNT - 1, dtype=bool))
    residual = (returns[:, 0] / sigma[:-1])[100:]
    second, variance, whole = np.mean(residual**2), sigma[-1] ** 2, 0.0
    for _ in range(10):  # E h' = c + (a E z^2 + b) E h, of independent draws
        whole += variance * (second - np.mean(residual) ** 2)
        variance = numbers[0] + (numbers[1] * second + numbers[2]) * variance
    moves = np.log(found.scale.sel(factor="equity:ACME").values)
    assert moves.var() == pytest.approx(whole, rel=0.05)  # means that differ by path are below a hundredth of it


def test_filtered__draws_the_same_dates_for_all_series(history_of, market_of):
    _, levels = clustered()
    series = {"equity:ACME": levels["equity:ACME"], "equity:BOLT": [0.4 * one for one in levels["equity:ACME"]]}
    history = history_of(series, [str(day) for day in DAYS])
    found = filtered_historical(history, market_of({"equity:ACME": 1.0, "equity:BOLT": 7.0}, str(DAYS[-1])), count=200)
    one, other = (found.scale.sel(factor=name).values for name in series)
    assert one == pytest.approx(other, rel=1e-6)
    assert len(np.unique(one.round(12))) > 100


def test_filtered__draws_are_uniform_over_the_window(history, today):
    found = filtered_historical(history, today, count=30_000, warm_up=379)
    drawn, times = np.unique(found.drawn.values, return_counts=True)
    assert drawn.tolist() == [str(day) for day in DAYS[-20:]]
    assert times == pytest.approx(1500, abs=5 * np.sqrt(1500))


def test_filtered__is_the_same_for_a_seed_and_another_for_another(history, today):
    options = {"count": 100, "horizon": 3}
    one, again, other = (filtered_historical(history, today, seed=seed, **options) for seed in (1, 1, 2))
    assert digest(one) == digest(again)
    assert digest(one) == digest(filtered_historical(history, today, count=np.int64(100), horizon=3, seed=np.int64(1)))
    assert one.drawn.identical(again.drawn)
    assert digest(one) != digest(other)
    assert not np.array_equal(one.scale, other.scale)
    more = filtered_historical(history, today, seed=1, count=150, horizon=3)
    assert np.array_equal(more.scale[:100], one.scale)  # more paths are more of the same


PROGRAM = """
from riskgrid import sample
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios.set import digest
options = {"start": "2014-01-03", "proxies": sample.proxies(), "count": 60, "horizon": 5}
print(digest(SCENARIO_SETS["filtered_historical"](sample.history(), sample.market("2016-06-24"), **options)).hex())
"""


@pytest.mark.slow
def test_filtered__has_the_same_bits_whatever_the_number_of_threads():
    told = set()
    for threads in ("1", "4"):
        own = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        made = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=own)
        told.add(made.stdout)
    assert len(told) == 1


def test_filtered__a_filled_level_is_drawn_as_nothing(history_of, today):
    _, levels = clustered()
    levels["equity:ACME"][395] = levels["equity:ACME"][394]
    history = history_of(levels, [str(day) for day in DAYS], stale={"equity:ACME": [395]})
    found = filtered_historical(history, today, start=str(DAYS[389]), warm_up=300, count=300, horizon=2)
    filled = [str(DAYS[395]), str(DAYS[396])]
    both = [all(day in filled for day in path.split()) for path in found.drawn.values.tolist()]
    any_ = [any(day in filled for day in path.split()) for path in found.drawn.values.tolist()]
    assert sum(both) > 3
    assert found.stale.sel(factor="equity:ACME").values.tolist() == any_
    assert (found.scale.sel(factor="equity:ACME").values[both] == 1.0).all()
    assert not found.stale.sel(factor="vol:ACME:1Y:1.00").any()
    # and leaves the variance where it was: the date after it moves as it would have alone
    alone = filtered_historical(history, today, start=str(DAYS[389]), warm_up=300)["scale"].sel(factor="equity:ACME")
    paths = [path.split() for path in found.drawn.values.tolist()]
    after = [row for row, (one, other) in enumerate(paths) if one in filled and other not in filled]
    assert len(after) > 10
    wanted = alone.sel(scenario=[paths[row][1] for row in after]).values
    assert found.scale.sel(factor="equity:ACME").values[after] == pytest.approx(wanted, rel=1e-12)


def test_filtered__keeps_a_kept_change_of_what_never_moved_else(history_of, today):
    _, levels = clustered()
    levels["equity:ACME"] = [100.0] * 395 + [110.0] + [100.0] * 4
    history = history_of(levels, [str(day) for day in DAYS], stale={"equity:ACME": [395]})
    window = {"start": str(DAYS[389]), "warm_up": 300, "on_stale": "keep"}
    found = filtered_historical(history, today, count=200, horizon=3, **window)
    times = np.array([path.count(str(DAYS[395])) - path.count(str(DAYS[396])) for path in found.drawn.values])
    assert {-1, 0, 1} <= set(times.tolist())
    assert found.scale.sel(factor="equity:ACME").values == pytest.approx(1.1**times, rel=1e-12)


def test_filtered__falls_back_to_exponential_weights_and_says_where(history_of, today):
    returns, levels = clustered()
    levels["par:USD-TREASURY:10Y"][:330] = [np.nan] * 330
    levels["vol:ACME:1Y:1.00"] = [0.2] * COUNT
    history = history_of(levels, [str(day) for day in DAYS])
    found = filtered_historical(history, today, start=str(DAYS[340]), cap=None, decay=0.9, warm_up=5)
    facts = json.loads(found.attrs["provenance"])["volatility"]
    assert facts["exponential_instead"] == {
        "par:USD-TREASURY:10Y": "short",
        "vol:ACME:1Y:1.00": "still",
        "equity:ACME": "short",
    }
    late = returns[335:, 1]
    variance = [np.mean(late[:5] ** 2)]
    for one in late:
        variance.append(0.9 * variance[-1] + 0.1 * one**2)
    scaled = late * np.sqrt(variance[-1] / np.array(variance[:-1]))
    assert found.offset.sel(factor="par:USD-TREASURY:10Y").values == pytest.approx(scaled[5:], rel=1e-7)
    assert (found.scale.sel(factor="vol:ACME:1Y:1.00") == 1.0).all()


def test_filtered__levels_stay_positive_on_long_wild_paths(history_of, market_of):
    returns, levels = clustered()
    levels["vol:ACME:1Y:1.00"] = list(0.2 * np.cumprod([1.0, *np.maximum(1 + 8 * returns[:, 2], 0.1)]))
    levels = {name: levels[name] for name in ("equity:ACME", "vol:ACME:1Y:1.00")}
    history = history_of(levels, [str(day) for day in DAYS])
    base = market_of({name: TODAY[name] for name in levels}, str(DAYS[-1]))
    found = filtered_historical(history, base, count=500, horizon=20)
    assert (found.scale > 0).all()
    assert found.scale.sel(factor="vol:ACME:1Y:1.00").min() == 0.01 / 0.2
    assert json.loads(found.attrs["provenance"])["counts"]["floored"] > 0


def test_filtered__says_how_it_was_made(history, today, tmp_path):
    assert SCENARIO_SETS["filtered_historical"] is filtered_historical
    found = filtered_historical(history, today, count=12, horizon=2, seed=3)
    facts = json.loads(found.attrs["provenance"])
    assert facts["draw"] == {"count": 12, "seed": 3, "generator": "Philox"}
    assert (facts["horizon"], facts["counts"]["scenarios"], facts["volatility"]["cap"]) == (2, 12, 10.0)
    assert facts["volatility"]["model"] == "GARCH(1,1), zero mean, variance targeted"
    assert found.scenario.values[[0, 11]].tolist() == ["path 01", "path 12"]
    assert "weight" not in found
    file.write(found, tmp_path / "set.parquet")
    assert file.read(tmp_path / "set.parquet").identical(found)
    assert json.loads(filtered_historical(history, today).attrs["provenance"])["draw"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"horizon": 10}, "a path of 10 dates is drawn; say how many paths, e.g. count=1000"),
        ({"horizon": 0}, "horizon is 0, count None and seed 0; at least 1, 1 and 0 are right"),
        ({"count": 0}, "count 0 and seed 0"),
        ({"count": 5, "seed": -1}, "seed -1; at least 1, 1 and 0"),
        ({"count": 5, "seed": 0.5}, "seed 0.5; all are whole numbers"),
        ({"count": "5"}, "count '5' and seed 0; all are whole numbers"),
        ({"decay": 0}, "decay is 0; above 0 and at most 1"),
        ({"warm_up": 400}, "a warm-up of 400 returns does not fit: the history has 399 up to 2015-02-04"),
        ({"sed": 1}, "unknown option 'sed'; did you mean 'seed'"),
    ],
)
def test_filtered__says_what_is_wrong(history, today, options, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        filtered_historical(history, today, **options)


def test_filtered__on_the_sample_fits_all_series_and_moves_every_factor_that_history_moves():
    base = sample.market("2016-06-24")
    options = {"start": "2014-01-03", "proxies": sample.proxies()}
    plain = historical(sample.history(), base, **options)
    found = filtered_historical(sample.history(), base, **options)
    assert found.unshocked.identical(plain.unshocked)
    assert np.array_equal(found.stale, plain.stale)
    fallen = json.loads(found.attrs["provenance"])["volatility"]["exponential_instead"]
    assert not {"short", "not converged"} & set(fallen.values())
