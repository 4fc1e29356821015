from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.market.curves import curve_panel
from riskgrid.market.objects import Curve, Level, Prices, Surface
from riskgrid.market.stack import Stack, answer, distinct
from riskgrid.program import Program

TODAY = np.datetime64("2016-07-01")


@dataclass
class Clock:
    base_date: np.datetime64 = TODAY
    date: np.datetime64 = TODAY


def numbers(quantity, trades, states=2):
    return np.array(Program(quantity, trades).replay(slice(0, states)))


def days(*counts):
    return TODAY.astype(np.int64) + np.array(counts)


def curve(times, zeros, interpolation="linear_zero"):
    times, zeros = np.array(times), np.array(zeros)
    return Curve(times, curve_panel(times, zeros, interpolation), interpolation, "flat_zero")


DOLLAR = curve([1.0, 2.0], [[0.01, 0.03], [0.02, 0.04]])
CUBIC = curve([1.0, 2.0, 5.0], [[0.01, 0.03], [0.02, 0.04], [0.02, 0.01]], "monotone_cubic")
ONE_NODE = curve([1.0], [[-0.005, np.nan]])


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2), st.integers(-40_000, 40_000)), max_size=40))
def test_distinct__gives_every_combination_once_and_its_row(rows):
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    pairs, row = distinct(*columns)
    np.testing.assert_array_equal(pairs[row], columns.T)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs) == len(set(rows))


@pytest.mark.parametrize("trades", [3, 4, 40])
def test_answer__has_the_same_bits_from_a_shared_table_and_from_the_trades_own_tile(trades):
    row = np.arange(trades) % 2
    pairs = np.column_stack([[0, 0], [-1, -1], days(100, 500)])
    found = Stack(Clock(), [DOLLAR]).discount(pairs)
    np.testing.assert_array_equal(numbers(answer(found, row, trades), trades), numbers(found.by_trade(row), trades))


def test_discount__of_curves_of_different_schemes_stand_in_one_table():
    """A curve that needs fewer nodes than its neighbours keeps its bits, and takes no NaN from them."""
    curves = [ONE_NODE, DOLLAR, CUBIC]
    pairs = np.array([[at, -1, day] for at in range(3) for day in days(1, 200, 365, 500, 4000).tolist()])
    together = numbers(Stack(Clock(), curves).discount(pairs).table(), len(pairs))
    for at, one in enumerate(curves):
        own = pairs[pairs[:, 0] == at]
        own[:, 0] = 0
        alone = numbers(Stack(Clock(), [one]).discount(own).table(), len(own))
        np.testing.assert_array_equal(together[pairs[:, 0] == at], alone)
    assert np.isnan(together).sum() == 5  # the second state of the curve without a level


def test_discount__with_a_spread_falls_at_the_spread():
    spread = Level(np.array([[0.02, 0.05]]))
    pairs = np.array([[0, 0, days(730)[0]], [0, -1, days(730)[0]]])
    with_spread, without = numbers(Stack(Clock(), [DOLLAR], [spread]).discount(pairs).table(), 2)
    np.testing.assert_allclose(with_spread, without * np.exp([-0.04, -0.1]), rtol=1e-15)


def test_discount__of_today_and_before_is_one():
    pairs = np.column_stack([[0, 0], [-1, -1], days(0, -300)])
    np.testing.assert_array_equal(numbers(Stack(Clock(), [DOLLAR]).discount(pairs).table(), 2), 1.0)


def test_discount__carries_what_was_paid_before_the_state_date_at_the_base_curve():
    """The second state's own curve is another; a spread is none of the cash's."""
    clock = Clock(date=TODAY + np.timedelta64(365, "D"))
    spread = Level(np.array([[0.5, 0.5]]))
    pairs = np.column_stack([np.zeros(3, int), [-1, 0, -1], days(100, 100, 366)])
    found = numbers(Stack(clock, [DOLLAR], [spread]).discount(pairs).table(), 3)
    carried = np.exp(0.01 * 1.0 - 0.01 * 100 / 365)
    np.testing.assert_allclose(found[:2], carried, rtol=1e-15)
    np.testing.assert_allclose(found[2], np.exp(-np.array([0.01, 0.03]) / 365), rtol=1e-15)


