"""Tenors such as ``3M`` or ``1Y6M``: lengths of time in calendar units."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from riskgrid.conventions.month import Dates, add_months, as_dates
from riskgrid.errors import InputError

__all__ = ["Tenor", "add_tenor", "parse_tenor", "tenor_years"]

_UNIT = {"D": (0, 1), "W": (0, 7), "M": (1, 0), "Y": (12, 0)}
_PART = re.compile(r"([0-9]+)([DWMY])")
_WHOLE = re.compile(r"(?:[0-9]+[DWMY])+")


@dataclass(frozen=True)
class Tenor:
    """A length of time: whole months, then days."""

    months: int = 0
    days: int = 0


def parse_tenor(text: str) -> Tenor:
    """Read a tenor made of days D, weeks W, months M and years Y. InputError if the text is anything else.

    >>> parse_tenor("1Y6M")
    Tenor(months=18, days=0)
    """
    if not _WHOLE.fullmatch(str(text).strip().upper()):
        raise InputError(f"tenor {text!r} cannot be read; write days, weeks, months or years: '1D', '2W', '3M', '1Y6M'")
    parts = [(int(count), _UNIT[unit]) for count, unit in _PART.findall(text.strip().upper())]
    return Tenor(sum(n * months for n, (months, _) in parts), sum(n * days for n, (_, days) in parts))


def tenor_years(tenor: str | Tenor) -> float:
    """Nominal length in years: a month is 1/12, a day 1/365.

    >>> tenor_years("5Y"), tenor_years("18M")
    (5.0, 1.5)
    """
    return _years(tenor)


@functools.lru_cache(1 << 12)  # asked for every node of every snapshot
def _years(tenor: str | Tenor) -> float:
    length = parse_tenor(tenor) if isinstance(tenor, str) else tenor
    return length.months / 12 + length.days / 365


def add_tenor(dates: ArrayLike, tenor: str | Tenor) -> Dates:
    """The dates a tenor later, unadjusted: months first, cut to the month's last day, then days.

    >>> add_tenor(["2024-01-31", "2023-01-31"], "1M")
    array(['2024-02-29', '2023-02-28'], dtype='datetime64[D]')
    """
    length = parse_tenor(tenor) if isinstance(tenor, str) else tenor
    return add_months(as_dates(dates), length.months) + np.timedelta64(length.days, "D")
