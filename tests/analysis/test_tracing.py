"""The tail of a measure against the P&L of every trade in it, and runs of one market object alone."""

import numpy as np
import pytest

from riskgrid import run, sample, what_if
from riskgrid.analysis.tracing import tail_of, tail_view
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.contribution import component, tail_weights
from riskgrid.measures.tail import expected_shortfall, value_at_risk
from riskgrid.scenarios.compose import weighted
from riskgrid.scenarios.group import restrict


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    scenarios = sample.scenarios("2016-06-24", count=60)
    book = sample.portfolio(300, faulty=True)
    return run(book, sample.market("2016-06-24"), scenarios, store=store, progress=None)


def test_scenarios__are_those_of_the_tail_with_their_weights(base):
    seen = tail_view(base, level=0.9).scenarios
    assert seen["pnl"].values.tolist() == np.sort(base.pnl().values)[:6].tolist()
    assert float(-(seen["weight"] * seen["pnl"]).sum()) == pytest.approx(float(expected_shortfall(base.pnl(), 0.9)))


def test_trades__have_their_euler_components_and_all_of_them_add_up(base):
    seen = tail_view(base, level=0.9, count=1000)
    detail = base.trades["pnl"].compute().values
    weights = tail_weights(base.pnl(), level=0.9).values
    expected = dict(zip(base.trades["trade_id"].values.tolist(), -(detail * weights).sum(axis=1), strict=True))
    found = dict(zip(seen.trades["trade_id"].values.tolist(), seen.trades["component"].values, strict=True))
    assert len(found) == 300
    np.testing.assert_allclose([found[name] for name in found], [expected[name] for name in found], atol=1e-6)
    np.testing.assert_allclose(sum(found.values()), float(seen.measured), rtol=1e-10)


def test_trades__without_a_number_are_left_out_as_in_every_sum(base):
    names = tail_view(base, count=1000).trades["trade_id"].values
    assert not [name for name in names if str(name).startswith("FAULTY")]


def test_trades__shown_are_the_two_ends(base):
    few, every = (tail_view(base, count=count).trades for count in (3, 1000))
    expected = [*every["trade_id"].values[:3], *every["trade_id"].values[-3:]]
    assert few["trade_id"].values.tolist() == expected
    assert few.attrs["left_out"] == 294


def test_factors__are_each_object_alone_and_add_up_with_the_cross(base):
    seen = tail_view(base)
    total = float(seen.factors["component"].sum()) + seen.factors.attrs["cross"]
    assert total == pytest.approx(float(seen.measured), rel=1e-12)
    weights = tail_weights(base.pnl()).values
    alone = restrict(base.scenarios, ["fx:EUR"], "euro")
    euro = run(base.portfolio, base.market, alone, store=base.store, bits=base.manifest["bits"], progress=None)
    at = seen.factors["group"].values.tolist().index("fx:EUR")
    np.testing.assert_allclose(seen.factors["component"][at], -(euro.pnl().values * weights).sum(), rtol=1e-12)


def test_where__traces_the_tail_of_a_part(base):
    where = {"desk": "FX Options"}
    seen = tail_view(base, where=where)
    assert float(seen.measured) == float(expected_shortfall(base.pnl(where=where)))
    assert set(seen.trades["desk"].values.tolist()) == {"FX Options"}
    assert all(str(name).startswith(("fx:", "vol:", "par:", "zero:")) or part == 0 for name, part in zip(
        seen.factors["group"].values, seen.factors["component"].values, strict=True))  # fmt: skip


def test_var__is_made_by_one_scenario(base):
    seen = tail_view(base, "value_at_risk", level=0.95)
    assert seen.scenarios.sizes["scenario"] == 1
    assert float(seen.measured) == float(value_at_risk(base.pnl(), 0.95))
    assert "Scenarios that make VaR 95 %" in str(seen)


def test_weights__of_the_scenarios_count(base):
    heavy = run(base.portfolio, base.market, weighted(base.scenarios, np.arange(1.0, 61.0)), store=base.store,
                progress=None)  # fmt: skip
    seen = tail_view(heavy, count=1000)
    assert float(seen.measured) == float(expected_shortfall(heavy.pnl()))
    np.testing.assert_allclose(seen.trades["component"].sum(), float(seen.measured), rtol=1e-10)


def test_a_what_if__is_traced_like_any_run(base):
    hedged = what_if(base, {"shift": {"fx:EUR": "-5%"}, "drop": ["EO-000001"]})
    seen = tail_view(hedged, count=1000)
    assert "EO-000001" not in seen.trades["trade_id"].values
    np.testing.assert_allclose(seen.trades["component"].sum(), float(component(hedged.pnl(), hedged.pnl())), rtol=1e-10)


def test_page__has_three_tables_and_a_figure(base):
    seen = tail_view(base)
    assert [section.title.split(" that")[0] for section in seen.sections()] == ["Scenarios", "Factors", "Trades"]
    assert "What each market object adds" in seen.to_html()
    assert "<table" in seen._repr_html_()


def test_bad_questions__are_refused_with_a_sentence(base):
    with pytest.raises(BadSpec, match="count 0 asks for no trade"):
        tail_view(base, count=0)
    with pytest.raises(UnknownName, match="unknown tail measure 'variance'"):
        tail_view(base, "variance")
    with pytest.raises(UnknownName, match="unknown desk 'Equities'"):
        tail_view(base, where={"desk": "Equities"})


def test_tail__is_there_without_pricing_and_has_what_the_view_has(base):
    where = {"desk": "FX Options"}
    held, seen = tail_of(base, where=where, level=0.9), tail_view(base, where=where, level=0.9, count=3)
    assert held.scenarios.drop_vars("component").equals(seen.scenarios)
    assert float(held.scenarios["component"].sum()) == pytest.approx(float(seen.measured), rel=1e-12)
    assert held.trades(3).equals(seen.trades)
    assert float(held.measured) == float(seen.measured)
    with pytest.raises(BadSpec, match="count 0"):
        held.trades(0)
