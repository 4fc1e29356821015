import re

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.errors import NotAQuantity
from riskgrid.program import Program, tile_shape
from riskgrid.quantity import Quantity, at_base, evaluate_flow, gather, source
from riskgrid.terms import Names

TRADES, STATES = 37, 65
RNG = np.random.default_rng(5)
SPOTS = RNG.uniform(50.0, 150.0, (4, STATES))
RATES = RNG.normal(0.01, 0.005, (1, STATES))
ROW = RNG.integers(0, 4, TRADES)
STRIKE = RNG.uniform(50.0, 150.0, (TRADES, 1))
SPOT = SPOTS[ROW]


def spot():
    return gather(source(SPOTS), ROW)


def rate():
    return source(RATES)


def whole(result, trades=TRADES, states=STATES):
    return np.array(Program(result, trades).replay(slice(0, states)))


CASES = {
    "arithmetic": lambda s, r, k: (s - k) / k + 2.0 * r - (-s) * 1e-3,
    "ufunc": lambda s, r, k: np.maximum(s - k, 0.0) + np.sqrt(np.abs(s)) + np.sign(r),
    "square": lambda s, r, k: s**2 + r**2,
    "root": lambda s, r, k: s**0.5,
    "power": lambda s, r, k: s**1.5 + 1.01**r,
    "where": lambda s, r, k: np.where(s > k, s, k) + np.where(r > 0.01, 1.0, k),
    "clip": lambda s, r, k: np.clip(s, 60.0, k) + np.clip(r, 0.0, 0.01),
    "comparison": lambda s, r, k: 1.0 * (s >= k) + 2.0 * (s < 70.0) + 4.0 * (s != k) + 8.0 * (r == 0.01) + (k <= s),
    "flags": lambda s, r, k: np.where(((s > k) & (r > 0.01)) | ~(s > 60.0) ^ (r < 0.0), s, -s),
    "logic": lambda s, r, k: np.where(np.logical_and(s > k, np.logical_not(np.isfinite(r))), s, k),
    "shared only": lambda s, r, k: r * 3.0,
    "base": lambda s, r, k: s / at_base(s) + at_base(r) * k,
    "base of a table": lambda s, r, k: (
        s - gather(at_base(source(SPOTS)), ROW) if isinstance(s, Quantity) else s - at_base(s)
    ),
    "base of a base": lambda s, r, k: s - at_base(s * at_base(s)),
    "same part twice": lambda s, r, k: (d := s - k) * d + d,
}


def plain(case):
    """The same on arrays of numbers, with at_base as eager pricers have it."""
    return np.broadcast_to(CASES[case](SPOT, np.broadcast_to(RATES, (1, STATES)), STRIKE), (TRADES, STATES))


@pytest.mark.parametrize("case", CASES)
def test_replay__gives_what_numpy_gives_on_the_numbers(case):
    found = whole(CASES[case](spot(), rate(), STRIKE))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, plain(case))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (8, 16), (16, 65), (37, 3), (36, 64), (37, 65)])
@pytest.mark.parametrize("case", CASES)
def test_replay__of_tiles_gives_the_same_bits_as_of_the_whole(case, shape):
    program = Program(CASES[case](spot(), rate(), STRIKE), TRADES)
    found = np.full((TRADES, STATES), np.nan)
    for left in range(0, STATES, shape[1]):
        across = slice(left, min(left + shape[1], STATES))
        for top in range(0, TRADES, shape[0]):
            down = slice(top, min(top + shape[0], TRADES))
            found[down, across] = program.replay(across, down)
    assert found.tobytes() == whole(CASES[case](spot(), rate(), STRIKE)).tobytes()


def test_kernels__run_on_quantities():
    s, r, k = spot(), rate(), STRIKE
    value = formulas.black_value(s, k, 0.2, k > 100.0) * np.exp(-r) + np.log(s) + formulas.exp(r)
    expected = formulas.black_value(SPOT, STRIKE, 0.2, STRIKE > 100.0) * formulas.exp(-RATES) + formulas.log(SPOT)
    np.testing.assert_array_equal(whole(value), expected + formulas.exp(RATES))


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            bool,
            "as the condition of an 'if', but it has no numbers while steps are recorded; write np.where",
        ),
        (float, "as one number"),
        (list, "in a loop"),
        (len, "as a list"),
        (lambda q: q[0], "by index"),
        (np.asarray, "as an array"),
        (lambda q: q.any(), "with .any"),
        (lambda q: q.all(axis=1), "with .all"),
        (lambda q: max(q, 1.0), "as the condition of an 'if'"),
        (np.add.reduce, "np.add with reduce needs the numbers"),
        (lambda q: np.exp(q, where=True), "np.exp with these options needs the numbers"),
        (lambda q: np.divmod(q, 2.0), "np.divmod with these options needs the numbers"),
        (np.sum, "np.sum needs the numbers of a market quantity"),
        (np.where, "np.where needs the numbers"),
        (lambda q: np.clip(q, 0.0, None, out=None), "np.clip needs the numbers"),
        (lambda q: q + Names.of(["a"]), "computed with a column of names; compare it to a text"),
        (lambda q: q + np.ones(3), "with an array of shape (3,), not (trade, 1)"),
        (lambda q: q + np.ones((3, 2)), "with an array of shape (3, 2), not (trade, 1)"),
    ],
)
def test_quantity__refuses_what_needs_its_numbers(step, sentence):
    with pytest.raises(NotAQuantity, match=re.escape(sentence)):
        step(spot())


