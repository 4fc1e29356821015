"""Seeded markets, scenario sets and portfolios of any size, so that a figure always belongs to the same question."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios.set import shifts

TODAY = np.datetime64("2016-07-01")
SHARES = tuple(f"S{number:02d}" for number in range(20))  # the last four are quoted in EUR
EURO_SHARES = SHARES[16:]
ISSUERS = ("", "ACME", "BOLT", "CRUX")
PAIRS = (("EUR", "USD"), ("GBP", "USD"), ("USD", "JPY"))
COMMODITIES = ("WTI", "GOLD")
#: Curve nodes that are whole days, so that QuantLib's curves by date are the same ones.
ZERO_TENORS = ("91D", "182D", "1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "20Y", "30Y")
PAR_TENORS = ("1M", "3M", "6M", "1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "20Y", "30Y")
RATES = {"USD": 0.012, "EUR": -0.002, "GBP": 0.006, "JPY": -0.001}
EXPIRIES, MONEYNESS = ("1M", "3M", "6M", "1Y", "2Y"), ("0.80", "0.90", "1.00", "1.10", "1.20")
#: What a desk trades, and its share of a mixed portfolio.
DESKS = {
    "commodities": {"commodity_forward": 0.05, "commodity_option": 0.05},
    "credit": {"fixed_rate_bond": 0.15},
    "equities": {"equity": 0.05, "equity_option": 0.25},
    "fx": {"fx_forward": 0.15, "fx_option": 0.15},
    "rates": {"interest_rate_swap": 0.15},
}
REGIONS, BOOKS = ("americas", "asia", "emea", "oceania"), 10


def market(quotes: str = "zero") -> MarketSnapshot:
    """A base state. quotes : ``zero``, or ``par`` for a USD curve that has to be calibrated in every state."""
    levels = {"fx:EUR": 1.11, "fx:GBP": 1.33, "fx:JPY": 0.0097}
    levels |= {f"equity:{name}": 40.0 + 15.0 * number for number, name in enumerate(SHARES)}
    levels |= {f"spread:{name}": 0.01 + 0.005 * number for number, name in enumerate(ISSUERS) if name}
    for currency, rate in RATES.items():
        kind, tenors = ("par", PAR_TENORS) if quotes == "par" and currency == "USD" else ("zero", ZERO_TENORS)
        levels |= {f"{kind}:{currency}:{tenor}": rate + 0.0012 * node for node, tenor in enumerate(tenors)}
    for name in (*SHARES, *(of + to for of, to in PAIRS), *COMMODITIES):
        for row, expiry in enumerate(EXPIRIES):
            levels |= {f"vol:{name}:{expiry}:{m}": 0.22 + 0.1 * (1 - float(m)) - 0.005 * row for m in MONEYNESS}
    for name, level in zip(COMMODITIES, (48.0, 1300.0), strict=True):
        levels |= {f"commodity:{name}:{tenor}": level * (1 + 0.01 * at) for at, tenor in enumerate(("0D", "6M", "1Y"))}
    par = {"quotes": quotes, "payments_per_year": 2, "simple_up_to": "6M"} if quotes == "par" else {"quotes": "zero"}
    three_months = {"tenor": "3M", "day_count": "ACT/360", "fixing_lag": 2, "calendar": "weekends"}
    conventions = {
        "curves": {name: par if name == "USD" else {"quotes": "zero"} for name in RATES},
        "discount": {name: name for name in RATES},
        "indices": {f"{name}-3M": {"currency": name, "curve": name, **three_months} for name in RATES},
        "calendars": {},
    }
    return MarketSnapshot(TODAY, "USD", tuple(levels), np.array(list(levels.values())), conventions, {}, {})


def scenarios(snapshot: MarketSnapshot, count: int) -> xr.Dataset:
    """Every factor moves in every scenario: rates and spreads by 8 bp, prices by 1 %, volatilities by 4 %."""
    rng = np.random.default_rng(2)
    factors = snapshot.factors
    scale, offset = np.ones((count, len(factors))), np.zeros((count, len(factors)))
    for column, factor in enumerate(factors):
        if factor.startswith(("par:", "zero:", "spread:")):
            offset[:, column] = rng.normal(0.0, 8e-4, count)
        else:
            scale[:, column] = np.exp(rng.normal(0.0, 0.04 if factor.startswith("vol:") else 0.01, count))
    labels = [f"day {number:05d}" for number in range(count)]
    return shifts(labels, factors, scale, offset, name=f"{count} seeded days", kind="benchmark", provenance={})


def portfolio(sizes: dict[str, int]) -> Portfolio:
    """Trades of these instruments over 4 regions, their desks and 10 books each; 100 counterparties."""
    rng = np.random.default_rng(3)
    tables = {}
    for name, size in sizes.items():
        if size:
            desk = next(desk for desk, traded in DESKS.items() if name in traded)
            tables[name] = pd.DataFrame({**_labels(rng, name, desk, size), **_TERMS[name](rng, size)})
    return Portfolio.from_tables(tables)


def mixed(trades: int) -> Portfolio:
    """A portfolio of all eight instruments."""
    return portfolio({name: round(share * trades) for traded in DESKS.values() for name, share in traded.items()})


def _labels(rng: np.random.Generator, name: str, desk: str, size: int) -> dict[str, Any]:
    region = rng.integers(0, len(REGIONS), size)
    book = rng.integers(0, BOOKS, size)
    books = np.array([[f"{desk}-{area}-{one}" for one in range(BOOKS)] for area in REGIONS])
    return {
        "trade_id": [f"{name}-{number}" for number in range(size)],
        "region": np.array(REGIONS)[region],
        "desk": np.full(size, desk),
        "book": books[region, book],
        "counterparty": np.array([f"party {number:03d}" for number in range(100)])[rng.integers(0, 100, size)],
        "trade_date": np.full(size, TODAY - 30),
        "quantity": rng.choice([-2.0, -1.0, 1.0, 2.0], size),
    }


def _days(rng: np.random.Generator, low: int, high: int, size: int) -> Any:
    return TODAY + rng.integers(low, high, size)


def _listed(rng: np.random.Generator, size: int) -> Any:
    return TODAY + 14 + 14 * rng.integers(0, 50, size)  # every other Friday of two years


def _equity(rng: np.random.Generator, size: int) -> dict[str, Any]:
    underlying = rng.choice(SHARES, size)
    return {"underlying": underlying, "currency": np.where(np.isin(underlying, EURO_SHARES), "EUR", "USD")}


def _equity_option(rng: np.random.Generator, size: int) -> dict[str, Any]:
    made = _equity(rng, size)
    spot = 40.0 + 15.0 * np.array([SHARES.index(name) for name in made["underlying"]])
    made |= {"option_type": rng.choice(["call", "put"], size), "expiry": _listed(rng, size)}
    strike = spot * np.round(rng.uniform(0.7, 1.3, size), 2)
    return {**made, "strike": strike, "multiplier": np.full(size, 100.0)}


def _fx_forward(rng: np.random.Generator, size: int) -> dict[str, Any]:
    bought, sold = np.array(PAIRS)[rng.integers(0, len(PAIRS), size)].T
    rate = np.select([bought == "EUR", bought == "GBP"], [1.11, 1.33], 103.0) * rng.uniform(0.9, 1.1, size)
    notional = rng.uniform(1e5, 1e7, size).round(-3)
    return {"bought": bought, "sold": sold, "notional": notional, "rate": rate, "maturity": _days(rng, 2, 700, size)}


def _fx_option(rng: np.random.Generator, size: int) -> dict[str, Any]:
    made = _fx_forward(rng, size)
    columns = {"bought": "call_currency", "sold": "put_currency", "rate": "strike", "maturity": "expiry"}
    return {columns.get(name, name): column for name, column in made.items()}


def _commodity_forward(rng: np.random.Generator, size: int) -> dict[str, Any]:
    name = rng.choice(COMMODITIES, size)
    price = np.where(name == "WTI", 48.0, 1300.0) * rng.uniform(0.9, 1.1, size)
    lot = np.where(name == "WTI", 1000.0, 100.0)
    what = {"commodity": name, "currency": np.full(size, "USD"), "lot": lot, "price": price}
    return {**what, "delivery": _days(rng, 2, 700, size)}


def _commodity_option(rng: np.random.Generator, size: int) -> dict[str, Any]:
    made = _commodity_forward(rng, size)
    made |= {"strike": made.pop("price"), "expiry": made.pop("delivery")}
    return {**made, "option_type": rng.choice(["call", "put"], size)}


def _fixed_rate_bond(rng: np.random.Generator, size: int) -> dict[str, Any]:
    return {
        "currency": np.full(size, "USD"),
        "issuer": rng.choice(ISSUERS, size),
        "notional": rng.uniform(1e5, 5e6, size).round(-3),
        "coupon": rng.integers(4, 40, size) / 800.0,
        "issue": _days(rng, -2000, 0, size),
        "maturity": _days(rng, 100, 10_000, size),
        "payments_per_year": np.full(size, 2),
        "day_count": np.full(size, "30/360"),
        "calendar": np.full(size, "weekends"),
    }


def _interest_rate_swap(rng: np.random.Generator, size: int) -> dict[str, Any]:
    currency = rng.choice(["USD", "EUR"], size, p=[0.7, 0.3])
    start = _weekday(_days(rng, 7, 90, size))  # no fixing lies in the past
    years = rng.integers(1, 28, size)
    return {
        "currency": currency,
        "side": rng.choice(["pay", "receive"], size),
        "notional": rng.uniform(1e6, 2e7, size).round(-5),
        "fixed_rate": rng.integers(-10, 200, size) / 1e4,
        "index": np.char.add(currency.astype("U3"), "-3M"),
        "start": start,
        "maturity": (start.astype("datetime64[M]") + 12 * years) + (start - start.astype("datetime64[M]")),
        "fixed_payments_per_year": np.full(size, 2),
        "fixed_day_count": np.full(size, "30/360"),
        "floating_payments_per_year": np.full(size, 4),
        "floating_day_count": np.full(size, "ACT/360"),
        "calendar": np.full(size, "weekends"),
    }


def _weekday(dates: Any) -> Any:
    return np.busday_offset(dates, 0, roll="forward")


_TERMS = {
    "commodity_forward": _commodity_forward,
    "commodity_option": _commodity_option,
    "equity": _equity,
    "equity_option": _equity_option,
    "fixed_rate_bond": _fixed_rate_bond,
    "fx_forward": _fx_forward,
    "fx_option": _fx_option,
    "interest_rate_swap": _interest_rate_swap,
}
