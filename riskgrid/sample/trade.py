"""Terms of random trades of each instrument, a column at a time, struck and dated as desks quote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import add_months, advance, tenor_years
from riskgrid.sample.draw import FRIDAY, WEDNESDAY, Draw, named, rounded, significant
from riskgrid.sample.fill import classes, issuers
from riskgrid.terms import Values

__all__ = ["TRADES"]

LOTS = {"WTI": 1000.0, "XAU": 100.0}
TICKS = {"SPX": 25.0, "WTI": 1.0, "XAU": 10.0}


def equity_options(draw: Draw) -> dict[str, Any]:
    """Index and single-name options, mostly on listed expiries; a quarter of them on the index."""
    names = [name for name, kind in classes().items() if kind in ("index", "stock")]
    code = draw.either(0.25, 0, 1 + draw.pick(names[1:], falling=0.3))
    spot = draw.levels([f"equity:{name}" for name in names])[code]
    tick = np.where(code == 0, TICKS["SPX"], np.where(spot > 100.0, 2.5, np.where(spot > 20.0, 1.0, 0.5)))
    expiry = draw.either(0.85, draw.listed(FRIDAY, range(1, 25)), draw.over_the_counter(180.0, 730))
    strike = rounded(spot * draw.moneyness(draw.years(expiry), 0.15), tick)
    contracts = rounded(draw.size("equity_option") / (100.0 * spot), 1.0)
    return {
        "underlying": named(code, names),
        "currency": named(np.zeros(draw.count), ["USD"]),
        "option_type": named(draw.either(0.5, 0, 1), ["call", "put"]),
        "strike": strike,
        "expiry": expiry,
        "multiplier": np.full(draw.count, 100.0),
        "quantity": draw.signs * contracts,
    }


def equities(draw: Draw) -> dict[str, Any]:
    """Shares and funds, in round lots."""
    names = [factor[7:] for factor in draw.market.factors if factor.startswith("equity:") and factor != "equity:SPX"]
    code = draw.pick(names)
    spot = draw.levels([f"equity:{name}" for name in names])[code]
    return {
        "underlying": named(code, names),
        "currency": named(np.zeros(draw.count), ["USD"]),
        "quantity": draw.signs * rounded(draw.size("equity") / spot, 100.0),
    }


def fx_forwards(draw: Draw) -> dict[str, Any]:
    """Forwards of up to a year in either direction, near the spot rate of the last trade date."""
    bought, sold, spot, to_dollars = _pairs(draw)
    maturity = draw.either(0.25, draw.listed(WEDNESDAY, _imm(draw)), draw.over_the_counter(90.0, 360))
    rate = spot * np.exp(draw.random.normal(0.0, 0.01, draw.count))
    return {
        "bought": bought,
        "sold": sold,
        "notional": rounded(draw.size("fx_forward") / to_dollars, 1e5),
        "rate": significant(rate),
        "maturity": maturity,
        "quantity": draw.signs,
    }


def fx_options(draw: Draw) -> dict[str, Any]:
    """Options of up to a year on either currency of a pair, delivered two business days after expiry."""
    call, put, spot, to_dollars = _pairs(draw)
    expiry = draw.either(0.25, draw.listed(WEDNESDAY, _imm(draw)), draw.over_the_counter(100.0, 355))
    strike = significant(spot * draw.moneyness(draw.years(expiry), 0.08))
    return {
        "call_currency": call,
        "put_currency": put,
        "notional": rounded(draw.size("fx_option") / to_dollars, 1e5),
        "strike": strike,
        "expiry": expiry,
        "delivery": advance(expiry, 2, draw.holidays),
        "quantity": draw.signs,
    }


def swaps(draw: Draw) -> dict[str, Any]:
    """Swaps of USD-3M from one to thirty years: two thirds run already, the others start on the as-of date."""
    years = np.array([1, 2, 3, 5, 7, 10, 15, 20, 30])
    length = years[draw.random.choice(len(years), draw.count, p=[0.08, 0.14, 0.12, 0.22, 0.1, 0.2, 0.04, 0.05, 0.05])]
    # no earlier than nine months ago, so that the shortest still run
    running = np.maximum(draw.dated, draw.market.date - np.timedelta64(270, "D"))
    start = draw.either(0.67, advance(running, 2, draw.holidays), draw.date)
    rate = _par(draw, length) + draw.random.normal(0.0, 0.001, draw.count)
    return {
        "currency": named(np.zeros(draw.count), ["USD"]),
        "side": named((draw.signs < 0).astype(np.int32), ["pay", "receive"]),
        "notional": rounded(draw.size("interest_rate_swap") * np.minimum(1.0, 5.0 / length), 1e5),
        "fixed_rate": np.maximum(np.round(rate, 5), 0.0005),
        "index": named(np.zeros(draw.count), ["USD-3M"]),
        "start": start,
        "maturity": add_months(start, 12 * length),
        "fixed_payments_per_year": np.full(draw.count, 2),
        "fixed_day_count": named(np.zeros(draw.count), ["30/360"]),
        "floating_payments_per_year": np.full(draw.count, 4),
        "floating_day_count": named(np.zeros(draw.count), ["ACT/360"]),
        "calendar": named(np.zeros(draw.count), ["US"]),
        "quantity": np.ones(draw.count),
    }


def bonds(draw: Draw) -> dict[str, Any]:
    """Treasuries without an issuer, four in ten, and bonds of the synthetic issuers; bought or sold short."""
    multiples = {"": 0.0, **issuers()}
    code = draw.either(0.4, 0, 1 + draw.pick(list(issuers())))
    years = np.array([2, 3, 5, 7, 10, 30])[draw.random.choice(6, draw.count, p=[0.2, 0.15, 0.25, 0.15, 0.2, 0.05])]
    quarter = draw.dated.astype("datetime64[M]").astype(np.int64) // 3
    age = np.minimum(draw.random.integers(1, 12, draw.count), 4 * years - 4)
    # on the fifteenth of February, May, August or November, before the trade date
    issue = ((quarter - age) * 3 + 1).astype("datetime64[M]").astype("datetime64[D]") + np.timedelta64(14, "D")
    spread = np.array(list(multiples.values()))[code] * draw.market.level("spread:US-IG")
    coupon = rounded(_par(draw, years) + spread + draw.random.normal(0.002, 0.002, draw.count), 0.00125)
    return {
        "currency": named(np.zeros(draw.count), ["USD"]),
        "issuer": named(code, list(multiples)),
        "notional": np.full(draw.count, 1000.0),
        "coupon": coupon,
        "issue": issue,
        "maturity": add_months(issue, 12 * years),
        "payments_per_year": np.full(draw.count, 2),
        "day_count": named((code > 0).astype(np.int32), ["ACT/ACT ICMA", "30/360"]),
        "calendar": named(np.zeros(draw.count), ["US"]),
        "settlement_lag": np.where(code > 0, 3, 1),
        "quantity": draw.signs * rounded(draw.size("fixed_rate_bond") / 1000.0 * np.minimum(1.0, 7.0 / years), 100.0),
    }


def commodity_forwards(draw: Draw) -> dict[str, Any]:
    """Forwards on oil and gold, up to two years."""
    names, code, spot, lot = _commodities(draw)
    return {
        "commodity": named(code, names),
        "currency": named(np.zeros(draw.count), ["USD"]),
        "lot": lot,
        "price": np.round(spot * np.exp(draw.random.normal(0.0, 0.05, draw.count)), 2),
        "delivery": draw.either(0.8, draw.listed(FRIDAY, range(1, 19)), draw.over_the_counter(150.0, 700)),
        "quantity": draw.signs * rounded(draw.size("commodity_forward") / (spot * lot), 1.0),
    }


def commodity_options(draw: Draw) -> dict[str, Any]:
    """Options on oil and gold forwards that deliver five business days after expiry."""
    names, code, spot, lot = _commodities(draw)
    expiry = draw.either(0.8, draw.listed(FRIDAY, range(1, 19)), draw.over_the_counter(150.0, 700))
    tick = np.array([TICKS[name] for name in names])[code]
    return {
        "commodity": named(code, names),
        "currency": named(np.zeros(draw.count), ["USD"]),
        "option_type": named(draw.either(0.5, 0, 1), ["call", "put"]),
        "strike": rounded(spot * draw.moneyness(draw.years(expiry), 0.2), tick),
        "lot": lot,
        "expiry": expiry,
        "delivery": advance(expiry, 5, draw.holidays),
        "quantity": draw.signs * rounded(draw.size("commodity_option") / (spot * lot), 1.0),
    }


#: Instrument -> its prefix of trade ids, its share of a portfolio, and the function that draws its terms.
TRADES: Mapping[str, tuple[str, float, Callable[[Draw], dict[str, Any]]]] = {
    "equity_option": ("EO", 0.35, equity_options),
    "equity": ("EQ", 0.05, equities),
    "fx_option": ("FO", 0.12, fx_options),
    "fx_forward": ("FF", 0.13, fx_forwards),
    "interest_rate_swap": ("SW", 0.12, swaps),
    "fixed_rate_bond": ("BO", 0.10, bonds),
    "commodity_forward": ("CF", 0.06, commodity_forwards),
    "commodity_option": ("CO", 0.07, commodity_options),
}


def _imm(draw: Draw) -> list[int]:
    """Months ahead of the next four quarters' ends."""
    month = int(draw.market.date.astype("datetime64[M]").astype(np.int64)) % 12
    return [ahead for ahead in range(1, 13) if (month + ahead) % 3 == 2]


