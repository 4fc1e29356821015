from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest

from riskgrid.terms import (
    COMMON_TERMS,
    Between,
    Choice,
    Currency,
    Date,
    Float,
    Int,
    Kind,
    Names,
    NonNegative,
    Positive,
    Text,
    Unit,
    describe,
    same_as,
)


@dataclass(frozen=True)
class Swap:
    currency: Currency
    side: Annotated[Text, Choice("pay", "receive")]
    notional: Annotated[Float, Unit("currency"), Positive]
    start: Date
    first_fixing: Date = same_as("start")
    payments: Annotated[Int, Between(1, 12)] = 4


def test_describe__tells_each_column_in_order():
    columns = {term.name: term for term in describe(Swap)}
    assert list(columns) == ["currency", "side", "notional", "start", "first_fixing", "payments"]
    assert columns["currency"].kind == Kind("name", "currency")
    assert columns["side"].choices == ("pay", "receive")
    assert (columns["notional"].unit, str(columns["notional"].bounds)) == ("currency", "above 0")
    assert columns["payments"].kind.storage == "int"
    assert columns["start"].kind.storage == "date"


def test_describe__tells_which_terms_a_trade_must_state():
    columns = {term.name: term for term in describe(Swap)}
    assert [name for name, term in columns.items() if term.required] == ["currency", "side", "notional", "start"]
    assert columns["first_fixing"].default_from == "start"
    assert columns["payments"].default == 4
    assert columns["payments"].default_from is None
    assert [term.required for term in COMMON_TERMS] == [True, False]


def test_describe__refuses_what_is_no_column():
    @dataclass(frozen=True)
    class Wrong:
        notional: float

    with pytest.raises(TypeError, match="term 'notional' of Wrong is annotated <class 'float'>; use Float, Int, Date"):
        describe(Wrong)


def test_between__holds_finite_numbers_inside_only():
    values = np.array([-1.0, 0.0, 1.0, np.inf, np.nan])
    assert Positive.holds(values).tolist() == [False, False, True, False, False]
    assert NonNegative.holds(values).tolist() == [False, True, True, False, False]
    assert Between(-1.0, 0.0).holds(values).tolist() == [True, True, False, False, False]


def test_between__says_its_bounds():
    assert str(Positive) == "above 0"
    assert str(NonNegative) == "at least 0"
    assert str(Between(0.0, 1.0)) == "at least 0 and at most 1"


def test_names__compare_with_a_text_or_with_other_names():
    side = Names.of(["call", "put", "call"])
    assert (side == "call").ravel().tolist() == [True, False, True]
    assert (side != "call").ravel().tolist() == [False, True, False]
    assert not (side == "straddle").any()
    other = Names(np.array([[0], [0], [1]], np.int32), ("put", "call"))
    assert (side == other).ravel().tolist() == [False, True, True]
    assert (side != other).ravel().tolist() == [True, False, False]


def test_names__take_rows_and_keep_their_family():
    names = Names(np.array([[1], [0]], np.int32), ("EUR", "USD"), "currency")
    assert len(names) == 2
    assert names[1:].texts().tolist() == [["EUR"]]
    assert names[1:].family == "currency"
    assert Names(np.zeros((0, 1), np.int32), ()).texts().shape == (0, 1)


def test_names__cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(Names.of(["a"]))
