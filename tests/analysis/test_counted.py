"""Trades that a run does not count are in no part of what is made of it."""

import numpy as np
import pytest

from riskgrid import run, sample
from riskgrid.analysis.counted import uncounted
from riskgrid.analysis.decomposing import risk_classes
from riskgrid.analysis.tracing import tail_view
from riskgrid.measures.tail import expected_shortfall
from riskgrid.scenarios.set import shifts


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """In one good scenario oil falls below zero, where an option on it has no number: those trades leave all sums."""
    store, market = tmp_path_factory.mktemp("store"), sample.market("2016-06-24")
    book, base = sample.portfolio(300), sample.scenarios("2016-06-24", count=60)
    whole = run(book, market, base, store=store, progress=None)
    good = int(np.argsort(whole.pnl().values)[40])
    oil = np.char.startswith(base["factor"].values.astype(str), "commodity:WTI")
    scale, offset = base["scale"].values.copy(), base["offset"].values.copy()
    scale[good, oil], offset[good, oil] = 0.0, -1.0
    labels, factors = base["scenario"].values.astype(str), base["factor"].values.astype(str)
    broken = shifts(labels, factors, scale, offset, name="oil below zero", kind="stress", provenance={})
    return run(book, market, broken, store=store, progress=None)


def test_uncounted__are_the_trades_without_a_number_anywhere(partial):
    lost = uncounted(partial)
    assert lost
    assert all(trade.startswith("CO-") for trade in lost)
    assert uncounted(partial, {"desk": "Rates"}) == []


def test_tail_view__adds_up_over_the_trades_that_are_counted(partial):
    seen = tail_view(partial, count=1000)
    assert float(seen.measured) == float(expected_shortfall(partial.pnl()))
    np.testing.assert_allclose(seen.trades["component"].sum(), float(seen.measured), rtol=1e-10)
    assert not set(uncounted(partial)) & set(seen.trades["trade_id"].values.tolist())
    lost = partial.trade_table()["base_value"].values[partial.trade_table()["status"].values > 1]
    assert abs(seen.factors.attrs["cross"]) < 0.5 * np.nansum(np.abs(lost))
    assert any(sentence.startswith("* Not full coverage") for sentence in seen.notices)
    assert "left out of all sums" in " ".join(str(seen).split())


def test_risk_classes__count_the_trades_that_the_run_counts(partial):
    made = risk_classes(partial, "desk")
    kept = partial.portfolio.select(
        [str(one) for one in partial.trade_table()["trade_id"].values if one not in set(uncounted(partial))]
    )
    bits = partial.manifest["bits"]
    fewer = run(kept, partial.market, partial.scenarios, store=partial.store, bits=bits, progress=None)
    np.testing.assert_array_equal(
        made.table["expected_shortfall"], risk_classes(fewer, "desk").table["expected_shortfall"]
    )
    assert "* Not full coverage" in str(made)


def test_a_node__without_a_counted_trade_has_no_class(partial):
    where = {"trade_id": uncounted(partial)[:1]}
    made = risk_classes(partial, where=where).table
    assert np.isnan(made["expected_shortfall"]).all()


def test_time__is_a_class_and_an_object_of_its_own(tmp_path):
    base = sample.scenarios("2016-06-24", count=30)
    dated = base.assign(date=("scenario", np.full(30, np.datetime64("2016-07-15"))))
    made = run(sample.portfolio(200), sample.market("2016-06-24"), dated, store=tmp_path, progress=None)
    plain = run(sample.portfolio(200), sample.market("2016-06-24"), base, store=tmp_path, progress=None,
                bits=made.manifest["bits"])  # fmt: skip
    one, other = risk_classes(made).table, risk_classes(plain).table
    assert one["risk_class"].values.tolist() == [*other["risk_class"].values[:-1], "time", "all"]
    np.testing.assert_array_equal(one["expected_shortfall"].values[:-2], other["expected_shortfall"].values[:-1])
    seen = tail_view(made)
    assert "time" in seen.factors["group"].values
    assert abs(seen.factors.attrs["cross"]) < abs(float(seen.measured))
