"""Programs replay what was recorded; the row machine gives the bits of the steps' own operations."""

import itertools

import numpy as np
import pytest

from riskgrid import formulas
from riskgrid.assembly import runs_on_machine
from riskgrid.formulas.compiled import INTERPRETED
from riskgrid.formulas.surface import SurfaceLookUp
from riskgrid.formulas.tick import MISSING, WIDE
from riskgrid.program import Program
from riskgrid.quantity import Quantity, at_base, gather, source
from riskgrid.segment import Count, Segment

RNG = np.random.default_rng(11)
MOST = 40 if INTERPRETED else 1001
STATES = [n for n in (1, 15, 16, 17, 255, 256, 257, 512, 513, 1001) if n <= MOST]
TRADES = 7
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e-310, -1e-310, 1.0, -1.0, 0.5, 2.0, 1e308, -1e308]
SPECIAL += [np.finfo(float).tiny, 709.9, 711.0, -745.2, -746.5, 37.5, -37.5, 100.0, 1e-5]


def table(rows, *, only=None):
    """Numbers of every kind, special ones next to ordinary ones."""
    numbers = RNG.choice(np.array(SPECIAL), (rows, MOST))
    ordinary = RNG.random((rows, MOST)) < 0.5
    return np.where(ordinary, RNG.normal(0.0, 2.0, (rows, MOST)), numbers) if only is None else only((rows, MOST))


TABLES = [table(5), table(4), table(3)]
SHARED = [table(1), table(1)]
ROW = RNG.integers(0, 3, TRADES)
COLUMNS = [RNG.choice(np.array(SPECIAL), (TRADES, 1)), RNG.normal(0.0, 1.0, (TRADES, 1))]
FLAGS = RNG.random((TRADES, 1)) < 0.5
WHOLE = RNG.integers(-3, 4, (TRADES, 1))

# what an operand can be; each makes a fresh one
OPERANDS = {
    "register": lambda n: gather(source(TABLES[n]), ROW) + 0.0,
    "gathered": lambda n: gather(source(TABLES[n]), ROW),
    "shared": lambda n: source(SHARED[n % 2]),
    "column": lambda n: COLUMNS[n % 2],
    "whole": lambda _: WHOLE,
    "number": lambda n: [np.nan, -0.0, 1.5][n],
    "base": lambda n: at_base(gather(source(TABLES[n]), ROW)),
}


def run(value, states, *, machine, shape=(TRADES, MOST)):
    program = Program(value, TRADES, machine=machine)
    assert machine == any(isinstance(task.work, Segment) for task in program._tasks)
    found = np.full((TRADES, states), np.nan)
    with np.errstate(all="ignore"):
        for left in range(0, states, shape[1]):
            across = slice(left, min(left + shape[1], states))
            for top in range(0, TRADES, shape[0]):
                down = slice(top, min(top + shape[0], TRADES))
                found[down, across] = program.replay(across, down)
    return found


def assert_same_bits(found, expected, *, signed=True):
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    found, expected = (np.where(np.isnan(values), 0.0, values) for values in (found, expected))
    if not signed:
        found, expected = found + 0.0, expected + 0.0
    assert found.tobytes() == expected.tobytes()


def assert_machine_agrees(value, *, states=STATES, signed=True):
    for count in states:
        assert_same_bits(run(value, count, machine=True), run(value, count, machine=False), signed=signed)


BINARY = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax, np.fmin]
BINARY += [np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal]
BINARY += [np.logical_and, np.logical_or, np.logical_xor]
UNARY = [np.negative, np.positive, np.absolute, np.sqrt, np.square, np.logical_not, np.isnan, np.isfinite]
FUNCTIONS = [formulas.exp, formulas.log, formulas.norm_cdf, formulas.norm_pdf]
OPTIONS = [formulas.black_value, formulas.bachelier_value]
needs_numba = pytest.mark.skipif(formulas.BACKEND != "numba", reason="the specifications round differently")
named = {"ids": lambda operation: operation.__name__}


