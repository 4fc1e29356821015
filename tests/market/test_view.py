import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from riskgrid.errors import InputError, MissingMarketData, UnrecordedRead
from riskgrid.market.objects import Fixings
from riskgrid.market.states import MarketStates
from riskgrid.market.view import Market
from riskgrid.program import Program
from riskgrid.quantity import Quantity
from riskgrid.scenarios.set import shifts
from riskgrid.terms import Names
from tests.instruments.oracle import CURVES, TODAY, curve, date_of, day, snapshot

ql = pytest.importorskip("QuantLib")

LEVELS = {
    "fx:EUR": 1.11,
    "fx:JPY": 0.0097,
    "equity:AAPL": 95.0,
    "equity:SAP": 68.0,
    "dividend:AAPL": 0.02,
    "commodity:WTI:0D": 48.0,
    "commodity:WTI:365D": 52.0,
    "vol:AAPL:365D:1.00": 0.2,
}
UP = shifts(["up"], ["fx:EUR", "equity:AAPL"], 2.0, 0.0, name="up", kind="test", provenance={})
COUNTS = np.array([-400, -1, 0, 1, 15, 30, 91, 364, 365, 366, 1000, 3650, 10950, 20000])


def view(trades, date=TODAY, *, recording=False, objects=None, **market):
    states = MarketStates(snapshot(LEVELS, **market), UP) if objects is None else objects
    return Market(states, trades, base_date=TODAY, date=date, recording=recording)


def numbers(quantity, trades):
    if not isinstance(quantity, Quantity):
        return np.broadcast_to(quantity, (trades, 2))
    return np.array(Program(quantity, trades).replay(slice(0, 2)))


def all_of(name, family=""):
    return Names(np.zeros((1, 1), np.int32), (name,), family)


def each(*names, family=""):
    found = Names.of(names)
    return Names(found.codes, found.names, family)


def column(days):
    return np.array([day(count) for count in days]).reshape(-1, 1)


SCHEMES = [("linear_zero", "flat_zero"), ("linear_zero", "flat_forward"), ("log_linear_discount", "flat_forward")]


@pytest.mark.parametrize("schemes", SCHEMES)
@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
@pytest.mark.parametrize("repeat", [1, 5])
def test_discount__is_that_of_quantlib(schemes, currency, repeat):
    days = np.repeat(COUNTS, repeat)
    found = numbers(view(len(days), schemes=schemes).discount(all_of(currency), column(days)), len(days))
    rates = curve(CURVES[currency], schemes=schemes)
    expected = [rates.discount(date_of(day(count))) if count > 0 else 0.0 for count in days.tolist()]
    # an ulp of the exponent, which is below 2
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


@pytest.mark.parametrize("schemes", SCHEMES)
def test_zero_rate__is_that_of_quantlib(schemes):
    days = COUNTS[COUNTS > 0]
    found = numbers(view(len(days), schemes=schemes).zero_rate(all_of("USD"), column(days)), len(days))
    rates = curve(CURVES["USD"], schemes=schemes)
    expected = [rates.zeroRate(date_of(day(n)), ql.Actual365Fixed(), ql.Continuous).rate() for n in days.tolist()]
    # QuantLib takes the rate out of a discount factor: an ulp of 1 over the time
    assert (np.abs(found[:, 0] - expected) <= 2e-16 * 365.0 / days + 1e-17).all()


def test_discount__of_monotone_cubic_is_scipys_pchip():
    days = np.arange(30, 10950, 50)
    found = numbers(
        view(len(days), schemes=("monotone_cubic", "flat_zero")).discount(all_of("USD"), column(days)), len(days)
    )
    nodes = CURVES["USD"]
    zeros = PchipInterpolator(np.array(list(nodes)) / 365.0, list(nodes.values()))(days / 365.0)
    np.testing.assert_allclose(found[:, 0], np.exp(-zeros * days / 365.0), rtol=0, atol=1e-14)


def test_discount__by_the_name_of_a_curve():
    named = view(1).discount(all_of("USD"), column([500]), curve=all_of("PROJECTION"))
    expected = curve(CURVES["PROJECTION"]).discount(date_of(day(500)))
    np.testing.assert_allclose(numbers(named, 1), expected, rtol=1e-15)


