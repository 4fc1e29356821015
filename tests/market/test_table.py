from dataclasses import dataclass

import numpy as np
import pytest

from riskgrid.market.objects import Curve, Level
from riskgrid.market.stack import Stack
from riskgrid.market.table import DiscountTable

TODAY = np.datetime64("2016-07-01")
DOLLAR = Curve(np.array([1.0, 5.0]), np.array([[0.01, 0.03, 0.0], [0.02, 0.04, 0.1]]), "linear_zero", "flat_zero")
EURO = Curve(np.array([1.0, 2.0]), np.array([[-0.01, np.nan, 0.0], [0.0, 0.02, 0.0]]), "linear_zero", "flat_zero")
SPREAD = Level(np.array([[0.02, 0.05, np.nan]]))


@dataclass
class Clock:
    base_date: np.datetime64 = TODAY
    date: np.datetime64 = TODAY


def days(*counts):
    return TODAY + np.array(counts).astype("timedelta64[D]")


def whole(table):
    """The table's numbers: what a program makes of its quantity."""
    panels = [panel.operation.panel for panel in table.quantity.inputs]
    return np.array(table.quantity.operation(*panels, out=None))


def alone(curve, dates, level=-1):
    pairs = np.column_stack([np.zeros(len(dates), int), np.full(len(dates), level), dates.astype(int)])
    rows = Stack(Clock(), [curve], [SPREAD]).discount(pairs)
    return rows.function(rows.panel.operation.panel, rows.index, rows.weight)


def test_dates__of_one_curve_and_day_are_one_row_whoever_asks():
    table = DiscountTable(Clock())
    first = table.dates([DOLLAR], np.zeros(3, int), days(30, 90, 30))
    other = table.dates([EURO, DOLLAR], np.array([1, 0, 1]), days(90, 90, 7))
    assert first[0] == first[2]
    assert other[0] == first[1]
    assert len(set(first) | set(other)) == table.quantity.rows == 4


def test_dates__of_curves_of_equal_content_are_one_row():
    """A worker reads a curve back once for each role that it has."""
    copy = Curve(DOLLAR.times.copy(), DOLLAR.panel.copy(), "linear_zero", "flat_zero")
    moved = Curve(DOLLAR.times, DOLLAR.panel + 0.0001, "linear_zero", "flat_zero")
    other = Curve(DOLLAR.times, DOLLAR.panel, "log_linear_discount", "flat_zero")
    table = DiscountTable(Clock())
    rows = [table.dates([curve], np.zeros(1, int), days(500))[0] for curve in (DOLLAR, copy, moved, other)]
    assert rows[0] == rows[1]
    assert len(set(rows)) == 3


def test_dates__have_the_bits_of_a_table_of_their_own():
    """A curve with a missing node is none of its neighbours' business, nor is a spread."""
    table = DiscountTable(Clock())
    asked = [days(30, 400, 3000), days(100, 400), days(9)]
    rows = [
        table.dates([DOLLAR], np.zeros(3, int), asked[0]),
        table.dates([EURO], np.zeros(2, int), asked[1]),
        table.dates([DOLLAR, EURO], np.array([0]), asked[2], levels=([SPREAD], np.array([0]))),
    ]
    numbers = whole(table)
    np.testing.assert_array_equal(numbers[rows[0]], alone(DOLLAR, asked[0]))
    np.testing.assert_array_equal(numbers[rows[1]], alone(EURO, asked[1]))
    np.testing.assert_array_equal(numbers[rows[2]], alone(DOLLAR, asked[2], level=0))
    assert np.isnan(numbers).any(axis=1).sum() == 3  # the euro's two dates, and the one with a spread


def test_dates__of_many_days_of_one_trade_take_its_curve_and_spread():
    owner = np.array([1, 1, 0])
    table = DiscountTable(Clock())
    rows = table.dates(
        [EURO, DOLLAR], np.array([1, 0]), days(30, 60, 90), levels=([SPREAD], np.array([0, -1])), owner=owner
    )
    expected = np.concatenate([alone(EURO, days(30, 60)), alone(DOLLAR, days(90), level=0)])
    np.testing.assert_array_equal(whole(table)[rows], expected)


def test_periods__grow_on_one_curve_and_are_discounted_on_another():
    table = DiscountTable(Clock())
    bounds = table.dates([DOLLAR], np.zeros(2, int), days(100, 200))
    paid = table.dates([EURO], np.zeros(1, int), days(207))
    grown = table.periods(bounds[:1], bounds[1:], paid)
    later = table.dates([DOLLAR], np.zeros(1, int), days(1000))  # a table grows after its periods
    numbers, dollar = whole(table), alone(DOLLAR, days(100, 200, 1000))
    expected = (dollar[:1] / dollar[1:2] - 1.0) * alone(EURO, days(207))
    np.testing.assert_array_equal(numbers[grown], expected)
    np.testing.assert_array_equal(numbers[later], dollar[2:])


@pytest.mark.parametrize("count", [3, 30_000])
def test_table__keeps_its_memory_from_one_range_of_states_to_the_next(count):
    table = DiscountTable(Clock())
    table.dates([DOLLAR], np.zeros(count, int), days(*range(count)))
    first = table.quantity.operation(DOLLAR.panel, out=None)
    held = first[:, :1].copy()
    second = table.quantity.operation(np.ascontiguousarray(DOLLAR.panel[:, :1]), out=None)
    assert np.shares_memory(first, second)
    np.testing.assert_array_equal(second, held)


def test_table__without_rows_is_empty():
    table = DiscountTable(Clock())
    assert len(table.dates([DOLLAR], np.zeros(0, int), days())) == 0
    assert whole(table).shape[0] == 0
