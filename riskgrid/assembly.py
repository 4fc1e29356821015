"""Recorded steps as instructions of the row machine: which steps it can run, and what addresses their operands have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.formulas import opcode
from riskgrid.formulas.curve import check_rows
from riskgrid.formulas.surface import SurfaceLookUp
from riskgrid.quantity import Quantity, is_gather, where
from riskgrid.terms import Values

__all__ = ["Operands", "Tables", "Word", "counting", "gathered", "instruction", "is_alias", "runs_on_machine"]

type Word = tuple[int, int, int]

_SCALED = {
    np.add: opcode.ADD,
    np.subtract: opcode.SUBTRACT,
    np.multiply: opcode.MULTIPLY,
    np.divide: opcode.DIVIDE,
}
_NUMERIC: dict[Any, int] = _SCALED | {
    np.maximum: opcode.MAXIMUM,
    np.minimum: opcode.MINIMUM,
    np.fmax: opcode.FMAX,
    np.fmin: opcode.FMIN,
    np.negative: opcode.NEGATIVE,
    np.positive: opcode.POSITIVE,
    np.absolute: opcode.ABSOLUTE,
    np.sqrt: opcode.SQRT,
    np.square: opcode.SQUARE,
}
_ANY: dict[Any, int] = {
    np.equal: opcode.EQUAL,
    np.not_equal: opcode.NOT_EQUAL,
    np.less: opcode.LESS,
    np.less_equal: opcode.LESS_EQUAL,
    np.greater: opcode.GREATER,
    np.greater_equal: opcode.GREATER_EQUAL,
    np.logical_and: opcode.AND,
    np.logical_or: opcode.OR,
    np.logical_xor: opcode.XOR,
    np.logical_not: opcode.NOT,
    np.isnan: opcode.IS_NAN,
    np.isfinite: opcode.IS_FINITE,
    where: opcode.WHERE,
    formulas.exp: opcode.EXP,
    formulas.log: opcode.LOG,
    formulas.norm_cdf: opcode.NORM_CDF,
    formulas.norm_pdf: opcode.NORM_PDF,
    formulas.black_value: opcode.BLACK,
    formulas.bachelier_value: opcode.BACHELIER,
}
_OF_FLAGS: dict[Any, int] = {
    np.bitwise_and: opcode.AND,
    np.bitwise_or: opcode.OR,
    np.bitwise_xor: opcode.XOR,
    np.invert: opcode.NOT,
}
_CODES = _NUMERIC | _ANY | _OF_FLAGS
_NUMBERS = frozenset({np.dtype(np.float64), np.dtype(np.int64)})
_NODE_SUMS: dict[Any, int] = {
    formulas.weighted_nodes: opcode.NODES,
    formulas.discount_factors: opcode.DISCOUNT,
}


def runs_on_machine(node: Quantity) -> bool:
    """Whether the machine gives the same bits as the step's own operation on float64.

    NumPy computes with flags, and with small integers, in types of their own; such steps keep their operation.
    """
    if node.operation in _NODE_SUMS or isinstance(node.operation, SurfaceLookUp):
        return bool(node.inputs[0].extent == "once")
    kinds = [_kind(part) for part in node.inputs]
    if "" in kinds:
        return False
    if node.operation in _OF_FLAGS:
        return set(kinds) == {"flag"}
    return node.operation in _ANY or (node.operation in _NUMERIC and "number" in kinds)


def _kind(part: Any) -> str:
    if isinstance(part, Quantity):
        if part.extent == "flow" or (part.extent == "once" and part.rows != 1):
            return ""
        return "flag" if part.dtype == np.bool_ else "number"
    dtype = part.dtype if isinstance(part, np.ndarray) else np.asarray(part).dtype
    return "flag" if dtype == np.bool_ else "number" if dtype in _NUMBERS else ""


@dataclass
class Operands:
    """What a program's instructions read by trade: row numbers (trade, column), numbers (trade, column), grids."""

    trades: int
    _rows: list[NDArray[np.int64]] = field(default_factory=list)
    _numbers: list[Values] = field(default_factory=list)
    _known: dict[int, int] = field(default_factory=dict)
    _grids: list[Values] = field(default_factory=list)
    _held: list[Any] = field(default_factory=list)  # an identity is one as long as its object lives

    def rows(self, *columns: NDArray[Any]) -> int:
        """Adds columns of row numbers; the position of the first."""
        self._rows.extend(np.asarray(column, np.int64) for column in columns)
        return len(self._rows) - len(columns)

    def numbers(self, *columns: Any) -> int:
        """Adds columns of numbers; the position of the first. A column alone is added once."""
        found = self._known.get(id(columns[0])) if len(columns) == 1 else None
        if found is not None:
            return found
        position = len(self._numbers)
        for column in columns:
            wide = np.asarray(column, np.float64).reshape(-1)
            self._numbers.append(wide if len(wide) == self.trades else np.broadcast_to(wide, (self.trades,)))
        if len(columns) == 1:
            self._known[id(columns[0])] = position
            self._held.append(columns[0])
        return position

    def grids(self, grids: Sequence[Values]) -> NDArray[np.int64]:
        """Adds grids; the position and size of each, (grid, 2)."""
        sizes = [len(grid) for grid in grids]
        starts = np.cumsum([sum(map(len, self._grids)), *sizes])[:-1]
        self._grids.extend(grids)
        return np.column_stack([starts, sizes])

    @functools.cached_property
    def arrays(self) -> tuple[NDArray[np.int64], Values, Values]:
        """The row numbers, the numbers and the grids (2, node), as the machine takes them; nothing is added after."""
        rows = np.zeros((self.trades, len(self._rows) + 1), np.int64)
        for at, row in enumerate(self._rows):
            rows[:, at] = row
        numbers = np.zeros((self.trades, len(self._numbers) + 1))
        for at, number in enumerate(self._numbers):
            numbers[:, at] = number
        nodes = np.concatenate([*self._grids, np.zeros(1)]) + 0.0  # no -0: the machine sorts by bits
        inverse = [np.append(1.0 / np.diff(grid), 0.0) for grid in self._grids]
        return rows, numbers, np.stack([nodes, np.concatenate([*inverse, np.zeros(1)])])


