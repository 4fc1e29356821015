"""Swaps leg by leg in QuantLib, with what its swap class lacks: payment lags, long stubs."""

from __future__ import annotations

import numpy as np
import pytest

from riskgrid.market.objects import Fixings
from tests.instruments.oracle import CALENDAR, CURVES, DAY_COUNTS, HOLIDAYS, ROLLS, TODAY, curve, date_of

ql = pytest.importorskip("QuantLib")

PAST = np.busday_offset(TODAY, np.arange(-3300, 0), holidays=HOLIDAYS)
PUBLISHED = Fixings(PAST, 0.01 + 0.005 * np.sin(np.arange(len(PAST)) / 50.0))


def index_of(projection, fixings=PUBLISHED):
    """The index of three months, two days before the period, with its past."""
    three_months = ql.Period(3, ql.Months)
    index = ql.IborIndex(
        "USD-3M", three_months, 2, ql.USDCurrency(), CALENDAR, ql.ModifiedFollowing, False, ql.Actual360(), projection
    )
    if fixings is not None:
        index.addFixings([date_of(one) for one in fixings.dates], fixings.values.tolist(), True)
    return index


def schedule_of(start, end, per_year, roll, stub, end_of_month=False):
    """QuantLib's schedule; it takes the end of a long stub as a date, which is counted out here."""
    first, last, step, back = date_of(start), date_of(end), 12 // int(per_year), stub.endswith("back")
    ends = [ql.Date(), ql.Date()]
    if stub.startswith("long"):
        steps = range(step, 1200, step)
        dates = [first + ql.Period(n, ql.Months) if back else last - ql.Period(n, ql.Months) for n in steps]
        inner = [one for one in dates if first < one < last]
        if inner and (last if back else first) not in dates:
            if len(inner) == 1:  # the only period
                return ql.Schedule([CALENDAR.adjust(one, roll) for one in (first, last)], CALENDAR, roll)
            ends[back] = inner[-2]
    rule = ql.DateGeneration.Forward if back else ql.DateGeneration.Backward
    return ql.Schedule(first, last, ql.Period(step, ql.Months), CALENDAR, roll, roll, rule, end_of_month, *ends)


def value_of(trades, row, index, engine, end_of_month=False):
    """Value of one row of a table of swaps."""
    one = {name: column[row] if isinstance(column, np.ndarray) else column for name, column in trades.items()}
    schedules = [
        schedule_of(
            one["start"],
            one["maturity"],
            one[f"{leg}_payments_per_year"],
            ROLLS[one["roll"]],
            one["stub"],
            end_of_month,
        )
        for leg in ("fixed", "floating")
    ]
    notional, lag = [float(one["notional"])], int(one["payment_lag"])
    fixed = ql.FixedRateLeg(
        schedules[0],
        DAY_COUNTS[one["fixed_day_count"]](),
        notional,
        [float(one["fixed_rate"])],
        ql.Following,
        paymentCalendar=CALENDAR,
        paymentLag=lag,
    )
    floating = ql.IborLeg(
        notional,
        schedules[1],
        index,
        DAY_COUNTS[one["floating_day_count"]](),
        ql.Following,
        spreads=[float(one["spread"])],
        paymentCalendar=CALENDAR,
        paymentLag=lag,
    )
    swap = ql.Swap(*((fixed, floating) if one["side"] == "pay" else (floating, fixed)))
    swap.setPricingEngine(engine)
    return swap.NPV() * float(one["quantity"])


def swap_values(trades, fixings=PUBLISHED, discount=CURVES["USD"], projection=CURVES["PROJECTION"], **options):
    """Value of every swap of the table."""
    index, engine = index_of(curve(projection), fixings), ql.DiscountingSwapEngine(curve(discount), False)
    rows = len(trades["start"])
    return [value_of(trades, row, index, engine, **options) for row in range(rows)]
