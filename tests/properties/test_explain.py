"""Whatever the numbers, the pieces of an explain add to its total exactly."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import riskgrid as rg
from riskgrid.market.objects import Fixings
from riskgrid.measures.explain import Counted, trade_pieces
from riskgrid.scenarios.set import shifts
from tests.run import made

TRADES = 12
GROUPS = ("spot", "rates", "other")
BOOK = made.portfolio(6)
BASE = shifts(["base"], [], 1.0, 0.0, name="base", kind="none", provenance={})


def ticks(*shape):
    return arrays.arrays(np.int64, (TRADES, *shape), elements=st.integers(-(2**50), 2**50))


flags = arrays.arrays(np.bool_, TRADES)


@st.composite
def counts(draw, order):
    """Ticks without any meaning, and fates of which an amended trade is not dropped."""
    columns = {name: draw(ticks()) for name in ("before", "rolled", "aged", "left")}
    states = 1 + len(GROUPS) + (order == "from_base")
    fates = {name: draw(flags) for name in ("expired", "amended", "dropped")}
    fates["dropped"] &= ~fates["amended"]
    return Counted(**columns, moved=draw(ticks(states)), translation=draw(ticks(len(GROUPS))), **fates)


@pytest.mark.parametrize("order", ["from_base", "in_sequence"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_trade_pieces__add_to_what_was_counted(order, data):
    counted = data.draw(counts(order))
    found = trade_pieces(counted, GROUPS, order)
    total = sum(found.values())
    assert (total == counted.before + counted.moved[:, -1] + counted.left).all()
    whole = [name for name in found if name not in ("expired", "amended", "dropped", "unexplained", "new")]
    assert not any(found[name][counted.expired].any() for name in whole)
    assert not found["expired"][~counted.expired].any()
    alone = ~(counted.amended | counted.dropped)
    assert (found["unexplained"][~alone] == counted.before[~alone]).all()


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    store = tmp_path_factory.mktemp("explain")
    return rg.run(BOOK, made.market(), BASE, store=store, progress=None)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.sampled_from([0, 1, 3, 40, 400]),
    size=st.sampled_from([0.0, 1e-9, 0.02, 0.6]),
    resized=st.sets(st.sampled_from(sorted(BOOK.places())), max_size=3),
)
def test_explain__adds_up_and_leaves_nothing_whatever_moves(first, seed, days, size, resized):
    rng = np.random.default_rng(seed)
    market = made.market()
    later = market.date + np.timedelta64(days, "D")
    moved = {
        name: level * float(np.exp(rng.normal(0.0, size)))
        for name, level in zip(market.factors, market.levels, strict=True)
    }
    known = np.arange(market.fixings["USD-3M"].dates[0], later + np.timedelta64(1, "D"))
    fixings = {name: Fixings(known, np.full(len(known), 0.006)) for name in market.fixings}
    after = dataclasses.replace(market, date=later, fixings=fixings).replace(moved)
    book = rg.Changes(resize=dict.fromkeys(sorted(resized), 5.0)).portfolio(BOOK)
    second = rg.run(book, after, BASE, store=first.store, progress=None)
    found, other = (rg.explain(first, second, order=order) for order in ("from_base", "in_sequence"))
    assert not found.left_out
    assert (found.attribution.ticks.sum(axis=1) == other.attribution.ticks.sum(axis=1)).all()
    assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()
    amended = found.attribution.ticks[:, found.pieces.index("amended")]
    assert set(found.pnl["trade_id"].values[amended != 0]) <= resized
    table, tick = found.pnl, 2.0**-found.attribution.bits
    values = [run.trade_table()["base_value"].values for run in (first, second)]
    np.testing.assert_allclose(table["value_change"].values, values[1] - values[0], rtol=0, atol=2 * tick)
    nodes = found.by(["desk", "instrument"])
    leaves = nodes["depth"].values == 2
    assert (nodes["pnl"].values[leaves].sum(axis=0) == nodes["pnl"].values[0]).all()
