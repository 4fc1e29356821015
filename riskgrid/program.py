"""Recorded steps in order, replayed on any tile: runs of them by the row machine, the others by their own operation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.assembly import Operands, is_alias, runs_on_machine
from riskgrid.errors import NotAQuantity
from riskgrid.formulas.compiled import INTERPRETED
from riskgrid.quantity import Quantity, Source, elementwise, is_base, real_numbers
from riskgrid.segment import Count, Segment, runs_of
from riskgrid.terms import Values

__all__ = ["Program", "tile_shape"]

#: Below this many states a row of the machine is not worth its instructions.
_FEWEST_STATES = 16
#: States of a tile at most: longer rows gain nothing, and leave no room for trades.
_MOST_STATES = 1024
#: Trades of a tile at most.
_MOST_TRADES = 4096


@dataclass(frozen=True)
class _Task:
    """One step, or a segment of several. ``outputs`` : slots it fills.   ``last_use`` : slots that are free after."""

    work: Quantity | Segment
    outputs: tuple[int, ...]
    last_use: tuple[int, ...]


class Program:
    """The recorded steps that lead to one quantity, in order, ready to be replayed on any tile.

    ``machine`` : whether the row machine runs what it can; the bits are the same without it.

    >>> spot = Quantity(lambda out: np.array([[100.0, 50.0]]), extent="once")
    >>> value = np.maximum(spot - np.array([[90.0], [40.0]]), 0.0)
    >>> Program(value, trades=2).replay(slice(0, 2))
    array([[10.,  0.],
           [60., 10.]])
    """

    def __init__(self, result: Any, trades: int, *, machine: bool = not INTERPRETED) -> None:
        self.trades = trades
        self.result = result if isinstance(result, Quantity) else elementwise(np.positive, (_column(result, trades),))
        if self.result.extent == "flow":
            raise NotAQuantity("a pricer returned cash flows; return market.present_value(currency, flows, amount)")
        self._order = _topological(self.result)
        self._slots = {id(node): slot for slot, node in enumerate(self._order)}
        self._base = {slot: self._base_values(node) for slot, node in enumerate(self._order) if is_base(node)}
        self._numbers = {slot: base for slot, base in self._base.items() if self._order[slot].extent == "tile"}
        self._shared_range: slice | None = None
        self._shared: dict[int, NDArray[Any]] = {}
        self._pool: dict[Any, list[NDArray[Any]]] = {}
        tiles = [slot for slot, node in enumerate(self._order) if node.extent == "tile" and slot not in self._numbers]
        # before the machine turns steps of columns into columns
        self._alone = [((self._order[slot], (slot,)), self._tile_inputs(slot)) for slot in tiles]
        self._machine = machine
        self._counting = self._counted() if machine and self.result.dtype == np.float64 else []

    @functools.cached_property
    def _tasks(self) -> list[_Task]:
        """What a tile takes."""
        return self._segmented() if self._machine else self._steps

    def _counted(self) -> list[_Task]:
        """What a tile takes whose values are counted; nothing where the machine does not make the result."""
        tasks = self._segmented(counted=len(self._order) - 1)
        return tasks if tasks and isinstance(tasks[-1].work, Segment) and not tasks[-1].outputs else []

    @functools.cached_property
    def _steps(self) -> list[_Task]:
        """Tasks of one step each, without the machine."""
        return self._queue([work for work, _ in self._alone], [needs for _, needs in self._alone])

    @property
    def scanned_rows(self) -> int:
        """Rows of the shared tables that steps scan: what a range of states must hold in cache."""
        scanned = {id(part): part.rows for node in self._order if node.scans for part in node.inputs}
        return sum(scanned.values())

    def live_tiles(self, *, counting: bool = False) -> int:
        """The most tile buffers alive at once; none where the machine counts what it holds in registers."""
        tasks = self._counting if counting and self._counting else self._tasks
        alive = most = 0
        for task in tasks:
            alive += len(task.outputs)
            most = max(most, alive)
            alive -= len(task.last_use)
        return most if tasks is self._counting else max(most, 1)

    def replay(self, states: slice, trades: slice | None = None) -> NDArray[Any]:
        """The result on a tile, ``(trades, states)``; the array may be reused by the next call."""
        rows = trades or slice(0, self.trades)
        shape = rows.stop - rows.start, states.stop - states.start
        held, taken = self._run(self._tasks if shape[1] >= _FEWEST_STATES else self._steps, states, rows)
        result: NDArray[Any] = np.broadcast_to(self._held(self.result, held, rows, shape), shape)
        self._give_back(taken.pop(len(self._order) - 1, None))
        return result

    def counts(self, states: slice) -> bool:
        """Whether ``count`` can take this range of states."""
        return states.stop - states.start >= _FEWEST_STATES and bool(self._counting)

    def count(self, states: slice, trades: slice, where: Count) -> None:
        """The ticks of a tile as ``formulas.to_ticks`` would count what ``replay`` gives, without its being written.

        ValueError where ``where`` has other shapes: the machine would write beside its arrays.
        """
        shape = trades.stop - trades.start, states.stop - states.start - where.skip
        of_trades = [array.shape for array in (where.base, where.flags, where.checksums)]
        found = where.ticks.shape, where.multipliers.shape, *of_trades
        right = shape, shape[1:], *[(self.trades,)] * 3
        if found != right:
            raise ValueError(f"ticks, multipliers, base, flags and checksums are {found}; {right} is right")
        self._run(self._counting, states, trades, where)

    def _run(
        self, tasks: list[_Task], states: slice, rows: slice, *count: Count
    ) -> tuple[dict[int, NDArray[Any]], dict[int, NDArray[Any]]]:
        """Arrays of slots after the tasks, and those of them that are buffers still in use."""
        shape = rows.stop - rows.start, states.stop - states.start
        self._share(states)
        held: dict[int, NDArray[Any]] = {}
        taken: dict[int, NDArray[Any]] = {}
        for task in tasks:
            work = task.work
            kind = np.dtype(np.float64) if isinstance(work, Segment) else work.dtype
            buffers = {slot: self._take(shape, kind) for slot in task.outputs}
            taken |= buffers
            if isinstance(work, Segment):
                held |= buffers
                work.run(self._shared, held, rows, shape[1], *count)
            else:
                inputs = [self._held(part, held, rows, shape) for part in work.inputs]
                inputs.extend(array[rows] for array in work.by_trade)
                (slot,) = task.outputs
                held[slot] = np.asarray(work.operation(*inputs, out=buffers[slot]))
            for slot in task.last_use:
                self._give_back(taken.pop(slot, None))
        return held, taken

    def _held(self, part: Any, held: dict[int, NDArray[Any]], rows: slice, shape: tuple[int, int]) -> Any:
        if not isinstance(part, Quantity):
            by_trade = isinstance(part, np.ndarray) and part.ndim == 2 and part.shape[0] != 1
            return part[rows] if by_trade else part
        slot = self._slots[id(part)]
        if slot in self._numbers:
            return np.broadcast_to(self._numbers[slot][rows], shape)
        found = self._shared[slot] if part.extent == "once" else held[slot]
        # the machine writes flags as numbers
        return found != 0.0 if part.dtype == np.bool_ and found.dtype == np.float64 else found

    def _share(self, states: slice) -> None:
        if self._shared_range == states:
            return
        self._shared = {}
        for slot, node in enumerate(self._order):
            if node.extent == "once":
                if slot in self._base:
                    base = self._base[slot]
                    found = np.broadcast_to(base, (len(base), states.stop - states.start)).copy()
                else:
                    inputs = [self._shared[self._slots[id(p)]] if isinstance(p, Quantity) else p for p in node.inputs]
                    inputs.extend([states] if isinstance(node.operation, Source) else [])
                    found = np.asarray(node.operation(*inputs, *node.by_trade, out=None))
                    if found.dtype != node.dtype and not isinstance(node.operation, Source):
                        found = found.astype(node.dtype)
                self._shared[slot] = found
        self._shared_range = states

    def _base_values(self, node: Quantity) -> NDArray[Any]:
        base = slice(0, 1)
        inner = Program(node.inputs[0], self.trades, machine=False)
        inner._share(base)
        shared = inner._shared.get(len(inner._order) - 1)  # rows of its own, not a row a trade
        return np.array(inner.replay(base) if shared is None else shared)

    def _segmented(self, counted: int | None = None) -> list[_Task]:
        """Tasks in which the machine runs what it can; a step of nothing but columns becomes a column.

        counted : the slot of the result, if it is to be counted.
        """
        tiles = [slot for slot, node in enumerate(self._order) if node.extent == "tile" and slot not in self._numbers]
        for slot in tiles:
            node = self._order[slot]
            parts = [self._numbers.get(self._slots[id(p)]) if isinstance(p, Quantity) else p for p in node.inputs]
            if not node.by_trade and not any(part is None for part in parts) and runs_on_machine(node):
                with np.errstate(all="ignore"):
                    out = np.empty((self.trades, 1), node.dtype)
                    self._numbers[slot] = np.asarray(node.operation(*parts, out=out))
        tiles = [slot for slot in tiles if slot not in self._numbers]
        machine = {slot for slot in tiles if runs_on_machine(self._order[slot])}
        aliases = {slot for slot in tiles if is_alias(self._order[slot])}
        needs = {slot: self._tile_inputs(slot) for slot in tiles}
        runs = runs_of(tiles, needs, machine, aliases)
        operands, work = Operands(self.trades), list[tuple[Quantity | Segment, tuple[int, ...]]]()
        for run in runs:
            if run[0] not in machine:
                work.append((self._order[run[0]], (run[0],)))
                continue
            outside = {part for slot in tiles if slot not in run for part in needs[slot]} | {len(self._order) - 1}
            outputs = tuple(slot for slot in run if slot in outside)
            nodes = {slot: self._order[slot] for slot in run}
            here = counted if counted in outputs else None
            outputs = tuple(slot for slot in outputs if slot != here)
            segment = Segment(nodes, outputs, self._numbers, self._slots, operands, counted=here)
            work.append((segment, outputs))
        return self._queue(work, [set().union(*(needs[slot] for slot in run)) for run in runs])

    def _queue(
        self, work: Sequence[tuple[Quantity | Segment, tuple[int, ...]]], needs: Sequence[set[int]]
    ) -> list[_Task]:
        last = {slot: position for position, read in enumerate(needs) for slot in read}
        kept = {slot for _, outputs in work for slot in outputs}
        free: dict[int, list[int]] = {}
        for slot in kept & last.keys():
            free.setdefault(last[slot], []).append(slot)
        return [_Task(part, outputs, tuple(free.get(position, ()))) for position, (part, outputs) in enumerate(work)]

    def _tile_inputs(self, slot: int) -> set[int]:
        found = {self._slots[id(part)] for part in _needed(self._order[slot]) if part.extent == "tile"}
        return found - self._numbers.keys()

    def _take(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
        free = self._pool.get((shape, dtype))
        return free.pop() if free else np.empty(shape, dtype)

    def _give_back(self, buffer: NDArray[Any] | None) -> None:
        if buffer is not None:
            self._pool.setdefault((buffer.shape, buffer.dtype), []).append(buffer)


def tile_shape(program: Program, states: int, cache: int, *, counting: bool = False) -> tuple[int, int]:
    """Trades and states of a tile whose buffers stay in ``cache`` bytes; states are cut at multiples of 16 only.

    counting : its values are counted, not replayed.
    """
    budget = max(cache, 1 << 17) // 8
    scanned = program.scanned_rows
    # half as much again as the cache holds: what a range costs beside pricing weighs more than the rows that miss it
    wide = budget * 3 // (2 * scanned) // 16 * 16 if scanned else _MOST_STATES
    columns = min(states, max(wide, 32), _MOST_STATES)
    columns = states if states <= columns + 15 else columns
    buffers = program.live_tiles(counting=counting)
    most = budget // (columns * buffers) if buffers else _MOST_TRADES
    return max(8, min(program.trades, most, _MOST_TRADES)), columns


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
    return [] if is_base(node) else [part for part in node.inputs if isinstance(part, Quantity)]
