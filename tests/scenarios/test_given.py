"""Scenarios of given returns are the inverse of the returns of a set."""

import numpy as np
import pytest
import xarray as xr

from riskgrid import sample
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.covariance import factor_returns
from riskgrid.scenarios.given import of_returns
from riskgrid.scenarios.set import check_against

FACTS = {"kind": "given"}


def table(values, factors, **coords):
    labels = {"scenario": [f"s{at}" for at in range(len(values))], "factor": factors}
    return xr.DataArray(np.array(values), labels, ("scenario", "factor")).assign_coords(coords)


def test_returns__of_history_come_back():
    past = sample.scenarios(count=20)
    returns = factor_returns(past)
    made = of_returns(returns, sample.market(), name="again", provenance=FACTS)
    check_against(made, sample.market())
    np.testing.assert_allclose(made["scale"].values, past["scale"].values, rtol=1e-14)
    np.testing.assert_array_equal(made["offset"].values, past["offset"].values)
    np.testing.assert_allclose(factor_returns(made).values, returns.values, rtol=1e-12, atol=1e-15)


def test_kinds__are_the_defaults_or_those_asked_for(market):
    factors = ["equity:ACME", "par:USD-TREASURY:2Y", "vol:ACME:1Y:1.00"]
    usual = of_returns(table([[0.1, 0.01, 0.2]], factors), market, name="usual", provenance=FACTS)
    assert usual["scale"].values[0].tolist() == pytest.approx([np.exp(0.1), 1.0, 1.2])
    assert usual["offset"].values[0].tolist() == [0.0, 0.01, 0.0]
    kinds = ("factor", ["absolute", "relative", "log"])
    other = of_returns(table([[0.1, 0.01, 0.2]], factors, returns=kinds), market, name="other", provenance=FACTS)
    assert other["scale"].values[0].tolist() == pytest.approx([1.0, 1.01, np.exp(0.2)])
    assert other["offset"].values[0].tolist() == [0.1, 0.0, 0.0]


def test_a_volatility__never_falls_below_a_point(market):
    made = of_returns(table([[-3.0]], ["vol:ACME:1Y:1.00"]), market, name="calm", provenance=FACTS)
    assert float(made["scale"][0, 0]) * 0.20 == pytest.approx(0.01)


def test_unshocked__factors_stay_and_are_flagged(market):
    returns = table([[0.1]], ["equity:ACME"])
    made = of_returns(returns, market, name="one", provenance=FACTS, unshocked=["zero:EUR-POLICY:1Y"])
    assert made["factor"].values.tolist() == ["equity:ACME", "zero:EUR-POLICY:1Y"]
    assert made["unshocked"].values.tolist() == [False, True]
    assert float(made["scale"][0, 1]) == 1.0


def test_bad_returns__are_refused_with_a_sentence(market, market_of):
    with pytest.raises(UnknownName, match="unknown factor of the returns 'equity:ACMI'"):
        of_returns(table([[0.1]], ["equity:ACMI"]), market, name="x", provenance=FACTS)
    odd = table([[0.1]], ["equity:ACME"], returns=("factor", ["geometric"]))
    with pytest.raises(UnknownName, match="unknown return of 'equity:ACME' 'geometric'"):
        of_returns(odd, market, name="x", provenance=FACTS)
    sunk = market_of({"commodity:WTI:0D": -37.0})
    with pytest.raises(BadScenarios, match="'commodity:WTI:0D' stands at -37, which has no log return"):
        of_returns(table([[0.1]], ["commodity:WTI:0D"]), sunk, name="x", provenance=FACTS)
    with pytest.raises(BadScenarios, match="a shift is finite"):
        of_returns(table([[np.nan]], ["equity:ACME"]), market, name="x", provenance=FACTS)
