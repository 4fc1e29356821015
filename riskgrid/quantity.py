"""Symbols of ``(trade, state)`` arrays: a pricer's steps are recorded once and replayed tile by tile.

A :class:`Quantity` takes part in NumPy ufuncs, ``np.where`` and the kernels of :mod:`riskgrid.formulas`; nothing is
computed until a :class:`Program` replays the steps. Three extents: ``once`` has a row or a table of rows that every
trade of the block shares and is computed once per range of states, ``tile`` has one row a trade, ``flow`` has one
number a cash flow and is computed once per block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import NotAQuantity
from riskgrid.terms import Names, Values

__all__ = ["Program", "Quantity", "at_base", "evaluate_flow", "gather", "real_numbers", "tile_shape"]

_KERNEL_OF_UFUNC = {np.exp: formulas.exp, np.log: formulas.log}
_BOOLEAN: set[np.ufunc] = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}
_BOOLEAN |= {np.logical_and, np.logical_or, np.logical_not, np.logical_xor}
_BOOLEAN |= {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}  # of flags; money has no bits to combine
_BOOLEAN |= {np.isnan, np.isfinite, np.isinf, np.signbit}


#: States of a tile at most: longer rows gain nothing, and leave no room for trades.
_MOST_STATES = 1024


class Quantity(np.lib.mixins.NDArrayOperatorsMixin):
    """A symbol for a ``(trade, state)`` array, ``(1, state)`` where all trades of the block share it.

    ``operation`` : called as ``operation(*inputs, out)`` with the tile's arrays, returns the array.
    ``inputs`` : quantities, ``(trade, 1)`` columns or numbers.   ``extent`` : ``once``, ``tile`` or ``flow``.
    ``rows`` : rows of a ``once`` quantity.   ``by_trade`` : ``(trade, ...)`` arrays the operation needs by row.
    ``scans`` : each trade reads many rows of the input tables, so that a range of states of them must fit in cache.
    """

    __slots__ = ("by_trade", "dtype", "extent", "inputs", "operation", "rows", "scans", "schedule")
    ndim = 2

    def __init__(
        self,
        operation: Callable[..., Any],
        inputs: Sequence[Any] = (),
        *,
        extent: str,
        rows: int = 1,
        dtype: type = np.float64,
        by_trade: Sequence[NDArray[Any]] = (),
        scans: bool = False,
        schedule: Any = None,
    ) -> None:
        self.operation, self.inputs, self.extent, self.rows = operation, tuple(inputs), extent, rows
        self.dtype, self.by_trade, self.schedule = np.dtype(dtype), tuple(by_trade), schedule
        self.scans = scans

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.nout != 1:
            how = method if method != "__call__" else "these options"
            raise NotAQuantity(
                f"np.{ufunc.__name__} with {how} needs the numbers of a market quantity; combine quantities "
                "elementwise, or register the instrument with eager=True"
            )
        if ufunc is np.power and _is_number(inputs[1]) and float(inputs[1]) in (2.0, 0.5):
            ufunc, inputs = (np.square if float(inputs[1]) == 2.0 else np.sqrt), inputs[:1]
        if ufunc in _KERNEL_OF_UFUNC:
            return self.__riskgrid_kernel__(_KERNEL_OF_UFUNC[ufunc], inputs)
        return _elementwise(ufunc, inputs, bool if ufunc in _BOOLEAN else np.float64)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where and len(args) == 3 and not kwargs:
            return _elementwise(_where, args, np.float64)
        if function is np.clip and len(args) == 3 and not kwargs:
            raised = args[0] if args[1] is None else np.maximum(args[0], args[1])
            return raised if args[2] is None else np.minimum(raised, args[2])
        raise NotAQuantity(
            f"np.{function.__name__} needs the numbers of a market quantity, which has none while steps are recorded; "
            "use ufuncs, np.where or riskgrid.formulas, or register the instrument with eager=True"
        )

    def __riskgrid_kernel__(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Quantity:
        return _elementwise(kernel, args, np.float64)

    def _refuse(self, what: str) -> Any:
        raise NotAQuantity(
            f"a pricer used a market quantity {what}, but it has no numbers while steps are recorded; "
            "write np.where(condition, a, b), or register the instrument with eager=True"
        )

    def __bool__(self) -> bool:
        return bool(self._refuse("as the condition of an 'if'"))

    def __float__(self) -> float:
        return float(self._refuse("as one number"))

    def __iter__(self) -> Any:
        return self._refuse("in a loop")

    def __len__(self) -> int:
        return int(self._refuse("as a list"))

    def __getitem__(self, index: Any) -> Any:
        return self._refuse("by index")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self._refuse("as an array")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what NumPy and Python look for to learn what an object is
            raise AttributeError(name)
        return self._refuse(f"with .{name}")

    def __repr__(self) -> str:
        name = getattr(self.operation, "__name__", type(self.operation).__name__)
        return f"<quantity {name}, {self.extent}>"


def at_base(quantity: Any) -> Any:
    """The quantity in the base state, as a quantity of the same shape in every state."""
    if not isinstance(quantity, Quantity):  # an eager pricer's numbers: the base is their first state
        return np.broadcast_to(quantity[:, :1], quantity.shape) if np.ndim(quantity) == 2 else quantity
    return Quantity(_at_base, (quantity,), extent=quantity.extent, rows=quantity.rows, dtype=quantity.dtype.type)


def gather(table: Quantity, row: NDArray[np.intp]) -> Quantity:
    """One row of a shared table per trade; ``row`` (trade,). A table of one row is shared as it is."""
    if table.rows == 1:
        return table
    return Quantity(_gather, (table,), extent="tile", by_trade=(np.asarray(row, dtype=np.intp),))


def evaluate_flow(value: Any, schedule: Any) -> Values:
    """The numbers ``(flow,)`` of a flow quantity, a ``(trade, 1)`` column or a number."""
    if isinstance(value, Quantity):
        if value.extent != "flow":
            raise NotAQuantity(
                "an amount of a cash flow moves with the state; amounts may hold terms and accruals only"
            )
        if value.schedule is not schedule:
            raise NotAQuantity("an amount mixes the cash flows of two schedules; pay each with its own present_value")
        parts = [evaluate_flow(part, schedule) for part in value.inputs]
        return np.asarray(value.operation(*parts))
    array = np.asarray(value)
    if array.ndim == 2:
        return np.asarray(array[schedule.trade, 0])
    return np.broadcast_to(array, (len(schedule.trade),))


@dataclass(frozen=True)
class _Step:
    quantity: Quantity
    slot: int
    inputs: tuple[Any, ...]  # slot numbers as _Slot, columns or numbers as they are
    last_use: tuple[int, ...]  # slots whose buffers are free after this step


@dataclass(frozen=True)
class _Slot:
    number: int
    shared: bool


class Program:
    """The recorded steps that lead to one quantity, in order, ready to be replayed on any tile.

    >>> spot = Quantity(lambda out: np.array([[100.0, 50.0]]), extent="once")
    >>> value = np.maximum(spot - np.array([[90.0], [40.0]]), 0.0)
    >>> Program(value, trades=2).replay(slice(0, 2))
    array([[10.,  0.],
           [60., 10.]])
    """

    def __init__(self, result: Any, trades: int) -> None:
        self.trades = trades
        self.result = result if isinstance(result, Quantity) else _elementwise(np.positive, (_column(result, trades),))
        if self.result.extent == "flow":
            raise NotAQuantity("a pricer returned cash flows; return market.present_value(currency, flows, amount)")
        order = _topological(self.result)
        slots = {id(node): _Slot(number, node.extent == "once") for number, node in enumerate(order)}
        last: dict[int, int] = {}
        for number, node in enumerate(order):
            for part in _needed(node):
                last[slots[id(part)].number] = number
        self._steps = []
        for number, node in enumerate(order):
            inputs = tuple(slots.get(id(part)) if isinstance(part, Quantity) else part for part in node.inputs)
            freed = tuple(slot for slot, when in last.items() if when == number and order[slot].extent == "tile")
            self._steps.append(_Step(node, number, inputs, freed))
        self._base = {step.slot for step in self._steps if step.quantity.operation is _at_base}
        self._base_values: dict[int, NDArray[Any]] = {}
        self._shared_range: slice | None = None
        self._shared: dict[int, NDArray[Any]] = {}
        self._pool: dict[Any, list[NDArray[Any]]] = {}
        if self._base:
            self._prepare_base()

    @property
    def scanned_rows(self) -> int:
        """Rows of the shared tables that steps scan: what a range of states must hold in cache."""
        scanned = {id(part): part.rows for step in self._steps if step.quantity.scans for part in step.quantity.inputs}
        return sum(scanned.values())

    @property
    def live_tiles(self) -> int:
        """The most tile buffers alive at once."""
        alive = most = 0
        for step in self._steps:
            alive += step.quantity.extent == "tile"
            most = max(most, alive)
            alive -= len(step.last_use)
        return max(most, 1)

    def replay(self, states: slice, trades: slice | None = None) -> NDArray[Any]:
        """The result on a tile, ``(trades, states)``; the array may be reused by the next call."""
        rows = trades or slice(0, self.trades)
        self._share(states)
        held: dict[int, NDArray[Any]] = {}
        taken: dict[int, NDArray[Any]] = {}
        for step in self._steps:
            if step.quantity.extent == "tile":
                held[step.slot] = self._evaluate(step, states, rows, held, taken)
                for slot in step.last_use:
                    self._give_back(taken.pop(slot, None))
        slot = self._steps[-1].slot
        if self.result.extent == "once":
            return np.broadcast_to(self._shared[slot], (rows.stop - rows.start, states.stop - states.start))
        self._give_back(taken.pop(slot, None))
        return held[slot]

    def _share(self, states: slice) -> None:
        if self._shared_range != states:
            self._shared = {}
            for step in self._steps:
                if step.quantity.extent == "once":
                    self._shared[step.slot] = self._evaluate(step, states, slice(0, self.trades), self._shared)
            self._shared_range = states

    def _evaluate(
        self,
        step: _Step,
        states: slice,
        rows: slice,
        held: dict[int, NDArray[Any]],
        taken: dict[int, NDArray[Any]] | None = None,
    ) -> NDArray[Any]:
        node = step.quantity
        if step.slot in self._base:
            return self._at_base(step, states, rows)
        inputs: list[Any] = []
        for part in step.inputs:
            if isinstance(part, _Slot):
                inputs.append(self._shared[part.number] if part.shared else held[part.number])
            elif isinstance(part, np.ndarray) and part.ndim == 2 and part.shape[0] != 1:
                inputs.append(part[rows])
            else:
                inputs.append(part)
        inputs.extend(array[rows] for array in node.by_trade)
        if isinstance(node.operation, _Source):
            inputs.append(states)
        out = None
        if taken is not None:
            out = taken[step.slot] = self._take((rows.stop - rows.start, states.stop - states.start), node.dtype)
        return np.asarray(node.operation(*inputs, out=out))

    def _prepare_base(self) -> None:
        base = slice(0, 1)
        for step in self._steps:
            if step.slot in self._base:
                inner = Program(step.quantity.inputs[0], self.trades)
                inner._share(base)
                shared = inner._shared.get(inner._steps[-1].slot)  # rows of its own, not a row a trade
                self._base_values[step.slot] = np.array(inner.replay(base) if shared is None else shared)

    def _at_base(self, step: _Step, states: slice, rows: slice) -> NDArray[Any]:
        column = self._base_values[step.slot]
        column = column[rows] if step.quantity.extent == "tile" else column
        return np.broadcast_to(column, (len(column), states.stop - states.start)).copy()

    def _take(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
        free = self._pool.get((shape, dtype))
        return free.pop() if free else np.empty(shape, dtype)

    def _give_back(self, buffer: NDArray[Any] | None) -> None:
        if buffer is not None:
            self._pool.setdefault((buffer.shape, buffer.dtype), []).append(buffer)


class _Source:
    """An operation that reads a stored panel ``(rows, state)``; called with the range of states."""

    def __init__(self, panel: Values) -> None:
        self.panel = panel

    def __call__(self, states: slice, **_: Any) -> Values:
        return self.panel[:, states]


def source(panel: Values) -> Quantity:
    """A shared quantity of stored numbers, ``(rows, state)``."""
    return Quantity(_Source(panel), extent="once", rows=len(panel))


def tile_shape(program: Program, states: int, cache: int) -> tuple[int, int]:
    """Trades and states of a tile whose buffers stay in ``cache`` bytes; states are cut at multiples of 16 only."""
    budget = max(cache, 1 << 17) // 8
    scanned = program.scanned_rows
    wide = budget * 3 // (4 * scanned) // 16 * 16 if scanned else _MOST_STATES
    columns = min(states, max(wide, 32), _MOST_STATES)
    columns = states if states <= columns + 15 else columns
    return max(8, min(program.trades, budget // (columns * program.live_tiles), 4096)), columns


def _elementwise(operation: Callable[..., Any], inputs: Sequence[Any], dtype: type = np.float64) -> Quantity:
    parts = [_part(value) for value in inputs]
    flows = [part for part in parts if isinstance(part, Quantity) and part.extent == "flow"]
    if flows:
        return Quantity(operation, parts, extent="flow", schedule=flows[0].schedule, dtype=dtype)
    by_trade = any(isinstance(part, np.ndarray) and part.ndim == 2 and part.shape[0] != 1 for part in parts)
    tile = by_trade or any(isinstance(part, Quantity) and part.extent == "tile" for part in parts)
    rows = 1 if tile else max((part.rows for part in parts if isinstance(part, Quantity)), default=1)
    return Quantity(operation, parts, extent="tile" if tile else "once", rows=rows, dtype=dtype)


def _part(value: Any) -> Any:
    if isinstance(value, Quantity) or _is_number(value):
        return value
    if isinstance(value, Names):
        raise NotAQuantity("a pricer computed with a column of names; compare it to a text to get a column of flags")
    array = np.asarray(value)
    if array.dtype.kind not in "fiubMm":
        raise NotAQuantity(f"a pricer combined a market quantity with {array.dtype} values; real numbers are right")
    if array.ndim != 2 or array.shape[1] != 1:
        raise NotAQuantity(f"a pricer combined a market quantity with an array of shape {array.shape}, not (trade, 1)")
    return array


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, bool, np.number, np.bool_))


def real_numbers(value: Any) -> Values:
    """What a pricer returned, as float64. NotAQuantity for anything that is no real number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise NotAQuantity(f"a pricer returned {array.dtype} values; real numbers are right")
    return array.astype(np.float64, copy=False)


def _column(value: Any, trades: int) -> Values:
    array = real_numbers(value)
    return np.ascontiguousarray(np.broadcast_to(array if array.ndim == 2 else array.reshape(-1, 1), (trades, 1)))


def _topological(result: Quantity) -> list[Quantity]:
    order: list[Quantity] = []
    seen: set[int] = set()
    stack: list[tuple[Quantity, bool]] = [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((part, False) for part in reversed(_needed(node)))
    return order


def _needed(node: Quantity) -> list[Quantity]:
    # what the base state needs is replayed by a program of its own
    return [] if node.operation is _at_base else [part for part in node.inputs if isinstance(part, Quantity)]


def _at_base(*_: Any, **__: Any) -> Any:
    raise AssertionError("replayed by Program._at_base")


def _gather(table: Values, row: NDArray[np.intp], out: Values | None) -> Values:
    picked: Values = np.take(table, row, axis=0, out=out, mode="clip")
    return picked


def _where(condition: Any, a: Any, b: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
    if out is None:
        chosen: NDArray[Any] = np.where(condition, a, b)
        return chosen
    np.copyto(out, b)
    np.copyto(out, a, where=np.asarray(condition, np.bool_))
    return out
