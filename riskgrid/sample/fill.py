"""The sample market on a date: real levels, and beside them what no bundled series holds, derived or synthetic."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import add_tenor, adjust, advance, is_business_day, tenor_years, year_fraction
from riskgrid.errors import BadMarket
from riskgrid.market.curves import zero_weights
from riskgrid.market.factor import curve_nodes
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.sample.bundle import CURVE, INDEX, conventions, fills, history
from riskgrid.sample.smile import reverting_variance, ssvi_variance
from riskgrid.terms import Values

__all__ = ["DEFAULT_DATE", "classes", "issuers", "market"]

DEFAULT_DATE = "2016-07-01"
FIRST_DATE = np.datetime64("2014-01-03")  # of VIX

type Dates = NDArray[np.datetime64]
type Fill = tuple[str, str, dict[str, float]]  # pattern, what is said of it, levels by factor


def market(date: np.datetime64 | str = DEFAULT_DATE) -> MarketSnapshot:
    """The market on a date of the default window, every factor with its origin.

    Real levels of the history, and: policy curves of six currencies, volatility surfaces, commodity forward prices,
    spreads of issuers, past fixings of USD-3M. Shares pay no dividend, since their prices are total-return adjusted;
    the index has none either.   Raises BadMarket on a date that the history or VIX does not have.

    >>> market("2016-06-24").level("spread:BBB-01") > market("2016-06-23").level("spread:BBB-01")
    True
    """
    day = _day(date)
    real = history().snapshot(day)
    needed = ("index:VIX", fills()["spread"]["factor"])
    absent = [factor for factor in needed if factor not in real.factors]
    if absent:
        raise BadMarket(
            f"the sample has no {absent[0]!r} on {day}; a date from {FIRST_DATE} to {DEFAULT_DATE} is right"
        )
    filled = [*_policy_rates(), *_volatilities(real), *_forward_prices(real), *_issuer_spreads(real)]
    levels = dict(zip(real.factors, real.levels.tolist(), strict=True))
    origin = dict(real.origin)
    for pattern, sentence, added in filled:
        levels |= added
        origin[pattern] = sentence
    fixings = {INDEX: _fixings(day)}
    return MarketSnapshot(day, "USD", tuple(levels), np.array([*levels.values()]), conventions(), fixings, origin)


def _day(date: Any) -> np.datetime64:
    try:
        day = np.datetime64(date, "D")
    except (TypeError, ValueError, OverflowError):
        day = np.datetime64("NaT", "D")
    if np.isnat(day) or isinstance(date, (int, np.integer)):  # an integer counts days from 1970
        raise BadMarket(
            f"the date of the sample market is {date!r}, which is no date; "
            f"a date from {FIRST_DATE} to {DEFAULT_DATE} is right"
        )
    return day


def classes() -> dict[str, str]:
    """The class of each name that has a volatility surface: index, stock, fx, gold or oil."""
    return {name: kind for kind, names in fills()["volatility_of"].items() for name in names}


def issuers() -> dict[str, float]:
    """Synthetic issuers and the multiple of ``spread:US-IG`` that each pays.

    >>> [round(multiple, 4) for name, multiple in issuers().items() if name.startswith("AA-")]
    [0.5, 0.55, 0.6, 0.65]
    """
    return {
        f"{rating}-{number:02}": round(float(multiple), 4)
        for rating, row in fills()["issuers"]["ratings"].items()
        for number, multiple in enumerate(np.linspace(row["low"], row["high"], row["count"]), 1)
    }


def _policy_rates() -> Iterator[Fill]:
    how = fills()["policy_rates"]
    yield "zero:*-POLICY:1Y", how["sentence"], {f"zero:{name}-POLICY:1Y": rate for name, rate in how["rates"].items()}


def _forward_prices(real: MarketSnapshot) -> Iterator[Fill]:
    how = fills()["forward_prices"]
    for name in how["reversion"]:
        spot = real.level(f"commodity:{name}:0D")
        yield f"commodity:{name}:*", how["sentence"], {f"commodity:{name}:{tenor}": spot for tenor in how["tenors"]}


def _issuer_spreads(real: MarketSnapshot) -> Iterator[Fill]:
    average, sentence = real.level(fills()["spread"]["factor"]), fills()["issuers"]["sentence"]
    for name, multiple in issuers().items():
        yield f"spread:{name}", sentence.format(multiple=f"{multiple:g}"), {f"spread:{name}": multiple * average}


def _volatilities(real: MarketSnapshot) -> Iterator[Fill]:
    shape = fills()["smile"]
    expiries = np.array([tenor_years(tenor) for tenor in shape["expiries"]])
    for name, kind in classes().items():
        skew = fills()["classes"][kind]["skew"]
        if kind == "index":
            at_the_money, sentence = _index_variance(expiries, real), fills()["index_volatility"]["sentence"]
        else:
            at_the_money = _realised_volatility(name, kind, real.date) ** 2 * expiries
            sentence = fills()["realised_volatility"]["sentence"].format(skew=skew)
        texts = shape["moneyness"][_grid(kind)]
        k = np.log(np.array(texts, dtype=np.float64))
        total = ssvi_variance(k, at_the_money[:, None], skew * shape["rho"], skew * shape["eta"], shape["gamma"])
        volatility = np.maximum(np.sqrt(total / expiries[:, None]), fills()["realised_volatility"]["floor"])
        nodes = [f"vol:{name}:{tenor}:{text}" for tenor in shape["expiries"] for text in texts]
        yield f"vol:{name}:*", sentence, dict(zip(nodes, volatility.ravel().tolist(), strict=True))


def _grid(kind: str) -> str:
    return {"index": "equity", "stock": "equity", "fx": "fx"}.get(kind, "commodity")


def _index_variance(expiries: Values, real: MarketSnapshot) -> Values:
    how = fills()["index_volatility"]
    month = how["at_the_money_to_vix"] * real.level("index:VIX") / 100.0
    return reverting_variance(expiries, month**2, 30.0 / 365.0, how["long_run"] ** 2, how["reversion"])


def _realised_volatility(name: str, kind: str, day: np.datetime64) -> float:
    how = fills()["realised_volatility"]
    last = int(np.searchsorted(history().dates, day))
    levels = _levels(name, kind)[last - how["days"] : last + 1]
    volatility = float(np.sqrt(np.mean(np.diff(np.log(levels)) ** 2) * how["year"]))
    return max(volatility, float(how["floor"]))


def _levels(name: str, kind: str) -> Values:
    """Levels (date,) of a share, of a commodity's spot, or of the first currency of a pair in the second."""
    if kind == "fx":
        return _in_dollars(name[:3]) / _in_dollars(name[3:])
    return _series(f"equity:{name}" if kind == "stock" else f"commodity:{name}:0D")


