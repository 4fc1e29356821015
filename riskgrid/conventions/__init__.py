"""Market conventions: tenors, calendars, day counts and schedules, vectorised over trades."""

from riskgrid.conventions.calendar import (
    CALENDARS,
    ROLLS,
    adjust,
    advance,
    business_days_between,
    holiday_dates,
    is_business_day,
)
from riskgrid.conventions.coded import Coded, take
from riskgrid.conventions.day_count import DAY_COUNTS, year_fraction, year_fraction_by_code
from riskgrid.conventions.month import Dates, add_months
from riskgrid.conventions.schedule import STUBS, Schedule, make_schedule
from riskgrid.conventions.tenor import Tenor, add_tenor, parse_tenor, tenor_years

__all__ = [
    "CALENDARS",
    "DAY_COUNTS",
    "ROLLS",
    "STUBS",
    "Coded",
    "Dates",
    "Schedule",
    "Tenor",
    "add_months",
    "add_tenor",
    "adjust",
    "advance",
    "business_days_between",
    "holiday_dates",
    "is_business_day",
    "make_schedule",
    "parse_tenor",
    "take",
    "tenor_years",
    "year_fraction",
    "year_fraction_by_code",
]
