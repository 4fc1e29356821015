"""Two instruments of the tests' own, the only ones registered while a test of this folder runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pytest

from riskgrid.registry import INSTRUMENTS, instrument
from riskgrid.terms import Between, Choice, Currency, Date, Equity, Float, Int, Names, Positive, Text, same_as


@dataclass(frozen=True)
class Option:
    underlying: Equity
    currency: Currency
    option_type: Annotated[Text, Choice("call", "put")]
    strike: Annotated[Float, Positive]
    expiry: Date
    lots: Annotated[Int, Between(1, 1000)] = 1
    delivery: Date = same_as("expiry")
    premium: Float = 0.0
    premium_currency: Currency = same_as("currency")
    note: Text = ""
    barrier: Annotated[Float, Positive] = np.nan
    knocked: Date = None


@dataclass(frozen=True)
class Forward:
    bought: Currency
    sold: Currency
    notional: Annotated[Float, Positive]
    maturity: Date


def _name(text: str) -> Names:
    return Names.of([text])


def _day(text: str) -> Any:
    return np.array([[text]], "datetime64[D]")


@pytest.fixture(autouse=True)
def _own_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(INSTRUMENTS, "_entries", {})
    monkeypatch.setattr(INSTRUMENTS, "_loaded", True)
    option = Option(_name("AAPL"), _name("USD"), _name("call"), np.array([[100.0]]), _day("2025-01-17"))
    forward = Forward(_name("EUR"), _name("USD"), np.array([[1e6]]), _day("2025-01-17"))
    instrument("option", value_in="currency", example=option, ends="expiry")(lambda terms, market: terms.strike)
    instrument("forward", value_in="sold", example=forward, ends="maturity")(lambda terms, market: terms.notional)


@pytest.fixture
def options() -> dict[str, list[Any]]:
    """Two options, every optional column left out."""
    return {
        "trade_id": ["T-1", "T-2"],
        "trade_date": ["2024-03-28", "2024-04-02"],
        "underlying": ["AAPL", "MSFT"],
        "currency": ["USD", "USD"],
        "option_type": ["call", "put"],
        "strike": [180.0, 400.5],
        "expiry": ["2025-01-17", "2025-06-20"],
    }


@pytest.fixture
def forwards() -> dict[str, list[Any]]:
    """One forward with a desk and a label of the user's own."""
    return {
        "trade_id": ["F-1"],
        "desk": ["fx"],
        "trader": ["Zoë"],
        "trade_date": ["2024-03-28"],
        "quantity": [-2.0],
        "bought": ["EUR"],
        "sold": ["USD"],
        "notional": [1e6],
        "maturity": ["2024-09-30"],
    }
