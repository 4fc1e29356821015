"""Portfolio files of a folder: which instrument each is of, and its rows as columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from riskgrid.errors import BadRow, InputError, UnknownName
from riskgrid.portfolio.check import Checked, Source, check
from riskgrid.portfolio.header import check_header, layout
from riskgrid.portfolio.parse import STORAGE
from riskgrid.registry import INSTRUMENTS, Instrument

__all__ = ["SUFFIXES", "portfolio_files", "read_files", "read_tables"]

SUFFIXES = (".csv", ".parquet")


def portfolio_files(folder: Path) -> list[Path]:
    """CSV and Parquet files of a folder in name order, hidden ones left out."""
    files = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return sorted(file for file in files if not file.name.startswith((".", "_")))


def read_files(path: Path) -> list[Checked]:
    """Every portfolio file of a folder, or the one file that ``path`` is; InputError with a line per unusable file."""
    if not path.exists():
        raise InputError(f"no portfolio at '{path}'; it is a folder of CSV or Parquet files, one per instrument")
    files = portfolio_files(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"no CSV or Parquet file in '{path}'; a portfolio has one per instrument, like equity.csv")
    return _all(_read_file, files)


def read_tables(tables: Iterable[tuple[str, Any]]) -> list[Checked]:
    """Arrow tables by instrument; a row's line is its number plus one, as if a header stood above it."""

    def read_table(named: tuple[str, Any]) -> Checked:
        name, table = named
        return check(_source(f"table '{name}'", INSTRUMENTS[name], table))

    return _all(read_table, tables)


def read_changed(name: str, table: Any, columns: Mapping[str, Any]) -> Checked:
    """Trades of a portfolio with other values in some columns, which alone are checked.

    table : of the portfolio.   columns : name to an Arrow column (trade,).
    """
    for column, values in columns.items():
        table = table.set_column(table.column_names.index(column), column, values)
    return check(_source(f"table '{name}'", INSTRUMENTS[name], table), set(table.column_names) - set(columns))


def _all[Handed](read: Callable[[Handed], Checked], every: Iterable[Handed]) -> list[Checked]:
    found, faults = [], []
    for each in every:
        try:
            found.append(read(each))
        except InputError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InputError("\n".join(str(fault) for fault in faults))
    return found


def _read_file(file: Path) -> Checked:
    name = file.stem.split("-")[0]
    if name not in INSTRUMENTS:
        unknown = UnknownName("instrument", name, INSTRUMENTS)
        raise InputError(f"{file.name}: {unknown}; a portfolio file is named after its instrument")
    instrument = INSTRUMENTS[name]
    if file.suffix.lower() == ".csv":
        return _read_csv(file, instrument)
    try:
        table = pyarrow.parquet.ParquetFile(file).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{file.name} is no Parquet file: {error}") from error
    return check(_source(file.name, instrument, table))


def _source(place: str, instrument: Instrument, table: Any) -> Source:
    return Source(place, instrument, table, np.arange(table.num_rows, dtype=np.int64) + 2)


def _read_csv(file: Path, instrument: Instrument) -> Checked:
    header, has_rows = _csv_header(file)
    labels = check_header(file.name, [name.strip() for name in header], instrument)
    if not has_rows:  # Arrow refuses a file that ends with its header
        bare = pa.table({name.strip(): pa.nulls(0, pa.string()) for name in header})
        return check(_source(file.name, instrument, bare))
    storage = {term.name: STORAGE[term.kind.storage] for term in layout(instrument, labels)}
    try:
        table = _csv_table(file, {name: storage[name.strip()] for name in header})
        checked = check(_source(file.name, instrument, table))
    except pa.ArrowInvalid:
        return check(_csv_source(file, instrument, header))
    # a file with bad rows is read again as text, so that a report shows each cell as it was typed
    again = bool(checked.findings) or _has_nan(table)
    return check(_csv_source(file, instrument, header)) if again else checked


def _has_nan(table: Any) -> bool:
    """Whether a column of numbers holds NaN: as text an empty cell is null, so that somebody has typed it."""
    floats = [column for column in table.columns if pa.types.is_floating(column.type)]
    return any(pc.any(pc.is_nan(column)).as_py() for column in floats)


def _csv_header(file: Path) -> tuple[list[str], bool]:
    """The cells of the first line that is not empty, and whether another one follows."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            records = filter(None, csv.reader(lines))
            header, has_rows = next(records, []), any(True for _ in records)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file.name} is no text in UTF-8: {error}") from error
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise InputError(f"{file.name} is separated by {word}; a portfolio file is separated by commas")
    return header, has_rows


def _csv_table(file: Path, types: dict[str, Any], on_invalid: Callable[[Any], str] | None = None) -> Any:
    table = pyarrow.csv.read_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(use_threads=on_invalid is None),  # rows are numbered only in one thread
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=on_invalid),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False),
    )
    return table.rename_columns([name.strip() for name in table.column_names])


def _csv_source(file: Path, instrument: Instrument, header: Sequence[str]) -> Source:
    """The file as text, with the line of every row and the rows that have another number of cells than the header."""
    skipped: list[Any] = []

    def skip(row: Any) -> str:
        skipped.append(row)
        return "skip"

    try:
        table = _csv_table(file, dict.fromkeys(header, pa.string()), skip)
    except pa.ArrowInvalid as error:
        raise InputError(f"{file.name} cannot be read: {error}") from error
    lines = _record_lines(file.read_bytes(), 1 + table.num_rows + len(skipped))
    numbers = np.array([row.number for row in skipped], dtype=np.int64) - 1
    malformed = [
        BadRow(file.name, int(line), "", row.text, f"has {row.actual_columns} cells; the header has {len(header)}")
        for line, row in zip(lines[numbers], skipped, strict=True)
    ]
    return Source(file.name, instrument, table, np.delete(lines, [0, *numbers]), tuple(malformed))


def _record_lines(content: bytes, records: int) -> NDArray[np.int64]:
    """The line on which each record of a CSV file starts, empty lines and line ends within quotes minded."""
    raw = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    in_quotes = np.cumsum(raw == ord('"'), dtype=np.uint8)[ends] & 1
    starts = np.concatenate([[0], ends + 1])
    length = np.diff(np.concatenate([starts, [len(raw) + 1]])) - 1
    is_blank = (length == 0) | ((length == 1) & (raw[np.minimum(starts, len(raw) - 1)] == ord("\r")))
    begins = ~is_blank & np.concatenate([[True], in_quotes == 0])
    lines = np.flatnonzero(begins) + 1
    # a lone quote inside a cell upsets the count of quotes: then lines are counted as if each record had one
    return lines if len(lines) == records else np.arange(records) + 1