def _in_dollars(currency: str) -> Values:
    return np.ones(len(history().dates)) if currency == "USD" else _series(f"fx:{currency}")


def _series(factor: str) -> Values:
    past = history()
    return past.values[:, past.factors.index(factor)]


@functools.cache
def _zero_rates() -> Values:
    return history().zero_rates(CURVE)


def _fixings(day: np.datetime64) -> Fixings:
    """USD-3M on each business day of the years up to a date: the simple rate of the curve of the fixing date."""
    index, curve = conventions()["indices"][INDEX], conventions()["curves"][CURVE]
    holidays = np.array(conventions()["calendars"][index["calendar"]], dtype="datetime64[D]")
    days = np.arange(day - np.timedelta64(365 * fills()["fixings"]["years"], "D"), day + np.timedelta64(1, "D"))
    days = days[is_business_day(days, holidays)]
    start = advance(days, index["fixing_lag"], holidays)
    end = adjust(add_tenor(start, index["tenor"]), "modified_following", holidays)
    zeros = _zero_rates()[np.searchsorted(history().dates, days, side="right") - 1]
    _, times = curve_nodes("par", CURVE, history().factors)

    def log_discount(dates: Dates) -> Values:
        years = (dates - days).astype(np.float64) / 365.0
        node, weight = zero_weights(times, years, curve["interpolation"], curve["extrapolation"])
        return -years * (np.take_along_axis(zeros, node, axis=1) * weight).sum(axis=1)

    growth = np.exp(log_discount(start) - log_discount(end))
    return Fixings(days, (growth - 1.0) / year_fraction(index["day_count"], start, end))
