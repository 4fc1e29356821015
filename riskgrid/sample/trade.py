"""Terms of random trades of each instrument, a column at a time: sizes, strikes and dates as desks quote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskgrid.conventions import Dates, add_months, add_tenor, adjust, advance, tenor_years
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.sample.bundle import conventions
from riskgrid.sample.fill import classes, issuers
from riskgrid.terms import Values

__all__ = ["TRADES", "Draw", "named", "third_weekday"]

FRIDAY, WEDNESDAY = 4, 2
LOTS = {"WTI": 1000.0, "XAU": 100.0}
TICKS = {"SPX": 25.0, "WTI": 1.0, "XAU": 10.0}
#: Median size of a trade, in USD; chosen so that no desk's value at risk dwarfs another's.
SIZES = {
    "equity_option": 1.0e6,
    "equity": 1.5e6,
    "fx_option": 4.0e6,
    "fx_forward": 3.0e6,
    "interest_rate_swap": 2.0e7,
    "fixed_rate_bond": 6.0e6,
    "commodity_forward": 1.5e6,
    "commodity_option": 2.0e6,
}
SPREAD_OF_SIZES = 0.8  # of the log size


@dataclass(frozen=True)
class Draw:
    """What ``count`` trades are drawn from: a generator, the market of the last trade date and the as-of date.

    ``signs`` : (trade,), +1 or -1, bought or sold.   ``dated`` : (trade,), the trade dates.
    """

    random: np.random.Generator
    market: MarketSnapshot
    date: np.datetime64
    signs: Values
    dated: Dates
    holidays: Dates = field(default_factory=lambda: np.array(conventions()["calendars"]["US"], dtype="datetime64[D]"))

    @property
    def count(self) -> int:
        """How many trades."""
        return len(self.signs)

    def pick(self, options: Sequence[Any] | NDArray[Any], falling: float = 0.0) -> NDArray[np.int32]:
        """Codes (trade,) into the options, the first ones oftener: weights fall as rank to the power ``-falling``."""
        weight = np.arange(1.0, len(options) + 1.0) ** -falling
        return self.random.choice(len(options), self.count, p=weight / weight.sum()).astype(np.int32)

    def size(self, instrument: str) -> Values:
        """Log-normal amounts (trade,) in USD around the instrument's median."""
        return SIZES[instrument] * np.exp(self.random.normal(0.0, SPREAD_OF_SIZES, self.count))

    def moneyness(self, years: Values, width: float) -> Values:
        """Log-normal strikes (trade,) over spot, wider for longer expiries, within 60 % and 160 %."""
        deviation = 0.01 + width * np.sqrt(years)
        return np.clip(np.exp(self.random.normal(0.0, 1.0, self.count) * deviation), 0.6, 1.6)

    def over_the_counter(self, mean_days: float, most_days: int) -> Dates:
        """Business days (trade,) from two days after the last trade date on, most of them weeks or months away."""
        days = np.minimum(self.random.gamma(2.0, mean_days / 2.0, self.count), most_days - 2.0).astype(np.int64) + 2
        return adjust(self.market.date + days, "following", self.holidays)

    def listed(self, weekday: int, months: Sequence[int]) -> Dates:
        """Third weekdays (trade,) of some of these months after that of the last trade date, near ones oftener."""
        ahead = np.array(months)[self.pick(months, falling=0.7)]
        return third_weekday(self.market.date.astype("datetime64[M]") + ahead, weekday)

    def levels(self, factors: Sequence[str]) -> Values:
        """Levels of these factors on the last trade date."""
        return np.array([self.market.level(factor) for factor in factors])

    def years(self, dates: Dates) -> Values:
        """Years (trade,) from the last trade date, ACT/365F."""
        return (dates - self.market.date).astype(np.float64) / 365.0

    def either(self, share: float, first: Any, second: Any) -> Any:
        """The first value with a probability, else the second, trade by trade."""
        return np.where(self.random.random(self.count) < share, first, second)


def third_weekday(months: NDArray[np.datetime64], weekday: int) -> Dates:
    """The third weekday (Monday is 0) of each month: Friday for listed options, Wednesday for IMM dates.

    >>> third_weekday(np.array(["2016-07", "2016-09"], dtype="datetime64[M]"), WEDNESDAY).astype(str).tolist()
    ['2016-07-20', '2016-09-21']
    """
    fifteenth = np.asarray(months).astype("datetime64[D]") + np.timedelta64(14, "D")
    monday_based = (fifteenth.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    return np.asarray(fifteenth + (weekday - monday_based) % 7)


def named(codes: NDArray[Any], names: Sequence[str]) -> Any:
    """A text column from codes into distinct names."""
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(codes, dtype=np.int32)), pa.array(list(names)))


