import numpy as np
import pytest

from riskgrid.conventions import make_schedule
from riskgrid.errors import NotAQuantity
from riskgrid.market.flows import Flows, business_days_later, sum_flows
from riskgrid.program import Program
from riskgrid.quantity import Quantity, evaluate_flow, source
from riskgrid.terms import Names

CLOSED = np.array(["2016-07-04"], "datetime64[D]")
HOLIDAYS = (np.zeros(2, np.int64), [CLOSED])
COUPON = np.array([[0.05], [0.1]])


def flows(counter=None):
    """A bond of a year and a half, and one of a year, paid twice a year."""

    def make():
        if counter is not None:
            counter.append(1)
        start, end = np.array([["2016-01-04", "2016-01-04"], ["2017-07-04", "2017-01-04"]], "datetime64[D]")
        periods = make_schedule(start, end, 6, roll="unadjusted", holidays=np.array([], "datetime64[D]"))
        return periods, periods.end + np.timedelta64(1, "D")

    return Flows(make, np.array([2, 2]), HOLIDAYS)


def test_flows__are_not_built_before_they_are_read():
    built = []
    made = flows(built)
    amount = made.accrual("30/360") * COUPON + made.is_last
    assert not built
    evaluate_flow(amount, made)
    evaluate_flow(made.end, made)
    assert built == [1]


def test_flows__combine_with_columns_and_numbers():
    made = flows()
    amount = made.accrual("30/360") * COUPON * 100.0 + made.is_last * 100.0
    np.testing.assert_allclose(evaluate_flow(amount, made), [2.5, 2.5, 102.5, 5.0, 105.0], rtol=1e-15)
    np.testing.assert_array_equal(made.offset, [0, 3, 5])
    np.testing.assert_array_equal(made.trade, [0, 0, 0, 1, 1])


def test_flows__say_when_they_accrue_and_when_they_are_paid():
    made = flows()
    days = (evaluate_flow(made.end, made) - evaluate_flow(made.start, made)).astype(int)
    np.testing.assert_array_equal(days, [182, 184, 181, 182, 184])
    np.testing.assert_array_equal(evaluate_flow(made.payment, made), made.schedule.end + np.timedelta64(1, "D"))
    np.testing.assert_array_equal(evaluate_flow(made.payment, made), made.payment_dates)


def test_accrual__counts_each_trade_in_its_own_day_count():
    made = flows()
    each = evaluate_flow(made.accrual(Names(np.array([[1], [0]], np.int32), ("BUS/252", "ACT/360"))), made)
    np.testing.assert_allclose(each[:3], np.array([182, 184, 181]) / 360, rtol=1e-15)
    open_days = np.busday_count(made.schedule.start[3:], made.schedule.end[3:], holidays=CLOSED)
    np.testing.assert_allclose(each[3:], open_days / 252, rtol=1e-15)


def test_evaluate_flow__refuses_amounts_of_two_schedules():
    one, other = flows(), flows()
    with pytest.raises(NotAQuantity, match="two schedules"):
        evaluate_flow(one.accrual("30/360") + other.accrual("30/360"), one)


def test_evaluate_flow__refuses_an_amount_that_moves_with_the_state():
    made = flows()
    with pytest.raises(NotAQuantity, match="moves with the state"):
        evaluate_flow(made.accrual("30/360") * source(np.ones((1, 2))), made)


def test_program__refuses_bare_cash_flows():
    with pytest.raises(NotAQuantity, match="present_value"):
        Program(flows().is_last, 2)


def test_business_days_later__each_by_its_own_lag_and_calendar():
    friday = np.array(["2016-07-01"] * 4, "datetime64[D]")
    codes = np.array([0, 0, 1, 1])
    moved = business_days_later(friday, np.array([0, 1, 1, 3]), (codes, [CLOSED, CLOSED[:0]]))
    assert [str(day) for day in moved] == ["2016-07-01", "2016-07-05", "2016-07-04", "2016-07-06"]


def test_sum_flows__of_any_range_of_trades_has_the_same_bits():
    rng = np.random.default_rng(1)
    offset = np.array([0, 3, 3, 10, 12])
    row, amount = rng.integers(0, 5, 12), rng.normal(size=12)
    table = rng.uniform(0.5, 1.0, (5, 40))
    program = Program(sum_flows(source(table), row, amount, offset), 4)
    whole = np.array(program.replay(slice(0, 40)))
    np.testing.assert_allclose(whole[2], amount[3:10] @ table[row[3:10]], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(whole[1], 0.0)
    for trades in (slice(0, 1), slice(1, 3), slice(2, 4)):
        np.testing.assert_array_equal(program.replay(slice(16, 40), trades), whole[trades, 16:])


def test_flows__are_flow_quantities():
    assert isinstance(flows().start, Quantity)
    assert flows().start.extent == "flow"
