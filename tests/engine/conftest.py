"""An instrument that is no more than its formula, and blocks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from riskgrid.market.objects import Level
from riskgrid.registry import INSTRUMENTS, Instrument
from riskgrid.terms import Currency, Date, Equity, Float, Names

TODAY = np.datetime64("2016-07-01")


@dataclass(frozen=True)
class Terms:
    underlying: Equity
    currency: Currency
    strike: Float
    expiry: Date


def spot_times_strike(terms, market):
    return terms.strike * market.spot(terms.underlying)


@pytest.fixture
def instrument():
    """``instrument(price, eager=False)``: not in the registry."""

    def made(price=spot_times_strike, *, eager=False, ends="expiry", code=b"1") -> Instrument:
        return Instrument("probe", Terms, price, "currency", None, ends, eager, ("strike",), code)

    return made


@pytest.fixture
def register(instrument):
    """The same in the registry, until the test ends."""

    def added(*args: Any, **options: Any) -> Instrument:
        INSTRUMENTS.add("probe", instrument(*args, **options))
        return INSTRUMENTS["probe"]

    yield added
    INSTRUMENTS.remove("probe")


@pytest.fixture
def columns():
    """``columns(strikes)``: as many trades, all of one underlying."""

    def made(strikes, *, quantity=1.0, expiry="2017-07-01", underlying="A", currency="USD"):
        count = len(strikes)

        def names(text):
            return Names(np.zeros(count, np.int32), (text,))

        return {
            "trade_date": np.full(count, TODAY),
            "quantity": np.broadcast_to(np.asarray(quantity, float), (count,)).copy(),
            "underlying": names(underlying),
            "currency": names(currency),
            "strike": np.asarray(strikes, float),
            "expiry": np.broadcast_to(np.asarray(expiry, "datetime64[D]"), (count,)).copy(),
        }

    return made


@pytest.fixture
def level():
    return lambda *states: Level(np.array([states], float))
