"""QuantLib's view of the markets these tests are made of: node times are whole days, so both sides see one curve."""

from __future__ import annotations

import numpy as np
import pytest

from riskgrid.conventions import holiday_dates
from riskgrid.market.snapshot import MarketSnapshot

ql = pytest.importorskip("QuantLib")

TODAY = np.datetime64("2016-07-01")
FAR = 40_000  # days; beyond every date in these tests
HOLIDAYS = holiday_dates("TARGET", 1996, 2060)
CALENDAR = ql.BespokeCalendar("TARGET, frozen")
for _day in (ql.Saturday, ql.Sunday):
    CALENDAR.addWeekend(_day)
for _date in HOLIDAYS.tolist():
    CALENDAR.addHoliday(ql.Date(_date.day, _date.month, _date.year))

DAY_COUNTS = {
    "30/360": lambda: ql.Thirty360(ql.Thirty360.BondBasis),
    "30E/360": lambda: ql.Thirty360(ql.Thirty360.EurobondBasis),
    "ACT/360": ql.Actual360,
    "ACT/365F": ql.Actual365Fixed,
    "ACT/ACT ICMA": lambda: ql.ActualActual(ql.ActualActual.ISMA),
    "ACT/ACT ISDA": lambda: ql.ActualActual(ql.ActualActual.ISDA),
    "BUS/252": lambda: ql.Business252(CALENDAR),
}
ROLLS = {
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
    "modified_preceding": ql.ModifiedPreceding,
    "unadjusted": ql.Unadjusted,
}

#: Zero rates by days: a sloped curve, one below zero, a third one for projection.
CURVES = {
    "USD": {30: 0.002, 91: 0.004, 182: 0.006, 365: 0.009, 730: 0.012, 1825: 0.018, 3650: 0.024, 10950: 0.03},
    "EUR": {91: -0.006, 365: -0.005, 730: -0.004, 3650: 0.001, 10950: 0.008},
    "JPY": {365: -0.001, 7300: 0.004},
    "PROJECTION": {91: 0.007, 365: 0.012, 1095: 0.011, 3650: 0.027, 10950: 0.031},
}


def snapshot(levels=None, *, date=TODAY, curves=CURVES, schemes=("linear_zero", "flat_zero"), fixings=None, **sections):
    """A market with these curves, each currency's own to discount with, and an index projected on one of its own."""
    factors = {f"zero:{name}:{count}D": rate for name, nodes in curves.items() for count, rate in nodes.items()}
    factors |= levels or {}
    how = {"quotes": "zero", "interpolation": schemes[0], "extrapolation": schemes[1]}
    projection = "PROJECTION" if "PROJECTION" in curves else "USD"
    three_months = {"tenor": "3M", "fixing_lag": 2, "calendar": "TARGET", "day_count": "ACT/360"}
    conventions = {
        "curves": dict.fromkeys(curves, how),
        "discount": {name: name for name in curves if len(name) == 3},
        "indices": {"USD-3M": {"currency": "USD", "curve": projection, **three_months}},
        "calendars": {"TARGET": HOLIDAYS.tolist()},
        **sections,
    }
    return MarketSnapshot(date, "USD", tuple(factors), list(factors.values()), conventions, fixings or {}, {})


def day(count):
    """The day so many days from the valuation date."""
    return TODAY + np.timedelta64(int(count), "D")


def assert_close(found, expected, unit):
    """Each value within 1e-12 of its unit: the spot, strike or notional it is a share of."""
    error = np.abs(np.asarray(found) - np.asarray(expected)) / unit
    worst = int(np.argmax(error))  # a NaN is the greatest
    assert error[worst] <= 1e-12, f"trade {worst}: {found[worst]!r}, not {expected[worst]!r}, off by {error[worst]:.1e}"


def date_of(date):
    """QuantLib's date of a NumPy date."""
    one = np.datetime64(date, "D").item()
    return ql.Date(one.day, one.month, one.year)


def curve(nodes, *, date=TODAY, schemes=("linear_zero", "flat_zero")):
    """Handle on QuantLib's curve through the nodes, flat before the first."""
    interpolation, extrapolation = schemes
    days = sorted(nodes)
    zeros = {0: nodes[days[0]], **nodes}
    if extrapolation == "flat_zero":
        assert interpolation == "linear_zero", "a flat zero rate is no straight line of log discount factors"
        zeros[FAR] = nodes[days[-1]]
    dates = [date_of(date + np.timedelta64(one, "D")) for one in sorted(zeros)]
    if interpolation == "linear_zero":
        made = ql.ZeroCurve(dates, [zeros[one] for one in sorted(zeros)], ql.Actual365Fixed())
    else:
        factors = [float(np.exp(-zeros[one] * one / 365.0)) for one in sorted(zeros)]
        made = ql.DiscountCurve(dates, factors, ql.Actual365Fixed())
    made.enableExtrapolation()
    return ql.YieldTermStructureHandle(made)


def flat_vol(level):
    """Handle on a volatility that is the same everywhere."""
    made = ql.BlackConstantVol(date_of(TODAY), ql.NullCalendar(), float(level), ql.Actual365Fixed())
    return ql.BlackVolTermStructureHandle(made)


def quote(level):
    """Handle on a number."""
    return ql.QuoteHandle(ql.SimpleQuote(float(level)))


def european(process, option_type, strike, expiry):
    """Value of a European option under a process."""
    kind = ql.Option.Call if option_type == "call" else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(strike)), ql.EuropeanExercise(date_of(expiry)))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return option.NPV()