def test_discount__between_valuation_and_state_date_is_a_growth_at_the_base_curve():
    later = view(4, day(400)).discount(all_of("USD"), column([0, 100, 400, 765]))
    rates = curve(CURVES["USD"])
    grown = rates.discount(date_of(day(100))) / rates.discount(date_of(day(400)))
    np.testing.assert_allclose(numbers(later, 4)[:, 0], [0.0, grown, 1.0, np.exp(-0.009)], rtol=1e-15)


def test_time_to__is_counted_from_the_state_date_and_never_negative():
    np.testing.assert_array_equal(view(3).time_to(column([-3, 0, 73])), [[0.0], [0.0], [0.2]])
    np.testing.assert_array_equal(view(3, day(73)).time_to(column([0, 73, 146])), [[0.0], [0.0], [0.2]])


def test_fx__goes_through_the_numeraire():
    market = view(5)
    of, to = each("EUR", "USD", "JPY", "EUR", "USD"), each("USD", "EUR", "EUR", "EUR", "USD")
    expected = np.array([[1.11, 2.22], [1 / 1.11, 1 / 2.22], [0.0097 / 1.11, 0.0097 / 2.22], [1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(numbers(market.fx(of, to), 5), expected)


def test_fx__of_a_currency_into_itself_is_the_number_one():
    assert view(2).fx(each("EUR", "JPY"), each("EUR", "JPY")) == 1.0
    assert isinstance(view(2).fx(all_of("USD"), all_of("USD")), float)


def test_spot__of_a_share_is_its_level_and_of_a_commodity_its_price_today():
    np.testing.assert_array_equal(numbers(view(1).spot(all_of("AAPL", "equity")), 1), [[95.0, 190.0]])
    np.testing.assert_array_equal(numbers(view(1).spot(all_of("WTI", "commodity")), 1), [[48.0, 48.0]])


def test_forward__of_a_share_is_carried_at_the_rate_less_the_yield_and_is_the_spot_once_passed():
    days = np.array([-5, 0, 365, 365])
    names = each("AAPL", "AAPL", "AAPL", "SAP", family="equity")
    found = numbers(view(4).forward(names, column(days), all_of("USD")), 4)
    growth = np.exp(np.array([0.0, 0.0, 0.009 - 0.02, 0.009]))
    np.testing.assert_allclose(found[:, 0], np.array([95.0, 95.0, 95.0, 68.0]) * growth, rtol=1e-15)
    np.testing.assert_array_equal(found[:, 1] / found[:, 0], [2.0, 2.0, 2.0, 1.0])


def test_forward__of_a_share_needs_a_currency():
    with pytest.raises(InputError, match="needs the currency of its discount curve"):
        view(1).forward(all_of("AAPL", "equity"), column([10]))


@pytest.mark.parametrize("later", [0, 200, 400])
def test_forward__of_an_exchange_rate_is_the_spot_once_passed(later):
    """Also where a discount factor between the two dates carries cash."""
    days = np.array([-5, 0, 100, 200, 400, 401, 1000])
    found = numbers(view(7, day(later)).forward((all_of("EUR"), all_of("USD")), column(days)), 7)[:, 0]
    dollars, euros = (curve(CURVES[name], date=day(later)) for name in ("USD", "EUR"))
    ahead = [date_of(day(max(count, later))) for count in days.tolist()]
    expected = [1.11 * euros.discount(date) / dollars.discount(date) for date in ahead]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert (found[days <= later] == 1.11).all()


def test_forward__of_a_commodity_is_linear_between_deliveries_and_flat_outside():
    found = numbers(view(4).forward(all_of("WTI", "commodity"), column([-10, 73, 365, 999])), 4)
    np.testing.assert_allclose(found[:, 0], [48.0, 48.8, 52.0, 52.0], rtol=1e-15)


def test_fixing__is_the_published_one_or_no_number():
    fixings = {"USD-3M": Fixings(np.array(["2016-06-30"], "datetime64[D]"), np.array([0.0065]))}
    found = view(2, fixings=fixings).fixing(all_of("USD-3M"), column([-1, -2]))
    np.testing.assert_array_equal(found, [[0.0065], [np.nan]])


def test_present_value__leaves_out_what_is_paid_today_and_before():
    market = view(3)
    ends = column([0, 3, 200])
    flows = market.schedule(ends - np.timedelta64(400, "D"), ends, np.array([[1]] * 3), all_of("weekends"))
    found = numbers(market.present_value(all_of("USD"), flows, flows.is_last * 1.0), 3)
    rates = curve(CURVES["USD"])
    expected = [0.0, rates.discount(ql.Date(4, 7, 2016)), rates.discount(date_of(day(200)))]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-15)


def test_schedule__goes_back_far_enough_for_a_payment_that_is_still_to_come():
    market = view(1)
    lag = np.array([[20]])
    flows = market.schedule(column([-700]), column([-25]), np.array([[12]]), all_of("TARGET"), payment_lag=lag)
    due = flows.payment_dates[flows.payment_dates > TODAY]
    assert [str(date) for date in due] == ["2016-07-04"]


def test_schedule__keeps_the_end_of_the_month_of_its_anchor():
    market = view(2)
    start, end = np.array(["2016-02-29"], "datetime64[D]"), np.array(["2017-03-15"], "datetime64[D]")
    flows = market.schedule(start, end, np.array([[4]]), all_of("weekends"), stub="short_back")
    found = flows.schedule.unadjusted_end[flows.trade == 0]
    ends = ["2016-08-31", "2016-11-30", "2017-02-28", "2017-03-15"]
    assert [str(date) for date in found[-4:]] == ends


def test_recording__answers_symbols_and_remembers_the_questions():
    market = view(2, recording=True)
    answers = [
        market.spot(all_of("AAPL", "equity")),
        market.fx(each("EUR", "USD"), all_of("JPY")),
        market.forward((all_of("EUR"), all_of("USD")), column([5, 5])),
        market.discount(all_of("USD"), column([5, 5])),
        market.zero_rate(all_of("EUR"), column([5, 5])),
        market.forward_rate(all_of("USD-3M"), column([5, 5]), column([95, 95])),
        market.vol(all_of("AAPL", "equity"), column([5, 5]), np.ones((2, 1)), 1.0),
    ]
    assert all(isinstance(one, Quantity) for one in answers)
    assert np.isnan(market.fixing(all_of("USD-3M"), column([-5, -5]))).all()
    read = {role for roles, _ in market.reading.reads for role in roles}
    assert read == {
        *("equity:AAPL", "fx:EUR", "fx:JPY", "discount:USD", "discount:EUR", "index:USD-3M", "curve:PROJECTION"),
        *("fixing:USD-3M", "calendar:TARGET", "vol:AAPL"),
    }
    with pytest.raises(AssertionError, match="never replayed"):
        numbers(answers[0], 2)


def test_block__a_question_that_the_plan_did_not_ask_is_refused():
    states = MarketStates(snapshot(LEVELS), UP)
    market = view(1, objects={"discount:USD": states["discount:USD"], "vol:SAP": None})
    market.discount(all_of("USD"), column([5]))
    with pytest.raises(UnrecordedRead, match="discount:EUR"):
        market.discount(all_of("EUR"), column([5]))
    with pytest.raises(MissingMarketData, match="no surface 'vol:SAP'"):
        market.vol(all_of("SAP", "equity"), column([5]), np.ones((1, 1)), np.ones((1, 1)))


def test_market__asked_twice_answers_the_same_quantity():
    market = view(2)
    dates = column([5, 900])
    assert market.spot(all_of("AAPL", "equity")) is market.spot(all_of("AAPL", "equity"))
    assert market._discount(all_of("USD"), dates, None) is market._discount(all_of("USD"), dates.copy(), None)
    assert market._discount(all_of("USD"), dates, None) is not market._discount(all_of("EUR"), dates, None)


def test_problem__is_said_of_its_trades():
    market = view(3)
    market.problem(np.array([1]), lambda at: f"trade {at} has no barrier level")
    assert market.reading.problems == {1: "trade 1 has no barrier level"}
