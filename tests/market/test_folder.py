import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskgrid.errors import BadMarket
from riskgrid.market.folder import read_table, write_table


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_write_table__keeps_every_bit_and_writes_nan_as_an_empty_cell(tmp_path, form):
    numbers = np.array([0.1, -0.0, 5e-324, 1.7976931348623157e308, np.nan])
    days = np.array(["2016-07-01", "1970-01-01", "1969-12-31", "2099-12-31", "2000-02-29"], dtype="datetime64[D]")
    texts = np.array(['a,"b"', "", "é", "NaN", "1.0"], dtype=object)
    write_table(tmp_path, "made", {"number": numbers, "day": days, "text": texts}, form)
    table = read_table(tmp_path, "made")
    assert table.numbers("number").view(np.int64)[:4].tolist() == numbers.view(np.int64)[:4].tolist()
    assert np.isnan(table.numbers("number")[4])
    np.testing.assert_array_equal(table.dates("day"), days)
    assert table.texts("text") == texts.tolist()


def test_numbers__takes_whole_numbers_of_parquet(tmp_path):
    pq.write_table(pa.table({"level": [1, 2], "text": ["1.5", None]}), tmp_path / "made.parquet")
    table = read_table(tmp_path, "made")
    assert table.numbers("level").tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(table.numbers("text"), [1.5, np.nan])
    assert table.texts("text") == ["1.5", ""]


@pytest.mark.parametrize("cell", ["2016", "2016-07", "tomorrow", "", "2016-13-01"])
def test_dates__refuse_what_is_no_whole_date(tmp_path, cell):
    (tmp_path / "made.csv").write_text(f"date,x\n2016-07-01,1\n{cell},2\n")
    with pytest.raises(BadMarket, match=r"made\.csv, line 3, column 'date': .* is not a date such as 2016-07-01"):
        read_table(tmp_path, "made").dates("date")


def test_dates__refuse_a_null_of_parquet(tmp_path):
    pq.write_table(pa.table({"date": pa.array([0, None], pa.date32())}), tmp_path / "made.parquet")
    with pytest.raises(BadMarket, match=r"made\.parquet, line 3, column 'date'"):
        read_table(tmp_path, "made").dates("date")


def test_read_table__is_none_where_there_is_no_such_file(tmp_path):
    assert read_table(tmp_path, "made") is None
