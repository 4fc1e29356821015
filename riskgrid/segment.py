"""Runs of recorded steps that the row machine takes at once, and the order in which they come."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.assembly import Operands, Tables, Word, counting, gathered, instruction, is_alias
from riskgrid.formulas import opcode
from riskgrid.formulas.machine import machine_loop
from riskgrid.quantity import Quantity
from riskgrid.terms import Values

__all__ = ["Count", "Segment", "runs_of"]

#: States of a strip at most: a dozen strips then fill the first cache.
_STRIP = 512


@dataclass(frozen=True)
class Count:
    """Where the values of a tile are counted: P&L in ticks against the base value of each trade.

    ticks : (row of the tile, state) int32, less the first state where ``skip`` is 1.   base : (trade,); ``sets`` is 1
    where the first state is the base and says it.   flags : (trade,), see ``formulas.tick``.   scale : ticks a unit.
    checksums : (trade,), to which each tick adds itself times its one of ``multipliers`` (state), less the first too.
    """

    ticks: NDArray[np.int32]
    base: Values
    flags: NDArray[np.uint8]
    checksums: NDArray[np.uint64]
    multipliers: NDArray[np.uint32]
    scale: float
    skip: int
    sets: int


_NO_SUMS = np.empty(0, np.uint64), np.empty(0, np.uint32)
_NOWHERE = Count(np.empty((0, 0), np.int32), np.empty(0), np.empty(0, np.uint8), *_NO_SUMS, 1.0, 0, 0)


class Segment:
    """Steps of one run as instructions. A result that others read goes to a tile, the rest stays in registers.

    nodes : the steps by slot, in order.   outputs : slots that other tasks read.   numbers : slots that are a column.
    counted : the slot whose values are counted, not kept.
    """

    def __init__(
        self,
        nodes: Mapping[int, Quantity],
        outputs: Collection[int],
        numbers: Mapping[int, NDArray[Any]],
        slots: Mapping[int, int],
        operands: Operands,
        *,
        counted: int | None = None,
    ) -> None:
        self._operands, self._numbers, self._slots = operands, numbers, slots
        self._tables, self._where = Tables(), dict[int, Word]()
        parts = {slot: {slots[id(part)] for part in _quantities(node)} for slot, node in nodes.items()}
        last = {part: slot for slot, read in parts.items() for part in read}
        registers: dict[int, int] = {}
        free: list[int] = []
        steps = []
        for slot, node in nodes.items():
            if slot in outputs:
                target = (opcode.TILE, self._tables.place(opcode.TILE, slot), 0)
            else:
                register = free.pop() if free else self._tables.registers
                registers[slot] = register
                target = (opcode.REGISTER, self._tables.place(opcode.REGISTER, register), 0)
            steps.append(instruction(node, target, self._address, self._shared, operands))
            self._where[slot] = target
            # a target is never one of its own step's operands: vectors need them apart
            free.extend(registers[part] for part in parts[slot] if last[part] == slot and part in registers)
        if counted is not None:
            steps.append(counting(self._where[counted]))
        self._steps = np.array(steps, np.int64)
        self._scratch = np.empty((self._tables.registers, _STRIP))
        self._addresses = np.zeros((2, len(self._tables.keys)), np.int64)
        begin, stride = self._scratch.ctypes.data, self._scratch.strides[0]
        for position, register in self._tables.of_kind(opcode.REGISTER):
            self._addresses[0, position] = begin + register * stride
        self._bound: Any = None
        self._kept: list[NDArray[Any]] = []

    def run(
        self,
        shared: Mapping[int, NDArray[Any]],
        tiles: Mapping[int, NDArray[Any]],
        rows: slice,
        states: int,
        count: Count = _NOWHERE,
    ) -> None:
        """Fills the output tiles (rows, states) in ``tiles``, and counts where one is to be counted.

        shared : tables of this range of states, by slot.
        """
        if self._bound is not shared:
            self._kept = [
                self._point(position, shared[slot], None, states)
                for position, slot in self._tables.of_kind(opcode.SHARED)
            ]
            self._bound = shared
        height = rows.stop - rows.start
        kept = [
            self._point(position, tiles[slot], height, states) for position, slot in self._tables.of_kind(opcode.TILE)
        ]
        strips = -(-states // _STRIP)
        width = -(-states // (16 * strips)) * 16
        row, number, grids = self._operands.arrays
        scratch = self._scratch[:, :width]
        sums = count.checksums, count.multipliers[None]  # of a matrix the compiler knows that it is contiguous
        where = count.ticks, count.base, count.flags, *sums, count.scale, count.skip, count.sets
        machine_loop(self._steps, self._addresses, row, number, grids, scratch, rows.start, rows.stop, states, *where)
        del kept  # alive until here: the machine knows addresses only

    def _point(self, position: int, array: NDArray[Any], height: int | None, states: int) -> NDArray[Any]:
        shape = (len(array) if height is None else height, states)
        table = np.broadcast_to(array, shape) if array.shape != shape else array
        if table.dtype != np.float64 or (states > 1 and table.strides[1] != 8):
            table = np.ascontiguousarray(table, np.float64)
        self._addresses[:, position] = table.__array_interface__["data"][0], table.strides[0]
        return table

    def _shared(self, part: Quantity) -> int:
        return self._tables.place(opcode.SHARED, self._slots[id(part)])

    def _address(self, part: Any) -> Word:
        if not isinstance(part, Quantity):
            return opcode.NUMBER, self._operands.numbers(part), 0
        slot = self._slots[id(part)]
        if slot in self._numbers:
            return opcode.NUMBER, self._operands.numbers(self._numbers[slot]), 0
        if slot not in self._where:
            if part.extent == "once":
                self._where[slot] = (opcode.SHARED, self._shared(part), -1)
            elif is_alias(part):
                self._where[slot] = gathered(part, self._shared, self._operands)
            else:
                self._where[slot] = (opcode.TILE, self._tables.place(opcode.TILE, slot), 0)
        return self._where[slot]


def runs_of(
    slots: Sequence[int], needs: Mapping[int, set[int]], machine: set[int], aliases: set[int]
) -> list[list[int]]:
    """Slots in the order of work, each run one step of its own or a segment of the machine.

    needs : the tile slots that a slot reads.   aliases : slots that the machine reads without their being computed.
    Steps of their own come as early as they can, so that segments are few.
    """
    wanted = {slots[-1]} if slots else set()
    wanted |= {part for slot in slots if slot not in machine for part in needs[slot]}
    pending = [slot for slot in slots if slot not in aliases or slot in wanted]
    done: set[int] = set()
    runs: list[list[int]] = []
    while pending:
        own = next((slot for slot in pending if slot not in machine and needs[slot] <= done), None)
        if own is not None:
            run = [own]
        else:
            run, known = [], done | aliases
            for slot in pending:
                if slot in machine and needs[slot] <= known:
                    run.append(slot)
                    known = known | {slot}
        done.update(run)
        pending = [slot for slot in pending if slot not in done]
        runs.append(run)
    return runs


def _quantities(node: Quantity) -> list[Quantity]:
    return [part for part in node.inputs if isinstance(part, Quantity)]