@pytest.mark.parametrize("operation", BINARY, **named)
def test_machine__gives_the_bits_of_the_operation_for_operands_of_every_kind(operation):
    # the sign of a zero that NumPy's fmax and fmin give depends on the place in the array
    signed = operation not in {np.fmax, np.fmin}
    for first, second in itertools.product(OPERANDS, OPERANDS):
        a, b = OPERANDS[first](0), OPERANDS[second](1)
        moves = [part for part, kind in ((a, first), (b, second)) if kind in {"register", "gathered"}]
        if moves or (first, second) in {("shared", "column"), ("column", "shared"), ("base", "shared")}:
            assert_machine_agrees(operation(a, b), states=STATES[-2:], signed=signed)


@pytest.mark.parametrize("operation", [*UNARY, *FUNCTIONS], **named)
def test_machine__gives_the_bits_of_operations_of_one(operation):
    if operation in FUNCTIONS and formulas.BACKEND != "numba":
        pytest.skip("the specifications round differently")
    for kind in ("register", "gathered"):
        assert_machine_agrees(operation(OPERANDS[kind](0)))


@needs_numba
@pytest.mark.parametrize("flag", [True, FLAGS, "moving"], ids=["number", "column", "moving"])
@pytest.mark.parametrize("kinds", list(itertools.product(["register", "shared", "column"], repeat=3)), ids="-".join)
@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_machine__gives_the_bits_of_option_values_whatever_moves(option, kinds, flag):
    flag = gather(source(TABLES[0]), ROW) > 0.5 if isinstance(flag, str) else flag
    parts = [np.absolute(OPERANDS[kind](n)) for n, kind in enumerate(kinds)]
    value = option(*parts, flag) + gather(source(TABLES[2]), ROW)
    assert_machine_agrees(value, states=STATES[-1:])


def test_machine__gives_the_bits_of_choices_and_logic_of_flags():
    a, b, c = (OPERANDS["gathered"](n) for n in range(3))
    low, high = a < b, c >= COLUMNS[0]
    assert_machine_agrees(np.where(low & high, a, b) + np.where(low | FLAGS, c, -1.0) + np.where(low ^ high, 0.0, c))
    assert_machine_agrees(np.where(~low, a, COLUMNS[1]) * low + np.where(a, FLAGS, high) - np.where(FLAGS, 1, a))


@needs_numba
@pytest.mark.parametrize("function", [formulas.weighted_nodes, formulas.discount_factors], **named)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_machine__sums_nodes_of_each_trade_in_their_order(function, width):
    panel = source(table(6))
    by_trade = RNG.integers(0, 6, (TRADES, width)).astype(np.int32), RNG.normal(size=(TRADES, width))
    assert_machine_agrees(Quantity(function, (panel,), extent="tile", by_trade=by_trade) * COLUMNS[1])


def surface(grids, moneyness):
    size = max(len(grid) for grid in grids)
    group = RNG.integers(0, len(grids), TRADES)
    low = RNG.integers(0, 2, TRADES) * size
    share = RNG.random(TRADES)
    panel = source(np.abs(table(3 * size)))
    by_trade = (group, low, low + size, 1.0 - share, share)
    return Quantity(SurfaceLookUp(grids), (panel, moneyness), extent="tile", by_trade=by_trade)


@needs_numba
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9, 14])
@pytest.mark.parametrize("spread", [0.0, 0.05, 0.3, 3.0])
def test_machine__reads_volatility_in_the_brackets_that_a_strip_falls_into(size, spread):
    grid = np.linspace(-1.0, 1.0, size) if size > 1 else np.zeros(1)
    level = np.where(RNG.random((TRADES, 1)) < 0.2, RNG.choice(grid, (TRADES, 1)), RNG.normal(0.0, 1.0, (TRADES, 1)))
    moves = np.where(
        RNG.random((5, MOST)) < 0.02, RNG.choice(np.array(SPECIAL), (5, MOST)), spread * RNG.random((5, MOST))
    )
    assert_machine_agrees(surface([grid], gather(source(moves), ROW) + level))
    assert_machine_agrees(surface([grid], level) * gather(source(moves), ROW), states=STATES[-1:])


@needs_numba
def test_machine__reads_surfaces_on_several_grids_in_one_step():
    grids = [np.array([-1.0, -0.0, 0.5]), np.linspace(-2.0, 2.0, 7)]
    assert_machine_agrees(surface(grids, gather(source(TABLES[0]), ROW)))


