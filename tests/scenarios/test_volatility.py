"""Volatility-scaled scenarios: a plain loop, what leaves them alone, and their sentences."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid import sample
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.measures.tail import value_at_risk
from riskgrid.registry import SCENARIO_SETS
from riskgrid.running import run
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.set import check_against, digest
from riskgrid.scenarios.volatility import volatility_scaled

FIRST = np.datetime64("2016-01-04")
TODAY = {"equity:ACME": 100.0, "par:USD-TREASURY:10Y": 0.02, "vol:ACME:1Y:1.00": 0.2}
SHORT = {"warm_up": 5, "decay": 0.8}


def days(count):
    return [str(day) for day in FIRST + np.arange(count, dtype="timedelta64[D]")]


def walk(count, seed=3, calm=None):
    """Levels of a share, a rate and a volatility; the ``calm`` first returns are a tenth as large."""
    moves = np.random.default_rng(seed).normal(size=(count - 1, 3)) * (0.02, 5e-4, 0.05)
    moves[: calm or 0] *= 0.1
    paths = np.vstack([np.zeros(3), moves.cumsum(axis=0)])
    levels = (100 * np.exp(paths[:, 0]), 0.02 + paths[:, 1], 0.2 * np.exp(paths[:, 2]))
    return {name: list(level) for name, level in zip(TODAY, levels, strict=True)}


@pytest.fixture
def today(market_of):
    return market_of(TODAY, date=days(40)[-1])


@pytest.fixture
def history(history_of):
    return history_of(walk(40), days(40))


def volatilities(returns, fresh, decay, warm_up):
    """Forecasts date by date, of the first return to the one after the last."""
    early = [one for one, good in zip(returns[:warm_up], fresh[:warm_up], strict=True) if good]
    every = [one for one, good in zip(returns, fresh, strict=True) if good]
    now = np.mean(np.square(early or every))
    found = [now]
    for one, good in zip(returns, fresh, strict=True):
        now = decay * now + (1 - decay) * one**2 if good else now
        found.append(now)
    return np.sqrt(found)


@pytest.mark.parametrize("horizon", [1, 3])
def test_volatility_scaled__is_a_plain_loop_over_dates(history, today, horizon):
    found = volatility_scaled(history, today, horizon=horizon, cap=None, **SHORT)
    assert found.scenario.values.tolist() == days(40)[5 + horizon :]
    for factor in TODAY:
        level = history.values[:, history.factors.index(factor)]
        kind = {"equity": "log", "par": "absolute", "vol": "relative"}[factor.partition(":")[0]]
        make = {
            "log": lambda a, b: np.log(b / a),
            "absolute": lambda a, b: b - a,
            "relative": lambda a, b: b / a - 1,
        }[kind]
        daily = [make(a, b) for a, b in pairwise(level)]
        sigma = volatilities(daily, [True] * 39, 0.8, 5)
        for row, end in enumerate(range(5 + horizon, 40)):
            scaled = make(level[end - horizon], level[end]) * sigma[39] / sigma[end - horizon]
            state = {"log": np.exp(scaled), "absolute": 1.0, "relative": max(1 + scaled, 0.01 / 0.2)}[kind]
            assert float(found.scale.sel(factor=factor)[row]) == pytest.approx(state, rel=1e-12)
            assert float(found.offset.sel(factor=factor)[row]) == pytest.approx(
                scaled if kind == "absolute" else 0.0, abs=1e-15
            )
    assert check_against(found, today) is found


def test_volatility_scaled__is_registered_and_says_how_it_was_made(history, today):
    assert SCENARIO_SETS["volatility_scaled"] is volatility_scaled
    found = volatility_scaled(history, today, count=10, **SHORT)
    facts = json.loads(found.attrs["provenance"])
    volatility = {"model": "exponential", "decay": 0.8, "warm_up": 5, "cap": 10.0, "capped": 0, "stood_still": 0}
    assert facts["volatility"] == volatility
    assert (facts["kind"], facts["window"], facts["counts"]["scenarios"]) == ("volatility_scaled", days(40)[29::10], 10)
    assert digest(found) == digest(volatility_scaled(history, today, count=10, **SHORT))
    assert digest(found) != digest(volatility_scaled(history, today, count=10, decay=0.8, warm_up=6))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 8))
def test_volatility_scaled__with_a_decay_of_one_is_historical_to_the_bit(seed, horizon, warm_up):
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

    series = walk(20, seed)
    own = {"numeraire": "USD", "conventions": {}, "fixings": {}, "origin": {"*": "synthetic: drawn"}}
    values = np.array([series[name] for name in TODAY]).T
    own["factors"] = ("equity:ACME", "spread:ACME", "vol:ACME:1Y:1.00")
    dates = np.array(days(20), dtype="M8[D]")
    history = MarketHistory(dates=dates, values=values, stale=np.random.default_rng(seed).random((20, 3)) < 0.1, **own)
    market = MarketSnapshot(date=dates[-1], levels=np.array(list(TODAY.values())), **own)
    start = days(20)[warm_up]
    plain = historical(history, market, start=start, horizon=horizon)
    scaled = volatility_scaled(history, market, start=start, horizon=horizon, decay=1, warm_up=warm_up)
    assert scaled.drop_attrs().identical(plain.drop_attrs())


def test_volatility_scaled__takes_calm_days_for_as_wild_as_today(history_of, today):
    history = history_of(walk(40, calm=30), days(40))
    plain, scaled = (make(history, today, end=days(40)[28]) for make in (historical, volatility_scaled_short))
    ratio = np.log(scaled.scale.sel(factor="equity:ACME")) / np.log(plain.scale.sel(factor="equity:ACME"))
    assert (ratio > 2).all()
    wild = historical(history, today, start=days(40)[30])
    spread = [float(np.log(one.scale.sel(factor="equity:ACME")).std()) for one in (scaled, wild)]
    assert spread[0] == pytest.approx(spread[1], rel=0.5)


def volatility_scaled_short(history, market, **options):
    return volatility_scaled(history, market, **SHORT, **options)


def test_volatility_scaled__takes_the_volatility_of_the_markets_date(history, market_of, today):
    earlier = market_of(TODAY, date=days(40)[30])
    window = {"start": days(40)[10], "end": days(40)[20]}
    now, then = (volatility_scaled_short(history, market, **window) for market in (today, earlier))
    ratio = (np.log(now.scale) / np.log(then.scale)).sel(factor="equity:ACME").values
    level = np.array(history.values[:, history.factors.index("equity:ACME")])
    sigma = volatilities(np.diff(np.log(level))[5:], [True] * 34, 0.8, 5)
    assert ratio == pytest.approx(np.full(10, sigma[39 - 5] / sigma[30 - 5]), rel=1e-9)


def test_volatility_scaled__knows_nothing_after_the_markets_date(history_of, market_of):
    base = market_of(TODAY, date=days(40)[30])
    series = walk(40)
    other = {name: [*levels[:31], *(9 * [levels[30] * 1.5])] for name, levels in series.items()}
    one, two = (volatility_scaled_short(history_of(levels, days(40)), base) for levels in (series, other))
    assert one.scale.identical(two.scale)


def test_volatility_scaled__does_not_learn_from_filled_levels(history_of, today):
    series = walk(40)
    series["equity:ACME"][20] = series["equity:ACME"][19]
    found = volatility_scaled(history_of(series, days(40), stale={"equity:ACME": [20]}), today, cap=None, **SHORT)
    daily, fresh = np.diff(np.log(series["equity:ACME"])), np.ones(39, dtype=bool)
    fresh[[19, 20]] = False
    sigma = volatilities(daily, fresh, 0.8, 5)
    scale = found.scale.sel(factor="equity:ACME").values
    wanted = np.where(fresh, np.exp(daily * sigma[39] / sigma[:39]), 1.0)[5:]
    assert scale == pytest.approx(wanted, rel=1e-12)
    assert found.stale.sel(factor="equity:ACME").values.nonzero()[0].tolist() == [14, 15]


def test_volatility_scaled__leaves_alone_what_had_stood_still(history_of, today):
    series = walk(40) | {"par:USD-TREASURY:10Y": [0.02] * 20 + [0.021] * 20, "equity:ACME": [100.0] * 40}
    found = volatility_scaled(history_of(series, days(40)), today, **SHORT)
    moves = found.offset.sel(factor="par:USD-TREASURY:10Y").values
    assert moves[moves != 0].tolist() == [0.021 - 0.02]
    assert (found.scale.sel(factor="equity:ACME") == 1.0).all()
    facts = json.loads(found.attrs["provenance"])["volatility"]
    assert facts["stood_still"] == 34 + 15  # every date of the share, the rate up to its first move


def test_volatility_scaled__caps_what_a_long_calm_would_blow_up(history_of, today):
    calm = [100.0 * 1.0001 ** (day % 2) for day in range(38)]
    series = walk(40) | {"equity:ACME": [*calm, 100.0, 110.0]}
    capped, free = (
        volatility_scaled(history_of(series, days(40)), today, cap=cap, **SHORT).scale.sel(factor="equity:ACME").values
        for cap in (3.0, None)
    )
    assert capped[0] == pytest.approx(np.exp(3 * np.log(series["equity:ACME"][6] / series["equity:ACME"][5])), rel=1e-9)
    assert abs(np.log(free[0])) > 100 * abs(np.log(capped[0]))


def test_volatility_scaled__leaves_a_volatility_at_a_point(history_of, market_of):
    series = {"index:VIX": [20.0, 20.1] * 10 + [20.0, 10.0, 40.0]}
    found = volatility_scaled(
        history_of(series, days(23)),
        market_of({"vol:ACME:1Y:1.00": 0.2}, date=days(23)[-1]),
        proxies={"vol:*": ("index:VIX", 1.0)},
        cap=None,
        **SHORT,
    )
    assert found.scale.min() == 0.01 / 0.2
    assert json.loads(found.attrs["provenance"])["counts"]["floored"] > 0


def test_volatility_scaled__of_a_series_that_begins_in_the_window_starts_from_what_there_is(history_of, today):
    series = walk(40)
    series["equity:ACME"][:6] = [np.nan] * 6
    found = volatility_scaled(history_of(series, days(40)), today, start=days(40)[6], cap=None, decay=0.8, warm_up=6)
    daily = np.diff(np.log(series["equity:ACME"]))
    sigma = volatilities(daily, np.isfinite(daily), 0.8, 6)
    scale = found.scale.sel(factor="equity:ACME").values
    assert scale == pytest.approx(np.exp(daily * sigma[39] / sigma[:39])[6:], rel=1e-12)


def test_volatility_scaled__learns_nothing_of_prices_below_zero_where_returns_are_logarithms(history_of, market_of):
    oil = np.exp(np.array(walk(40)["par:USD-TREASURY:10Y"]) * 100)
    found = []
    for broken in (-37.0, np.nan):
        level = [*oil[:2], broken, broken, *oil[4:]]
        history = history_of({"commodity:WTI:0D": level}, days(40))
        base = market_of({"commodity:WTI:0D": 50.0}, date=days(40)[-1])
        found.append(volatility_scaled_short(history, base, returns={"commodity:*": "log"}))
    assert found[0].scale.identical(found[1].scale)
    assert (found[0].scale != 1.0).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decay": 0.0}, "decay is 0.0; above 0 and at most 1 is right"),
        ({"decay": 1.5}, "decay is 1.5; above 0 and at most 1"),
        ({"decay": "slow"}, "decay is 'slow'"),
        ({"warm_up": -1}, "warm_up is -1; a whole number of returns, 0 or more"),
        ({"warm_up": 2.5}, "warm_up is 2.5; a whole number"),
        ({"cap": 0.5}, "cap is 0.5; a number of at least 1 is right, or None"),
        ({"cap": float("nan")}, "cap is nan; a number of at least 1"),
        (
            {},
            "warm-up of 100 returns does not fit: the history has 39 up to 2016-02-12, where the window ends; a longer",
        ),
        ({"start": "2016-01-08", "warm_up": 5}, "the history has 4 up to 2016-01-08, where the window begins; a later"),
        ({"start": "2016-01-20", "count": 3}, "a start or a count of scenarios, not both"),
        ({"count": 36, "warm_up": 5}, "enough for 34 changes of horizon 1; 36 asked for"),
        ({"warmup": 5}, "unknown option 'warmup'; did you mean 'warm_up'"),
        ({"seed": 5}, "unknown option 'seed'; known: 'cap', 'count', 'decay', 'end'"),
    ],
)
def test_volatility_scaled__says_what_is_wrong(history, today, options, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        volatility_scaled(history, today, **options)


def test_volatility_scaled__names_a_market_before_its_window(history, market_of):
    with pytest.raises(BadScenarios, match="a window that begins before the market's date is right"):
        volatility_scaled_short(history, market_of(TODAY, date=days(40)[5]), end=days(40)[-1])


def test_volatility_scaled__names_a_proxy_the_history_lacks(history, today):
    with pytest.raises(UnknownName, match="unknown proxy factor 'index:VIX'"):
        volatility_scaled_short(history, today, proxies={"vol:*": ("index:VIX", 1.0)})


def test_value_at_risk__reacts_to_a_crisis_where_the_plain_one_hardly_moves(tmp_path):
    """Brexit: sterling fell by 8 % on 24 June 2016; the windows differ by that date alone."""
    book, reaction = sample.portfolio(300), {}
    for kind in ("historical", "volatility_scaled", "filtered_historical"):
        of_day = []
        for day in ("2016-06-23", "2016-06-24"):
            market = sample.market(day)
            made = SCENARIO_SETS[kind](sample.history(), market, start="2014-01-03", proxies=sample.proxies())
            book_run = run(book, market, made, store=tmp_path, progress=None)
            of_day.append(float(value_at_risk(book_run.pnl(), 0.99)))
        reaction[kind] = of_day[1] / of_day[0]
    assert 0.9 < reaction["historical"] < 1.1
    assert reaction["volatility_scaled"] > 1.15
    assert reaction["filtered_historical"] > 1.15


@pytest.mark.parametrize("kind", ["volatility_scaled", "filtered_historical"])
def test_scaled_shares__are_wilder_in_the_crisis_of_august_2015_than_in_the_calm_before_it(kind):
    spread = {}
    for day in ("2015-08-14", "2015-08-25"):
        base = sample.market(day)
        window = {"start": "2014-01-03", "end": "2015-08-14", "proxies": sample.proxies()}
        scaled, plain = (SCENARIO_SETS[one](sample.history(), base, **window) for one in (kind, "historical"))
        spread[day] = float(
            (np.log(scaled.scale).std("scenario") / np.log(plain.scale).std("scenario")).sel(factor="equity:SPX")
        )
    assert spread["2015-08-14"] < 1.2
    assert spread["2015-08-25"] > 2.0
