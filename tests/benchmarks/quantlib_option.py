"""The same options valued one pair at a time by QuantLib."""

from __future__ import annotations

from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from tests.benchmarks.data import TODAY
from tests.benchmarks.plain_option import Options

type Array = Any


def ql_date(day: Any) -> ql.Date:
    """QuantLib's date of a NumPy date."""
    one = np.datetime64(day, "D").item()
    return ql.Date(one.day, one.month, one.year)


class Pairs:
    """Forward, total volatility, discount factor and volatility of some options in some states, as lists of numbers.

    QuantLib is handed these: interpolating the curve and the surface is not on its clock.
    """

    def __init__(self, options: Options, trades: int, states: int) -> None:
        rows = slice(0, trades)
        spot, discount = options.spot[options.share[rows]], options.discount[options.rate[rows]]
        vol = options.vol(rows, options.strike[rows] * discount / spot)
        columns = spot / discount, vol * np.sqrt(options.years[rows]), discount, spot, vol
        self.forward, self.total_vol, self.discount, self.spot, self.vol = (c[:, :states].tolist() for c in columns)
        self.zero = (-np.log(discount) / options.years[rows])[:, :states].tolist()
        self.strike, self.days = options.strike[rows, 0].tolist(), np.rint(options.years[rows, 0] * 365).tolist()
        self.kind = [ql.Option.Call if call else ql.Option.Put for call in options.is_call[rows, 0]]
        self.scale = options.size[rows] * options.to_reporting[options.rate[rows]][:, :states]
        ql.Settings.instance().evaluationDate = ql_date(TODAY)
        self.quotes = [[ql.SimpleQuote(0.1) for _ in range(3)] for _ in self.strike]
        self.options = [
            make_option(kind, strike, TODAY + int(days), quotes)
            for kind, strike, days, quotes in zip(self.kind, self.strike, self.days, self.quotes, strict=True)
        ]

    def by_formula(self) -> Array:
        """One call of ``blackFormula`` a pair."""
        formula, made = ql.blackFormula, []
        terms = zip(self.kind, self.strike, self.forward, self.total_vol, self.discount, strict=True)
        for kind, strike, *rows in terms:
            made.append([formula(kind, strike, *numbers) for numbers in zip(*rows, strict=True)])
        return np.array(made) * self.scale

    def by_observers(self) -> Array:
        """One option object a trade, whose own quotes are set to each state in turn; made before the clock starts."""
        made = []
        for trade, (option, (spot, rate, vol)) in enumerate(zip(self.options, self.quotes, strict=True)):
            row = []
            for numbers in zip(self.spot[trade], self.zero[trade], self.vol[trade], strict=True):
                spot.setValue(numbers[0])
                rate.setValue(numbers[1])
                vol.setValue(numbers[2])
                row.append(option.NPV())
            made.append(row)
        return np.array(made) * self.scale


def make_option(kind: int, strike: float, expiry: Any, quotes: list[ql.SimpleQuote]) -> ql.VanillaOption:
    """A European option on its own quotes of spot, rate and volatility."""
    today, count = ql_date(TODAY), ql.Actual365Fixed()
    spot, rate, vol = map(ql.QuoteHandle, quotes)
    process = ql.BlackScholesMertonProcess(
        spot,
        ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
    )
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, strike), ql.EuropeanExercise(ql_date(expiry)))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return option
