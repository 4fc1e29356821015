"""How often one may ask."""

import pytest

from riskgrid.api.rate import Rates
from riskgrid.errors import TooMany


def test_take__lets_a_burst_in_and_then_a_steady_rate():
    now = [0.0]
    rates = Rates(10.0, 3.0, clock=lambda: now[0])
    for _ in range(3):
        rates.take("kim")
    with pytest.raises(TooMany, match=r"asks more than 10 times a second; ask again in 0\.1 s") as found:
        rates.take("kim")
    assert found.value.seconds == pytest.approx(0.1)
    now[0] = 0.1
    rates.take("kim")
    with pytest.raises(TooMany):
        rates.take("kim")
    now[0] = 100.0
    for _ in range(3):
        rates.take("kim")
    with pytest.raises(TooMany):
        rates.take("kim")


def test_take__counts_each_name_alone():
    rates = Rates(1.0, 1.0, clock=lambda: 0.0)
    rates.take("kim")
    rates.take("lee")
    with pytest.raises(TooMany):
        rates.take("lee")


def test_take__of_nothing_only_looks():
    rates = Rates(1.0, 1.0, clock=lambda: 0.0)
    rates.take("kim", 0.0)
    rates.take("kim", 0.0)
    rates.take("kim")
    with pytest.raises(TooMany):
        rates.take("kim", 0.0)


def test_rates__forget_those_who_have_not_asked_for_long():
    rates = Rates(1.0, 1.0, clock=lambda: 0.0)
    rates.take("first")
    for number in range(10_000):
        rates.take(f"address {number}")
    rates.take("first")