@dataclass
class Tables:
    """The tables that instructions address: strips for spread numbers first, then each as it is asked for.

    keys : position by kind and register or slot.   registers : strips of scratch memory.
    """

    keys: dict[tuple[int, int], int] = field(
        default_factory=lambda: {(opcode.REGISTER, number): number for number in range(opcode.SPREADS)}
    )
    registers: int = opcode.SPREADS

    def place(self, kind: int, number: int) -> int:
        """Position of a register, or of the slot of a shared quantity or of a tile."""
        if kind == opcode.REGISTER:
            self.registers = max(self.registers, number + 1)
        return self.keys.setdefault((kind, number), len(self.keys))

    def of_kind(self, kind: int) -> Iterable[tuple[int, int]]:
        """(position, register or slot) of the tables of one kind."""
        return [(position, number) for (found, number), position in self.keys.items() if found == kind]


def instruction(
    node: Quantity, target: Word, operand: Callable[[Any], Word], shared: Callable[[Any], int], operands: Operands
) -> list[int]:
    """A step's instruction. operand : address of an input.   shared : table of a shared input."""
    if node.operation in _NODE_SUMS:
        return _node_sum(node, target, shared, operands)
    if isinstance(node.operation, SurfaceLookUp):
        return _surface(node, target, operand, shared, operands)
    words = [operand(part) for part in node.inputs]
    numbers = [kind == opcode.NUMBER for kind, _, _ in words]
    code = _CODES[node.operation]
    if node.operation in _SCALED and sum(numbers) == 1:
        code += 2 if numbers[0] else 1
    elif code == opcode.BLACK and numbers == [False, True, False, True]:
        code = opcode.BLACK_ROW
    else:
        words = [(opcode.SPREAD if word[0] == opcode.NUMBER else word[0], *word[1:]) for word in words]
    return _words(code, target, *words)


def counting(value: Word) -> list[int]:
    """The instruction that counts a strip in ticks."""
    return _words(opcode.TICK, (opcode.PLACE, 0, 0), value)


def _node_sum(node: Quantity, target: Word, shared: Callable[[Any], int], operands: Operands) -> list[int]:
    index, weight = node.by_trade
    check_rows("index", index, node.inputs[0].rows)
    own = operands.rows(*index.T), operands.numbers(*weight.T) if weight.shape[1] != 1 else operands.numbers(weight)
    panel = (opcode.SHARED, shared(node.inputs[0]), -1)
    size = (opcode.PLACE, index.shape[1], 0)
    return _words(_NODE_SUMS[node.operation], target, (opcode.PLACE, 0, 0), panel, size, (opcode.PLACE, *own))


def _surface(
    node: Quantity, target: Word, operand: Callable[[Any], Word], shared: Callable[[Any], int], operands: Operands
) -> list[int]:
    group, low, high, weight_low, weight_high = node.by_trade
    panel, moneyness = node.inputs
    look_up: Any = node.operation
    grids = operands.grids(look_up.grids)
    for name, rows in (("row_low", low), ("row_high", high)):
        check_rows(name, rows + grids[group, 1] - 1, panel.rows)
        check_rows(name, rows, panel.rows)
    first = operands.rows(grids[group, 0], grids[group, 1], low, high)
    own = (opcode.PLACE, first, operands.numbers(weight_low, weight_high))
    table = shared(panel)
    kind, *rest = operand(moneyness)
    asked = (opcode.SPREAD if kind == opcode.NUMBER else kind, *rest)
    ends = ((opcode.SHARED, table, first + 2), (opcode.SHARED, table, first + 3))
    return _words(opcode.SURFACE, target, asked, *ends, own)


def _words(code: int, target: Word, *operands: Sequence[int]) -> list[int]:
    flat = [code, *target, *(word for operand in operands for word in operand)]
    return flat + [opcode.PLACE, 0, 0] * ((opcode.WORDS - len(flat)) // 3)


def gathered(node: Quantity, shared: Callable[[Any], int], operands: Operands) -> Word:
    """The address of a gathered row: the shared table, and the column of the trades' rows in it."""
    table = node.inputs[0]
    return opcode.SHARED, shared(table), operands.rows(np.clip(node.by_trade[0], 0, table.rows - 1))


def is_alias(node: Quantity) -> bool:
    """Whether a step only says which row of a shared table is the trade's."""
    return is_gather(node) and bool(node.inputs[0].extent == "once")
