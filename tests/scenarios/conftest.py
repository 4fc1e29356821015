"""Small markets and histories, whose numbers a reader can work out by hand."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot

CONVENTIONS = {
    "curves": {
        "USD-TREASURY": {
            "quotes": "par",
            "interpolation": "linear_zero",
            "extrapolation": "flat_zero",
            "payments_per_year": 2,
            "simple_up_to": "6M",
        },
        "EUR-POLICY": {"quotes": "zero", "interpolation": "linear_zero", "extrapolation": "flat_zero"},
    },
    "discount": {"USD": "USD-TREASURY", "EUR": "EUR-POLICY"},
    "surfaces": {"default": {"sticky": "sticky_moneyness"}},
}
ORIGIN = {"*": "synthetic: numbers of a unit test"}

LEVELS = {
    "commodity:WTI:0D": 50.0,
    "commodity:WTI:6M": 52.0,
    "equity:ACME": 100.0,
    "equity:BOLT": 40.0,
    "fx:EUR": 1.25,
    "par:USD-TREASURY:10Y": 0.02,
    "par:USD-TREASURY:2Y": 0.01,
    "vol:ACME:1Y:1.00": 0.20,
    "vol:EURUSD:1Y:1.00": 0.10,
    "zero:EUR-POLICY:1Y": -0.004,
}


@pytest.fixture
def market_of() -> Callable[..., MarketSnapshot]:
    def make(levels: Mapping[str, float] = LEVELS, date: str = "2016-07-01") -> MarketSnapshot:
        factors = tuple(sorted(levels))
        return MarketSnapshot(
            date=np.datetime64(date, "D"),
            numeraire="USD",
            factors=factors,
            levels=np.array([levels[factor] for factor in factors]),
            conventions=CONVENTIONS,
            fixings={},
            origin=ORIGIN,
        )

    return make


@pytest.fixture
def market(market_of) -> MarketSnapshot:
    return market_of()


@pytest.fixture
def history_of() -> Callable[..., MarketHistory]:
    def make(series: Mapping[str, list[float]], dates: list[str], stale: Mapping[str, list[int]] | None = None):
        factors = tuple(sorted(series))
        filled = np.zeros((len(dates), len(factors)), dtype=bool)
        for factor, rows in (stale or {}).items():
            filled[rows, factors.index(factor)] = True
        return MarketHistory(
            dates=np.array(dates, dtype="datetime64[D]"),
            factors=factors,
            values=np.array([series[factor] for factor in factors], dtype=np.float64).T,
            stale=filled,
            numeraire="USD",
            conventions=CONVENTIONS,
            fixings={},
            origin=ORIGIN,
        )

    return make
