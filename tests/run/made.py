"""A small made-up market, book and scenario set that ask something of every kind of factor and instrument."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.scenarios.set import shifts

TODAY = np.datetime64("2016-07-01")
UNDERLYINGS = ("SPX", "AAPL")
CONVENTIONS = {
    "curves": {"USD-TREASURY": {"quotes": "par"}, **{name: {"quotes": "zero"} for name in ("EUR", "GBP", "USD-6M")}},
    "discount": {"USD": "USD-TREASURY", "EUR": "EUR", "GBP": "GBP"},
    "indices": {
        name: {"currency": "USD", "curve": curve, "tenor": tenor, "day_count": "ACT/360", "calendar": "US"}
        for name, curve, tenor in (("USD-3M", "USD-TREASURY", "3M"), ("USD-6M", "USD-6M", "6M"))
    },
    "calendars": {"US": [np.datetime64("2016-07-04").item(), np.datetime64("2016-12-26").item()]},
}
PAR = {"1M": 0.002, "3M": 0.003, "6M": 0.004, "1Y": 0.005, "2Y": 0.007, "5Y": 0.011, "10Y": 0.016, "30Y": 0.023}
LEVELS = {"fx:EUR": 1.11, "fx:GBP": 1.33, "equity:SPX": 2100.0, "equity:AAPL": 95.0, "dividend:AAPL": 0.02}
LEVELS |= {f"par:USD-TREASURY:{tenor}": rate for tenor, rate in PAR.items()}
LEVELS |= {"zero:EUR:1Y": -0.004, "zero:EUR:10Y": 0.001, "zero:GBP:1Y": 0.004, "zero:GBP:10Y": 0.01}
LEVELS |= {"zero:USD-6M:1Y": 0.009, "zero:USD-6M:10Y": 0.02, "spread:ACME": 0.015}
LEVELS |= {f"commodity:{name}:{tenor}": 48.0 for name in ("WTI", "BRENT") for tenor in ("0D", "6M", "1Y")}
LEVELS |= {
    f"vol:{name}:{expiry}:{moneyness}": 0.2 + 0.1 * (1.0 - float(moneyness))
    for name in (*UNDERLYINGS, "WTI", "BRENT", "EURUSD", "GBPUSD")
    for expiry in ("1M", "1Y", "2Y")
    for moneyness in ("0.80", "0.90", "1.00", "1.10", "1.20")
}


def market(levels=None, **sections):
    """The market; ``levels`` are further ones, ``sections`` stand in for those of the conventions."""
    every = {**LEVELS, **(levels or {})}
    days = np.arange(np.datetime64("2003-01-01"), TODAY + np.timedelta64(1, "D"))
    fixings = {name: Fixings(days, np.full(len(days), 0.006)) for name in CONVENTIONS["indices"]}
    return MarketSnapshot(TODAY, "USD", tuple(every), list(every.values()), {**CONVENTIONS, **sections}, fixings, {})


def scenarios(base=None, count=30, seed=7, **optional):
    """Every factor moves in every scenario."""
    factors = list((base or market()).factors)
    rng = np.random.default_rng(seed)
    scale, offset = np.ones((count, len(factors))), np.zeros((count, len(factors)))
    for column, factor in enumerate(factors):
        if factor.startswith(("par", "zero", "spread", "dividend")):
            offset[:, column] = rng.normal(0.0, 5e-4, count)
        else:
            scale[:, column] = np.exp(rng.normal(0.0, 0.02, count))
    labels = [f"day {row}" for row in range(count)]
    return shifts(labels, factors, scale, offset, name="made", kind="test", provenance={}, **optional)


def one_factor(factor, scale=1.0, offset=0.0, label="shock"):
    """A set of one scenario that moves one factor."""
    return shifts([label], [factor], scale, offset, name=label, kind="test", provenance={})


def tables(count=40, seed=3):
    """A frame of ``count`` trades of each instrument."""
    rng = np.random.default_rng(seed)

    def days(low, high):
        return TODAY + rng.integers(low, high, count).astype("timedelta64[D]")

    def labels(prefix):
        desks = rng.choice(["Flow", "Exotic", "Macro"], count)
        return {
            "trade_id": [f"{prefix}-{row}" for row in range(count)],
            "region": rng.choice(["EMEA", "AMER"], count),
            "desk": desks,
            "book": [f"{desk} {one}" for desk, one in zip(desks, rng.choice(["A", "B"], count), strict=True)],
            "counterparty": rng.choice(["North", "South", ""], count),
            "strategy": rng.choice(["carry", "hedge"], count),
            "trade_date": np.datetime64("2016-06-01"),
            "quantity": rng.choice([-2.0, 1.0, 3.0], count),
        }

    usd = {"currency": "USD"}
    day_count = rng.choice(["30/360", "ACT/ACT ICMA"], count)
    made = {
        "equity": {"underlying": rng.choice(UNDERLYINGS, count), **usd},
        "equity_option": {
            "underlying": rng.choice(UNDERLYINGS, count),
            **usd,
            "option_type": rng.choice(["call", "put"], count),
            "strike": rng.uniform(60.0, 2400.0, count),
            "expiry": days(-3, 900),
        },
        "fx_forward": {
            "bought": rng.choice(["EUR", "GBP"], count),
            "sold": "USD",
            "notional": rng.uniform(1e5, 1e7, count),
            "rate": rng.uniform(1.0, 1.4, count),
            "maturity": days(1, 700),
        },
        "fx_option": {
            "call_currency": rng.choice(["EUR", "GBP"], count),
            "put_currency": "USD",
            "notional": rng.uniform(1e5, 1e7, count),
            "strike": rng.uniform(1.0, 1.4, count),
            "expiry": days(1, 700),
        },
        "commodity_forward": {"commodity": "WTI", **usd, "lot": 1000.0, "price": 48.0, "delivery": days(1, 700)},
        "commodity_option": {
            "commodity": rng.choice(["WTI", "BRENT"], count),
            **usd,
            "option_type": "put",
            "strike": rng.uniform(40.0, 60.0, count),
            "lot": 1000.0,
            "expiry": days(1, 700),
        },
        "fixed_rate_bond": {
            **usd,
            "issuer": rng.choice(["", "ACME"], count),
            "notional": 1e6,
            "coupon": rng.uniform(0.0, 0.05, count),
            "issue": days(-3000, 0),
            "maturity": days(1, 9000),
            "payments_per_year": 2,
            "day_count": day_count,
            "calendar": "US",
        },
        "interest_rate_swap": {
            **usd,
            "side": rng.choice(["pay", "receive"], count),
            "notional": 1e6,
            "fixed_rate": 0.012,
            "index": rng.choice(["USD-3M", "USD-6M"], count),
            "start": days(-400, 60),
            "maturity": days(400, 9000),
            "fixed_payments_per_year": 2,
            "fixed_day_count": "30/360",
            "floating_payments_per_year": 4,
            "floating_day_count": "ACT/360",
            "calendar": "US",
        },
    }
    return {name: pd.DataFrame(labels(name) | columns) for name, columns in made.items()}


def portfolio(count=40, seed=3, only=()):
    """The book, or the tables named in ``only``."""
    return Portfolio.from_tables({name: t for name, t in tables(count, seed).items() if not only or name in only})


def same_bits(one, other):
    """Whether two runs of the same trades, in whatever order, agree in every bit."""
    return one.result_id == other.result_id and bits_by_trade(one) == bits_by_trade(other)


def bits_by_trade(run):
    """trade_id to the bytes of its P&L, base value and status."""
    table = run.trade_table()
    pnl = run.cube.trade_pnl(np.arange(table.sizes["trade"]))
    rows = zip(table.trade_id.values, pnl, table.base_value.values, table.status.values, strict=True)
    return {trade: (row.tobytes(), value.tobytes(), int(status)) for trade, row, value, status in rows}
