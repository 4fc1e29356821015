"""Tables of trades to and from what people hold them in: pandas, plain columns, files and the pricers' arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from riskgrid.errors import InputError
from riskgrid.portfolio.header import check_columns
from riskgrid.portfolio.parse import DICTIONARY
from riskgrid.portfolio.read import SUFFIXES, portfolio_files
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import COMMON_TERMS, Names

__all__ = ["arrow_table", "columns_of", "joined", "names_of", "pandas_frame", "sorted_by_id", "write_tables"]

#: Rows of which a sort costs less than a look at every name of the table that they were taken from.
_FEW = 1000


def arrow_table(place: str, table: Any) -> Any:
    """An Arrow table of a pandas frame, an Arrow table or a mapping of column names to sequences.

    A column of mixed types becomes text, so that each of its cells is judged by itself. InputError on uneven columns.
    """
    if isinstance(table, pa.Table):
        return table
    if not isinstance(table, (pd.DataFrame, Mapping)):
        raise InputError(
            f"{place} is a {type(table).__name__}; it is a pandas frame, an Arrow table or a dict of columns"
        )
    names = [str(name) for name in table]
    values = [table.iloc[:, at] for at in range(table.shape[1])] if isinstance(table, pd.DataFrame) else table.values()
    columns = [_arrow_column(each) for each in values]
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise InputError(f"{place} has columns of different lengths: {told}")
    return pa.Table.from_arrays(columns, names=names)


def columns_of(instrument: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as JSON has them as columns; what a row lacks is empty. UnknownName for another instrument,
    InputError for too many columns.

    A NaN is the text ``nan``, which is no number: here an empty cell is None, and a NaN what somebody failed to
    compute. It stays one where a term is none by default, and is then written so.
    """
    terms = {term.name: term for term in (*COMMON_TERMS, *INSTRUMENTS[instrument].columns)}
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
        check_columns(f"table '{instrument}'", len(names))  # before there is a cell for each row and name
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name, term in terms.items():
        none = not term.required and term.default_from is None and bool(pd.isna(term.default))
        if name in columns and term.kind.storage != "name" and not none:
            columns[name] = ["nan" if _is_nan(value) else value for value in columns[name]]
    return columns


def pandas_frame(table: Any) -> pd.DataFrame:
    """A table with text as pandas text and dates as datetime64."""
    frame: pd.DataFrame = _plain(table).to_pandas(date_as_object=False)
    return frame


def names_of(column: Any) -> Names:
    """A text column as codes of shape (trade,) into the names that occur, sorted."""
    single = column.type == DICTIONARY and column.num_chunks == 1
    encoded = column.chunk(0) if single else column.cast(DICTIONARY).unify_dictionaries().combine_chunks()
    codes = encoded.indices.to_numpy()
    if len(codes) == 1:
        return Names(np.zeros(1, np.int32), (encoded.dictionary[int(codes[0])].as_py(),))
    if len(codes) < _FEW:
        found, inverse = np.unique(codes, return_inverse=True)
        texts = [encoded.dictionary[at].as_py() for at in found.tolist()]
        names = tuple(sorted(set(texts)))
        place = {name: at for at, name in enumerate(names)}
        return Names(np.array([place[text] for text in texts], np.int32)[inverse], names)
    occurs = np.bincount(codes, minlength=len(encoded.dictionary)) > 0
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    order = order[occurs[order]]
    rank = np.zeros(len(encoded.dictionary), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Names(rank[codes], tuple(encoded.dictionary.take(pa.array(order)).to_pylist()))


def joined(tables: Sequence[Any]) -> Any:
    """Tables of one instrument below each other; a label that one of them lacks is empty text there."""
    names = sorted({name for table in tables for name in table.column_names}, key=_canonical(tables))
    if len(tables) == 1 and tables[0].column_names == names and _in_one_chunk(tables[0]):
        return tables[0]
    return pa.concat_tables([_with_labels(table, names) for table in tables]).unify_dictionaries().combine_chunks()


def sorted_by_id(table: Any) -> Any:
    """The rows in order of their trade_id."""
    order = pc.sort_indices(table["trade_id"].cast(pa.string()))
    in_order = bool((order.to_numpy() == np.arange(table.num_rows)).all())
    return table if in_order else table.take(order)


def write_tables(tables: Mapping[str, Any], folder: Path, kind: Literal["parquet", "csv"]) -> None:
    """One file per instrument. InputError where the folder holds other portfolio files: they would be read along."""
    if f".{kind}" not in SUFFIXES:
        raise InputError(f"unknown format '{kind}' of a portfolio; known: 'parquet', 'csv'")
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{name}.{kind}": table for name, table in tables.items()}
    others = [file.name for file in portfolio_files(folder) if file not in files]
    if others:
        raise InputError(f"'{folder}' holds another portfolio ({', '.join(others[:5])}); write to an empty folder")
    for file, table in files.items():
        if kind == "parquet":
            pyarrow.parquet.write_table(table, file)
        else:
            # Arrow quotes text but not dictionaries, and writes the shortest digits that name a float
            pyarrow.csv.write_csv(_without_nan(_plain(table)), file)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _arrow_column(values: Any) -> Any:
    try:
        column = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        empty = pd.isna(pd.Series(list(values), dtype=object))
        texts = [None if is_empty else str(value) for value, is_empty in zip(values, empty, strict=True)]
        column = pa.array(texts, pa.string())
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _plain(table: Any) -> Any:
    fields = [pa.field(f.name, pa.string() if f.type == DICTIONARY else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def _without_nan(table: Any) -> Any:
    for at, field in enumerate(table.schema):
        if field.type == pa.float64():
            column = table.column(at)
            table = table.set_column(at, field, pc.if_else(pc.is_nan(column), None, column))
    return table


def _canonical(tables: Sequence[Any]) -> Any:
    longest = tables[0].column_names
    first_term = longest.index("trade_date")
    labels, terms = longest[: longest.index("netting_set") + 1], longest[first_term:]
    rank = {name: (0, at, "") for at, name in enumerate(labels)} | {name: (2, at, "") for at, name in enumerate(terms)}
    return lambda name: rank.get(name, (1, 0, name))


def _in_one_chunk(table: Any) -> bool:
    return all(column.num_chunks == 1 for column in table.itercolumns())


def _with_labels(table: Any, names: Sequence[str]) -> Any:
    for name in names:
        if name not in table.column_names:
            empty = pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), [""])
            table = table.append_column(name, empty)
    return table.select(names)