def equity_options(draw: Draw) -> dict[str, Any]:
    """Index and single-name options, mostly on listed expiries; a quarter of them on the index."""
    names = [name for name, kind in classes().items() if kind in ("index", "stock")]
    code = draw.either(0.25, 0, 1 + draw.pick(names[1:], falling=0.3))
    spot = draw.levels([f"equity:{name}" for name in names])[code]
    tick = np.where(code == 0, TICKS["SPX"], np.where(spot > 100.0, 2.5, np.where(spot > 20.0, 1.0, 0.5)))
    expiry = draw.either(0.85, draw.listed(FRIDAY, range(1, 25)), draw.over_the_counter(180.0, 730))
    strike = _rounded(spot * draw.moneyness(draw.years(expiry), 0.15), tick)
    contracts = _rounded(draw.size("equity_option") / (100.0 * spot), 1.0)
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
        "quantity": draw.signs * _rounded(draw.size("equity") / spot, 100.0),
    }


def fx_forwards(draw: Draw) -> dict[str, Any]:
    """Forwards of up to a year in either direction, near the spot rate of the last trade date."""
    bought, sold, spot, to_dollars = _pairs(draw)
    maturity = draw.either(0.25, draw.listed(WEDNESDAY, _imm(draw)), draw.over_the_counter(90.0, 360))
    rate = spot * np.exp(draw.random.normal(0.0, 0.01, draw.count))
    return {
        "bought": bought,
        "sold": sold,
        "notional": _rounded(draw.size("fx_forward") / to_dollars, 1e5),
        "rate": _significant(rate),
        "maturity": maturity,
        "quantity": draw.signs,
    }


def fx_options(draw: Draw) -> dict[str, Any]:
    """Options of up to a year on either currency of a pair, delivered two business days after expiry."""
    call, put, spot, to_dollars = _pairs(draw)
    expiry = draw.either(0.25, draw.listed(WEDNESDAY, _imm(draw)), draw.over_the_counter(100.0, 355))
    strike = _significant(spot * draw.moneyness(draw.years(expiry), 0.08))
    return {
        "call_currency": call,
        "put_currency": put,
        "notional": _rounded(draw.size("fx_option") / to_dollars, 1e5),
        "strike": strike,
        "expiry": expiry,
        "delivery": advance(expiry, 2, draw.holidays),
        "quantity": draw.signs,
    }


def swaps(draw: Draw) -> dict[str, Any]:
    """Swaps of USD-3M from one to thirty years: two thirds run already, the others start on the as-of date."""
    years = np.array([1, 2, 3, 5, 7, 10, 15, 20, 30])
    length = years[draw.random.choice(len(years), draw.count, p=[0.08, 0.14, 0.12, 0.22, 0.1, 0.2, 0.04, 0.05, 0.05])]
    # one that ended before it is valued is nobody's trade: a running swap started at most its length ago, less a year
    since = np.minimum(draw.dated, draw.market.date).astype("datetime64[D]")
    running = np.maximum(since, add_months(draw.market.date, -9))
    start = draw.either(0.67, advance(running, 2, draw.holidays), draw.date)
    rate = _par(draw, length) + draw.random.normal(0.0, 0.001, draw.count)
    return {
        "currency": named(np.zeros(draw.count), ["USD"]),
        "side": named((draw.signs < 0).astype(np.int32), ["pay", "receive"]),
        "notional": _rounded(draw.size("interest_rate_swap") * np.minimum(1.0, 5.0 / length), 1e5),
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
    coupon = _rounded(_par(draw, years) + spread + draw.random.normal(0.002, 0.002, draw.count), 0.00125)
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
        "quantity": draw.signs * _rounded(draw.size("fixed_rate_bond") / 1000.0 * np.minimum(1.0, 7.0 / years), 100.0),
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
        "quantity": draw.signs * _rounded(draw.size("commodity_forward") / (spot * lot), 1.0),
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
        "strike": _rounded(spot * draw.moneyness(draw.years(expiry), 0.2), tick),
        "lot": lot,
        "expiry": expiry,
        "delivery": advance(expiry, 5, draw.holidays),
        "quantity": draw.signs * _rounded(draw.size("commodity_option") / (spot * lot), 1.0),
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


def _rounded(values: Values, step: float | Values) -> Values:
    """To whole steps, at least one."""
    return np.maximum(np.round(values / step), 1.0) * step


def _significant(rates: Values) -> Values:
    """To five significant digits, as FX is quoted."""
    digits = 10.0 ** (np.floor(np.log10(rates)) - 4.0)
    return np.asarray(np.round(rates / digits) * digits)


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
    return np.interp(years, times[order], draw.levels(nodes)[order])