CHAINS = {
    "option": lambda s, k: formulas.black_value(s, k, 0.2 * np.sqrt(s), k > 0.5) * np.exp(-s) * WHOLE,
    "foreign step": lambda s, k: np.sin(s + k) * (s - 1.0) + np.where(np.signbit(s), s, np.tanh(s * k)),
    "flags through a foreign step": lambda s, k: np.where(np.signbit(-1.0 * (s > k)) & (s > 0.0), s, k),
    "base": lambda s, k: s / at_base(s * 2.0) + at_base(s) * k,
    "columns alone": lambda s, k: s * (at_base(s) * k + np.exp(at_base(s))),
    "ratio of tables": lambda s, k: gather(source(TABLES[1]) / source(TABLES[1][:, ::-1]), ROW) * s,
    "flag times flag": lambda s, k: ((s > k) * (s > 0.0)) * s + np.sqrt(s > k),
    "gather itself": lambda s, k: s,
}


@needs_numba
@pytest.mark.parametrize("shape", [(TRADES, MOST), (1, 16), (3, 40), (2, 512), (5, 17)])
@pytest.mark.parametrize("chain", CHAINS)
def test_machine__gives_the_same_bits_in_tiles_of_any_shape(chain, shape):
    value = CHAINS[chain](gather(source(np.abs(TABLES[0])), ROW), np.abs(COLUMNS[1]))
    with np.errstate(all="ignore"):
        program = Program(value, TRADES, machine=True)
        whole = np.array(Program(value, TRADES, machine=False).replay(slice(0, MOST)))
        found = np.full((TRADES, MOST), np.nan)
        for left in range(0, MOST, shape[1]):
            across = slice(left, min(left + shape[1], MOST))
            for top in range(0, TRADES, shape[0]):
                down = slice(top, min(top + shape[0], TRADES))
                found[down, across] = program.replay(across, down)
    assert_same_bits(found, whole)


def counted(value, shape, scale):
    """Ticks, base values, flags and checksums as the machine counts them, tile by tile."""
    program, ticks = Program(value, TRADES, machine=True), np.full((TRADES, MOST - 1), 7, np.int32)
    base, flags = np.full(TRADES, np.nan), np.zeros(TRADES, np.uint8)
    sums = np.full(TRADES, formulas.checksum_of_length(MOST - 1), np.uint64)
    for left in range(0, MOST, shape[1]):
        across = slice(left, min(left + shape[1], MOST))
        if not program.counts(across):
            continue
        first = int(left == 0)
        for top in range(0, TRADES, shape[0]):
            down = slice(top, min(top + shape[0], TRADES))
            here = slice(max(left - 1, 0), across.stop - 1)
            where = base, flags, sums, formulas.checksum_multipliers(MOST - 1)[here]
            program.count(across, down, Count(ticks[down, here], *where, scale, first, first))
    return ticks, base, flags, sums


@needs_numba
@pytest.mark.parametrize("shape", [(TRADES, MOST), (1, 16), (3, 40), (5, 512)])
@pytest.mark.parametrize("chain", CHAINS)
def test_count__gives_the_ticks_of_what_is_replayed(chain, shape):
    value = CHAINS[chain](gather(source(np.abs(TABLES[0])), ROW), np.abs(COLUMNS[1]))
    value = value * np.ones((TRADES, 1))
    with np.errstate(all="ignore"):
        values = np.array(Program(value, TRADES, machine=False).replay(slice(0, MOST)))
        ticks, base, flags, sums = counted(value, shape, 1024.0)
    kept = MOST - 1 if MOST % shape[1] == 0 or MOST % shape[1] >= 16 else MOST // shape[1] * shape[1] - 1
    expected = np.empty((TRADES, kept), np.int32)
    wide, missing = formulas.to_ticks(values[:, 1 : kept + 1], values[:, 0], 1024.0, expected)
    assert_same_bits(base, values[:, 0] + 0.0)
    np.testing.assert_array_equal(ticks[:, :kept], expected)
    assert (ticks[:, kept:] == 7).all()
    np.testing.assert_array_equal((flags & WIDE) != 0, wide)
    np.testing.assert_array_equal((flags & MISSING) != 0, missing)
    if kept == MOST - 1:
        np.testing.assert_array_equal(sums, formulas.row_checksums(ticks))


