"""Build the bundled market history from files inside pinned package archives, which are unzipped and never imported."""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from riskgrid.sample.source import (
    DATA,
    PINS,
    READERS,
    SOURCES,
    Source,
    fill_single_gaps,
    read_sources,
    sha256,
    stale_gold,
)

__all__ = ["build", "content_sha256", "differences", "history_files", "main", "manifest", "write"]

FIRST, LAST = "1999-01-04", "2017-03-29"
WINDOWS = {
    "default": ("2014-01-03", "2016-07-01"),
    "long": ("2008-01-02", "2016-07-01"),
    "search": (FIRST, LAST),
}


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
            "file_sha256": sha256(files["history.parquet"]),
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
        "licences": {name: sha256(files[name]) for name in files if name.startswith("licences/")},
        "outside_rows": PINS["outside_rows"],
        "fills": PINS["fills"],
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
        right["history"]["file_sha256"] = sha256(history.read_bytes())
        return bool(found == right)
    return kept == content


def _download(folder: Path) -> Path:
    pins = sorted({f"{source.package}=={source.version}" for source in SOURCES.values()})
    # one platform for everyone: two of the archives differ by platform, the files read from them do not
    fixed = ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *fixed, "--dest", str(folder), *pins]
    subprocess.run(command, check=True)
    return folder


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
