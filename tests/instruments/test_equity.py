import numpy as np

from riskgrid.schema import Status
from tests.instruments.oracle import snapshot

LEVELS = {"equity:ACME": 95.25, "equity:BOLT": 1e-6, "fx:EUR": 1.11}


def test_value__is_spot_times_multiplier_times_quantity(value):
    trades = {
        "underlying": ["ACME", "BOLT", "ACME", "ACME"],
        "currency": "USD",
        "multiplier": [1.0, 1e9, 0.5, 1e12],
        "quantity": [-100.0, 3.0, 0.0, 1.0],
    }
    found = value("equity", trades, snapshot(LEVELS))
    np.testing.assert_array_equal(found.base, [-9525.0, 1e-6 * 1e9 * 3.0, 0.0, 95.25e12])
    assert (found.status == Status.PRICED).all()


def test_value__is_converted_from_the_currency_of_the_share(value):
    trades = {"underlying": ["ACME", "ACME"], "currency": ["EUR", "USD"]}
    dollars = value("equity", trades, snapshot(LEVELS))
    euros = value("equity", trades, snapshot(LEVELS), reporting="EUR")
    np.testing.assert_array_equal(dollars.base, [95.25 * 1.11, 95.25])
    np.testing.assert_array_equal(euros.base, [95.25, 95.25 * (1 / 1.11)])


def test_value__in_a_currency_without_a_rate_says_so(value):
    found = value("equity", {"underlying": ["ACME", "ACME"], "currency": ["JPY", "USD"]}, snapshot(LEVELS))
    assert found.problems == {0: "no FX rate 'fx:JPY'; known: 'fx:EUR'"}
    assert found.base[1] == 95.25
