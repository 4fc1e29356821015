"""A portfolio written and read again is the same portfolio, to the last bit of every float."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from riskgrid.portfolio import Portfolio

FORMATS: tuple[Literal["parquet", "csv"], ...] = ("parquet", "csv")

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
trade_ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
days = st.dates(min_value=np.datetime64("1900-01-01").item(), max_value=np.datetime64("2200-12-31").item())
finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
row = st.fixed_dictionaries(
    {
        "desk": names,
        "Händler": names,
        "trade_date": days,
        "quantity": finite,
        "underlying": names.filter(bool),
        "currency": st.sampled_from(["USD", "EUR", "JPY"]),
        "option_type": st.sampled_from(["call", "put"]),
        "strike": positive,
        "expiry": days,
        "lots": st.integers(1, 1000),
        "premium": finite,
        "note": names,
        "barrier": st.none() | positive,
        "knocked": st.none() | days,
    }
)


def written_and_read(portfolio: Portfolio, kind: Literal["parquet", "csv"]) -> Portfolio:
    with tempfile.TemporaryDirectory() as folder:
        portfolio.write(Path(folder) / "sub", kind)
        return Portfolio.read(Path(folder) / "sub")


def assert_same(one: Portfolio, other: Portfolio) -> None:
    assert one.instruments == other.instruments
    for name, table in one.tables.items():
        assert table.schema == other.tables[name].schema
        for column in table.column_names:
            mine, theirs = table[column], other.tables[name][column]
            if mine.type == "double":
                assert mine.to_numpy().tobytes() == theirs.to_numpy().tobytes()
            else:
                assert mine.to_pylist() == theirs.to_pylist()
    assert one.digest == other.digest


@hypothesis.given(rows=st.lists(row, min_size=1, max_size=6), ids=st.sets(trade_ids, min_size=6, max_size=9))
@hypothesis.settings(max_examples=60, deadline=None)
def test_round_trip__is_exact_through_csv_parquet_and_pandas(rows: list[dict[str, Any]], ids: set[str]) -> None:
    columns: dict[str, Any] = {name: [each[name] for each in rows] for name in rows[0]}
    columns["trade_id"] = sorted(ids)[: len(rows)]
    portfolio = Portfolio.from_tables({"option": columns})
    assert portfolio.tables["option"]["quantity"].to_pylist() == columns["quantity"]
    for kind in FORMATS:
        assert_same(written_and_read(portfolio, kind), portfolio)
    assert_same(Portfolio.from_tables({"option": portfolio.to_pandas("option")}), portfolio)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rows", [0, 1])
def test_round_trip__keeps_one_row_and_no_rows(forwards: dict[str, list[Any]], rows: int, kind: Any) -> None:
    portfolio = Portfolio.from_tables({"forward": {name: values[:rows] for name, values in forwards.items()}})
    assert len(portfolio) == rows
    assert_same(written_and_read(portfolio, kind), portfolio)
    assert portfolio.columns("forward")["notional"].shape == (rows,)
    assert portfolio.label("trader", "forward").codes.shape == (rows,)
    assert portfolio._repr_html_().count('<tr class="depth-') == 2  # all trades, and those of the one instrument
    assert len(portfolio.to_pandas()) == rows


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "text", ["a,b", 'say "hi"', "two\nlines", "NA", "null", "nan", "1.0", " blank ", "日本", "é́", "\ufeff"]
)
def test_round_trip__keeps_any_text(forwards: dict[str, list[Any]], text: str, kind: Any) -> None:
    trade = text.replace("\n", " ")  # no id has a line end
    portfolio = Portfolio.from_tables({"forward": forwards | {"trade_id": [trade], "trader": [text]}})
    again = written_and_read(portfolio, kind)
    assert again.trade(trade)["trader"] == text
    assert again.digest == portfolio.digest
