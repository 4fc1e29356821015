"""The sample market has every level that a pricer asks for, and says of each where it is from."""

from __future__ import annotations

import numpy as np
import pytest

from riskgrid import sample
from riskgrid.errors import BadMarket
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.sample.fill import classes, issuers

DATES = ("2014-06-02", "2014-06-30", "2015-01-15", "2016-06-23", "2016-06-24", "2016-07-01")


@pytest.mark.parametrize("date", DATES)
def test_market__is_complete_on(date: str) -> None:
    made = sample.market(date)
    assert str(made.date) == date
    assert set(made.origin) == set(made.factors)
    assert np.isfinite(made.levels).all()
    assert len(made.factors) == 1959
    assert min(made.level(name) for name in made.factors if name.startswith("vol:")) >= 0.01


def test_market__names_its_origins(market: MarketSnapshot) -> None:
    kinds = {
        "equity:SPX": "real",
        "commodity:WTI:0D": "real",
        "commodity:WTI:1Y": "synthetic",
        "vol:SPX:1M:0.90": "derived",
        "vol:AAPL:1M:1.00": "derived",
        "zero:EUR-POLICY:1Y": "derived",
        "spread:US-IG": "derived",
        "spread:A-01": "synthetic",
        "equity:AAPL": "derived",
    }
    assert {factor: market.origin[factor].split(":")[0] for factor in kinds} == kinds


def test_market__has_the_levels_of_the_history(market: MarketSnapshot) -> None:
    real = sample.history().snapshot("2016-07-01")
    assert {name: market.level(name) for name in real.factors} == dict(zip(real.factors, real.levels, strict=True))


def test_market__has_the_policy_rates_of_july_2016(market: MarketSnapshot) -> None:
    """Central banks' policy rates on 2016-07-01."""
    right = {"EUR": -0.004, "GBP": 0.005, "JPY": -0.001, "CHF": -0.0075, "AUD": 0.0175, "CAD": 0.005}
    assert {name: market.level(f"zero:{name}-POLICY:1Y") for name in right} == right


def test_index_smile__starts_from_vix(market: MarketSnapshot) -> None:
    at_the_money = [market.level(f"vol:SPX:{tenor}:1.00") for tenor in ("1M", "6M", "2Y")]
    assert at_the_money[0] == pytest.approx(0.82 * 0.1477, abs=0.001)
    assert at_the_money == sorted(at_the_money)  # VIX stands below its long run
    assert market.level("vol:SPX:1M:0.90") - at_the_money[0] == pytest.approx(0.11, abs=0.02)


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("name", ["SPX", "JPM", "WTI"])
def test_smile__has_no_arbitrage_between_its_nodes(date: str, name: str) -> None:
    made = sample.market(date)
    expiries = {"1M": 1 / 12, "2M": 1 / 6, "3M": 0.25, "6M": 0.5, "1Y": 1.0, "18M": 1.5, "2Y": 2.0}
    strikes = ["0.70", "0.80", "0.90", "0.95", "1.00", "1.05", "1.10", "1.20", "1.30"]
    vols = np.array([[made.level(f"vol:{name}:{tenor}:{strike}") for strike in strikes] for tenor in expiries])
    total = vols**2 * np.array(list(expiries.values()))[:, None]
    assert (np.diff(total, axis=0) > 0.0).all()
    assert (np.diff(vols[:, :5], axis=1) < 0.0).all()  # skew: lower strikes have higher volatilities


def test_stock_volatility__is_the_realised_one_of_sixty_days(market: MarketSnapshot) -> None:
    history = sample.history()
    last = int(np.searchsorted(history.dates, np.datetime64("2016-07-01")))
    prices = history.values[last - 60 : last + 1, history.factors.index("equity:AAPL")]
    realised = np.sqrt(252.0 / 60.0 * sum(np.log(prices[day + 1] / prices[day]) ** 2 for day in range(60)))
    for tenor in ("1M", "1Y"):
        assert market.level(f"vol:AAPL:{tenor}:1.00") == pytest.approx(realised, rel=1e-12)