def test_growth__is_the_inverse_discount_factor_less_the_yield():
    dividend = Level(np.array([[0.02, 0.01]]))
    pairs = np.array([[0, 0, days(730)[0]], [0, -1, days(730)[0]]])
    stack = Stack(Clock(), [DOLLAR], [dividend])
    paying, without = numbers(stack.growth(pairs).table(), 2)
    discount = numbers(stack.discount(pairs[1:]).table(), 1)[0]
    np.testing.assert_allclose(without, 1 / discount, rtol=1e-15)
    np.testing.assert_allclose(paying, np.exp([-0.04, -0.02]) / discount, rtol=1e-15)


def test_zero_rates__are_linear_between_the_nodes():
    pairs = np.column_stack([np.zeros(3, int), days(100, 365 + 73, 4000)])
    found = numbers(Stack(Clock(), [DOLLAR]).zero_rates(pairs).table(), 3)
    np.testing.assert_allclose(found, [[0.01, 0.03], [0.012, 0.032], [0.02, 0.04]], rtol=1e-15)


def test_prices__of_several_commodities_keep_their_own_nodes():
    oil, gold = (
        Prices(np.array([0.0, 1.0]), np.array([[40.0, 50.0], [44.0, 54.0]])),
        Prices(np.array([0.5]), np.array([[1300.0, 1400.0]])),
    )
    pairs = np.column_stack([[0, 1, 0], days(73, 73, 800)])
    found = numbers(Stack(Clock(), [oil, gold]).prices(pairs).table(), 3)
    np.testing.assert_allclose(found, [[40.8, 50.8], [1300.0, 1400.0], [44.0, 54.0]], rtol=1e-15)


def surface(expiries, moneyness, vols):
    variance = np.repeat(np.array(vols, float).reshape(-1, 1) ** 2, 2, axis=1)
    return Surface(np.array(expiries), np.array(moneyness), variance, "sticky_moneyness")


def test_vol__of_surfaces_on_different_grids_stand_in_one_look_up():
    wide, narrow = surface([1.0], [0.5, 1.5], [0.4, 0.2]), surface([0.5, 2.0], [1.0], [0.1, 0.3])
    which, years = np.array([0, 1, 0, 1]), np.array([1.0, 0.1, 3.0, 2.0])
    moneyness = np.array([[0.5], [0.9], [1.0], [1.1]])
    together = numbers(Stack(Clock(), [wide, narrow]).vol(which, years, np.repeat(moneyness, 2, axis=1)[:, :1]), 4)
    np.testing.assert_allclose(together[:, 0], [0.4, 0.1, np.sqrt(0.1), 0.3], rtol=1e-15)
    for at, one in enumerate((wide, narrow)):
        here = which == at
        alone = numbers(Stack(Clock(), [one]).vol(which[here] * 0, years[here], moneyness[here]), here.sum())
        np.testing.assert_array_equal(together[here], alone)


def test_vol__is_linear_in_total_variance_between_expiries_and_flat_outside():
    one = surface([0.5, 2.0], [1.0], [0.2, 0.3])
    years = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 9.0])
    total = np.interp(np.clip(years, 0.5, 2.0), [0.5, 2.0], [0.5 * 0.04, 2.0 * 0.09])
    found = numbers(Stack(Clock(), [one]).vol(np.zeros(6, int), years, np.ones((6, 1))), 6)
    np.testing.assert_allclose(found[:, 0] ** 2, total / np.clip(years, 0.5, 2.0), rtol=1e-14)


def test_vol__an_expiry_node_of_no_length_is_read_at_no_time_and_weighs_nothing_later():
    one = surface([0.0, 1.0], [1.0], [0.5, 0.2])
    found = numbers(Stack(Clock(), [one]).vol(np.zeros(3, int), np.array([0.0, 0.5, 1.0]), np.ones((3, 1))), 3)
    np.testing.assert_allclose(found[:, 0], [0.5, 0.2, 0.2], rtol=1e-15)
