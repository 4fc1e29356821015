"""The row machine on instructions written by hand; that its operations are those of NumPy stands in test_program."""

import platform
import re

import numpy as np
import pytest

from riskgrid.formulas import opcode
from riskgrid.formulas.compiled import INTERPRETED
from riskgrid.formulas.machine import machine_loop
from riskgrid.formulas.memory import memory
from tests.formulas.assembly import assembly

TRADES, STATES = 3, 37


def run(steps, tables, rows, numbers, *, width=16, first=0, last=TRADES, counted=None):
    scratch = np.full((opcode.SPREADS + 2, width), np.nan)
    strips = [(scratch[n].ctypes.data, 0) for n in range(len(scratch))]
    places = np.array([*strips, *((table.ctypes.data, table.strides[0]) for table in tables)], np.int64).T.copy()
    words = np.array([[*step, *[opcode.PLACE, 0, 0] * ((opcode.WORDS - len(step)) // 3)] for step in steps], np.int64)
    nobody = np.empty(0, np.uint64), np.empty((1, 0), np.uint32)
    nowhere = np.empty((0, 0), np.int32), np.empty(0), np.empty(0, np.uint8), *nobody, 1.0, 0, 0
    machine_loop(words, places, rows, numbers, np.zeros((2, 1)), scratch, first, last, STATES, *(counted or nowhere))


@pytest.mark.parametrize("width", [1, 16, 37, 64])
def test_machine__adds_and_multiplies_by_trade(width):
    table, tile = np.arange(2.0 * STATES).reshape(2, STATES), np.full((2, STATES), np.nan)
    rows, numbers = np.array([[0], [1], [0]]), np.array([[1.0], [10.0], [100.0]])
    register = opcode.SPREADS
    shared, written = register + 2, register + 3
    steps = [
        (opcode.MULTIPLY + 1, opcode.REGISTER, register, 0, opcode.SHARED, shared, 0, opcode.NUMBER, 0, 0),
        (opcode.ADD, opcode.TILE, written, 0, opcode.REGISTER, register, 0, opcode.SHARED, shared, -1),
    ]
    run(steps, [table, tile], rows, numbers, width=width, first=1, last=3)
    np.testing.assert_array_equal(tile, table[[1, 0]] * [[10.0], [100.0]] + table[0])


def test_machine__writes_a_number_over_a_strip_for_what_takes_strips_only():
    table, tile = np.linspace(-1.0, 1.0, STATES).reshape(1, STATES), np.full((TRADES, STATES), np.nan)
    shared = opcode.SPREADS + 2
    step = (opcode.MAXIMUM, opcode.TILE, shared + 1, 0, opcode.SHARED, shared, -1, opcode.SPREAD, 0, 0)
    run([step], [table, tile], np.zeros((TRADES, 1), np.int64), np.array([[0.0], [0.5], [np.nan]]))
    np.testing.assert_array_equal(tile, np.maximum(table, [[0.0], [0.5], [np.nan]]))


@pytest.mark.parametrize("width", [16, 37, 64])
def test_machine__counts_ticks_against_the_first_state(width):
    table = np.arange(2.0 * STATES).reshape(2, STATES)
    ticks, base, flags = np.full((2, STATES - 1), 7, np.int32), np.zeros(TRADES), np.zeros(TRADES, np.uint8)
    step = (opcode.TICK, opcode.PLACE, 0, 0, opcode.SHARED, opcode.SPREADS + 2, 0)
    sums, multipliers = np.zeros(TRADES, np.uint64), np.arange(1, STATES, dtype=np.uint32).reshape(1, -1)
    rows, counted = np.array([[0], [1], [0]]), (ticks, base, flags, sums, multipliers, 4.0, 1, 1)
    run([step], [table], rows, np.zeros((TRADES, 1)), width=width, first=1, last=3, counted=counted)
    np.testing.assert_array_equal(ticks, [4 * np.arange(1, STATES)] * 2)
    assert base.tolist() == [0.0, STATES, 0.0]
    assert flags.tolist() == [0, 0, 0]
    assert sums.tolist() == [0, *[4 * sum(n * n for n in range(1, STATES))] * 2]


def test_memory__is_that_of_the_address():
    values = np.arange(5.0)
    memory(values.ctypes.data + 8, 2)[:] = -1.0
    assert values.tolist() == [0.0, -1.0, -1.0, 3.0, 4.0]


@pytest.mark.skipif(INTERPRETED, reason="compilation is switched off")
def test_machine__works_in_the_widest_vector_registers():
    import llvmlite.binding as llvm

    copy = (opcode.POSITIVE, opcode.REGISTER, 5, 0, opcode.REGISTER, 4, 0)
    run([copy], [], np.zeros((TRADES, 1), np.int64), np.zeros((TRADES, 1)))
    said = assembly(next(iter(machine_loop.variants.values())))
    if platform.machine() in {"aarch64", "arm64"}:
        fused, divided = r"fml[as]\s+v\d+\.2d", r"fdiv\s+v\d+\.2d"
    else:
        register = "zmm" if llvm.get_host_cpu_features().get("avx512f") else "ymm"
        fused, divided = rf"vf\w+pd\s.*%{register}", rf"vdivpd\s.*%{register}"
        assert re.search(rf"vpmuludq\s.*%{register}", said)  # of ticks and their multipliers
    assert len(re.findall(fused, said)) >= 150
    assert len(re.findall(divided, said)) >= 8
