"""Forms of an answer: what is accepted, and what a spreadsheet could run."""

import csv
import io

import numpy as np
import pytest
import xarray as xr

from riskgrid.api import media
from riskgrid.errors import TooLarge


def rows(dataset):
    return list(csv.DictReader(io.StringIO(media._WRITERS[media.CSV](dataset).decode())))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_spreadsheet__never_begins_a_text_as_a_formula(text):
    dataset = xr.Dataset({"pnl": ("node", [-1.5])}, {"desk": ("node", np.array([text], object))})
    (row,) = rows(dataset)
    assert row == {"desk": f"'{text}", "pnl": "-1.5"}


def test_spreadsheet__has_dates_numbers_and_gaps_as_they_are():
    dataset = xr.Dataset(
        {
            "on": ("trade", np.array(["2016-06-24", "NaT"], "datetime64[s]")),
            "value": ("trade", [0.1, np.nan]),
            "note": ("trade", np.array(["a,b", None], object)),
        }
    )
    assert rows(dataset) == [
        {"on": "2016-06-24", "value": "0.1", "note": "a,b"},
        {"on": "", "value": "", "note": ""},
    ]


def test_spreadsheet__of_one_value_is_one_row():
    assert rows(xr.Dataset({"value_at_risk": ((), 2.5)})) == [{"value_at_risk": "2.5"}]


def test_size__of_a_spreadsheet_is_that_of_its_rows():
    dataset = xr.Dataset({"a": ("x", np.zeros(30)), "b": ("y", np.zeros(30))})
    media.check_size(dataset, 100)
    with pytest.raises(TooLarge, match=r"1,800 values \(30 x x 30 y\)"):
        media.check_size(dataset, 100, long=True)


def test_form__that_nobody_writes_is_not_acceptable(served):
    response = served.get("/report", accept="application/xml")
    assert response.status_code == 406
    assert "text/csv" in response.json()["detail"]
