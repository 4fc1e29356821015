"""A book rolled through a history: runs of every date, what happened between two, and going on where it stopped."""

import itertools

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.analysis.rolling import last_dates, pairs_of, realise, roll
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.result import open_run
from riskgrid.running import price, run
from riskgrid.scenarios.compose import scale_shifts
from riskgrid.scenarios.realised import EXCLUDED, INCLUDED, MODELLED
from riskgrid.store import store_of
from riskgrid.whatif import what_if

DATES = ["2016-06-21", "2016-06-22", "2016-06-23", "2016-06-24"]


def scenarios_of(market):
    return sample.scenarios(market.date, count=60, market=market)


def rolled(store, dates=DATES, book=None, name="vote", **options):
    book = sample.portfolio(80) if book is None else book
    return roll(book, dates, sample.market, scenarios_of, name=name, store=store, progress=None, **options)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    rolled(folder)
    return store_of(folder)


def test_roll__keeps_a_run_of_each_date_that_does_not_know_the_next(store):
    for day in DATES:
        made = open_run(f"backtest-vote-{day}", store=store)
        assert made.row.as_of == day
        assert max(made.scenarios["scenario"].values) == day


def test_roll__keeps_what_happened_between_two_dates(store):
    made = open_run("backtest-vote-2016-06-23-realised-2016-06-24", store=store)
    assert made.row.as_of == "2016-06-23"
    assert made.pnl()["scenario"].values.tolist() == [EXCLUDED, INCLUDED, MODELLED]


def test_realised_run__is_the_value_on_the_next_market_less_the_base_value(store):
    # an independent valuation: the whole book on the market of the next day, trades without cash on that day
    made = open_run("backtest-vote-2016-06-23-realised-2016-06-24", store=store)
    later = price(made.portfolio, sample.market("2016-06-24"))
    order = [later["trade_id"].values.tolist().index(one) for one in made.trade_table()["trade_id"].values]
    moved = made.cube.trade_pnl(np.arange(len(order)))[:, 1]
    expected = later["base_value"].values[order] - made.trade_table()["base_value"].values
    cashless = np.isin(made.trade_table()["instrument"].values, ["equity", "equity_option", "fx_option"])
    cashless &= later["status"].values[order] == 0
    assert cashless.sum() > 20
    np.testing.assert_allclose(moved[cashless], expected[cashless], rtol=1e-12, atol=made.pnl().attrs["rounding_bound"])
    assert np.abs(moved[cashless]).max() > 1e3


def test_time__in_the_pnl_of_equities_is_nothing_and_of_options_is_theta(store):
    made = open_run("backtest-vote-2016-06-23-realised-2016-06-24", store=store)
    pnl, kinds = made.cube.trade_pnl(np.arange(80)), made.trade_table()["instrument"].values
    equities, options = kinds == "equity", kinds == "equity_option"
    np.testing.assert_array_equal(pnl[equities, 0], pnl[equities, 1])
    assert (pnl[options, 0] != pnl[options, 1]).any()


def test_roll__again_finds_every_run_and_a_longer_one_adds_days(tmp_path):
    first = rolled(tmp_path, DATES[:3])
    again = rolled(tmp_path, DATES)
    assert [one.found for one in again] == [True, True, True, False]
    assert [one.run_id for one in again[:3]] == [one.run_id for one in first]


def test_roll__goes_on_where_it_was_stopped(tmp_path):
    def stops(day):
        if day == np.datetime64(DATES[2]):
            raise KeyboardInterrupt
        return sample.market(day)

    with pytest.raises(KeyboardInterrupt):
        roll(sample.portfolio(30), DATES, stops, scenarios_of, name="cut", store=tmp_path, progress=None)
    made = rolled(tmp_path, book=sample.portfolio(30), name="cut")
    assert [one.found for one in made] == [True, True, False, False]


def test_roll__takes_a_book_by_date(tmp_path):
    made = rolled(tmp_path, DATES[:3], lambda day: sample.portfolio(30 + int(day.astype(int)) % 2))
    assert len({one.row.trades for one in made}) == 2
    assert [one.row.trades for one in made] == [len(one.portfolio) for one in made]


