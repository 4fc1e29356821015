"""The sample portfolio is seeded, plausible, and has a value on every sample day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from riskgrid import sample
from riskgrid.conventions import is_business_day
from riskgrid.errors import BadMarket, InputError
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run
from riskgrid.running import run
from riskgrid.sample.book import DESKS
from riskgrid.schema import Status

DATES = ("2016-06-23", "2016-06-24", "2016-07-01")


@pytest.fixture(scope="module")
def frame(portfolio: Portfolio) -> pd.DataFrame:
    return portfolio.to_pandas()


@pytest.fixture(scope="module")
def runs(portfolio: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    store = tmp_path_factory.mktemp("store")
    return {
        date: run(portfolio, sample.market(date), sample.scenarios(date), store=store, progress=None) for date in DATES
    }


def test_portfolio__has_all_instruments_in_its_mix(portfolio: Portfolio) -> None:
    assert portfolio.instruments == tuple(sorted(INSTRUMENTS))
    counts = {name: portfolio.tables[name].num_rows for name in portfolio.instruments}
    assert counts == {
        "equity_option": 3500,
        "equity": 500,
        "fx_option": 1200,
        "fx_forward": 1300,
        "interest_rate_swap": 1200,
        "fixed_rate_bond": 1000,
        "commodity_forward": 600,
        "commodity_option": 700,
    }


@pytest.mark.parametrize("trades", [1, 7, 1234])
def test_portfolio__has_as_many_trades_as_asked_for(trades: int) -> None:
    assert len(sample.portfolio(trades)) == trades


def test_portfolio__is_the_same_for_the_same_seed(portfolio: Portfolio) -> None:
    assert sample.portfolio().digest == portfolio.digest
    assert sample.portfolio(1000, 5).digest != sample.portfolio(1000, 6).digest


def test_portfolio__is_the_one_that_figures_in_the_documentation_are_of() -> None:
    assert sample.portfolio(1000).digest.hex() == "97ea9f3751f3bec3fac2ff736d15944b0fb6087e"


def test_trade__ids_are_a_prefix_and_a_number(portfolio: Portfolio) -> None:
    assert portfolio.trade("EO-000001")["instrument"] == "equity_option"
    assert portfolio.trade("SW-001200")["instrument"] == "interest_rate_swap"


def test_labels__are_never_empty(frame: pd.DataFrame) -> None:
    for label in ("region", "desk", "book", "counterparty", "netting_set"):
        assert (frame[label].astype(str) != "").all(), label
    assert set(frame["desk"]) == set(DESKS)
    assert frame["region"].nunique() == 3
    assert frame["counterparty"].nunique() == 40


def test_book__belongs_to_one_desk_and_region_which_have_two_to_four(frame: pd.DataFrame) -> None:
    places = frame[["desk", "region", "book"]].astype(str).drop_duplicates()
    assert places["book"].is_unique
    assert places.groupby(["desk", "region"]).size().between(2, 4).all()


def test_netting_set__belongs_to_one_counterparty(frame: pd.DataFrame) -> None:
    sets = frame[["counterparty", "netting_set"]].astype(str).drop_duplicates()
    assert sets["netting_set"].is_unique
    assert len(sets) > 40


def test_trades__were_done_on_business_days_before_every_sample_day(
    frame: pd.DataFrame, market: MarketSnapshot
) -> None:
    dated = frame["trade_date"].to_numpy().astype("datetime64[D]")
    assert dated.max() == np.datetime64("2016-06-22")
    assert is_business_day(dated, np.array(market.conventions["calendars"]["US"], dtype="datetime64[D]")).all()


def test_options__expire_on_listed_days_and_others(portfolio: Portfolio) -> None:
    expiry = portfolio.columns("equity_option")["expiry"]
    assert isinstance(expiry, np.ndarray)
    listed = pd.DatetimeIndex(expiry)
    third_friday = (listed.day_of_week == 4) & (listed.day >= 15) & (listed.day <= 21)
    assert 0.80 < third_friday.mean() < 0.95
    assert (expiry >= np.datetime64("2016-06-24")).all()


def test_strikes__lie_around_spot_on_ticks(portfolio: Portfolio) -> None:
    options = portfolio.to_pandas("equity_option")
    index = options[options["underlying"] == "SPX"]
    assert (index["strike"] % 25.0 == 0.0).all()
    assert 0.95 < (index["strike"] / 2085.45).median() < 1.05  # S&P 500 close of 2016-06-22
    assert (index["strike"] / 2085.45).between(0.55, 1.65).all()


def test_sides__are_roughly_balanced(portfolio: Portfolio) -> None:
    for name in portfolio.instruments:
        if name != "interest_rate_swap":
            quantity = portfolio.columns(name)["quantity"]
            assert isinstance(quantity, np.ndarray)
            assert 0.4 < (quantity > 0.0).mean() < 0.6, name
    assert 0.4 < (portfolio.to_pandas("interest_rate_swap")["side"] == "pay").mean() < 0.6


def test_swaps__run_already_or_start_on_the_as_of_date(portfolio: Portfolio) -> None:
    swaps = portfolio.to_pandas("interest_rate_swap")
    start = swaps["start"].to_numpy().astype("datetime64[D]")
    on_the_day = start == np.datetime64("2016-07-01")
    assert 0.25 < on_the_day.mean() < 0.45
    assert (start[~on_the_day] < np.datetime64("2016-06-28")).all()
    assert (swaps["maturity"].max().year - 2016) == 30


def test_bonds__are_treasuries_without_an_issuer_or_of_synthetic_ones(portfolio: Portfolio) -> None:
    bonds = portfolio.to_pandas("fixed_rate_bond")
    treasuries = bonds["issuer"].astype(str) == ""
    assert 0.3 < treasuries.mean() < 0.5
    assert set(bonds.loc[treasuries, "desk"]) == {"Rates"}
    assert set(bonds.loc[~treasuries, "desk"]) == {"Credit"}
    assert (bonds["issue"] < bonds["trade_date"]).all()


@pytest.mark.parametrize("date", DATES)
def test_trades__all_have_a_value_on(runs: dict[str, Run], date: str) -> None:
    total = runs[date].aggregate()
    table = runs[date].trade_table()
    assert int(total["unpriced"][0]) == 0
    assert float(total["coverage"][0]) == 1.0
    assert np.isfinite(total["pnl"].values).all()
    assert set(table["status"].values.tolist()) <= {Status.PRICED, Status.EXPIRED}
    assert (table["problem"] == "").all()


def test_trades__expire_in_their_dozens_within_the_week(runs: dict[str, Run]) -> None:
    expired = {date: int((runs[date].trade_table()["status"] == Status.EXPIRED).sum()) for date in DATES}
    assert expired["2016-06-23"] == 0
    assert 10 <= expired["2016-07-01"] <= 60


def test_desks__none_dwarfs_the_others(runs: dict[str, Run]) -> None:
    for date in DATES:
        pnl = runs[date].pnl(by="desk")
        alone = -np.quantile(pnl.values, 0.01, axis=1)
        share = alone / alone.sum()
        assert share.min() > 0.02, date
        assert share.max() < 0.40, date
        assert -np.quantile(pnl.sum("desk").values, 0.01) < 0.7 * alone.sum()  # desks diversify


def test_portfolio__is_roughly_hedged(runs: dict[str, Run]) -> None:
    """Value at risk is a small part of what the trades would lose if each stood alone."""
    trades = runs["2016-07-01"].trades["pnl"].values
    together = -np.quantile(runs["2016-07-01"].pnl().values, 0.01)
    alone = -np.quantile(np.asarray(trades), 0.01, axis=1).sum()
    assert 0.002 < together / alone < 0.05


def test_faulty_rows__get_a_sentence_and_cost_nobody_else_anything(market: MarketSnapshot, tmp_path: Path) -> None:
    made = sample.portfolio(200, faulty=True)
    assert len(made) == 203
    found = run(made, market, sample.scenarios(count=3), store=tmp_path, progress=None).trade_table()
    bad = found.where(found["problem"] != "", drop=True)
    assert sorted(bad["trade_id"].values) == ["FAULTY-1", "FAULTY-2", "FAULTY-3"]
    sentences = dict(zip(bad["trade_id"].values, bad["problem"].values, strict=True))
    assert "equity:NOSUCH" in sentences["FAULTY-1"]
    assert "BRL" in sentences["FAULTY-2"]
    assert "spread:UNRATED-01" in sentences["FAULTY-3"]


def test_stress__values_every_trade(market: MarketSnapshot, tmp_path: Path) -> None:
    found = run(sample.portfolio(500), market, sample.stress(market), store=tmp_path, progress=None).aggregate()
    assert float(found["coverage"][0]) == 1.0
    assert (found["pnl"].isel(node=0) != 0.0).all()


def test_portfolio__of_another_date_is_struck_before_it(tmp_path: Path) -> None:
    date = "2014-06-30"
    made = sample.portfolio(500, date=date)
    scenarios: xr.Dataset = sample.scenarios(date, count=5)
    found = run(made, sample.market(date), scenarios, store=tmp_path, progress=None).aggregate()
    assert int(found["unpriced"][0]) == 0
    assert str(made.to_pandas()["trade_date"].max().date()) == "2014-06-19"


def test_portfolio__that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="a sample portfolio of 0 trades; 1 or more is right"):
        sample.portfolio(0)
    with pytest.raises(BadMarket, match="no date 2016-07-02"):
        sample.portfolio(10, date="2016-07-02")
    with pytest.raises(InputError, match="needs 7 earlier dates of the history"):
        sample.portfolio(10, date="1999-01-06")
