"""The pinned files that the bundled history is made of, and how each is read: a table by date, factors across."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    EasterMonday,
    GoodFriday,
    Holiday,
    next_monday,
    next_monday_or_tuesday,
)

from riskgrid.errors import BadMarket

__all__ = [
    "CURRENCIES",
    "DATA",
    "PINS",
    "READERS",
    "SOURCES",
    "TENORS",
    "Source",
    "fill_single_gaps",
    "read_sources",
    "sha256",
    "stale_gold",
]

DATA = Path(__file__).parent / "data"
MISSING = ("", ".", "N/A")
LONDON_HOLIDAYS = [
    Holiday("New Year", month=1, day=1, observance=next_monday),
    GoodFriday,
    EasterMonday,
    Holiday("early May", month=5, day=1, offset=pd.DateOffset(weekday=0)),
    Holiday("spring", month=5, day=25, offset=pd.DateOffset(weekday=0)),
    Holiday("summer", month=8, day=25, offset=pd.DateOffset(weekday=0)),
    Holiday("Christmas", month=12, day=25, observance=next_monday),
    Holiday("Boxing Day", month=12, day=26, observance=next_monday_or_tuesday),
]
# only currencies that ECB fixed without a break or a new code over the long window; RUB, HRK and BGN ended later
# fmt: off
CURRENCIES = (
    "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK",
    "SGD", "HKD", "MXN", "ZAR", "PLN", "CZK", "HUF", "TRY",
)
# fmt: on
MONTHS, YEARS = (1, 3, 6), (1, 2, 3, 5, 7, 10, 20, 30)
TENORS = {f"{months}month": f"{months}M" for months in MONTHS} | {f"{years}year": f"{years}Y" for years in YEARS}


@dataclass(frozen=True)
class Source:
    """One file in one package archive; hashes are SHA-256 in hex.

    ``sentence`` stands on each of its series; ``{name}`` in it is the name part of the factor id.
    """

    package: str
    version: str
    archive: str
    archive_sha256: str
    file: str
    file_sha256: str
    licence: str
    licence_file: str
    provider: str
    unit: str
    transform: str
    origin: str
    sentence: str


PINS: Mapping[str, Any] = yaml.safe_load((DATA / "sources.yaml").read_text(encoding="utf-8"))
SOURCES: Mapping[str, Source] = {key: Source(**pins) for key, pins in PINS["sources"].items()}


def read_treasury(content: bytes) -> pd.DataFrame:
    """``par:USD-TREASURY:*`` in decimals by date."""
    table = _numbers(content, "%Y-%m-%d %H:%M:%S%z")
    return table[list(TENORS)].rename(columns=lambda name: f"par:USD-TREASURY:{TENORS[name]}")


def read_ecb(content: bytes) -> pd.DataFrame:
    """``fx:*`` as USD per unit of the currency, from a zip of units per EUR, newest date first."""
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        table = _numbers(inner.read("eurofxref-hist.csv"), "%Y-%m-%d").sort_index()
    crosses = {f"fx:{code}": table["USD"] / table[code] for code in CURRENCIES}
    return pd.DataFrame({"fx:EUR": table["USD"], **crosses})


def read_equities(content: bytes) -> pd.DataFrame:
    """``equity:*`` by date, one column per name."""
    table = _numbers(content, "%Y-%m-%d")
    return table.rename(columns=lambda name: "equity:SPX" if name == "SP500" else f"equity:{name}")


def read_one(content: bytes, factor: str, date_format: str) -> pd.DataFrame:
    """One series by date, named ``factor``; a dot is missing.

    >>> rows = b"Date,price\\n7/3/2014,104.76\\n7/4/2014,.\\n"
    >>> read_one(rows, "commodity:WTI", "%m/%d/%Y")["commodity:WTI"].tolist()
    [104.76, nan]
    """
    return _numbers(content, date_format).set_axis([factor], axis=1)


READERS: Mapping[str, Callable[[bytes], pd.DataFrame]] = {
    "treasury": read_treasury,
    "ecb": read_ecb,
    "sp500": read_equities,
    "stocks": read_equities,
    "etf": read_equities,
    "wti": partial(read_one, factor="commodity:WTI", date_format="%m/%d/%Y"),
    "gold": partial(read_one, factor="commodity:XAU", date_format="%Y-%m-%d"),
    "vix": partial(read_one, factor="index:VIX", date_format="%m/%d/%Y"),
}


def fill_single_gaps(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values and stale mask: a gap of exactly one row between two values takes the value before it.

    Longer gaps, and rows before the first or after the last value, stay NaN; nothing is interpolated.

    >>> values, stale = fill_single_gaps(pd.DataFrame({"x": [1.0, None, 2.0, None, None, 3.0, None]}, dtype=float))
    >>> values["x"].tolist()
    [1.0, 1.0, 2.0, nan, nan, 3.0, nan]
    >>> stale["x"].sum()
    np.int64(1)
    """
    gap = raw.isna()
    single = gap & ~gap.shift(1, fill_value=True) & ~gap.shift(-1, fill_value=True)
    return raw.mask(single, raw.shift(1)), single