def test_pairs__of_a_history_price_nothing(store):
    before = store.catalogue.count()
    pairs = pairs_of("vote", store)
    assert [(pair.run.row.as_of, str(pair.until)) for pair in pairs] == list(itertools.pairwise(DATES))
    assert store.catalogue.count() == before


def test_pairs__of_any_runs_are_those_of_the_history(store):
    names = [f"backtest-vote-{day}" for day in reversed(DATES)]
    asked, known = pairs_of(names, store), pairs_of("vote", store)
    assert [pair.realised.result_id for pair in asked] == [pair.realised.result_id for pair in known]
    assert [pair.realised.run_id for pair in asked] == [pair.realised.run_id for pair in known]


def test_pairs__of_runs_that_were_never_rolled_are_priced_once(tmp_path):
    made = [
        run(sample.portfolio(20), sample.market(day), scenarios_of(sample.market(day)), store=tmp_path, progress=None)
        for day in DATES[:3]
    ]
    first, again = pairs_of(made, tmp_path), pairs_of([one.run_id for one in made], tmp_path)
    assert [pair.realised.run_id for pair in again] == [pair.realised.run_id for pair in first]
    assert store_of(tmp_path).catalogue.count() == 5


def test_pairs__of_another_book_or_market_under_the_same_name_are_not_taken(tmp_path):
    rolled(tmp_path, DATES[:2], sample.portfolio(20), name="same")
    moved = sample.market(DATES[1]).replace({"equity:SPX": 1000.0})
    for book, market in ((sample.portfolio(25), sample.market(DATES[1])), (sample.portfolio(20), moved)):
        before = run(book, sample.market(DATES[0]), scenarios_of(sample.market(DATES[0])), store=tmp_path,
                     name=f"backtest-same-{DATES[0]}", progress=None)  # fmt: skip
        after = run(book, market, scenarios_of(market), store=tmp_path, progress=None)
        (pair,) = pairs_of([before, after], tmp_path)
        assert pair.realised.row.trades == len(book)
        assert f'"market": "{market.key}"' in pair.realised.manifest["provenance"]


def halved(market):
    return scale_shifts(scenarios_of(market), 0.5)


def modelled(pairs):
    """Risk-theoretical P&L of each pair."""
    return [float(pair.realised.pnl().sel(scenario=MODELLED)) for pair in pairs]


def of_days(store, shocks, book):
    """Runs of three dates under one name a day, whatever their scenarios."""
    markets = [sample.market(day) for day in DATES[:3]]
    return [
        run(book, market, shocks(market), name=f"day {market.date}", store=store, progress=None) for market in markets
    ]


def test_pairs__after_another_scenario_set_take_its_risk_theoretical_move(tmp_path):
    book = sample.portfolio(20)
    expected = [
        modelled(pairs_of(of_days(tmp_path / str(at), one, book))) for at, one in enumerate((scenarios_of, halved))
    ]
    assert expected[0] != expected[1]
    first, second = (of_days(tmp_path / "both", one, book) for one in (scenarios_of, halved))
    for runs, known in zip((first, second, first, second), expected * 2, strict=True):
        assert modelled(pairs_of(runs)) == known


def test_pairs__of_histories_that_share_a_run_are_each_of_their_own_scenario_set(tmp_path):
    book = sample.portfolio(20)

    def late(market):  # the same as the plain one on the first date
        return (scenarios_of if market.date == np.datetime64(DATES[0]) else halved)(market)

    made = [
        roll(book, DATES[:2], sample.market, one, name=name, store=tmp_path, progress=None)
        for name, one in (("plain", scenarios_of), ("late", late))
    ]
    assert made[0][0].run_id == made[1][0].run_id
    before = store_of(tmp_path).catalogue.count()
    told = [modelled(pairs_of(asked, tmp_path)) for asked in ("plain", "late", *made)]
    assert told[:2] == told[2:]
    assert told[0] != told[1]
    assert store_of(tmp_path).catalogue.count() == before


def test_pairs__of_a_history_with_a_day_asked_again_are_of_its_new_scenario_set(tmp_path):
    """So a roll under another set leaves the store where it is stopped after a day's run, before the realised one."""
    book, last = sample.portfolio(20), sample.market(DATES[2])
    rolled(tmp_path, DATES[:3], book)
    stale = modelled(pairs_of("vote", tmp_path))
    name = f"backtest-vote-{DATES[2]}"
    after = run(book, last, halved(last), name=name, store=tmp_path, progress=None)
    told = modelled(pairs_of("vote", tmp_path))
    assert told[0] == stale[0]
    own = realise(open_run(f"backtest-vote-{DATES[1]}", store=tmp_path), after)
    assert told[1] == float(own.pnl().sel(scenario=MODELLED)) != stale[1]


