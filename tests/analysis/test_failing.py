"""Trades without a number stand together with those that have the same reason."""

from dataclasses import replace

import numpy as np
import pytest

from riskgrid import run
from riskgrid.analysis.failing import failures
from riskgrid.errors import UnknownName
from riskgrid.schema import Status
from tests.run import made

_GONE = ("equity:AAPL", "vol:BRENT", "fx:GBP")


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    """Of a market without a share, a surface and a currency."""
    market = made.market()
    use = np.array([not name.startswith(_GONE) for name in market.factors])
    kept = tuple(name for name in market.factors if not name.startswith(_GONE))
    less = replace(market, factors=kept, levels=market.levels[use])
    days = made.scenarios(count=8).sel(factor=list(kept))
    return run(made.portfolio(20), less, days, store=tmp_path_factory.mktemp("gaps"), progress=None)


def problems(table):
    return table["problem"].values.tolist()


def test_failures__are_every_trade_without_a_number_and_no_other(gaps):
    whole = gaps.trade_table()
    without = set(whole["trade_id"].values[whole["status"].values > Status.EXPIRED].tolist())
    assert 0 < len(without) < whole.sizes["trade"]
    assert set(failures(gaps)["trade_id"].values.tolist()) == without


def test_failures__of_one_reason_stand_together_the_commonest_first(gaps):
    found = problems(failures(gaps))
    assert all(gone in " ".join(found) for gone in _GONE)
    groups = [sentence for at, sentence in enumerate(found) if not at or found[at - 1] != sentence]
    assert len(set(groups)) == len(groups) > 2
    counts = [found.count(sentence) for sentence in groups]
    assert counts == sorted(counts, reverse=True)
    assert failures(gaps)["alike"].values.tolist() == [found.count(sentence) for sentence in found]


def test_failures__of_one_reason_are_in_the_order_of_the_portfolio(gaps):
    table, places = failures(gaps), gaps.trade_table()["trade_id"].values.tolist()
    found, first = problems(table), problems(table)[0]
    same = [
        places.index(trade) for trade, problem in zip(table["trade_id"].values, found, strict=True) if problem == first
    ]
    assert len(same) > 1
    assert same == sorted(same)


def test_failures__are_counted_among_the_trades_that_are_asked_for(gaps):
    part = failures(gaps, {"desk": "Flow"})
    assert set(part["desk"].values.tolist()) == {"Flow"}
    assert part["alike"].values.tolist() == [problems(part).count(problem) for problem in problems(part)]
    assert part["alike"].values[0] < failures(gaps)["alike"].values[0]


def test_failures__of_a_whole_run_are_none(gaps, tmp_path):
    whole = run(made.portfolio(2), made.market(), made.scenarios(count=2), store=tmp_path, progress=None)
    table = failures(whole)
    assert table.sizes["trade"] == 0
    assert {"base_value", "status", "problem", "alike"} <= set(table.data_vars)


def test_failures__by_no_label_name_those_that_there_are(gaps):
    with pytest.raises(UnknownName, match=r"known: .*desk"):
        failures(gaps, {"floor": "2"})
