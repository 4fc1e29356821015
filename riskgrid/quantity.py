"""Symbols of ``(trade, state)`` arrays: what a pricer does is recorded as steps, to be replayed tile by tile.

A :class:`Quantity` takes part in NumPy ufuncs, ``np.where`` and the kernels of :mod:`riskgrid.formulas`; nothing is
computed until a :class:`~riskgrid.program.Program` replays the steps. Three extents: ``once`` has a row or a table of
rows that every trade of the block shares and is computed once per range of states, ``tile`` has one row a trade,
``flow`` has one number a cash flow and is computed once per block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import NotAQuantity
from riskgrid.terms import Names, Values

__all__ = [
    "Quantity",
    "Source",
    "at_base",
    "elementwise",
    "evaluate_flow",
    "gather",
    "is_base",
    "is_gather",
    "real_numbers",
    "source",
    "where",
]

_KERNEL_OF_UFUNC = {np.exp: formulas.exp, np.log: formulas.log}
_BOOLEAN: set[np.ufunc] = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}
_BOOLEAN |= {np.logical_and, np.logical_or, np.logical_not, np.logical_xor}
_BOOLEAN |= {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}  # of flags; money has no bits to combine
_FLAG_OPERATIONS: dict[Any, np.ufunc] = {np.add: np.logical_or, np.multiply: np.logical_and}
_FLAG_OPERATIONS |= {np.maximum: np.logical_or, np.minimum: np.logical_and}
_BOOLEAN |= {np.isnan, np.isfinite, np.isinf, np.signbit}


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
        return elementwise(ufunc, inputs, bool if ufunc in _BOOLEAN else np.float64)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where and len(args) == 3 and not kwargs:
            return elementwise(where, args, np.float64)
        if function is np.clip and len(args) == 3 and not kwargs:
            raised = args[0] if args[1] is None else np.maximum(args[0], args[1])
            return raised if args[2] is None else np.minimum(raised, args[2])
        raise NotAQuantity(
            f"np.{function.__name__} needs the numbers of a market quantity, which has none while steps are recorded; "
            "use ufuncs, np.where or riskgrid.formulas, or register the instrument with eager=True"
        )

    def __riskgrid_kernel__(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Quantity:
        return elementwise(kernel, args, np.float64)

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


def is_base(node: Quantity) -> bool:
    """Whether a step only says that its input is taken in the base state."""
    return node.operation is _at_base


def is_gather(node: Quantity) -> bool:
    """Whether a step only says which row of a table is the trade's."""
    return node.operation is _gather


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


class Source:
    """An operation that reads a stored panel ``(rows, state)``; called with the range of states."""

    def __init__(self, panel: Values) -> None:
        self.panel = panel

    def __call__(self, states: slice, **_: Any) -> Values:
        """The stored numbers of a range of states."""
        return self.panel[:, states]


def source(panel: Values) -> Quantity:
    """A shared quantity of stored numbers, ``(rows, state)``."""
    return Quantity(Source(panel), extent="once", rows=len(panel))


def _of_flags(operation: Any) -> tuple[Any, type]:
    """What NumPy does with flags alone, which have no arithmetic: a sum is 'or', a product is 'and'."""
    if operation in _FLAG_OPERATIONS:
        return _FLAG_OPERATIONS[operation], bool
    if operation in (np.subtract, np.negative, np.positive):
        raise NotAQuantity(f"np.{operation.__name__} of flags has no meaning; write np.where(flag, 1.0, 0.0) first")
    return operation, bool if operation is where else np.float64


def _is_flag(part: Any) -> bool:
    return bool(part.dtype == np.bool_) if hasattr(part, "dtype") else isinstance(part, bool)


def elementwise(operation: Callable[..., Any], inputs: Sequence[Any], dtype: type = np.float64) -> Quantity:
    """The quantity of an operation that works state by state; it takes the extent of what it combines."""
    parts = [_part(value) for value in inputs]
    judged = parts[1:] if operation is where else parts
    if dtype is not bool and isinstance(operation, (np.ufunc, type(where))) and all(map(_is_flag, judged)):
        operation, dtype = _of_flags(operation)
    flows = [part for part in parts if isinstance(part, Quantity) and part.extent == "flow"]
    if flows:
        return Quantity(operation, parts, extent="flow", schedule=flows[0].schedule, dtype=dtype)
    by_trade = any(isinstance(part, np.ndarray) and part.ndim == 2 and part.shape[0] != 1 for part in parts)
    tile = by_trade or any(isinstance(part, Quantity) and part.extent == "tile" for part in parts)
    rows = 1 if tile else max((part.rows for part in parts if isinstance(part, Quantity)), default=1)
    return Quantity(operation, parts, extent="tile" if tile else "once", rows=rows, dtype=dtype)


def _part(value: Any) -> Any:
    if isinstance(value, Quantity):
        return value
    if _is_number(value):  # an integer would compute otherwise where all trades share it than where each has its own
        return value if isinstance(value, (bool, np.bool_)) else float(value)
    if isinstance(value, Names):
        raise NotAQuantity("a pricer computed with a column of names; compare it to a text to get a column of flags")
    array = np.asarray(value)
    if array.dtype.kind not in "fiubMm":
        raise NotAQuantity(f"a pricer combined a market quantity with {array.dtype} values; real numbers are right")
    if array.ndim != 2 or array.shape[1] != 1:
        raise NotAQuantity(f"a pricer combined a market quantity with an array of shape {array.shape}, not (trade, 1)")
    return array.astype(np.float64) if array.dtype.kind in "iu" else array


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, bool, np.number, np.bool_))


def real_numbers(value: Any) -> Values:
    """What a pricer returned, as float64. NotAQuantity for anything that is no real number."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise NotAQuantity(f"a pricer returned {array.dtype} values; real numbers are right")
    return array.astype(np.float64, copy=False)


def _at_base(*_: Any, **__: Any) -> Any:
    raise AssertionError("a program evaluates the base state itself")


def _gather(table: Values, row: NDArray[np.intp], out: Values | None) -> Values:
    picked: Values = np.take(table, row, axis=0, out=out, mode="clip")
    return picked


def where(condition: Any, a: Any, b: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """`np.where` with a place to write to."""
    if out is None:
        chosen: NDArray[Any] = np.where(condition, a, b)
        return chosen
    np.copyto(out, b)
    np.copyto(out, a, where=np.asarray(condition, np.bool_))
    return out