def stale_gold(price: pd.Series[float]) -> pd.Series[bool]:
    """True where the price repeats and London set no afternoon price; an unchanged price on a working day is not stale.

    >>> days = pd.DatetimeIndex(["2014-12-23", "2014-12-24", "2014-12-26", "2014-12-29", "2014-12-30"])
    >>> stale_gold(pd.Series([1175.75, 1175.75, 1175.75, 1185.5, 1185.5], days)).tolist()
    [False, True, True, False, False]
    """
    days = pd.DatetimeIndex(price.index)
    return price.diff().eq(0.0) & days.isin(_without_london_afternoon(days[0], days[-1]))


def read_sources(archives: Path, sources: Mapping[str, Source] = SOURCES) -> dict[str, bytes]:
    """Content of every source's file; ``BadMarket`` names an archive or file whose hash is not the pinned one."""
    contents = {}
    for key, source in sources.items():
        archive = archives / source.archive
        if not archive.exists():
            raise BadMarket(f"no archive {source.archive!r} (source {key!r}) among the given archives")
        _check_hash(archive.read_bytes(), source.archive_sha256, f"archive {source.archive!r}")
        with zipfile.ZipFile(archive) as inner:
            contents[key] = inner.read(source.file)
        _check_hash(contents[key], source.file_sha256, f"file {source.file!r} of {source.archive!r}")
    return contents


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _check_hash(content: bytes, right: str, what: str) -> None:
    found = sha256(content)
    if found != right:
        raise BadMarket(f"{what} has SHA-256 {found}; pinned is {right}")


def _numbers(content: bytes, date_format: str) -> pd.DataFrame:
    """A CSV, gzipped or not: dates, then numbers; text that is neither a number nor a mark of absence is an error."""
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    table = pd.read_csv(io.BytesIO(plain), index_col=0, dtype=str, keep_default_na=False)
    # float() of Python, since a reader's own parser may miss the nearest float by one unit in the last place
    numbers = [[float("nan" if text in MISSING else text) for text in row] for row in table.to_numpy(object)]
    dates = pd.to_datetime(table.index, format=date_format).tz_localize(None).normalize()
    return pd.DataFrame(numbers, pd.DatetimeIndex(dates), table.columns)


def _without_london_afternoon(first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Bank holidays and the last working days before Christmas and New Year, when only a morning price is set."""
    yearly = AbstractHolidayCalendar("London", LONDON_HOLIDAYS).holidays(first, last)
    moved = pd.DatetimeIndex(["2002-05-27", "2012-05-28"])
    once = pd.DatetimeIndex(["1999-12-31", "2002-06-03", "2002-06-04", "2011-04-29", "2012-06-04", "2012-06-05"])
    holidays = yearly.difference(moved).union(once)
    working_day = pd.offsets.CustomBusinessDay(holidays=list(holidays))
    years = range(first.year, last.year + 1)
    feasts = [pd.Timestamp(year, month, day) for year in years for month, day in ((1, 1), (12, 25))]
    return holidays.union(pd.DatetimeIndex([feast - working_day for feast in feasts]))
