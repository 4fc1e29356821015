"""Episodes: derived from a history by the same rules as historical scenarios, honest about what it lacks."""

import json
import math

import pytest

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import SCENARIO_SETS
from riskgrid.scenarios.episode import episodes, library
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.set import check_against

NAN = math.nan
DATES = ["2008-09-12", "2008-09-15", "2008-09-19", "2016-06-22", "2016-06-23", "2016-06-24"]
SERIES = {
    "equity:ACME": [100.0, 80.0, 90.0, 120.0, 125.0, 100.0],
    "index:VIX": [NAN, NAN, NAN, 20.0, 16.0, 24.0],
    "par:USD-TREASURY:2Y": [0.02, 0.019, 0.021, 0.008, 0.0078, 0.0064],
}
TODAY = {"equity:ACME": 50.0, "par:USD-TREASURY:2Y": 0.01, "vol:ACME:1Y:1.00": 0.2, "fx:EUR": 1.1}
PROXIES = [("vol:*", "index:VIX", 0.5)]


@pytest.fixture
def history(history_of):
    return history_of(SERIES, DATES)


@pytest.fixture
def today(market_of):
    return market_of(TODAY)


def test_library__gives_dates_a_sentence_and_a_source():
    known = library()
    assert list(known) == ["lehman_2008", "downgrade_2011", "oil_2014", "franc_2015", "china_2015", "brexit_2016"]
    for episode in known.values():
        assert episode.keys() == {"start", "end", "sentence", "source"}
        assert episode["start"] < episode["end"]
        assert episode["sentence"].endswith(".")
        assert episode["source"].endswith(".")


def test_episodes__are_the_change_between_their_two_dates(history, today):
    found = episodes(history, today, proxies=PROXIES)
    assert found.scenario.values.tolist() == ["lehman_2008", "brexit_2016"]
    assert found.scale.sel(factor="equity:ACME").values.tolist() == [0.9, 0.8]
    assert found.offset.sel(factor="par:USD-TREASURY:2Y").values.tolist() == [0.021 - 0.02, 0.0064 - 0.0078]
    assert found.scale.sel(factor="vol:ACME:1Y:1.00").values.tolist() == [1.0, 1.25]
    assert check_against(found, today) is found


def test_episodes__say_where_volatility_is_not_shocked(history, today):
    found = episodes(history, today, proxies=PROXIES)
    assert found.note.values.tolist() == ["volatility not shocked", ""]
    assert not found.stale.any()
    assert found.unshocked.sel(factor=["equity:ACME", "fx:EUR", "vol:ACME:1Y:1.00"]).values.tolist() == [
        False, True, True,
    ]  # fmt: skip
    parts = json.loads(found.attrs["provenance"])["parts"]
    assert [part["provenance"]["note"] for part in parts] == ["volatility not shocked", ""]
    assert parts[0]["provenance"]["start"] == "2008-09-12"


def test_episodes__state_those_that_the_history_does_not_cover(history, today):
    facts = json.loads(episodes(history, today).attrs["provenance"])
    assert facts["left_out"] == ["china_2015", "downgrade_2011", "franc_2015", "oil_2014"]


def test_episodes__follow_the_same_rules_as_historical_scenarios(history, today):
    rules = {"proxies": PROXIES, "returns": {"par:*": "relative"}, "skip": ("fx:*",)}
    episode = episodes(history, today, names=["brexit_2016"], **rules)
    day = historical(history, today, start="2016-06-23", end="2016-06-24", **rules)
    assert (episode.scale.values == day.scale.values).all()
    assert (episode.offset.values == day.offset.values).all()
    assert (episode.unshocked.values == day.unshocked.values).all()


def test_episodes__take_a_series_that_begins_within_one_as_missing(history_of, today):
    half = SERIES | {"equity:ACME": [NAN, 80.0, 90.0, 120.0, 125.0, 100.0]}
    found = episodes(history_of(half, DATES), today, names=["lehman_2008"])
    assert found.unshocked.sel(factor="equity:ACME").item()
    with pytest.raises(BadScenarios, match="no level of 'equity:ACME' on 2008-09-12"):
        episodes(history_of(half, DATES), today, names=["lehman_2008"], on_missing="error")


def test_episodes__name_what_cannot_be_made(history, history_of, today):
    with pytest.raises(UnknownName, match="unknown episode 'lehman'; did you mean 'lehman_2008'"):
        episodes(history, today, names=["lehman"])
    with pytest.raises(BadScenarios, match="episode 'oil_2014' needs the levels of 2014-06-20 and 2015-01-28"):
        episodes(history, today, names=["oil_2014"])
    with pytest.raises(BadScenarios, match="no episode lies within the history, 2016-06-22 to 2016-06-24"):
        episodes(history_of({key: row[3::2] for key, row in SERIES.items()}, DATES[3::2]), today)


def test_episodes__name_an_option_that_is_none(history, today):
    with pytest.raises(BadScenarios, match="unknown option 'name'; did you mean 'names'"):
        episodes(history, today, name="brexit_2016")
    with pytest.raises(BadScenarios, match="unknown option 'on_stail'; did you mean 'on_stale'"):
        episodes(history, today, on_stail="keep")


def test_episodes__take_one_name(history, today):
    assert episodes(history, today, names="brexit_2016").scenario.values.tolist() == ["brexit_2016"]


def test_episodes__are_registered():
    assert SCENARIO_SETS["episodes"] is episodes
