"""Values printed in books; each published year fraction is mapped to whole days, which leaves the formula alone."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from riskgrid.market.objects import Fixings
from tests.instruments.oracle import snapshot

REFERENCES = Path(__file__).parents[1] / "references"


def rows(name):
    lines = (REFERENCES / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


OPTIONS, FLOWS = rows("option.csv"), {row["name"]: row for row in rows("cash_flow.csv")}
START = np.datetime64("2013-04-01")  # 3, 9 and 15 months after it are business days


def numbers(text):
    return [float(part) for part in text.split(";")]


def curve_through(payments, row, date):
    """Zero rates that give each payment date its published discount factor."""
    days = (np.array(payments, "datetime64[D]") - date).astype(int)
    published = zip(days.tolist(), numbers(row["years"]), numbers(row["zeros"]), strict=True)
    return {count: rate * years * 365.0 / count for count, years, rate in published}


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: f"{row['source']} {row['instrument']} {row['value']}")
def test_value__is_the_one_printed(value, row):
    # an option depends on rate * time and variance * time alone: they are spread over one year of 365 days
    years = float(Fraction(row["years"]))
    spot, rate, other = (float(row[name]) for name in ("spot", "rate", "yield"))
    rate, other, vol = rate * years, other * years, float(row["vol"]) * years**0.5
    curves = {"USD": {365: rate}, "EUR": {365: other}}
    names = {
        "equity_option": {"equity:X": spot, "dividend:X": other, "vol:X:365D:1.00": vol},
        "fx_option": {"fx:EUR": spot, "vol:EURUSD:365D:1.00": vol},
        "commodity_option": {"commodity:X:0D": spot, "vol:X:365D:1.00": vol},
    }
    terms = {
        "equity_option": {"underlying": "X", "currency": "USD", "option_type": row["option_type"]},
        "fx_option": {"call_currency": "EUR", "put_currency": "USD", "notional": 1.0},
        "commodity_option": {"commodity": "X", "currency": "USD", "option_type": row["option_type"], "lot": 1.0},
    }
    trade = {**terms[row["instrument"]], "strike": [float(row["strike"])], "expiry": "2017-07-01"}
    found = value(row["instrument"], trade, snapshot(names[row["instrument"]], curves=curves))
    assert found.base[0] == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))


def test_value__of_hulls_bond_is_the_one_printed(value):
    row = FLOWS["bond"]
    coupon, notional = numbers(row["terms"])
    date = np.datetime64("2013-07-01")
    payments = ["2014-01-01", "2014-07-01", "2015-01-01", "2015-07-01"]
    trade = {
        "currency": "USD",
        "notional": [notional],
        "coupon": coupon,
        "issue": date,
        "maturity": payments[-1],
        "payments_per_year": 2,
        "day_count": "30/360",
        "calendar": "weekends",
    }
    market = snapshot(date=date, curves={"USD": curve_through(payments, row, date)})
    found = value("fixed_rate_bond", trade, market)
    assert found.base[0] == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))


def test_value__of_hulls_forward_is_the_one_printed(value):
    row = FLOWS["forward"]
    price, agreed = numbers(row["terms"])
    date = np.datetime64("2016-07-01")
    delivery = np.datetime64("2016-12-30")
    trade = {"commodity": "X", "currency": "USD", "lot": 1.0, "price": [agreed], "delivery": delivery}
    market = snapshot({"commodity:X:0D": price}, curves={"USD": curve_through([delivery], row, date)})
    found = value("commodity_forward", trade, market)
    assert found.base[0] == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))


def test_value__of_hulls_swap_is_the_one_printed(value):
    row = FLOWS["swap"]
    fixed, floating, notional = numbers(row["terms"])
    date = np.datetime64("2013-07-01")
    payments = ["2013-10-01", "2014-04-01", "2014-10-01"]
    index = {"currency": "USD", "curve": "USD", "tenor": "6M", "day_count": "30/360", "fixing_lag": 0}
    trade = {
        "currency": "USD",
        "side": "receive",
        "notional": [notional],
        "fixed_rate": fixed,
        "index": "USD-6M",
        "start": START,
        "maturity": payments[-1],
        "calendar": "weekends",
        **{f"{leg}_payments_per_year": 2 for leg in ("fixed", "floating")},
        **{f"{leg}_day_count": "30/360" for leg in ("fixed", "floating")},
    }
    market = snapshot(
        date=date,
        curves={"USD": curve_through(payments, row, date)},
        indices={"USD-6M": index},
        fixings={"USD-6M": Fixings(np.array([START]), np.array([floating]))},
    )
    found = value("interest_rate_swap", trade, market)
    assert found.base[0] == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))