def test_realised__of_a_what_if_is_of_its_changed_book(store):
    base = open_run("backtest-vote-2016-06-23", store=store)
    after = open_run("backtest-vote-2016-06-24", store=store)
    gone = base.trade_table(where={"instrument": "equity"})["trade_id"].values.tolist()
    less = what_if(base, {"drop": gone}, progress=None)
    whole, part = realise(base, after), realise(less, after)
    expected = whole.pnl().values - whole.pnl(where={"instrument": "equity"}).values
    np.testing.assert_array_equal(part.pnl().values, expected)


def test_pairs__of_one_run_or_two_of_a_date_are_refused(store):
    with pytest.raises(BadSpec, match="1 run has no next day to be tested on"):
        pairs_of(["backtest-vote-2016-06-23"], store)
    twice = run(sample.portfolio(10), sample.market("2016-06-23"), sample.scenarios("2016-06-23", count=5), store=store,
                name="other", progress=None)  # fmt: skip
    with pytest.raises(BadSpec, match=r"'.*' and '.*' are both of 2016-06-23; one run a date is right"):
        pairs_of([twice, "backtest-vote-2016-06-23"], store)
    with pytest.raises(UnknownName, match="unknown history of runs 'voting'; did you mean 'vote'"):
        pairs_of("voting", store)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (["2016-06-24"], "1 date has no next day"),
        (["2016-06-24", "2016-06-23"], "2016-06-23 follows 2016-06-24; dates that increase"),
        (["2016-06-24", "tomorrow"], "no dates"),
    ],
)
def test_dates__that_cannot_be_rolled_through_are_refused(tmp_path, dates, said):
    with pytest.raises(BadSpec, match=said):
        rolled(tmp_path, dates)


def test_roll__without_a_name_or_with_a_market_of_another_date_is_refused(tmp_path):
    with pytest.raises(BadSpec, match="a history of runs has a name"):
        rolled(tmp_path, name=" ")
    with pytest.raises(BadSpec, match=r"market_of\(2016-06-21\) gives a snapshot of 2016-07-01"):
        roll(sample.portfolio(5), DATES, lambda day: sample.market(), scenarios_of, name="a", store=tmp_path)


def test_last_dates__are_those_before_and_on_a_day():
    assert [str(day) for day in last_dates(sample.history(), 2, "2016-06-26")] == ["2016-06-23", "2016-06-24"]
    with pytest.raises(BadSpec, match="the history has 1 dates up to 1999-01-04; 2 are asked for"):
        last_dates(sample.history(), 2, "1999-01-04")
    with pytest.raises(BadSpec, match="the last date is 'soon'"):
        last_dates(sample.history(), 2, "soon")


def test_roll__under_scenarios_of_later_days_is_refused(tmp_path):
    dates, book = ["2016-06-22", "2016-06-23"], sample.portfolio(20)

    def ahead(market):
        return sample.scenarios("2016-06-24", count=20, market=market, end="2016-06-24")

    with pytest.raises(BadSpec, match=r"scenarios of 2016-06-22 have a change that ended on 2016-06-24, which was not"):
        roll(book, dates, sample.market, ahead, name="ahead", store=tmp_path, progress=None)


def test_pairs__of_a_last_run_in_another_currency_are_refused(tmp_path):
    book, made = sample.portfolio(20), []
    for date, currency in (("2016-06-23", "USD"), ("2016-06-24", "EUR")):
        scenarios = sample.scenarios(date, count=20)
        made.append(run(book, sample.market(date), scenarios, reporting=currency, store=tmp_path, progress=None))
    with pytest.raises(BadSpec, match="the runs report in USD and EUR; runs in one currency can be tested together"):
        pairs_of(made)


def test_pairs__of_a_store_without_a_history_say_what_makes_one(tmp_path):
    with pytest.raises(BadSpec, match="'riskgrid roll' makes one"):
        pairs_of("sample", tmp_path)
