"""The history of the sample is the bundled series, with a derived spread and conventions that fit them."""

from __future__ import annotations

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.conventions import holiday_dates
from riskgrid.sample.bundle import conventions, fills, manifest


def column(factor: str) -> np.ndarray:
    history = sample.history()
    return history.values[:, history.factors.index(factor)]


def row(date: str) -> int:
    return int(np.searchsorted(sample.history().dates, np.datetime64(date)))


def test_history__has_every_bundled_series_and_one_derived() -> None:
    series = {name + ":0D" if name.startswith("commodity") else name for name in manifest()["series"]}
    assert set(sample.history().factors) == series | {"spread:US-IG"}
    assert sample.history().snapshot("2016-06-24").level("commodity:XAU:0D") == 1315.50


def test_history__says_of_every_series_where_it_is_from() -> None:
    history = sample.history()
    assert set(history.origin) == set(history.factors)
    assert history.origin["fx:GBP"].startswith("real: USD per 1 GBP")
    assert history.origin["equity:AAPL"].startswith("derived: ")


def test_history__is_complete_in_the_default_window() -> None:
    window = sample.history().select("2014-01-03", "2016-07-01")
    assert len(window.dates) == 625
    assert np.isfinite(window.values).all()


def test_spread__moves_by_what_lqd_loses_beyond_ief() -> None:
    now, before = row("2016-06-24"), row("2016-06-23")
    corporate, treasury = (np.log(column(name)[now] / column(name)[before]) for name in ("equity:LQD", "equity:IEF"))
    change = column("spread:US-IG")[now] - column("spread:US-IG")[before]
    assert change == pytest.approx(-(corporate - 8.0 / 7.5 * treasury) / 8.0, abs=1e-15)
    assert change > 0.0010  # credit widened on the day of the vote


def test_spread__stands_at_its_anchor_and_is_positive_throughout() -> None:
    spread = column("spread:US-IG")
    assert spread[row("2016-07-01")] == pytest.approx(0.016, abs=1e-15)
    assert np.nanmin(spread) > 0.0005
    assert np.nanmax(spread[row("2008-09-15") : row("2009-04-01")]) > 0.03  # the crisis shows


def test_spread__reads_about_a_basis_point_wide_when_dividends_are_paid() -> None:
    spread = column("spread:US-IG")[row("2008-01-02") : row("2016-07-01")]
    months = sample.history().dates[row("2008-01-02") : row("2016-07-01")].astype("datetime64[M]")
    first = np.flatnonzero(months[1:] != months[:-1])
    assert 0.00005 < np.diff(spread)[first].mean() < 0.00020
    assert "ex-dividend" in fills()["spread"]["sentence"]


def test_spread__is_stale_where_a_fund_is() -> None:
    history = sample.history()
    stale = {
        name: history.stale[:, history.factors.index(name)] for name in ("spread:US-IG", "equity:LQD", "equity:IEF")
    }
    np.testing.assert_array_equal(stale["spread:US-IG"], stale["equity:LQD"] | stale["equity:IEF"])


def test_conventions__discount_and_project_dollars_on_the_treasury_curve() -> None:
    made = conventions()
    assert made["discount"]["USD"] == made["indices"]["USD-3M"]["curve"] == "USD-TREASURY"
    treasury = made["curves"]["USD-TREASURY"]
    assert (treasury["quotes"], treasury["payments_per_year"], treasury["simple_up_to"]) == ("par", 2, "6M")
    assert set(made["discount"]) == {"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD"}
    assert made["surfaces"]["default"]["sticky"] == "sticky_moneyness"


@pytest.mark.parametrize("calendar", ["US", "TARGET", "UK", "JP"])
def test_conventions__hold_frozen_holidays(calendar: str) -> None:
    frozen = np.array(sample.history().conventions["calendars"][calendar], dtype="datetime64[D]")
    np.testing.assert_array_equal(frozen, holiday_dates(calendar, 2000, 2060))


def test_manifest__holds_every_parameter_with_its_reason() -> None:
    for name in ("smile", "index_volatility", "classes", "forward_prices", "issuers"):
        assert len(fills()[name]["reason"]) > 40, name
