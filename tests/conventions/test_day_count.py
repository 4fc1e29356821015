"""Day counts against published examples and QuantLib."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from riskgrid.conventions import DAY_COUNTS, add_months, holiday_dates, year_fraction, year_fraction_by_code
from riskgrid.conventions.month import as_dates
from riskgrid.errors import InputError, UnknownName

ql = pytest.importorskip("QuantLib")

CASES = Path(__file__).parents[1] / "references" / "daycount.csv"
PUBLISHED = list(csv.DictReader(CASES.read_text(encoding="utf-8").splitlines()))
ORACLE = {
    "30/360": ql.Thirty360(ql.Thirty360.BondBasis),
    "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis),
    "30E/360 ISDA": ql.Thirty360(ql.Thirty360.ISDA),
    "ACT/360": ql.Actual360(),
    "ACT/365F": ql.Actual365Fixed(),
    "ACT/ACT ISDA": ql.ActualActual(ql.ActualActual.ISDA),
    "BUS/252": ql.Business252(ql.TARGET()),
}
TARGET = holiday_dates("TARGET", 1990, 2070)


def to_ql(dates):
    return [ql.Date(d.day, d.month, d.year) for d in dates.tolist()]


def random_pairs(size=4_000):
    """Half anywhere, half around month ends, where the rules differ."""
    rng = np.random.default_rng(11)
    start = rng.integers(11_000, 22_000, size).astype("datetime64[D]")
    end = start + rng.integers(0, 11_000, size).astype("timedelta64[D]")
    for dates in (start, end):
        month_ends = dates[: size // 2].astype("datetime64[M]").astype("datetime64[D]")
        dates[: size // 2] = month_ends + rng.integers(-3, 2, size // 2).astype("timedelta64[D]")
    return np.minimum(start, end), np.maximum(start, end)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['day_count']} {row['start']} {row['end']}")
def test_day_count__gives_the_published_fraction(row):
    expected = float(sum(Fraction(term) for term in row["fraction"].split("+")))
    reference = {k: row[k] for k in ("reference_start", "reference_end") if row[k]}
    years = year_fraction(row["day_count"], row["start"], row["end"], is_last=[row["is_last"] == "1"], **reference)
    assert years == pytest.approx(expected, rel=5e-16, abs=0)  # two roundings


@pytest.mark.parametrize("name", ORACLE)
def test_day_count__agrees_with_quantlib_on_random_pairs(name):
    start, end = random_pairs()
    expected = [ORACLE[name].yearFraction(a, b) for a, b in zip(to_ql(start), to_ql(end), strict=True)]
    # ACT/ACT ISDA sums up to 30 years in another order: a few ulp of 30
    np.testing.assert_allclose(year_fraction(name, start, end, holidays=TARGET), expected, rtol=1e-15, atol=8e-15)


def test_30e_360_isda__keeps_february_at_termination_as_quantlib_does():
    start, end = random_pairs(1_000)
    end[:200] = np.resize(as_dates(["2054-02-28", "2056-02-29"]), 200)
    expected = [
        ql.Thirty360(ql.Thirty360.ISDA, b).yearFraction(a, b) for a, b in zip(to_ql(start), to_ql(end), strict=True)
    ]
    np.testing.assert_array_equal(year_fraction("30E/360 ISDA", start, end, is_last=True), expected)


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_icma__agrees_with_quantlib_inside_and_outside_the_reference_period(months):
    # roll days up to the 28th: QuantLib steps from the reference dates and so forgets a roll day that February cut,
    # where we follow example (e) of ISDA (1999), checked above
    rng = np.random.default_rng(12)
    month = rng.integers(300, 700, 3_000).astype("datetime64[M]").astype("datetime64[D]")
    reference_start = month + rng.integers(0, 27, 3_000).astype("timedelta64[D]")
    reference_end = add_months(reference_start, months)
    early, late = add_months(reference_start, -2 * months), add_months(reference_end, months)
    start = early + (rng.random(3_000) * (reference_end - early - np.timedelta64(1, "D"))).astype("timedelta64[D]")
    end = (
        start
        + np.timedelta64(1, "D")
        + (rng.random(3_000) * (late - start - np.timedelta64(1, "D"))).astype("timedelta64[D]")
    )
    # QuantLib's recursion wants the reference period to touch the end, or the start, of what it measures
    keep = (end > reference_start) & (start < reference_end) & ((start >= reference_start) | (end <= reference_end))
    dates = [d[keep] for d in (start, end, reference_start, reference_end)]
    counter = ql.ActualActual(ql.ActualActual.ISMA)
    expected = [counter.yearFraction(*four) for four in zip(*map(to_ql, dates), strict=True)]
    ours = year_fraction("ACT/ACT ICMA", *dates[:2], reference_start=dates[2], reference_end=dates[3])
    assert keep.sum() > 1_000
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-15)


def test_icma__regular_coupons_are_exact():
    start = as_dates(["2023-08-31", "2024-02-29"])
    end = as_dates(["2024-02-29", "2024-08-31"])
    years = year_fraction(
        "ACT/ACT ICMA", start, end, reference_start=start, reference_end=end, payments_per_year=[2, 2]
    )
    assert years.tolist() == [0.5, 0.5]


def test_icma__remembers_a_roll_day_that_february_cut():
    # back from 28 February to 31 August 2023 lies 31 August 2022, not the 28th
    years = year_fraction(
        "ACT/ACT ICMA", "2022-08-31", "2023-08-31", reference_start="2023-02-28", reference_end="2023-08-31"
    )
    assert years.tolist() == [1.0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "needs reference_start and reference_end"),
        ({"reference_start": "2026-06-01", "reference_end": "2026-01-01"}, "end after they start"),
        ({"reference_start": "2026-01-01", "reference_end": "2026-01-20"}, "whole months"),
        ({"reference_start": "2026-01-01", "reference_end": "2026-06-01", "payments_per_year": 5}, "whole months"),
        ({"reference_start": "2026-01-01", "reference_end": "2026-06-01", "payments_per_year": 0}, "whole months"),
    ],
)
def test_icma__says_what_it_needs(options, sentence):
    with pytest.raises(InputError, match=sentence):
        year_fraction("ACT/ACT ICMA", "2026-01-01", "2026-06-01", **options)


@pytest.mark.parametrize("name", DAY_COUNTS)
def test_day_count__of_no_time_is_zero_and_turns_sign_with_the_dates(name):
    start, end = random_pairs(300)
    options = {"reference_start": "2020-01-15", "reference_end": "2020-07-15", "holidays": TARGET}
    assert (year_fraction(name, start, start, **options) == 0).all()
    there, back = (year_fraction(name, *pair, **options) for pair in ((start, end), (end, start)))
    assert there.tolist() == (-back).tolist()


@pytest.mark.parametrize("name", DAY_COUNTS)
def test_day_count__of_a_missing_date_is_nan_there_alone(name):
    start, end = as_dates(["2026-01-15", "NaT", "2026-01-15"]), as_dates(["2026-07-15", "2026-07-15", "NaT"])
    options = {"reference_start": "2026-01-15", "reference_end": "2026-07-15", "holidays": TARGET}
    years = year_fraction(name, start, end, **options)
    assert np.isnan(years).tolist() == [False, True, True]
    assert years[0] == year_fraction(name, start[:1], end[:1], **options)[0]


@pytest.mark.parametrize("name", DAY_COUNTS)
def test_day_count__of_nothing_is_nothing(name):
    empty = as_dates([])
    years = year_fraction(name, empty, empty, reference_start=empty, reference_end=empty, holidays=empty)
    assert years.shape == (0,)
    assert years.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("30/360", [1, 3, 2]),
        ("30E/360", [1, 3, 2]),
        ("30E/360 ISDA", [2, 1, 1]),
        ("ACT/360", [1, 1, 1]),
        ("ACT/365F", [1, 1, 1]),
    ],
)
def test_day_count__of_one_day_at_the_end_of_february(name, expected):
    start = as_dates(["2024-02-28", "2023-02-28", "2024-02-29"])
    days = year_fraction(name, start, start + np.timedelta64(1, "D")) * (365 if name == "ACT/365F" else 360)
    assert days.round(12).tolist() == expected


def test_act_act_isda__of_one_day_is_its_years_share():
    days = year_fraction(
        "ACT/ACT ISDA", ["2023-12-31", "2024-12-31", "2024-02-28"], ["2024-01-01", "2025-01-01", "2024-02-29"]
    )
    np.testing.assert_allclose(days, [1 / 365, 1 / 366, 1 / 366], rtol=1e-13)


def test_by_code__equals_each_day_count_alone():
    start, end = random_pairs(600)
    codes = np.random.default_rng(13).integers(0, len(DAY_COUNTS), 600)
    place = np.random.default_rng(14).integers(0, 2, 600)
    options = {
        "reference_start": start,
        "reference_end": add_months(start, 6),
        "payments_per_year": 2,
        "is_last": end > start,
    }
    together = year_fraction_by_code(codes, DAY_COUNTS, start, end, holidays=(place, (TARGET, as_dates([]))), **options)
    for i in range(600):
        one = {k: (v[i : i + 1] if isinstance(v, np.ndarray) else v) for k, v in options.items()}
        closed = (TARGET, as_dates([]))[place[i]]
        alone = year_fraction(DAY_COUNTS[codes[i]], start[i : i + 1], end[i : i + 1], holidays=closed, **one)
        assert together[i] == alone[0]


def test_day_count__names_what_is_unknown_or_missing():
    with pytest.raises(UnknownName, match="unknown day count 'ACT/365'; did you mean 'ACT/365F'"):
        year_fraction("ACT/365", "2026-01-01", "2026-06-01")
    with pytest.raises(InputError, match="BUS/252 needs holidays"):
        year_fraction("BUS/252", "2026-01-01", "2026-06-01")
