"""Rows that cannot be read: each is reported with its place, its value and what would be right."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from riskgrid.errors import BadRow, BadRows
from riskgrid.portfolio import Portfolio, check
from riskgrid.portfolio.convert import columns_of

Columns = dict[str, list[Any]]

CSV = """\
trade_id,trade_date,underlying,currency,option_type,strike,expiry,lots
T-1,2024-03-28,AAPL,USD,call,180.0,2025-01-17,10
{row}
T-3,2024-03-28,MSFT,EUR,put,400.5,2025-01-17,5
"""
CURRENCY = "is no currency; write an active code of ISO 4217, three upper-case letters like 'USD'"


def sentences(error: pytest.ExceptionInfo[BadRows]) -> list[str]:
    return [str(row) for row in error.value.rows]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("T-2,2024-03-28,AAPL,USD,put,12x,2025-01-17,1", "column 'strike': '12x' is no number"),
        ('T-2,2024-03-28,AAPL,USD,put,"1,000",2025-01-17,1', "column 'strike': '1,000' is no number"),
        ("T-2,2024-03-28,AAPL,USD,put,inf,2025-01-17,1", "column 'strike': 'inf' is no finite number"),
        ("T-2,2024-03-28,AAPL,USD,put,7,2025-01-17,nan", "column 'lots': 'nan' is no whole number"),
        ("T-2,2024-03-28,AAPL,USD,put,NaN,2025-01-17,1", "column 'strike': 'NaN' is no number"),
        ("T-2,2024-03-28,AAPL,USD,put,0,2025-01-17,1", "column 'strike': '0' is out of bounds: strike must be above 0"),
        (
            "T-2,2024-03-28,AAPL,USD,put,7,2025-01-17,1001",
            "column 'lots': '1001' is out of bounds: lots must be at least 1 and at most 1000",
        ),
        ("T-2,2024-03-28,AAPL,USD,put,7,2025-01-17,2.5", "column 'lots': '2.5' is no whole number"),
        ("T-2,2024-03-28,AAPL,USD,put,,2025-01-17,1", "column 'strike': '' is empty, and the term has no default"),
        ("T-2,2024-03-28,,USD,put,7,2025-01-17,1", "column 'underlying': '' is empty, and the term has no default"),
        (",2024-03-28,AAPL,USD,put,7,2025-01-17,1", "column 'trade_id': '' is empty, and the term has no default"),
        ("T-2,28.03.2024,AAPL,USD,put,7,2025-01-17,1", "column 'trade_date': '28.03.2024' is no date like 2024-03-28"),
        ("T-2,2024-03-28,AAPL,USD,put,7,2025-02-30,1", "column 'expiry': '2025-02-30' is no date like 2024-03-28"),
        ("T-2,1899-12-31,AAPL,USD,put,7,2025-01-17,1", "column 'trade_date': '1899-12-31' lies before 1900-01-01"),
        ("T-2,2024-03-28,AAPL,USD,put,7,2201-01-01,1", "column 'expiry': '2201-01-01' lies after 2200-12-31"),
        (
            "T-2,2024-03-28,AAPL,USD,Put,7,2025-01-17,1",
            "column 'option_type': 'Put' is no option_type; it is one of 'call', 'put'",
        ),
        ("T-2,2024-03-28,AAPL,US,put,7,2025-01-17,1", f"column 'currency': 'US' {CURRENCY}"),
        ("T-2,2024-03-28,AAPL,usd,put,7,2025-01-17,1", f"column 'currency': 'usd' {CURRENCY}"),
        ("T-2,2024-03-28,AAPL,ZZZ,put,7,2025-01-17,1", f"column 'currency': 'ZZZ' {CURRENCY}"),
        (
            "T-1,2024-03-28,AAPL,USD,put,7,2025-01-17,1",
            "column 'trade_id': 'T-1' is also the trade_id of option.csv, line 2",
        ),
        ("T-2,2024-03-28,AAPL", "column '': 'T-2,2024-03-28,AAPL' has 3 cells; the header has 8"),
    ],
)
def test_bad_row__is_reported_with_its_place_and_the_good_rows_are_kept(
    tmp_path: Path, row: str, sentence: str
) -> None:
    (tmp_path / "option.csv").write_text(CSV.format(row=row))
    with pytest.raises(BadRows) as error:
        Portfolio.read(tmp_path)
    assert sentences(error) == [f"option.csv, line 3, {sentence}"]

    kept = Portfolio.read(tmp_path, on_bad="keep")
    assert kept.rejected == error.value.rows
    assert kept.tables["option"]["trade_id"].to_pylist() == ["T-1", "T-3"]


def test_bad_rows__of_every_file_are_reported_at_once_in_order_of_lines(tmp_path: Path) -> None:
    (tmp_path / "option.csv").write_text(CSV.format(row="T-2,2024-03-28,AAPL,XXX,put,-7,2025-01-17,1\nT-3,,,,,,,"))
    forward = "trade_id,trade_date,bought,sold,notional,maturity\nT-3,2024-03-28,EUR,USD,nope,2024-06-28\n"
    (tmp_path / "forward.csv").write_text(forward)
    with pytest.raises(BadRows, match=r"^11 problems in the portfolio \(on_bad='keep' runs the good rows\):") as error:
        Portfolio.read(tmp_path)
    places = [(row.file, row.line, row.column) for row in error.value.rows]
    empty = ["currency", "expiry", "option_type", "strike", "trade_date", "trade_id", "underlying"]
    assert places[:3] == [("forward.csv", 2, "notional"), ("option.csv", 3, "currency"), ("option.csv", 3, "strike")]
    assert sorted(places[3:10]) == [("option.csv", 4, column) for column in empty]
    assert places[10:] == [("option.csv", 5, "trade_id")]
    assert Portfolio.read(tmp_path, on_bad="keep").tables["option"]["trade_id"].to_pylist() == ["T-1"]


def test_duplicate_trade_id__names_both_places_across_files(
    tmp_path: Path, options: Columns, forwards: Columns
) -> None:
    forwards["trade_id"] = ["T-2"]
    Portfolio.from_tables({"option": options}).write(tmp_path)
    (tmp_path / "option.parquet").rename(tmp_path / "option-2024.parquet")
    pyarrow.parquet.write_table(pa.table(forwards), tmp_path / "forward.parquet")
    with pytest.raises(BadRows) as error:
        Portfolio.read(tmp_path)
    said = "option-2024.parquet, line 3, column 'trade_id': 'T-2' is also the trade_id of forward.parquet, line 2"
    assert sentences(error) == [said]


def test_line__minds_empty_lines_line_ends_in_quotes_and_windows_line_ends(tmp_path: Path) -> None:
    lines = [
        "trade_id,trade_date,bought,sold,notional,maturity,note_of_desk",
        "",
        '"A",2024-03-28,EUR,USD,1,2024-06-28,"two',
    ]
    lines += ["", 'lines"', "B,2024-03-28,EUR,USD,1", "", "C,2024-03-28,EUR,USD,0,2024-06-28,x"]
    for end in ("\n", "\r\n"):
        (tmp_path / "forward.csv").write_bytes(end.join(lines).encode())
        kept = Portfolio.read(tmp_path, on_bad="keep")
        assert [row.line for row in kept.rejected] == [6, 8]
        assert kept.trade("A")["note_of_desk"] == f"two{end}{end}lines"


def test_line__is_counted_by_rows_where_a_lone_quote_upsets_the_quoting(tmp_path: Path) -> None:
    rows = ['A,2024-03-28,EUR,USD,1,2024-06-28,5" pipe', "B,2024-03-28,EUR,USD,-1,2024-06-28,x"]
    header = "trade_id,trade_date,bought,sold,notional,maturity,text"
    (tmp_path / "forward.csv").write_text("\n".join([header, *rows]))
    kept = Portfolio.read(tmp_path, on_bad="keep")
    assert [(row.line, row.value) for row in kept.rejected] == [(3, "-1")]
    assert kept.trade("A")["text"] == '5" pipe'


def test_bad_rows__of_a_table_count_a_header_and_name_the_table(options: Columns) -> None:
    options["strike"] = [180.0, -1.5]
    with pytest.raises(BadRows) as error:
        Portfolio.from_tables({"option": options})
    said = "table 'option', line 3, column 'strike': '-1.5' is out of bounds: strike must be above 0"
    assert sentences(error) == [said]


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("strike", [180.0, "abc"], "column 'strike': 'abc' is no number"),
        ("strike", [180.0, None], "column 'strike': '' is empty, and the term has no default"),
        ("strike", np.array([180.0, np.nan]), "column 'strike': '' is empty, and the term has no default"),
        ("strike", pa.array([180.0, np.nan]), "column 'strike': 'nan' is empty, and the term has no default"),
        ("strike", [180.0, 10**400], f"column 'strike': '{10**400}' is no finite number"),
        ("lots", [3, 10**30], f"column 'lots': '{10**30}' is no whole number"),
        ("lots", [3, 2**63], f"column 'lots': '{2**63}' is no whole number"),
        ("expiry", ["2025-01-17", 10**30], f"column 'expiry': '{10**30}' is no date like 2024-03-28"),
        ("trade_id", ["T-1", "T\t2"], r"column 'trade_id': 'T\t2' holds a control character, which no id has"),
        ("trade_id", ["T-1", "T-2\x85"], r"column 'trade_id': 'T-2\x85' holds a control character, which no id has"),
        ("lots", [3, 2.5], "column 'lots': '2.5' is no whole number"),
        ("lots", [3.0, 1e300], "column 'lots': '1e+300' is no whole number"),
        (
            "expiry",
            [dt.datetime(2025, 1, 17), dt.datetime(2025, 1, 17, 12)],
            "column 'expiry': '2025-01-17 12:00:00' is no date like 2024-03-28",
        ),
        ("expiry", ["2025-01-17", "20250117"], "column 'expiry': '20250117' is no date like 2024-03-28"),
    ],
)
def test_bad_cell__of_a_typed_column_is_reported_like_one_of_a_file(
    options: Columns, column: str, values: Any, sentence: str
) -> None:
    with pytest.raises(BadRows) as error:
        Portfolio.from_tables({"option": options | {column: values}})
    assert sentences(error) == [f"table 'option', line 3, {sentence}"]


def test_bad_row__of_a_table_with_a_pandas_index_still_counts_rows(options: Columns) -> None:
    frame = pd.DataFrame(options, index=[70, 80])
    frame.loc[80, "currency"] = "YYY"
    kept = Portfolio.from_tables({"option": frame}, on_bad="keep")
    assert kept.rejected == (BadRow("table 'option'", 3, "currency", "YYY", CURRENCY),)


def test_bad_rows__beyond_the_most_are_counted(monkeypatch: pytest.MonkeyPatch, forwards: Columns) -> None:
    from riskgrid.portfolio import portfolio

    monkeypatch.setattr(check, "MOST_BAD_ROWS", 3)
    monkeypatch.setattr(portfolio, "MOST_BAD_ROWS", 3)
    many = {name: values * 10 for name, values in forwards.items()} | {"notional": [0.0] * 10}
    many["trade_id"] = [f"F-{i}" for i in range(10)]
    kept = Portfolio.from_tables({"forward": many}, on_bad="keep")
    assert len(kept) == 0
    assert [row.line for row in kept.rejected] == [2, 3, 4, None]
    assert str(kept.rejected[3]) == "table 'forward', column '': '' and 7 more bad cells are not listed"


def test_bad_row__is_found_by_line_in_a_file_of_many_blocks(tmp_path: Path) -> None:
    rows = [f"F-{i},2024-03-28,EUR,USD,{1 + i},2024-06-28,{'x' * 60}" for i in range(40_000)]
    rows[31_000], rows[35_000] = "short,row", rows[35_000].replace("USD", "usd")
    (tmp_path / "forward.csv").write_text("trade_id,trade_date,bought,sold,notional,maturity,text\n" + "\n".join(rows))
    kept = Portfolio.read(tmp_path, on_bad="keep")
    assert [(row.line, row.value) for row in kept.rejected] == [(31_002, "short,row"), (35_002, "usd")]
    assert len(kept) == 39_998


def test_nan__typed_in_an_optional_column_is_no_empty_cell(tmp_path: Path) -> None:
    header = "trade_id,trade_date,quantity,bought,sold,notional,maturity"
    rows = ["A,2024-03-28,,EUR,USD,1,2024-06-28", "B,2024-03-28,nan,EUR,USD,1,2024-06-28"]
    (tmp_path / "forward.csv").write_text("\n".join([header, *rows]))
    kept = Portfolio.read(tmp_path, on_bad="keep")
    assert [str(row) for row in kept.rejected] == ["forward.csv, line 3, column 'quantity': 'nan' is no number"]
    assert kept.trade("A")["quantity"] == 1.0


def test_nan__in_rows_is_no_number_but_where_a_term_is_none_by_default(options: Columns) -> None:
    rows = [dict(zip(options, row, strict=True)) for row in zip(*options.values(), strict=True)]
    rows[0] |= {"barrier": float("nan"), "quantity": None}
    found = Portfolio.from_tables({"option": columns_of("option", rows)})
    assert np.isnan(found.columns("option")["barrier"]).all()
    for name in ("quantity", "premium", "strike"):
        spoilt = [rows[0], {**rows[1], name: float("nan")}]
        with pytest.raises(BadRows) as error:
            Portfolio.from_tables({"option": columns_of("option", spoilt)})
        assert sentences(error) == [f"table 'option', line 3, column '{name}': 'nan' is no number"]