def test_pair_volatility__is_that_of_the_rate_as_quoted(market: MarketSnapshot) -> None:
    history = sample.history()
    last = int(np.searchsorted(history.dates, np.datetime64("2016-07-01")))
    dollars, yen, euros = (
        history.values[last - 60 : last + 1, history.factors.index(f"fx:{code}")] for code in ("GBP", "JPY", "EUR")
    )
    for name, rate in (("GBPUSD", dollars), ("USDJPY", 1.0 / yen), ("EURJPY", euros / yen)):
        realised = np.sqrt(252.0 * np.mean(np.diff(np.log(rate)) ** 2))
        assert market.level(f"vol:{name}:6M:1.00") == pytest.approx(realised, rel=1e-12)
    assert market.level("vol:GBPUSD:6M:1.00") > 0.2  # the vote lies within the sixty days


def test_commodity_curve__is_flat_at_spot(market: MarketSnapshot) -> None:
    prices = {market.level(f"commodity:WTI:{tenor}") for tenor in ("0D", "1M", "3M", "6M", "1Y", "2Y")}
    assert prices == {49.02}


def test_issuers__pay_multiples_of_the_average_spread_by_rating(market: MarketSnapshot) -> None:
    assert len(issuers()) == 25
    for name, multiple in issuers().items():
        assert market.level(f"spread:{name}") == pytest.approx(multiple * 0.016, rel=1e-12)
    by_rating = [max(m for name, m in issuers().items() if name.startswith(f"{r}-")) for r in ("AA", "A", "BBB", "BB")]
    assert by_rating == sorted(by_rating)


def test_fixing__is_the_three_month_rate_of_its_day(market: MarketSnapshot) -> None:
    """By hand: 2016-07-01 starts on 07-06, after Independence Day, and ends on 10-06; 97 days lie between 3M and 6M."""
    one, three, six = (np.log1p(q * t) / t for q, t in ((0.0024, 1 / 12), (0.0028, 0.25), (0.0037, 0.5)))
    start, end = 5 / 365, 97 / 365
    zero = three + (end - 0.25) / 0.25 * (six - three)
    fixings = market.fixings["USD-3M"]
    assert str(fixings.dates[-1]) == "2016-07-01"
    assert fixings.values[-1] == pytest.approx(np.expm1(zero * end - one * start) / (92 / 360), rel=1e-12)


def test_fixings__cover_two_years_of_business_days_without_a_gap() -> None:
    fixings = sample.market("2016-06-24").fixings["USD-3M"]
    assert str(fixings.dates[0]) <= "2014-06-26"
    assert str(fixings.dates[-1]) == "2016-06-24"
    assert np.datetime64("2016-03-25") in fixings.dates  # Good Friday: banks settle, the Treasury published no curve
    assert np.datetime64("2016-05-30") not in fixings.dates
    assert (fixings.values > 0.0).all()
    assert (fixings.values < 0.01).all()


def test_market__without_vix_or_funds_is_refused() -> None:
    with pytest.raises(BadMarket, match="no 'index:VIX' on 2013-06-03; a date from 2014-01-03 to 2016-07-01"):
        sample.market("2013-06-03")
    with pytest.raises(BadMarket, match="no 'spread:US-IG' on 2016-07-05"):
        sample.market("2016-07-05")
    with pytest.raises(BadMarket, match="no date 2016-07-02; nearest: 2016-07-01 and 2016-07-05"):
        sample.market("2016-07-02")


@pytest.mark.parametrize("date", ["July", "2016-13-01", "", None, 20160701, np.datetime64("NaT", "D")])
def test_market__of_what_is_no_date_is_refused(date: object) -> None:
    with pytest.raises(BadMarket, match="is no date; a date from 2014-01-03 to 2016-07-01 is right"):
        sample.market(date)  # type: ignore[arg-type]
    if date is not None:
        with pytest.raises(BadMarket, match="is no date"):
            sample.scenarios(date)  # type: ignore[arg-type]


def test_market__outside_the_history_is_refused() -> None:
    for date in ("1800-01-01", "2030-01-01"):
        with pytest.raises(BadMarket, match=f"no date {date}"):
            sample.market(date)


def test_classes__name_every_surface_once(market: MarketSnapshot) -> None:
    surfaces = {factor.split(":")[1] for factor in market.factors if factor.startswith("vol:")}
    assert surfaces == set(classes())
    assert {"SPX", "AAPL", "EURUSD", "USDJPY", "GBPUSD", "USDCHF", "AUDUSD", "USDCAD", "XAU", "WTI"} <= surfaces
