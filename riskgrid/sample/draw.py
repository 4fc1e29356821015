"""Random draws of what trades have in common: sizes, moneyness, dates, and names that some meet oftener than others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskgrid.conventions import Dates, adjust
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.sample.bundle import conventions
from riskgrid.terms import Values

__all__ = ["FRIDAY", "WEDNESDAY", "Draw", "named", "rounded", "significant", "third_weekday"]

FRIDAY, WEDNESDAY = 4, 2
POWERS = np.array([float(f"1e{exponent}") for exponent in range(10)])
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


def rounded(values: Values, step: float | Values) -> Values:
    """To whole steps, at least one."""
    return np.maximum(np.round(values / step), 1.0) * step


def significant(rates: Values) -> Values:
    """To five significant digits, as FX is quoted; rates from 1e-5 to 1e4.

    >>> significant(np.array([104.7286, 0.00954874]))
    array([1.0473e+02, 9.5487e-03])
    """
    # a table and a division: every platform has the same powers and rounds the quotient to the nearest decimal
    scale = POWERS[4 - np.floor(np.log10(rates)).astype(np.intp)]
    return np.asarray(np.round(rates * scale) / scale)
