"""Files and tables that cannot be a portfolio, and what the sentence about each says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from riskgrid.errors import InputError, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.registry import instrument
from riskgrid.terms import Currency, Equity, Names

Columns = dict[str, list[Any]]

FORWARD = "trade_id,trade_date,bought,sold,notional,maturity"
FORWARD_ROW = "F-1,2024-03-28,EUR,USD,1e6,2024-06-28"


def refusal(folder: Path) -> str:
    for on_bad in ("raise", "keep"):
        with pytest.raises(InputError) as error:
            Portfolio.read(folder, on_bad=on_bad)
    return str(error.value)


def test_file_of_no_instrument__lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "forwards.csv").write_text(f"{FORWARD}\n{FORWARD_ROW}\n")
    assert refusal(tmp_path) == (
        "forwards.csv: unknown instrument 'forwards'; did you mean 'forward'? known: 'forward', 'option'; "
        "a portfolio file is named after its instrument"
    )


def test_file_of_another_instrument__says_which(tmp_path: Path) -> None:
    (tmp_path / "option.csv").write_text(f"{FORWARD}\n{FORWARD_ROW}\n")
    assert refusal(tmp_path) == "option.csv holds the columns of 'forward', not of 'option'; name it after 'forward'"


def test_missing_column__is_named_though_the_others_would_do_for_a_simpler_instrument(options: Columns) -> None:
    @dataclass(frozen=True)
    class Share:
        underlying: Equity
        currency: Currency

    share = Share(Names.of(["AAPL"]), Names.of(["USD"]))
    instrument("share", value_in="currency", example=share)(lambda terms, market: market.spot(terms.underlying))
    del options["strike"]
    with pytest.raises(InputError) as error:
        Portfolio.from_tables({"option": options})
    assert str(error.value) == "table 'option' has no column 'strike', which 'option' requires"
    with pytest.raises(InputError, match=r"^table 'forward' holds the columns of 'share', not of 'forward'; "):
        Portfolio.from_tables({"forward": {name: options[name] for name in ("trade_id", "underlying", "currency")}})


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_file__names_the_columns_it_should_have(tmp_path: Path, content: str) -> None:
    (tmp_path / "forward.csv").write_text(content)
    assert refusal(tmp_path) == (
        "forward.csv is empty; its first line must name the columns "
        "'trade_id', 'trade_date', 'bought', 'sold', 'notional', 'maturity'"
    )


def test_missing_column__is_named_with_the_close_one(tmp_path: Path) -> None:
    header = FORWARD.replace("notional", "Notionnal").replace("bought,", "")
    (tmp_path / "forward.csv").write_text(header + "\nF-1,2024-03-28,USD,1e6,2024-06-28\n")
    assert refusal(tmp_path) == (
        "forward.csv has no column 'bought', which 'forward' requires\n"
        "forward.csv has no column 'notional', which 'forward' requires; its column 'Notionnal' is close, rename it"
    )


def test_extra_column__close_to_a_term_is_an_error_that_suggests_the_term(options: Columns) -> None:
    with pytest.raises(InputError) as error:
        Portfolio.from_tables({"option": options | {"premiun": [1, 2]}})
    assert str(error.value) == (
        "table 'option' has a column 'premiun', which is no term of 'option'; did you mean 'premium'?"
    )


def test_extra_column__close_to_an_absent_label_suggests_the_label(options: Columns) -> None:
    with pytest.raises(InputError) as error:
        Portfolio.from_tables({"option": options | {"counter_party": ["a", "b"]}})
    assert str(error.value) == (
        "table 'option' has a column 'counter_party', which is no term of 'option'; did you mean 'counterparty'?"
    )
    both = Portfolio.from_tables({"option": options | {"book": ["a", "b"], "book2": ["c", "d"]}})
    assert both.label("book2", "option").names == ("c", "d")


def test_extra_column__beside_the_term_it_resembles_is_a_label_unless_very_close(options: Columns) -> None:
    beside = Portfolio.from_tables({"option": options | {"trade_type": ["new", "old"]}})
    assert beside.label("trade_type", "option").texts().tolist() == ["new", "old"]
    with pytest.raises(InputError, match=r"'strike2', which is no term of 'option'; did you mean 'strike'\?$"):
        Portfolio.from_tables({"option": options | {"strike2": [1, 2]}})


def test_column_of_a_derived_label__is_refused(forwards: Columns) -> None:
    with pytest.raises(InputError) as error:
        Portfolio.from_tables({"forward": forwards | {"currency": ["USD"]}})
    assert str(error.value) == (
        "table 'forward' has a column 'currency', a label that follows from the instrument 'forward' and its terms; "
        "leave the column out"
    )


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (f"{FORWARD},desk,desk", "forward.csv has 2 columns 'desk'"),
        (f"{FORWARD},,desk", "forward.csv: column 7 has no name"),
        (FORWARD.replace(",", ";"), "forward.csv is separated by semicolons; a portfolio file is separated by commas"),
        (FORWARD.replace(",", "\t"), "forward.csv is separated by tabs; a portfolio file is separated by commas"),
    ],
)
def test_header__that_cannot_be_used_is_refused(tmp_path: Path, header: str, sentence: str) -> None:
    (tmp_path / "forward.csv").write_text(f"{header}\n{FORWARD_ROW},a,b\n")
    assert refusal(tmp_path) == sentence


def test_text_in_another_encoding__is_refused_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "forward.csv").write_bytes(f"{FORWARD},desk\n{FORWARD_ROW},Zürich\n".encode("latin-1"))
    assert refusal(tmp_path).startswith("forward.csv is no text in UTF-8: ")


def test_text_in_another_encoding__far_down_is_refused_with_the_file(tmp_path: Path) -> None:
    rows = "".join(f"F-{i},2024-03-28,EUR,USD,1e6,2024-06-28,x\n" for i in range(5_000))
    content = f"{FORWARD},desk\n{rows}{FORWARD_ROW},Zürich\n"
    (tmp_path / "forward.csv").write_bytes(content.encode("latin-1"))
    assert refusal(tmp_path).startswith("forward.csv cannot be read: ")


def test_file_that_is_no_parquet__is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "forward.parquet").write_text("no parquet")
    assert refusal(tmp_path).startswith("forward.parquet is no Parquet file: ")


def test_unusable_files__are_all_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "forward.csv").write_text("")
    (tmp_path / "swap.csv").write_text("")
    lines = refusal(tmp_path).split("\n")
    assert [line.split(" ")[0] for line in lines] == ["forward.csv", "swap.csv:"]


def test_folder__that_is_absent_or_holds_no_portfolio_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none").startswith(f"no portfolio at '{tmp_path / 'none'}'; ")
    (tmp_path / "README.md").write_text("text")
    assert refusal(tmp_path).startswith(f"no CSV or Parquet file in '{tmp_path}'; ")


def test_from_tables__refuses_an_unknown_instrument(options: Columns) -> None:
    with pytest.raises(UnknownName, match=r"^unknown instrument 'optoin'; did you mean 'option'"):
        Portfolio.from_tables({"optoin": options})


def test_from_tables__refuses_columns_of_different_lengths(options: Columns) -> None:
    with pytest.raises(InputError, match=r"^table 'option' has columns of different lengths: 'trade_id' 3, "):
        Portfolio.from_tables({"option": options | {"trade_id": ["a", "b", "c"]}})


def test_from_tables__refuses_what_is_no_table(options: Columns) -> None:
    with pytest.raises(InputError, match=r"^table 'option' is a list; it is a pandas frame, an Arrow table or a dict"):
        Portfolio.from_tables({"option": [options]})


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("strike", [[1.0], [2.0]], "it holds list<item: double>, no numbers"),
        ("expiry", [1, 2], "it holds int64, no dates"),
        ("desk", [1.5, 2.5], "it holds double, no text"),
        ("lots", [True, False], "it holds bool, no numbers"),
    ],
)
def test_from_tables__refuses_a_column_that_no_cell_can_fit(
    options: Columns, column: str, values: list[Any], sentence: str
) -> None:
    with pytest.raises(InputError) as error:
        Portfolio.from_tables({"option": options | {column: values}})
    assert str(error.value) == f"table 'option': the column '{column}' cannot be read: {sentence}"


def test_on_bad__is_one_of_two_words(options: Columns) -> None:
    with pytest.raises(InputError, match=r"^on_bad is 'skip'; it is 'raise' or 'keep'$"):
        Portfolio.from_tables({"option": options}, on_bad="skip")  # type: ignore[arg-type]


def test_read__takes_part_files_one_file_and_files_with_blanks_and_a_byte_order_mark(tmp_path: Path) -> None:
    header = FORWARD.replace(",", " , ")
    (tmp_path / "forward-1.csv").write_bytes(f"{header}\n{FORWARD_ROW.replace('1e6', ' +1E6 ')}\n".encode("utf-8-sig"))
    row = FORWARD_ROW.replace("F-1", "F-2").replace("2024-06-28", "  2024-06-28")
    (tmp_path / "forward-2.csv").write_text(f"{FORWARD},trader\n{row},Zoë\n", encoding="utf-8")
    (tmp_path / ".forward-3.csv").write_text("hidden")
    read = Portfolio.read(tmp_path)
    assert read.columns("forward")["notional"].tolist() == [1e6, 1e6]
    assert read.label("trader", "forward").texts().tolist() == ["", "Zoë"]
    assert len(Portfolio.read(tmp_path / "forward-2.csv")) == 1


def test_read__takes_parquet_in_the_types_that_other_programs_write(tmp_path: Path, options: Columns) -> None:
    frame = pd.DataFrame(options | {"lots": [3.0, np.nan], "book": [7, 8], "expiry": pd.to_datetime(options["expiry"])})
    table = pa.Table.from_pandas(frame.astype({"currency": "category"}))
    table = table.set_column(
        table.column_names.index("underlying"), "underlying", table["underlying"].cast(pa.large_string())
    )
    table = table.set_column(table.column_names.index("strike"), "strike", table["strike"].cast(pa.decimal128(10, 2)))
    pyarrow.parquet.write_table(table, tmp_path / "option.parquet")
    read = Portfolio.read(tmp_path)
    plain = Portfolio.from_tables({"option": options | {"lots": [3, 1], "book": ["7", "8"]}})
    assert read.tables["option"].schema == plain.tables["option"].schema
    assert read.digest == plain.digest


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("trade_date", pa.array(["2024-03-28", "2024-04-02"]).dictionary_encode()),
        ("trade_date", np.array(["2024-03-28", "2024-04-02"], "datetime64[D]")),
        ("trade_date", pd.Series(pd.to_datetime(["2024-03-28", "2024-04-02"]).tz_localize("America/New_York"))),
        ("trade_date", pd.Series([dt.date(2024, 3, 28), dt.date(2024, 4, 2)], dtype="object")),
        ("underlying", pd.Series(["AAPL", "MSFT"], dtype=pd.ArrowDtype(pa.string()))),
        ("strike", pd.Series([180, 400.5], dtype="Float64")),
        ("strike", ["180", " 4.005e2 "]),
        ("lots", ["1", "1.0"]),
        ("lots", np.array([1, 1], dtype=np.uint64)),
        ("desk", [None, np.nan]),
    ],
)
def test_from_tables__takes_a_column_in_any_type_that_says_the_same(options: Columns, column: str, values: Any) -> None:
    plain = Portfolio.from_tables({"option": options})
    assert Portfolio.from_tables({"option": options | {column: values}}).digest == plain.digest


def test_from_tables__takes_an_arrow_table_and_categories_of_numbers(options: Columns) -> None:
    plain = Portfolio.from_tables({"option": options | {"desk": ["7", "8"], "book": ["7", "8"]}})
    books = options | {"desk": pa.array([7, 8]).dictionary_encode(), "book": pd.Categorical([7, 8])}
    assert Portfolio.from_tables({"option": pa.table(books | {"book": pa.array([7, 8])})}).digest == plain.digest
    assert Portfolio.from_tables({"option": books}).digest == plain.digest


def test_read__takes_a_header_without_rows_or_line_end(tmp_path: Path) -> None:
    (tmp_path / "forward.csv").write_text(FORWARD)
    assert Portfolio.read(tmp_path).columns("forward")["notional"].shape == (0,)
