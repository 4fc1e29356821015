"""Tables of a market's folder, CSV or Parquet, read and written so that every number keeps its bits."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from riskgrid.errors import BadMarket
from riskgrid.market.objects import Fixings
from riskgrid.terms import Values

__all__ = ["FORMATS", "Table", "read_fixings", "read_table", "write_fixings", "write_table"]

FORMATS = ("csv", "parquet")


class Table:
    """Named columns of one file, each turned to numbers, dates or texts on request."""

    def __init__(self, path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
        self.path, self.columns = path, dict(columns)

    def texts(self, column: str) -> list[str]:
        """A column as texts, absent ones empty."""
        return ["" if value is None else str(value) for value in self._column(column)]

    def numbers(self, column: str) -> Values:
        """A column as float64; an empty cell is NaN.  Raises BadMarket on a text that is no number, with its line."""
        values = self._column(column)
        if values.dtype.kind in "fiub":
            return values.astype(np.float64)
        return np.array([self._number(column, row, value) for row, value in enumerate(values)], dtype=np.float64)

    def dates(self, column: str) -> NDArray[np.datetime64]:
        """A column as datetime64[D].  Raises BadMarket on anything that is no date, with its line."""
        values = self._column(column)
        if values.dtype.kind == "M":
            values = values.astype("datetime64[D]")
            if not np.isnat(values).any():
                return values
        return np.array([self._date(column, row, value) for row, value in enumerate(values)], dtype="datetime64[D]")

    def _column(self, column: str) -> NDArray[Any]:
        if column not in self.columns:
            raise BadMarket(f"{self.path} has no column '{column}'; it has {', '.join(self.columns)}")
        return self.columns[column]

    def _number(self, column: str, row: int, value: Any) -> float:
        try:
            return float(value) if value not in ("", None) else np.nan
        except (TypeError, ValueError):
            raise self._bad(column, row, value, "a number") from None

    def _date(self, column: str, row: int, value: Any) -> np.datetime64:
        try:
            return np.datetime64(date.fromisoformat(str(value)), "D")
        except ValueError:
            raise self._bad(column, row, value, "a date such as 2016-07-01") from None

    def _bad(self, column: str, row: int, value: Any, right: str) -> BadMarket:
        return BadMarket(f"{self.path}, line {row + 2}, column '{column}': {value!r} is not {right}")


def read_table(folder: Path, name: str) -> Table | None:
    """The table ``name.csv`` or ``name.parquet`` of a folder, None where there is neither; both are a BadMarket."""
    paths = [path for path in (folder / f"{name}.{form}" for form in FORMATS) if path.is_file()]
    if len(paths) == 2:
        raise BadMarket(f"{folder} holds both {name}.csv and {name}.parquet; keep the one that counts")
    if not paths:
        return None
    return _read_csv(paths[0]) if paths[0].suffix == ".csv" else _read_parquet(paths[0])


def write_table(folder: Path, name: str, columns: Mapping[str, NDArray[Any]], form: str) -> None:
    """Write ``name.csv`` or ``name.parquet`` and take the other form away; NaN is written as an empty cell."""
    if form not in FORMATS:
        raise BadMarket(f"a table is written as {' or '.join(FORMATS)}, not as {form!r}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.{FORMATS[1 - FORMATS.index(form)]}").unlink(missing_ok=True)
    if form == "parquet":
        pq.write_table(pa.table({key: pa.array(column) for key, column in columns.items()}), folder / f"{name}.parquet")
        return
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(_cells(column) for column in columns.values()), strict=True))


def read_fixings(folder: Path) -> dict[str, Fixings]:
    """Fixings by index from the table ``fixings`` (index, date, value), none where there is no such table."""
    table = read_table(folder, "fixings")
    if table is None:
        return {}
    names, dates, values = np.array(table.texts("index"), dtype=object), table.dates("date"), table.numbers("value")
    order = np.argsort(dates, kind="stable")
    names, dates, values = names[order], dates[order], values[order]
    return {name: Fixings(dates[names == name], values[names == name]) for name in sorted(set(names))}


def write_fixings(folder: Path, fixings: Mapping[str, Fixings], form: str) -> None:
    """Write the table ``fixings`` so that :func:`read_fixings` reads the same numbers."""
    published = sorted(fixings.items())
    columns: dict[str, NDArray[Any]] = {
        "index": np.array([name for name, series in published for _ in series.dates], dtype=object),
        "date": np.concatenate([np.empty(0, "datetime64[D]"), *(series.dates for _, series in published)]),
        "value": np.concatenate([np.empty(0), *(series.values for _, series in published)]),
    }
    write_table(folder, "fixings", columns, form)


def _read_csv(path: Path) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise BadMarket(f"{path} is empty; a line of column names is right")
    header = [name.strip() for name in rows[0]]
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise BadMarket(f"{path}, line {line}: {len(row)} cells under {len(header)} column names")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise BadMarket(f"{path} has two columns '{twice}'")
    cells = np.array([[cell.strip() for cell in row] for row in rows[1:]], dtype=object).reshape(-1, len(header))
    return Table(path, {name: cells[:, position] for position, name in enumerate(header)})


def _read_parquet(path: Path) -> Table:
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise BadMarket(f"{path}: not Parquet: {error}") from None
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    return Table(path, {name: column.to_numpy(zero_copy_only=False) for name, column in columns.items()})


def _cells(column: NDArray[Any]) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if np.isnan(value) else repr(float(value)) for value in column]
    return [str(value) for value in column]
