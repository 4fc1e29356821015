"""The portfolio: frozen tables of trades, one per instrument."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskgrid.books import Books
from riskgrid.errors import BadRow, BadRows, InputError, UnknownName
from riskgrid.hashing import digest
from riskgrid.portfolio.check import MOST_BAD_ROWS, Checked, bad_rows, duplicates
from riskgrid.portfolio.contents import contents_section
from riskgrid.portfolio.convert import arrow_table, joined, names_of, pandas_frame, sorted_by_id, write_tables
from riskgrid.portfolio.header import DERIVED
from riskgrid.portfolio.parse import DICTIONARY
from riskgrid.portfolio.read import read_changed, read_files, read_tables
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import COMMON_TERMS, LABELS, Names

__all__ = ["Portfolio", "unknown_trade"]

#: Trades that are looked up one by one sooner than together.
_FEW = 16

type OnBad = Literal["raise", "keep"]


@dataclass(frozen=True, eq=False)
class Portfolio:
    """Trades as Arrow tables by instrument.

    tables : columns in canonical order: labels (the user's own last, sorted), trade_date, quantity, the instrument's
    terms. Text is dictionary<int32, string>, dates are date32, numbers float64 or int64. Defaults are filled in.
    rejected : bad cells of rows that were kept out.  Expired trades are trades like any other.

    >>> Portfolio({})
    Portfolio(0 trades)
    """

    tables: Mapping[str, Any]
    rejected: tuple[BadRow, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, path: str | Path, *, on_bad: OnBad = "raise") -> Self:
        """Read a folder of CSV or Parquet files, each named after its instrument: equity.csv, equity-2024.parquet.

        A column that is no term is a label of the user's own. An empty cell of an optional column takes the default,
        and so does NaN in Parquet and pandas, which have it for empty; ``nan`` typed in CSV is a bad cell.
        BadRows with every bad cell of every file, or with ``on_bad="keep"`` the good rows; of two rows with one
        trade_id the earlier is good. InputError with a line for each unusable file, whatever ``on_bad`` says.
        """
        return cls._of(duplicates(read_files(Path(path))), on_bad)

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any], *, on_bad: OnBad = "raise") -> Self:
        """The same from pandas frames, Arrow tables or dicts of columns, by instrument."""
        for name in tables:
            INSTRUMENTS[name]
        handed = [(name, arrow_table(f"table '{name}'", table)) for name, table in tables.items()]
        return cls._of(duplicates(read_tables(handed)), on_bad)

    @classmethod
    def concat(cls, portfolios: Iterable[Portfolio]) -> Self:
        """All trades of several portfolios; InputError where two of them hold the same trade_id."""
        every = list(portfolios)
        tables: dict[str, list[Any]] = {}
        for portfolio in every:
            for name, table in portfolio.tables.items():
                tables.setdefault(name, []).append(table)
        whole = cls({name: joined(tables[name]) for name in sorted(tables)}, sum((p.rejected for p in every), ()))
        if whole.tables:
            counts = pc.value_counts(pa.chunked_array([ids for each in whole._ids.values() for ids in each.chunks]))
            twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
            if len(twice):
                more = f" (and {len(twice) - 1} others are)" if len(twice) > 1 else ""
                raise InputError(f"trade_id '{twice[0]}' is in two of the portfolios{more}; a trade_id is unique")
        return whole

    def __add__(self, other: Portfolio) -> Portfolio:
        """Both portfolios' trades."""
        return Portfolio.concat([self, other])

    def with_columns(self, changed: Mapping[str, Mapping[str, Sequence[Any]]]) -> Portfolio:
        """The same trades with other values in columns that they have: instrument to column to values (trade,).

        InputError or BadRows as when they are read.
        """
        every = [
            read_changed(name, self.tables[name], _columns(f"table '{name}'", changed.get(name, {})))
            for name in self.instruments
        ]
        renamed = any("trade_id" in columns for columns in changed.values())
        return self._of(duplicates(every) if renamed else every, "raise")

    @property
    def instruments(self) -> tuple[str, ...]:
        """The instruments that have a table, sorted."""
        return tuple(sorted(self.tables))

    @functools.cached_property
    def label_names(self) -> tuple[str, ...]:
        """Labels of every table, then the user's own of any, sorted."""
        own = {name for table in self.tables.values() for name in _labels(table)} - set(LABELS)
        return (*LABELS, *sorted(own))

    def __len__(self) -> int:
        return sum(table.num_rows for table in self.tables.values())

    def columns(self, instrument: str) -> dict[str, NDArray[Any] | Names]:
        """trade_date, quantity and the terms: (trade,) float64, int64, datetime64[D], or Names with (trade,) codes."""
        table = self._table(instrument)
        terms = (*COMMON_TERMS, *INSTRUMENTS[instrument].columns)
        return {term.name: _array(table[term.name]) for term in terms}

    def label(self, name: str, instrument: str) -> Names:
        """A label of an instrument's trades, (trade,) codes; empty text where its table lacks the label.

        Two labels follow from the terms: ``instrument``, and ``currency``, the currency a trade's value is in.
        UnknownName where no table has the label.
        """
        table = self._table(instrument)
        if name == "instrument":
            return Names(np.zeros(table.num_rows, np.int32), (instrument,) if table.num_rows else ())
        if name == "currency":
            return names_of(table[INSTRUMENTS[instrument].value_in])
        if name not in self.label_names:
            raise UnknownName("label", name, (*self.label_names, *DERIVED))
        if name not in table.column_names:
            return Names(np.zeros(table.num_rows, np.int32), ("",) if table.num_rows else ())
        return names_of(table[name])

    @functools.cached_property
    def digest(self) -> bytes:
        """20 bytes of the content: the same for any file form, order of rows, and standard labels that are empty.

        Rows are sorted by trade_id and columns by name before they are digested; ``rejected`` does not count.
        """
        return digest({name: _content(table) for name, table in self.tables.items() if table.num_rows})

    def in_order(self) -> Portfolio:
        """The same trades, the rows of each table in order of their trade_id: equal digests, then equal tables."""
        return type(self)({name: sorted_by_id(table) for name, table in self.tables.items()}, self.rejected)

    def select(self, trade_ids: Iterable[str]) -> Portfolio:
        """The portfolio of these trades, in the order of the tables. UnknownName where a trade_id is not in it."""
        places = self.places(trade_ids)
        order = np.sort(np.fromiter(places.values(), np.int64, len(places)))
        tables, start = {}, 0
        for name in self.instruments:
            stop = start + self.tables[name].num_rows
            rows = order[(order >= start) & (order < stop)] - start
            if len(rows):
                tables[name] = self.tables[name].take(pa.array(rows))
            start = stop
        return Portfolio(tables)

    def known(self, trade_ids: Iterable[str]) -> set[str]:
        """Which of these trade_ids the portfolio has."""
        asked = list(dict.fromkeys(trade_ids))
        return {trade for trade, place in zip(asked, self._found(asked), strict=True) if place >= 0}

    def outside(self, books: Books) -> list[str]:
        """The trade_ids that are in none of these books."""
        found: list[str] = []
        for name, table in self.tables.items():
            out = ~books.held(functools.partial(self._named, name), table.num_rows)
            found += table["trade_id"].filter(pa.array(out)).to_pylist()
        return found

    def places(self, trade_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Places of these trades, of all by default, in the order of the tables. UnknownName for one that is not there.

        The first call builds an index of all trades.
        """
        if trade_ids is None:
            return {trade: place for place, trade in enumerate(self._texts)}
        asked = list(dict.fromkeys(trade_ids))
        found = self._found(asked)
        if -1 in found:
            raise self._unknown_trade(asked[found.index(-1)])
        return dict(zip(asked, found, strict=True))

    def trade(self, trade_id: str) -> dict[str, Any]:
        """One trade's instrument, labels and terms as Python values. UnknownName where there is no such trade."""
        for name, ids in self._ids.items():
            row = pc.index(ids, pa.scalar(trade_id, pa.string())).as_py()
            if row >= 0:
                found: dict[str, Any] = self.tables[name].slice(row, 1).to_pylist()[0]
                return {"instrument": name, **found}
        raise self._unknown_trade(trade_id)

    def to_pandas(self, instrument: str | None = None) -> pd.DataFrame:
        """One instrument's table, or all trades below each other with a first column ``instrument``."""
        if instrument is not None:
            return pandas_frame(self._table(instrument))
        frames = [pandas_frame(table).assign(instrument=name) for name, table in self.tables.items() if table.num_rows]
        if not frames:
            return pd.DataFrame(columns=["instrument", *LABELS, *(term.name for term in COMMON_TERMS)])
        frame = pd.concat(frames, ignore_index=True)
        return frame[["instrument", *(name for name in frame.columns if name != "instrument")]]

    def write(self, folder: str | Path, format: Literal["parquet", "csv"] = "parquet") -> None:
        """Write one file per instrument; reading them gives the same portfolio, every float to its last bit."""
        write_tables(self.tables, Path(folder), format)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {self.tables[name].num_rows:,}" for name in self.instruments)
        trades = "1 trade" if len(self) == 1 else f"{len(self):,} trades"
        rejected = f"; rejected cells: {len(self.rejected):,}" if self.rejected else ""
        return f"Portfolio({trades}{': ' if counts else ''}{counts}{rejected})"

    def _repr_html_(self) -> str:
        from riskgrid.page import notebook_html

        return notebook_html([contents_section(self)])

    @functools.cached_property
    def _ids(self) -> dict[str, Any]:
        return {name: self.tables[name]["trade_id"].cast(pa.string()) for name in self.instruments}

    @functools.cached_property
    def _index(self) -> Any:
        return pd.Index(self._texts, dtype=object)

    @property
    def _texts(self) -> list[str]:
        return [trade for name in self.instruments for trade in self._ids[name].to_pylist()]

    def _found(self, trade_ids: list[str]) -> list[int]:
        """The place of each trade, -1 where it is not there."""
        if len(trade_ids) > _FEW:
            places: list[int] = self._index.get_indexer(trade_ids).tolist()
            return places
        return [self._index.get_loc(trade) if trade in self._index else -1 for trade in trade_ids]

    def _named(self, instrument: str, label: str) -> Names:
        """A label of an instrument's trades, empty where they lack it."""
        if label not in (*_labels(self.tables[instrument]), "instrument", "currency"):
            return Names(np.zeros(self.tables[instrument].num_rows, np.int32), ("",))
        return self.label(label, instrument)

    def _table(self, instrument: str) -> Any:
        if instrument not in self.tables:
            raise UnknownName("instrument of the portfolio", instrument, self.tables)
        return self.tables[instrument]

    def _unknown_trade(self, trade_id: str) -> UnknownName:
        return unknown_trade(trade_id, (each for ids in self._ids.values() for each in ids.to_pylist()))

    @classmethod
    def _of(cls, every: list[Checked], on_bad: OnBad) -> Self:
        if on_bad not in ("raise", "keep"):
            raise InputError(f"on_bad is {on_bad!r}; it is 'raise' or 'keep'")
        rejected = tuple(_rejected(every))
        if rejected and on_bad == "raise":
            raise BadRows(rejected)
        tables: dict[str, list[Any]] = {}
        for checked in every:
            tables.setdefault(checked.source.instrument.name, []).append(checked.good)
        return cls({name: joined(tables[name]) for name in sorted(tables)}, rejected)


def unknown_trade(trade_id: str, known: Iterable[str]) -> UnknownName:
    """The error of a trade that is not there."""
    names = sorted(known)
    at = bisect_left(names, trade_id)  # a million known names help nobody: the nearest in order of the names are told
    return UnknownName("trade", trade_id, names[max(at - 6, 0) : at + 6])


def _rejected(every: list[Checked]) -> Iterable[BadRow]:
    room = MOST_BAD_ROWS
    for checked in every:
        rows = list(bad_rows(checked))[:room]
        room -= len(rows)
        yield from rows
        left_out = checked.faults - len(rows)
        if left_out:
            yield BadRow(checked.source.place, None, "", "", f"and {left_out:,} more bad cells are not listed")


def _columns(place: str, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    table = arrow_table(place, columns)
    return {name: table[name] for name in table.column_names}


def _labels(table: Any) -> list[str]:
    names: list[str] = table.column_names
    return names[: names.index(COMMON_TERMS[0].name)]


def _array(column: Any) -> NDArray[Any] | Names:
    if column.type == DICTIONARY:
        return names_of(column)
    values: NDArray[Any] = column.to_numpy()
    return values.astype("datetime64[D]") if pa.types.is_date(column.type) else values


def _content(table: Any) -> dict[str, Any]:
    ordered = sorted_by_id(table)
    found: dict[str, Any] = {}
    for name in ordered.column_names:
        column = _array(ordered[name]) if name != "trade_id" else _raw_text(ordered[name])
        if isinstance(column, np.ndarray):
            found[name] = column.view(np.int64) if column.dtype.kind == "M" else column
        elif isinstance(column, list):
            found[name] = column
        elif column.names != ("",) or name not in LABELS:
            found[name] = [column.names, column.codes]
    return found


def _raw_text(column: Any) -> list[NDArray[Any]]:
    # ids are as many as rows, so their bytes are digested in one piece
    texts = column.cast(pa.large_string()).combine_chunks()
    _, offsets, content = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return [ends - ends[0], np.frombuffer(content or b"", dtype=np.uint8)[ends[0] : ends[-1]]]