def _pairs(draw: Draw) -> tuple[Any, Any, Values, Values]:
    """The two currencies of a pair in either order, spot rate of the second per first, USD per unit of the first."""
    names = [name for name, kind in classes().items() if kind == "fx"]
    code, turned = draw.pick(names, falling=0.5), draw.random.random(draw.count) < 0.4
    currencies = sorted({name[at : at + 3] for name in names for at in (0, 3)})
    in_dollars = np.array([1.0 if name == "USD" else draw.market.level(f"fx:{name}") for name in currencies])
    first, second = (np.array([currencies.index(name[at : at + 3]) for name in names])[code] for at in (0, 3))
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    spot = in_dollars[first] / in_dollars[second]
    return named(first, currencies), named(second, currencies), spot, in_dollars[first]


def _commodities(draw: Draw) -> tuple[list[str], NDArray[Any], Values, Values]:
    names = list(LOTS)
    code = draw.either(0.6, 0, 1)
    return names, code, draw.levels([f"commodity:{name}:0D" for name in names])[code], np.array([*LOTS.values()])[code]


def _par(draw: Draw, years: NDArray[Any]) -> Values:
    """Par yields (trade,) of the last trade date, linear between tenors."""
    nodes = [factor for factor in draw.market.factors if factor.startswith("par:")]
    times = np.array([tenor_years(factor.split(":")[2]) for factor in nodes])
    order = np.argsort(times)
    return np.asarray(np.interp(years, times[order], draw.levels(nodes)[order]))
