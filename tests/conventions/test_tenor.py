"""Tenors are read, measured and added."""

import numpy as np
import pytest

from riskgrid.conventions import Tenor, add_months, add_tenor, parse_tenor, tenor_years
from riskgrid.conventions.month import as_dates
from riskgrid.errors import InputError

ql = pytest.importorskip("QuantLib")


@pytest.mark.parametrize(
    ("text", "tenor", "years"),
    [
        ("1D", Tenor(0, 1), 1 / 365),
        ("2W", Tenor(0, 14), 14 / 365),
        ("3M", Tenor(3, 0), 0.25),
        ("30Y", Tenor(360, 0), 30.0),
        ("1y6m", Tenor(18, 0), 1.5),
    ],
)
def test_tenor__is_read_in_every_unit(text, tenor, years):
    assert parse_tenor(text) == tenor
    assert tenor_years(text) == years


@pytest.mark.parametrize("text", ["", "M", "3", "3 M", "-1D", "1.5Y", "3X", "ON", "٣M"])
def test_tenor__names_the_bad_text_and_what_would_be_right(text):
    with pytest.raises(InputError, match="cannot be read; write days, weeks, months or years: '1D'") as caught:
        parse_tenor(text)
    assert repr(text) in str(caught.value)


def test_add_months__agrees_with_quantlib_on_random_dates():
    rng = np.random.default_rng(7)
    dates = rng.integers(0, 30_000, 2_000).astype("datetime64[D]")
    months = rng.integers(-240, 480, 2_000)
    expected = [
        (ql.Date(d.day, d.month, d.year) + ql.Period(int(m), ql.Months)).ISO()
        for d, m in zip(dates.tolist(), months, strict=True)
    ]
    assert add_months(dates, months).tolist() == as_dates(expected).tolist()


def test_add_months__keeps_a_missing_date_missing():
    assert np.isnat(add_months(as_dates(["2024-01-31", "NaT"]), 1)).tolist() == [False, True]


def test_add_tenor__adds_months_before_days():
    assert add_tenor(["2024-01-31"], Tenor(1, 1)).tolist() == as_dates(["2024-03-01"]).tolist()
    assert add_tenor([], "3M").size == 0
