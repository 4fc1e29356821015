"""Trades in an order of their own, a page at a time, against the whole table."""

import numpy as np
import pytest

from riskgrid import run, sample
from riskgrid.analysis.ranking import ranked_trades
from riskgrid.analysis.tracing import tail_of
from riskgrid.errors import UnknownName
from riskgrid.measures.contribution import component

WORST = "2016-06-24"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    scenarios = sample.scenarios("2016-06-24", count=40)
    store = tmp_path_factory.mktemp("store")
    book = sample.portfolio(120, faulty=True)
    return run(book, sample.market("2016-06-24"), scenarios, store=store, progress=None)


def test_order__is_that_of_the_portfolio_by_default(base):
    every = base.trade_table()["trade_id"].values.tolist()
    found = [ranked_trades(base, start=start, count=50) for start in (0, 50, 100, 150)]
    assert [trade for page in found for trade in page["trade_id"].values.tolist()] == every
    assert {page.attrs["matching"] for page in found} == {len(every)}


@pytest.mark.parametrize("sort", ["base_value", "-base_value"])
def test_order__by_value_has_those_without_one_last(base, sort):
    values = ranked_trades(base, sort=sort, count=200)["base_value"].values
    assert np.isnan(values[-3:]).all()
    known = values[:-3]
    assert known.tolist() == sorted(known.tolist(), reverse=sort.startswith("-"))


def test_order__by_a_label_is_alphabetical(base):
    desks = ranked_trades(base, sort="desk", count=200)["desk"].values.tolist()
    assert desks == sorted(desks)
    assert ranked_trades(base, sort="-desk", count=200)["desk"].values.tolist() == sorted(desks, reverse=True)


def test_scenario__has_the_worst_trades_first(base):
    found = ranked_trades(base, {"region": "EMEA"}, sort="scenario_pnl", scenario=WORST, count=5)
    worst = base.worst_trades(WORST, 5, {"region": "EMEA"})
    assert found["trade_id"].values.tolist() == worst["trade_id"].values.tolist()
    assert found["scenario_pnl"].values.tolist() == worst["scenario_pnl"].values.tolist()


def test_tail__adds_each_trades_component(base):
    where = {"region": "EMEA"}
    found = ranked_trades(base, where, sort="-component", tail=tail_of(base, where=where), count=4)
    pnl = base.pnl(by="trade_id", where=where)
    expected = component(pnl, base.pnl(where=where))
    for trade, part in zip(found["trade_id"].values, found["component"].values, strict=True):
        assert part == pytest.approx(float(expected.sel(trade_id=trade)), rel=1e-12)
    assert found["component"].values.tolist() == sorted(found["component"].values.tolist(), reverse=True)


def test_unknown_order__lists_the_known_ones(base):
    with pytest.raises(UnknownName, match="'base_value'"):
        ranked_trades(base, sort="beauty")
    with pytest.raises(UnknownName, match="scenario 'never'"):
        ranked_trades(base, scenario="never")


def test_scenario_that_moves_few_trades__counts_nothing_for_the_others(base):
    shocked = run(base.portfolio, base.market, sample.stress(base.market), store=base.store, progress=None)
    assert any(len(states) <= shocked.row.scenarios for states in shocked.cube.placement.states)  # some are pruned
    every = shocked.cube.trade_pnl(np.arange(shocked.row.trades))
    for at, scenario in enumerate(shocked.cube.scenarios):
        found = ranked_trades(shocked, scenario=str(scenario), count=200)["scenario_pnl"].values
        np.testing.assert_array_equal(found, every[:, at])
