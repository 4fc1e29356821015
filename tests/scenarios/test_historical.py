"""Historical scenarios: exact shifts of small histories, windows, fills, proxies and their sentences."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.returns import RETURNS
from riskgrid.scenarios.set import check_against, digest

DATES = ["2016-06-27", "2016-06-28", "2016-06-29", "2016-06-30", "2016-07-01"]
SERIES = {
    "equity:ACME": [80.0, 100.0, 50.0, 60.0, 66.0],
    "fx:EUR": [1.0, 1.1, 1.1, 1.21, 1.0],
    "par:USD-TREASURY:10Y": [0.01, 0.012, 0.011, 0.02, 0.015],
    "vol:ACME:1Y:1.00": [0.2, 0.3, 0.15, 0.15, 0.18],
    "commodity:WTI:0D": [40.0, 50.0, 25.0, 20.0, 10.0],
}
TODAY = {"equity:ACME": 100.0, "fx:EUR": 1.25, "par:USD-TREASURY:10Y": 0.02, "vol:ACME:1Y:1.00": 0.2}


@pytest.fixture
def history(history_of):
    return history_of(SERIES, DATES)


@pytest.fixture
def today(market_of):
    return market_of(TODAY)


def scale(scenarios, factor):
    return scenarios.scale.sel(factor=factor).values.tolist()


def offset(scenarios, factor):
    return scenarios.offset.sel(factor=factor).values.tolist()


def test_historical__puts_each_days_return_on_todays_level(history, today):
    found = historical(history, today)
    assert found.scenario.values.tolist() == DATES[1:]
    assert scale(found, "equity:ACME") == [1.25, 0.5, 1.2, 1.1]
    assert offset(found, "equity:ACME") == [0.0] * 4
    assert offset(found, "par:USD-TREASURY:10Y") == pytest.approx([0.002, -0.001, 0.009, -0.005], abs=1e-17)
    assert scale(found, "par:USD-TREASURY:10Y") == [1.0] * 4
    assert scale(found, "vol:ACME:1Y:1.00") == pytest.approx([1.5, 0.5, 1.0, 1.2], rel=1e-15)
    assert not found.unshocked.any()
    assert not found.stale.any()
    assert check_against(found, today) is found


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"retruns": {"*": "log"}}, "unknown option 'retruns'; did you mean 'returns'"),
        ({"strat": DATES[0]}, "unknown option 'strat'; did you mean 'start'"),
        ({"decay": 0.9}, "known: 'count', 'end', 'horizon', 'on_missing', 'on_stale', 'proxies', 'returns', 'skip'"),
        ({"returns": "logg"}, "returns is 'logg'; right is a mapping"),
        ({"returns": {1: "log"}}, "a pattern of returns or skip is no text"),
        ({"skip": [1]}, "a pattern of returns or skip is no text"),
        ({"skip": 1}, "a pattern of returns or skip is no text"),
        ({"proxies": 5}, "proxies is 5; right are rows"),
        ({"proxies": "fx:EUR"}, "proxies is 'fx:EUR'; right are rows"),
        ({"proxies": {"fx:EUR": "equity:ACME"}}, r"proxy \('fx:EUR', 'equity:ACME'\) is no row"),
        ({"proxies": [5]}, "proxy 5 is no row"),
        ({"proxies": [("fx:EUR", "equity:ACME", "much")]}, "is no row"),
        ({"start": "foo"}, "start is 'foo', which is no date; right is e.g. '2014-01-03'"),
        ({"end": "foo"}, "end is 'foo', which is no date"),
        ({"start": 2016}, "start is 2016, which is no date"),
        ({"end": np.datetime64("NaT", "D")}, "which is no date"),
        ({"end": ["2016-07-01"]}, "which is no date"),
        ({"count": "3"}, "horizon is 1 and count '3'; both are whole numbers"),
        ({"horizon": 1.5}, "horizon is 1.5 and count None; both are whole numbers"),
    ],
)
def test_historical__says_what_is_wrong_with_an_option(history, today, options, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        historical(history, today, **options)


def test_historical__is_registered():
    assert SCENARIO_SETS["historical"] is historical


def test_historical__takes_overlapping_changes_over_a_horizon(history, today):
    found = historical(history, today, horizon=2)
    assert found.scenario.values.tolist() == DATES[2:]
    assert scale(found, "equity:ACME") == pytest.approx([50 / 80, 60 / 100, 66 / 50], rel=1e-15)
    assert json.loads(found.attrs["provenance"])["horizon"] == 2
    assert historical(history, today, horizon=np.int64(2)).identical(found)


def test_historical__ends_on_the_markets_date_unless_asked(history, market_of):
    before = market_of(TODAY, date="2016-06-29")
    assert historical(history, before).scenario.values.tolist() == DATES[1:3]
    assert historical(history, before, end="2016-06-30").scenario.values.tolist() == DATES[1:4]


def test_historical__starts_at_a_level_or_counts_back(history, today):
    assert historical(history, today, start="2016-06-28").scenario.values.tolist() == DATES[2:]
    assert historical(history, today, count=2).scenario.values.tolist() == DATES[3:]
    assert historical(history, today, count=2, horizon=3).scenario.values.tolist() == DATES[3:]


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ({"start": "2016-06-27", "count": 2}, "a start or a count of scenarios, not both"),
        ({"count": 5}, "the window has 5 dates, enough for 4 changes of horizon 1; 5 asked for"),
        ({"horizon": 5}, "enough for 0 changes of horizon 5; 1 asked for"),
        ({"horizon": 0}, "horizon is 0"),
        ({"count": 0}, "count 0"),
        ({"start": "2020-01-01"}, "no date from 2020-01-01 to 2016-07-01; it covers 2016-06-27 to 2016-07-01"),
    ],
)
def test_historical__names_an_impossible_window(history, today, window, sentence):
    with pytest.raises(BadScenarios, match=sentence):
        historical(history, today, **window)


def test_historical__takes_returns_as_asked_the_later_pattern_winning(history, today):
    found = historical(history, today, returns={"*": "relative", "vol:*": "log", "fx:EUR": "absolute"})
    assert scale(found, "par:USD-TREASURY:10Y") == pytest.approx([1.2, 11 / 12, 20 / 11, 0.75], rel=1e-15)
    assert offset(found, "fx:EUR") == pytest.approx([0.1, 0.0, 0.11, -0.21], abs=1e-15)
    kinds = json.loads(found.attrs["provenance"])["returns"]
    assert kinds == {
        "equity:ACME": "relative",
        "fx:EUR": "absolute",
        "par:USD-TREASURY:10Y": "relative",
        "vol:ACME:1Y:1.00": "log",
    }


def test_historical__names_a_wrong_rule(history, today):
    with pytest.raises(UnknownName, match="unknown return of 'vol:\\*' 'ratio'"):
        historical(history, today, returns={"vol:*": "ratio"})
    with pytest.raises(UnknownName, match="unknown factor in returns: 'hazard:\\*'"):
        historical(history, today, returns={"hazard:*": "log"})
    with pytest.raises(UnknownName, match="unknown on_stale 'drop'; known: 'keep', 'zero'"):
        historical(history, today, on_stale="drop")
    with pytest.raises(UnknownName, match="unknown on_missing 'drop'"):
        historical(history, today, on_missing="drop")


def test_historical__has_no_shift_to_and_from_a_filled_level(history_of, today):
    series = SERIES | {"equity:ACME": [80.0, 80.0, 50.0, 60.0, 66.0]}
    filled = history_of(series, DATES, stale={"equity:ACME": [1]})
    found = historical(filled, today)
    assert scale(found, "equity:ACME") == [1.0, 1.0, 1.2, 1.1]
    assert found.stale.sel(factor="equity:ACME").values.tolist() == [True, True, False, False]
    assert not found.stale.sel(factor="fx:EUR").any()
    kept = historical(filled, today, on_stale="keep")
    assert scale(kept, "equity:ACME") == [1.0, 50 / 80, 1.2, 1.1]
    assert kept.stale.identical(found.stale)


def test_historical__over_a_horizon_only_the_end_levels_can_be_stale(history_of, today):
    found = historical(history_of(SERIES, DATES, stale={"equity:ACME": [1]}), today, horizon=2)
    assert found.stale.sel(factor="equity:ACME").values.tolist() == [False, True, False]


def test_historical__flags_a_factor_without_history(history, market_of):
    found = historical(history, market_of(TODAY | {"equity:NEW": 5.0}))
    assert found.factor.values[found.unshocked.values].tolist() == ["equity:NEW"]
    assert scale(found, "equity:NEW") == [1.0] * 4
    assert offset(found, "equity:NEW") == [0.0] * 4
    assert json.loads(found.attrs["provenance"])["counts"]["unshocked"] == 1


def test_historical__leaves_skipped_factors_on_purpose(history, today):
    found = historical(history, today, skip=("vol:*",))
    assert scale(found, "vol:ACME:1Y:1.00") == [1.0] * 4
    assert not found.unshocked.any()
    facts = json.loads(found.attrs["provenance"])
    assert (facts["skip"], facts["counts"]["skipped"]) == (["vol:*"], 1)
    assert digest(found) != digest(historical(history, today))
    with pytest.raises(UnknownName, match="unknown factor in skip: 'spread:\\*'"):
        historical(history, today, skip=("spread:*",))


def test_historical__lists_missing_levels_by_factor_and_date(history_of, today):
    nan = math.nan
    gaps = history_of(
        SERIES | {"equity:ACME": [80.0, nan, 50.0, nan, 66.0], "fx:EUR": [1.0, 1.0, nan, 1.0, 1.0]}, DATES
    )
    with pytest.raises(
        BadScenarios, match="no level of 'equity:ACME' on 2016-06-28, 2016-06-30; 'fx:EUR' on 2016-06-29"
    ):
        historical(gaps, today)
    found = historical(gaps, today, on_missing="unshocked")
    assert found.factor.values[found.unshocked.values].tolist() == ["equity:ACME", "fx:EUR"]
    assert scale(found, "equity:ACME") == [1.0] * 4
    late = historical(gaps, today, start="2016-06-30", skip=("equity:ACME",))
    assert scale(late, "fx:EUR") == [1.0]


def test_historical__of_a_series_that_has_no_level_in_the_window_is_unshocked(history_of, today):
    found = historical(history_of(SERIES | {"fx:EUR": [math.nan] * 5}, DATES), today)
    assert found.unshocked.sel(factor="fx:EUR").item()


def test_historical__moves_a_commodity_absolutely_once_its_price_was_negative(history_of, market_of):
    # WTI settled at 18.27 on 2020-04-17, at -36.98 on 2020-04-20 (EIA) and recovered the next day
    dates = ["2020-04-16", "2020-04-17", "2020-04-20", "2020-04-21"]
    oil = history_of({"commodity:WTI:0D": [19.82, 18.27, -36.98, 8.91]}, dates)
    today = market_of({"commodity:WTI:0D": 8.91}, date="2020-04-21")
    found = historical(oil, today)
    assert offset(found, "commodity:WTI:0D") == [18.27 - 19.82, -36.98 - 18.27, 8.91 + 36.98]
    assert scale(found, "commodity:WTI:0D") == [1.0] * 3
    assert json.loads(found.attrs["provenance"])["returns"] == {"commodity:WTI:0D": "absolute"}
    calm = historical(oil, today, end="2020-04-17")
    assert scale(calm, "commodity:WTI:0D") == [18.27 / 19.82]
    below = historical(oil, market_of({"commodity:WTI:0D": -36.98}, date="2020-04-20"), end="2020-04-17")
    assert offset(below, "commodity:WTI:0D") == [18.27 - 19.82]


def test_historical__names_a_log_return_of_a_non_positive_price(history_of, market_of):
    dates = ["2020-04-17", "2020-04-20"]
    oil = history_of({"commodity:WTI:0D": [18.27, -36.98]}, dates)
    with pytest.raises(
        BadScenarios, match=r"log return of 'commodity:WTI:0D' .* 2020-04-20 is -36\.98, .* not positive"
    ):
        historical(oil, market_of({"commodity:WTI:0D": 18.0}, date="2020-04-20"), returns={"commodity:*": "log"})


def test_historical__names_a_relative_return_of_a_zero_rate(history_of, market_of):
    bills = history_of({"par:USD-TREASURY:1M": [0.0, 0.0001]}, DATES[:2])
    today = market_of({"par:USD-TREASURY:1M": 0.002})
    assert offset(historical(bills, today), "par:USD-TREASURY:1M") == [0.0001]
    with pytest.raises(BadScenarios, match=r"relative return of 'par:USD-TREASURY:1M' .* 2016-06-27 is 0"):
        historical(bills, today, returns={"par:*": "relative"})


def test_historical__moves_a_factor_without_history_with_its_proxy(history, market_of):
    levels = TODAY | {"equity:NEW": 5.0, "vol:NEW:1Y:1.00": 0.4, "spread:NEW": 0.02, "commodity:WTI:6M": 50.0}
    proxies = [
        ("equity:NEW", "equity:ACME", 2.0),
        ("vol:*", "vol:ACME:1Y:1.00", 0.5),
        ("spread:NEW", "equity:ACME", -0.1),
        ("commodity:WTI:6M", "commodity:WTI:0D", 0.5),
    ]
    found = historical(history, market_of(levels), proxies=proxies)
    assert scale(found, "equity:NEW") == [1.25**2, 0.25, 1.2**2, 1.1**2]
    assert scale(found, "vol:NEW:1Y:1.00") == pytest.approx([1.25, 0.75, 1.0, 1.1], rel=1e-15)
    assert scale(found, "vol:ACME:1Y:1.00") == pytest.approx([1.5, 0.5, 1.0, 1.2], rel=1e-15)  # its own history
    assert offset(found, "spread:NEW") == pytest.approx([-0.1 * math.log(x) for x in (1.25, 0.5, 1.2, 1.1)], abs=1e-17)
    assert scale(found, "commodity:WTI:6M") == pytest.approx([x**0.5 for x in (1.25, 0.5, 0.8, 0.5)], rel=1e-15)
    assert not found.unshocked.any()
    as_mapping = {pattern: (proxy, beta) for pattern, proxy, beta in proxies}
    assert digest(historical(history, market_of(levels), proxies=as_mapping)) == digest(found)
    assert json.loads(found.attrs["provenance"])["counts"]["proxied"] == 4


def test_historical__an_exact_proxy_row_stands_before_own_history(history, today):
    found = historical(history, today, proxies={"fx:EUR": ("equity:ACME", 1.0)})
    assert scale(found, "fx:EUR") == scale(found, "equity:ACME")


def test_historical__applies_an_absolute_proxy_in_the_factors_own_kind(history, market_of):
    levels = {"equity:NEW": 5.0, "vol:NEW:1Y:1.00": 0.4}
    found = historical(
        history,
        market_of(levels),
        proxies={"equity:NEW": ("par:USD-TREASURY:10Y", -5.0), "vol:*": ("par:USD-TREASURY:10Y", 10.0)},
    )
    moves = np.diff(SERIES["par:USD-TREASURY:10Y"])
    assert scale(found, "equity:NEW") == np.exp(-5.0 * moves).tolist()
    assert scale(found, "vol:NEW:1Y:1.00") == (1.0 + 10.0 * moves).tolist()


def test_historical__a_proxied_volatility_keeps_one_point(history, market_of):
    levels = {"vol:NEW:1Y:1.00": 0.4, "vol:LOW:1Y:1.00": 0.005}
    found = historical(history, market_of(levels), proxies={"vol:*": ("vol:ACME:1Y:1.00", 3.0)})
    assert scale(found, "vol:NEW:1Y:1.00")[1] == 0.01 / 0.4  # 1 + 3 x (-50 %) would be negative
    assert scale(found, "vol:LOW:1Y:1.00")[1] == 1.0
    assert json.loads(found.attrs["provenance"])["counts"]["floored"] == 2


def test_historical__a_proxied_commodity_turns_absolute_with_its_proxy(history_of, market_of):
    oil = history_of({"commodity:WTI:0D": [18.27, -36.98]}, ["2020-04-17", "2020-04-20"])
    today = market_of({"commodity:WTI:6M": 30.0}, date="2020-04-20")
    found = historical(oil, today, proxies={"commodity:WTI:6M": ("commodity:WTI:0D", 0.5)})
    assert offset(found, "commodity:WTI:6M") == [0.5 * (-36.98 - 18.27)]


def test_historical__a_proxied_factor_is_stale_where_its_proxy_is(history_of, market_of):
    filled = history_of(SERIES, DATES, stale={"equity:ACME": [4]})
    found = historical(filled, market_of({"equity:NEW": 5.0}), proxies={"equity:NEW": ("equity:ACME", 1.0)})
    assert found.stale.values.ravel().tolist() == [False, False, False, True]
    assert scale(found, "equity:NEW")[3] == 1.0


def test_historical__names_a_wrong_proxy(history, today):
    with pytest.raises(UnknownName, match="unknown proxy factor 'equity:ACNE'; did you mean 'equity:ACME'"):
        historical(history, today, proxies={"fx:EUR": ("equity:ACNE", 1.0)})
    with pytest.raises(UnknownName, match="unknown factor in proxies: 'fx:GBP'"):
        historical(history, today, proxies={"fx:GBP": ("fx:EUR", 1.0)})
    with pytest.raises(BadScenarios, match="the beta of 'fx:EUR' on 'equity:ACME' is nan"):
        historical(history, today, proxies={"fx:EUR": ("equity:ACME", math.nan)})
    with pytest.raises(BadScenarios, match="is no row"):
        historical(history, today, proxies=[("fx:EUR", 1.0)])


def test_historical__a_proxy_without_a_level_leaves_the_factor_unshocked(history_of, market_of):
    empty = history_of(SERIES | {"index:VIX": [math.nan] * 5}, DATES)
    found = historical(empty, market_of({"vol:NEW:1Y:1.00": 0.4}), proxies={"vol:*": ("index:VIX", 1.0)})
    assert found.unshocked.all()


def test_historical__states_its_window_and_history(history, history_of, today):
    facts = json.loads(historical(history, today, count=2).attrs["provenance"])
    assert facts["window"] == ["2016-06-29", "2016-07-01"]
    assert (facts["counts"]["scenarios"], facts["counts"]["factors"]) == (2, 4)
    other = history_of(SERIES | {"fx:EUR": [1.0, 1.1, 1.1, 1.21, 1.01]}, DATES)
    assert json.loads(historical(other, today, count=2).attrs["provenance"])["history"] != facts["history"]


def test_returns__know_every_kind_of_factor_a_market_can_have():
    from riskgrid.market.factor import KINDS

    assert KINDS.keys() <= RETURNS.keys()


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, 1000.0), min_size=2, max_size=8), st.sampled_from(["log", "relative", "absolute"]))
def test_historical__from_the_first_level_leads_to_the_second(levels, kind):
    from riskgrid.market.history import MarketHistory
    from riskgrid.market.snapshot import MarketSnapshot

    days = np.datetime64("2016-01-01") + np.arange(len(levels))
    own = {"numeraire": "USD", "conventions": {}, "fixings": {}, "origin": {"*": "synthetic: drawn"}}
    values = np.array(levels)[:, None]
    history = MarketHistory(dates=days, factors=("equity:ACME",), values=values, stale=values < 0, **own)
    market = MarketSnapshot(date=days[-1], factors=("equity:ACME",), levels=np.array([1.0]), **own)
    found = historical(history, market, returns={"equity:*": kind})
    assert (found.scale.values * values[:-1] + found.offset.values) == pytest.approx(values[1:], rel=1e-12)
