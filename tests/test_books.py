"""Books: trades chosen by their labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskgrid.books import Books
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.terms import Names

LABELS, VALUES = ("region", "desk", "book"), ("a", "b", "c", "")
CHOICE = st.dictionaries(
    st.sampled_from(LABELS), st.lists(st.sampled_from(VALUES), min_size=1, max_size=3), min_size=1, max_size=3
)
BOOKS = st.lists(CHOICE, max_size=4)
TRADES = st.lists(st.tuples(*(st.sampled_from(VALUES) for _ in LABELS)), max_size=12)


def held(books, trades):
    """Which trades they hold, as the class has it."""
    columns = {label: Names.of(np.array([trade[at] for trade in trades], object)) for at, label in enumerate(LABELS)}
    return books.held(columns.__getitem__, len(trades)).tolist()


def by_hand(form, trades):
    """Which trades a form holds, trade by trade."""
    rows = [dict(zip(LABELS, trade, strict=True)) for trade in trades]
    return [any(all(row[label] in values for label, values in choice.items()) for choice in form) for row in rows]


@given(BOOKS, TRADES)
@settings(max_examples=100, deadline=None)
def test_held__is_what_a_loop_over_trades_finds(form, trades):
    assert held(Books.of(form), trades) == by_hand(form, trades)


@given(BOOKS, BOOKS, TRADES)
@settings(max_examples=200, deadline=None)
def test_covers__only_where_no_trade_can_be_left_out(form, other, trades):
    large, small = Books.of(form), Books.of(other)
    if large.covers(small):
        assert all(not b or a for a, b in zip(held(large, trades), held(small, trades), strict=True))
    assert large.covers(large)
    assert large.covers(Books())
    assert Books.of([*form, *other]).covers(small)


@given(BOOKS, st.randoms())
@settings(max_examples=100, deadline=None)
def test_key__is_the_same_however_books_are_said(form, random):
    said = [{label: random.sample(values, len(values)) for label, values in choice.items()} for choice in form]
    random.shuffle(said)
    books = Books.of(form)
    assert Books.of(said + form).key == books.key
    assert Books.read(books.key) == books == Books.of(books)


@given(BOOKS, TRADES)
@settings(max_examples=100, deadline=None)
def test_among__drops_choices_that_hold_no_trade(form, trades):
    unknown = [{"unheard": ["a"], **choice} for choice in form]
    assert held(Books.of(form + unknown).among(LABELS), trades) == by_hand(form, trades)


def test_read__of_an_empty_text_is_every_book():
    assert Books.read("") is None
    assert Books.read("[]") == Books()


def test_covers__needs_every_choice_within_one():
    both = Books.of([{"desk": "Rates"}, {"desk": "Credit"}])
    assert not both.covers(Books.of({"desk": ["Rates", "FX"]}))
    assert not both.covers(Books.of({"region": "EMEA"}))
    assert both.covers(Books.of([{"desk": "Rates", "book": "B"}, {"desk": "Credit"}]))
    assert not Books().covers(both)


def test_check__names_a_label_that_no_trade_has():
    with pytest.raises(UnknownName, match="unknown label 'desc'; did you mean 'desk'"):
        Books.of({"desc": "Rates"}).check(LABELS)


@pytest.mark.parametrize("form", ["desk", 3, None, {}, [{}], [3], {"desk": ()}, {"desk": [1]}, {"desk": None}])
def test_of__what_is_no_choice_is_refused(form):
    with pytest.raises(BadSpec, match=r"right, e\.g\. \[\{'region': 'EMEA'"):
        Books.of(form)


def test_text__says_what_is_held():
    assert str(Books()) == "none"
    assert (
        str(Books.of([{"region": "EMEA", "desk": ["B", "A"]}, {"book": "X"}])) == "book X; desk A or B of region EMEA"
    )