@needs_numba
def test_count__leaves_the_base_value_of_another_date_alone():
    value = gather(source(np.abs(TABLES[0])), ROW) * COLUMNS[1]
    program, ticks = Program(value, TRADES, machine=True), np.empty((TRADES, MOST - 1), np.int32)
    base, flags = np.arange(float(TRADES)), np.zeros(TRADES, np.uint8)
    sums = np.zeros(TRADES, np.uint64), formulas.checksum_multipliers(MOST - 1)
    program.count(slice(0, MOST), slice(0, TRADES), Count(ticks, base, flags, *sums, 16.0, 1, 0))
    assert base.tolist() == list(range(TRADES))
    expected = np.empty_like(ticks)
    formulas.to_ticks(program.replay(slice(0, MOST))[:, 1:], base, 16.0, expected)
    np.testing.assert_array_equal(ticks, expected)


@pytest.mark.parametrize("wrong", range(5))
def test_count__refuses_arrays_of_other_shapes(wrong):
    arrays = [np.empty((TRADES, MOST - 1), np.int32), np.zeros(TRADES), np.zeros(TRADES, np.uint8)]
    arrays += [np.zeros(TRADES, np.uint64), formulas.checksum_multipliers(MOST - 1)]
    arrays[wrong] = arrays[wrong][:-1]
    program = Program(gather(source(TABLES[0]), ROW) * 2.0, TRADES, machine=True)
    with pytest.raises(ValueError, match=r"is right"):
        program.count(slice(0, MOST), slice(0, TRADES), Count(*arrays, 16.0, 1, 1))


def test_counts__is_false_where_the_machine_does_not_make_the_result():
    s, states = gather(source(TABLES[0]), ROW), slice(0, MOST)
    assert Program(s * 2.0, TRADES, machine=True).counts(states)
    assert not Program(s * 2.0, TRADES, machine=True).counts(slice(0, 15))
    assert not Program(s * 2.0, TRADES, machine=False).counts(states)
    for value in (np.sin(s), source(SHARED[0]) * 2.0, s > 0.0, COLUMNS[0]):
        assert not Program(value, TRADES, machine=True).counts(states)


def test_machine__leaves_what_numpy_computes_in_other_types_to_numpy():
    flag = gather(source(TABLES[0]), ROW) > 0.0
    assert runs_on_machine(flag & FLAGS)
    assert runs_on_machine(flag * 2.0)
    assert runs_on_machine(flag + flag)  # which is 'or'
    for value in (np.sqrt(flag), flag & WHOLE):
        assert not runs_on_machine(value)


def test_program__joins_steps_into_as_few_segments_as_it_can():
    s = gather(source(TABLES[0]), ROW)
    own = np.sin(s)
    value = (s * 2.0 + COLUMNS[0]) * own + np.cos(s + 1.0) * (own - 1.0)
    program = Program(value, TRADES, machine=True)
    assert [isinstance(task.work, Segment) for task in program._tasks].count(True) == 2


def test_program__refuses_rows_that_a_table_does_not_have():
    by_trade = (np.full((TRADES, 1), 6, np.int32), np.ones((TRADES, 1)))
    value = Quantity(formulas.weighted_nodes, (source(table(6)),), extent="tile", by_trade=by_trade)
    with pytest.raises(IndexError, match="index: rows 6 to 6 are asked for; known: 0 to 5"):
        Program(value, TRADES, machine=True)
    group, low = np.zeros(TRADES, np.int64), np.full(TRADES, 5)
    look_up = SurfaceLookUp([np.array([0.0, 1.0])])
    by_trade = (group, low, low, np.ones(TRADES), np.zeros(TRADES))
    value = Quantity(look_up, (source(table(6)), COLUMNS[1]), extent="tile", by_trade=by_trade)
    with pytest.raises(IndexError, match="row_low: rows 6 to 6"):
        Program(value, TRADES, machine=True)
