"""What a portfolio holds and answers."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskgrid.errors import InputError, UnknownName
from riskgrid.portfolio import Portfolio
from riskgrid.terms import LABELS, Names

Columns = dict[str, list[Any]]


@pytest.fixture
def portfolio(options: Columns, forwards: Columns) -> Portfolio:
    return Portfolio.from_tables({"option": options, "forward": forwards})


def test_table__has_canonical_columns_and_types(portfolio: Portfolio) -> None:
    schema = portfolio.tables["forward"].schema
    terms = ["trade_date", "quantity", "bought", "sold", "notional", "maturity"]
    assert schema.names == [*LABELS, "trader", *terms]
    text = pa.dictionary(pa.int32(), pa.string())
    assert [schema.field(name).type for name in terms] == [
        pa.date32(),
        pa.float64(),
        text,
        text,
        pa.float64(),
        pa.date32(),
    ]
    assert {schema.field(name).type for name in (*LABELS, "trader")} == {text}
    assert portfolio.tables["option"].schema.field("lots").type == pa.int64()


def test_defaults__are_filled_in_for_absent_columns_and_empty_cells(options: Columns) -> None:
    options |= {"quantity": [None, -3.0], "lots": [None, 7], "delivery": ["2025-01-20", None]}
    options |= {"premium_currency": ["", "EUR"], "note": [None, "x"], "desk": ["", "rates"]}
    read = Portfolio.from_tables({"option": options})
    first, second = read.trade("T-1"), read.trade("T-2")
    assert (first["quantity"], first["lots"], first["premium"]) == (1.0, 1, 0.0)
    assert (first["premium_currency"], second["premium_currency"]) == ("USD", "EUR")
    assert (first["delivery"], second["delivery"]) == (dt.date(2025, 1, 20), dt.date(2025, 6, 20))
    assert (first["note"], first["desk"], first["book"]) == ("", "", "")
    assert np.isnan(first["barrier"])
    assert first["knocked"] is None


def test_columns__are_arrays_with_names_sorted_and_only_those_that_occur(portfolio: Portfolio) -> None:
    columns = portfolio.select(["T-2"]).columns("option")
    assert list(columns)[:4] == ["trade_date", "quantity", "underlying", "currency"]
    assert {name: column.dtype for name, column in columns.items() if not isinstance(column, Names)} == {
        "trade_date": np.dtype("datetime64[D]"),
        "quantity": np.dtype(float),
        "strike": np.dtype(float),
        "expiry": np.dtype("datetime64[D]"),
        "lots": np.dtype(np.int64),
        "delivery": np.dtype("datetime64[D]"),
        "premium": np.dtype(float),
        "barrier": np.dtype(float),
        "knocked": np.dtype("datetime64[D]"),
    }
    underlying = columns["underlying"]
    assert isinstance(underlying, Names)
    assert (underlying.names, underlying.codes.tolist(), underlying.codes.dtype) == (("MSFT",), [0], np.int32)
    assert np.isnat(columns["knocked"]).all()
    assert portfolio.columns("option")["option_type"].names == ("call", "put")


def test_label__is_codes_by_instrument_and_empty_where_a_table_lacks_it(portfolio: Portfolio) -> None:
    assert portfolio.label_names == (*LABELS, "trader")
    assert portfolio.label("trader", "forward").texts().tolist() == ["Zoë"]
    assert portfolio.label("trader", "option").texts().tolist() == ["", ""]
    assert portfolio.label("trade_id", "option").texts().tolist() == ["T-1", "T-2"]


def test_label__of_instrument_and_currency_follow_from_the_terms(portfolio: Portfolio) -> None:
    assert portfolio.label("instrument", "option").texts().tolist() == ["option", "option"]
    assert portfolio.label("currency", "forward").texts().tolist() == ["USD"]


def test_label__that_no_table_has_lists_the_known_ones(portfolio: Portfolio) -> None:
    with pytest.raises(UnknownName, match=r"^unknown label 'treder'; did you mean 'trader'"):
        portfolio.label("treder", "option")


def test_instrument__that_the_portfolio_lacks_is_an_error(portfolio: Portfolio) -> None:
    with pytest.raises(UnknownName, match=r"^unknown instrument of the portfolio 'swap'; known: 'forward', 'option'$"):
        portfolio.columns("swap")


def test_expired_trade__is_a_trade(options: Columns) -> None:
    options["expiry"] = ["1999-01-15", "2000-01-21"]
    assert len(Portfolio.from_tables({"option": options})) == 2


def test_trade_ids__of_whole_numbers_become_text(options: Columns) -> None:
    read = Portfolio.from_tables({"option": options | {"trade_id": [10, 9]}})
    assert read.tables["option"]["trade_id"].to_pylist() == ["10", "9"]


def test_select__keeps_the_order_of_the_tables(portfolio: Portfolio) -> None:
    assert portfolio.select(["T-2", "T-1", "T-2"]).tables["option"]["trade_id"].to_pylist() == ["T-1", "T-2"]
    assert portfolio.select(["F-1"]).instruments == ("forward",)
    assert len(portfolio.select([])) == 0


def test_unknown_trade__names_its_neighbours(portfolio: Portfolio) -> None:
    with pytest.raises(UnknownName, match=r"^unknown trade 'T-9'; did you mean 'T-2'"):
        portfolio.select(["T-1", "T-9"])
    with pytest.raises(UnknownName, match=r"^unknown trade 'T-0'; .* known: 'F-1', 'T-1', 'T-2'$"):
        portfolio.trade("T-0")


def test_digest__ignores_row_order_empty_labels_and_dictionaries(options: Columns, portfolio: Portfolio) -> None:
    turned = {name: values[::-1] for name, values in options.items()} | {"region": ["", ""]}
    digest = Portfolio.from_tables({"option": options}).digest
    assert Portfolio.from_tables({"option": turned}).digest == digest
    assert portfolio.select(["T-1", "T-2"]).digest == digest
    assert len(digest) == 20


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("trade_id", ["T-1", "T-3"]),
        ("trade_id", ["T-2", "T-1"]),
        ("quantity", [1.0, 1.0000000000000002]),
        ("expiry", ["2025-01-17", "2025-06-21"]),
        ("lots", [1, 2]),
        ("desk", ["", "a"]),
        ("underlying", ["AAPL", "MSFU"]),
        ("trader", ["", "a"]),
    ],
)
def test_digest__changes_with_any_cell(options: Columns, column: str, values: list[Any]) -> None:
    changed = Portfolio.from_tables({"option": options | {column: values}})
    assert changed.digest != Portfolio.from_tables({"option": options}).digest


def test_concat__joins_tables_and_fills_labels(options: Columns, portfolio: Portfolio) -> None:
    other = Portfolio.from_tables(
        {"option": options | {"trade_id": ["A", "B"], "desk": ["x", "y"], "mood": ["up", ""]}}
    )
    both = portfolio + other
    assert len(both) == 5
    assert both.label_names == (*LABELS, "mood", "trader")
    assert both.label("mood", "option").texts().tolist() == ["", "", "up", ""]
    assert both.tables["option"].column_names[:8] == [*LABELS, "mood", "trade_date"]
    assert both.digest == Portfolio.concat([other, portfolio]).digest
    assert len(Portfolio.concat([])) == 0


def test_concat__refuses_a_trade_id_of_both(portfolio: Portfolio) -> None:
    with pytest.raises(InputError) as error:
        _ = portfolio + portfolio
    said = "trade_id 'F-1' is in two of the portfolios (and 2 others are); a trade_id is unique"
    assert str(error.value) == said


def test_to_pandas__gives_one_table_or_all_trades(portfolio: Portfolio) -> None:
    frame = portfolio.to_pandas()
    assert frame["instrument"].tolist() == ["forward", "option", "option"]
    assert frame.columns[:3].tolist() == ["instrument", "trade_id", "region"]
    assert portfolio.to_pandas("option")["expiry"].dtype.kind == "M"
    assert list(Portfolio({}).to_pandas().columns) == ["instrument", *LABELS, "trade_date", "quantity"]


def test_repr__counts_trades(portfolio: Portfolio, options: Columns) -> None:
    assert repr(portfolio) == "Portfolio(3 trades: forward 1, option 2)"
    kept = Portfolio.from_tables({"option": options | {"strike": [1.0, -1.0]}}, on_bad="keep")
    assert repr(kept) == "Portfolio(1 trade: option 1; rejected cells: 1)"


def test_html__escapes_names(forwards: Columns) -> None:
    forwards["<b>"] = ["x"]
    text = Portfolio.from_tables({"forward": forwards})._repr_html_()
    assert "&lt;b&gt;<small>different</small>" in text
    assert "<b>" not in text


def test_portfolio__survives_pickling(portfolio: Portfolio) -> None:
    assert pickle.loads(pickle.dumps(portfolio)).digest == portfolio.digest


def test_write__refuses_a_folder_with_another_portfolio(tmp_path: Path, portfolio: Portfolio) -> None:
    portfolio.write(tmp_path)
    portfolio.write(tmp_path)  # its own files are overwritten
    with pytest.raises(InputError, match=r"holds another portfolio \(forward.parquet, option.parquet\)"):
        portfolio.write(tmp_path, "csv")


def test_write__refuses_an_unknown_format(tmp_path: Path, portfolio: Portfolio) -> None:
    with pytest.raises(InputError, match=r"^unknown format 'xlsx' of a portfolio; known: 'parquet', 'csv'$"):
        portfolio.write(tmp_path, "xlsx")  # type: ignore[arg-type]