def test_quantity__says_what_it_is():
    assert repr(spot()) == "<quantity _gather, tile>"
    assert repr(rate()) == "<quantity Source, once>"


def counted(calls, name, extent="once", rows=1):
    def operation(*inputs, out):
        calls.append(name)
        return np.add(inputs[0], 0.0) if extent == "once" else np.add(inputs[0], 0.0, out=out)

    return lambda part: Quantity(operation, (part,), extent=extent, rows=rows)


def test_replay__computes_what_trades_share_once_a_range_of_states():
    calls = []
    shared = counted(calls, "shared")(rate())
    table = counted(calls, "table", rows=4)(source(SPOTS))
    own = counted(calls, "own", "tile")(gather(table, ROW) * shared + shared)
    program = Program(own, TRADES)
    for across in (slice(0, 32), slice(32, 65)):
        for down in (slice(0, 10), slice(10, 20), slice(20, 37)):
            program.replay(across, down)
    assert calls.count("shared") == calls.count("table") == 2
    assert calls.count("own") == 6


def test_at_base__is_computed_once_whatever_the_tiles():
    calls = []
    program = Program(spot() - at_base(counted(calls, "own", "tile")(spot())), TRADES)
    for left in range(0, STATES, 5):
        program.replay(slice(left, left + 5), slice(0, 20))
    assert calls == ["own"]


def test_replay__uses_its_buffers_again():
    value = spot()
    for step in range(40):
        value = value + float(step)
    assert Program(value, TRADES, machine=True).live_tiles() == 1
    program = Program(value, TRADES, machine=False)
    assert program.live_tiles() == 2
    first = program.replay(slice(0, 16), slice(0, 8))
    assert sum(map(len, program._pool.values())) == 2
    again = program.replay(slice(16, 32), slice(8, 16))
    assert np.shares_memory(first, again)
    assert sum(map(len, program._pool.values())) == 2


def test_live_tiles__of_a_result_that_all_trades_share_is_one():
    assert Program(rate(), TRADES).live_tiles() == 1


def test_program__of_one_trade_shares_everything():
    strike = STRIKE[:1]
    found = whole(np.maximum(gather(source(SPOTS[:1]), ROW[:1]) - strike, 0.0), trades=1)
    np.testing.assert_array_equal(found, np.maximum(SPOTS[:1] - strike, 0.0))


def test_program__of_no_trades_gives_no_rows():
    none = np.zeros((0, 1))
    value = gather(source(SPOTS), np.zeros(0, np.intp)) - none + at_base(gather(source(SPOTS), np.zeros(0, np.intp)))
    assert whole(value, trades=0).shape == (0, STATES)
    assert whole(none, trades=0).shape == (0, STATES)


@pytest.mark.parametrize("trades", [1, 3])
@pytest.mark.parametrize("result", [5.0, np.full(3, 5.0), np.full((3, 1), 5.0)])
def test_program__of_a_result_without_the_market_is_the_same_in_every_state(trades, result):
    result = result if np.ndim(result) == 0 else result[:trades]
    np.testing.assert_array_equal(whole(result, trades=trades), np.full((trades, STATES), 5.0))


def test_gather__of_a_table_of_one_row_shares_it():
    assert gather(rate(), np.zeros(TRADES, np.intp)).extent == "once"
    assert gather(source(SPOTS), ROW).extent == "tile"


def test_at_base__of_numbers_is_their_first_state():
    np.testing.assert_array_equal(at_base(SPOT), np.repeat(SPOT[:, :1], STATES, axis=1))
    assert at_base(3.0) == 3.0


class Schedule:
    trade = np.array([0, 0, 2])


def flow(schedule, values):
    return Quantity(lambda: np.asarray(values), (), extent="flow", schedule=schedule)


