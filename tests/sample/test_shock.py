"""The sample's scenarios are what the history did, with documented proxies; its stress file fits its market."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import yaml

from riskgrid import sample
from riskgrid.errors import BadScenarios
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.sample.shock import STRESS

ROOT = 0.28669109  # sqrt(30 / 365), by hand


def scale(scenarios: xr.Dataset, scenario: str, factor: str) -> float:
    return float(scenarios["scale"].sel(scenario=scenario, factor=factor))


def test_scenarios__cover_the_default_window(scenarios: xr.Dataset, market: MarketSnapshot) -> None:
    assert scenarios.sizes == {"scenario": 624, "factor": len(market.factors)}
    assert scenarios["scenario"].values[[0, -1]].tolist() == ["2014-01-06", "2016-07-01"]


def test_scenarios__leave_policy_curves_alone_and_say_so(scenarios: xr.Dataset) -> None:
    unshocked = scenarios["factor"].values[scenarios["unshocked"].values].tolist()
    assert unshocked == [f"zero:{name}-POLICY:1Y" for name in ("AUD", "CAD", "CHF", "EUR", "GBP", "JPY")]


def test_proxies__scale_vix_by_class_and_the_root_of_time() -> None:
    beta = {pattern: beta for pattern, proxy, beta in sample.proxies() if proxy == "index:VIX"}
    assert beta["vol:SPX:1Y:*"] == pytest.approx(ROOT, abs=1e-7)
    assert beta["vol:SPX:3M:*"] == pytest.approx(2.0 * ROOT, abs=1e-7)
    assert beta["vol:AAPL:1Y:*"] == pytest.approx(0.6 * ROOT, abs=1e-7)
    assert beta["vol:EURUSD:1Y:*"] == pytest.approx(0.4 * ROOT, abs=1e-7)
    assert beta["vol:XAU:1Y:*"] == pytest.approx(0.4 * ROOT, abs=1e-7)
    assert beta["vol:WTI:1Y:*"] == pytest.approx(0.5 * ROOT, abs=1e-7)
    assert max(beta.values()) < 1.0


def test_scenarios__move_volatility_with_vix_on_the_day_of_the_vote(scenarios: xr.Dataset) -> None:
    """Cboe: VIX closed at 17.25 on 2016-06-23 and at 25.76 the next day."""
    move = 25.76 / 17.25 - 1.0
    assert scale(scenarios, "2016-06-24", "vol:SPX:1Y:0.90") == pytest.approx(1.0 + ROOT * move, rel=1e-7)
    assert scale(scenarios, "2016-06-24", "vol:AAPL:1Y:1.10") == pytest.approx(1.0 + 0.6 * ROOT * move, rel=1e-7)
    assert scale(scenarios, "2016-06-24", "index:VIX") == pytest.approx(25.76 / 17.25, rel=1e-12)


def test_scenarios__damp_oil_and_move_gold_in_parallel(scenarios: xr.Dataset) -> None:
    day = "2016-06-24"
    oil, gold = (scale(scenarios, day, f"commodity:{name}:0D") for name in ("WTI", "XAU"))
    assert oil < 0.97
    assert scale(scenarios, day, "commodity:WTI:2Y") == pytest.approx(oil ** np.exp(-0.6), rel=1e-12)
    assert scale(scenarios, day, "commodity:XAU:2Y") == pytest.approx(gold, rel=1e-12)


def test_scenarios__move_issuers_by_their_multiple(scenarios: xr.Dataset) -> None:
    offset = scenarios["offset"].sel(scenario="2016-06-24")
    average = float(offset.sel(factor="spread:US-IG"))
    assert float(offset.sel(factor="spread:AA-01")) == pytest.approx(0.5 * average, rel=1e-12)
    assert float(offset.sel(factor="spread:BB-04")) == pytest.approx(2.8 * average, rel=1e-12)


def test_scenarios__put_the_next_day_on_the_levels_of_the_day_before() -> None:
    """Yesterday's market under today's move is today's market, for every factor with history of its own."""
    before, after = sample.market("2016-06-23"), sample.market("2016-06-24")
    move = sample.scenarios("2016-06-24", count=1, market=before, end="2016-06-24")
    own = [factor for factor in sample.history().factors if factor in before.factors]
    here = move.sel(factor=own).isel(scenario=0)
    moved = here["scale"].values * [before.level(factor) for factor in own] + here["offset"].values
    np.testing.assert_allclose(moved, [after.level(factor) for factor in own], rtol=1e-12)


def test_scenarios__take_the_options_of_historical_ones() -> None:
    still = sample.scenarios("2016-06-24", count=3, skip=["vol:*"])
    vols = [str(factor) for factor in still["factor"].values if str(factor).startswith("vol:")]
    assert (still["scale"].sel(factor=vols) == 1.0).all()
    assert sample.scenarios(count=5, horizon=10).sizes["scenario"] == 5
    with pytest.raises(BadScenarios, match="no level of 'index:VIX'"):
        sample.scenarios(start="2008-01-02")


@pytest.mark.parametrize("date", ["2014-06-30", "2016-06-23", "2016-06-24", "2016-07-01"])
def test_stress__fits_the_market_on(date: str) -> None:
    base = sample.market(date)
    found = sample.stress(base)
    assert found.sizes["scenario"] == len(yaml.safe_load(STRESS.read_text(encoding="utf-8"))) >= 10
    levels = np.array([base.level(str(factor)) for factor in found["factor"].values])
    shifted = found["scale"].values * levels + found["offset"].values
    priced = [str(factor).startswith(("fx:", "equity:", "vol:", "commodity:")) for factor in found["factor"].values]
    assert (shifted[:, priced] > 0.0).all()


def test_stress__says_what_each_scenario_tells() -> None:
    lines = STRESS.read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(lines):
        if line.endswith(":") and not line.startswith((" ", "#")):
            assert lines[at - 1].startswith("# "), line
            assert lines[at - 1].endswith("."), line


def test_stress__crash_does_what_its_lines_say() -> None:
    found = sample.stress()
    assert scale(found, "equity crash", "equity:AAPL") == 0.8
    assert scale(found, "equity crash", "equity:TLT") == 1.05
    assert scale(found, "equity crash", "vol:SPX:1M:1.00") == 2.0
    assert float(found["offset"].sel(scenario="rates up 100", factor="par:USD-TREASURY:10Y")) == pytest.approx(0.01)