def test_evaluate_flow__spreads_columns_over_their_flows():
    schedule = Schedule()
    column = np.array([[10.0], [20.0], [30.0]])
    amount = np.where(flow(schedule, [1.0, 0.0, 1.0]) > 0.5, column * flow(schedule, [0.5, 0.25, 1.0]), 7.0)
    assert evaluate_flow(amount, schedule).tolist() == [5.0, 7.0, 30.0]
    assert evaluate_flow(column, schedule).tolist() == [10.0, 10.0, 30.0]
    assert evaluate_flow(2.0, schedule).tolist() == [2.0, 2.0, 2.0]


def test_evaluate_flow__refuses_amounts_that_move_and_flows_of_two_schedules():
    schedule, other = Schedule(), Schedule()
    amount = flow(schedule, [1.0, 1.0, 1.0])
    with pytest.raises(NotAQuantity, match="an amount of a cash flow moves with the state"):
        evaluate_flow(amount * rate(), schedule)
    with pytest.raises(NotAQuantity, match="an amount mixes the cash flows of two schedules"):
        evaluate_flow(amount + flow(other, [1.0, 1.0, 1.0]), schedule)
    with pytest.raises(NotAQuantity, match=r"a pricer returned cash flows; return market.present_value"):
        Program(amount, 3)


def test_base_marker__is_never_called_itself():
    with pytest.raises(AssertionError, match=r"evaluates the base state itself"):
        at_base(spot()).operation(out=None)


@pytest.mark.parametrize("cache", [1 << 15, 1 << 20, 1 << 24])
@pytest.mark.parametrize("states", [1, 15, 31, 501, 8001])
def test_tile_shape__cuts_states_at_multiples_of_16_and_trades_by_the_cache(cache, states):
    program = Program(spot() * STRIKE + rate(), TRADES)
    height, width = tile_shape(program, states, cache)
    assert 1 <= width <= states
    assert width == states or width % 16 == 0
    assert 8 <= height <= max(TRADES, 8)
    if height > 8:
        assert height * width * program.live_tiles() * 8 <= max(cache, 1 << 17)


def test_tile_shape__of_a_table_that_each_trade_scans_takes_few_states():
    def scan(rows):
        tables = source(np.zeros((rows, 4000))), rate()
        return Program(Quantity(lambda *_, out: out, tables, extent="tile", scans=True) + STRIKE, TRADES)

    gathered = Program(gather(source(np.zeros((5000, 4000))), np.zeros(TRADES, np.intp)) + STRIKE, TRADES)
    assert (gathered.scanned_rows, scan(5000).scanned_rows) == (0, 5001)
    assert tile_shape(scan(5000), 4000, 1 << 20)[1] == 32
    assert tile_shape(scan(5000), 4000, 1 << 20)[1] < tile_shape(scan(500), 4000, 1 << 20)[1]
    assert tile_shape(scan(500), 4000, 1 << 20)[1] < tile_shape(gathered, 4000, 1 << 20)[1]


@pytest.mark.parametrize("shared", [True, False])
def test_flags__have_the_sums_and_products_of_numpy_wherever_they_stand(shared):
    level = np.array([[95.0, 105.0, 80.0]])
    held = source(np.concatenate([level, level]))
    of_trade = source(level) if shared else gather(held, np.array([0, 1]))
    flags = [of_trade > bound for bound in (100.0, 90.0, 70.0)]
    plain = [level > bound for bound in (100.0, 90.0, 70.0)]
    for value, expected in (
        ((flags[0] + flags[1] + flags[2]) * 1000.0, (plain[0] + plain[1] + plain[2]) * 1000.0),
        (flags[0] * flags[1] + 1.0, plain[0] * plain[1] + 1.0),
        (np.maximum(flags[0], flags[1]) * 2.0, np.maximum(plain[0], plain[1]) * 2.0),
        (np.where(flags[0], True, False) + flags[1] + 0.5, np.where(plain[0], True, False) + plain[1] + 0.5),
        (np.where(flags[1], 3, 2) ** -1, np.where(plain[1], 3.0, 2.0) ** -1),
        (np.where(flags[1], 3, 2) * 7, np.where(plain[1], 3.0, 2.0) * 7),
    ):
        found = Program(value, 2).replay(slice(0, 3))
        np.testing.assert_array_equal(found, np.broadcast_to(expected, (2, 3)))


def test_flags__have_no_difference_and_no_sign():
    flag = spot() > 100.0
    for wrong in (lambda: flag - flag, lambda: -flag, lambda: -np.where(flag, True, False)):
        with pytest.raises(NotAQuantity, match=r"of flags has no meaning; write np\.where"):
            wrong()
