# ruff: noqa: ARG001, PLW0108 - Numba hands its extensions fixed arguments, matched by name
"""Memory by its address, and the widest vectors to work on it: what the row machine needs beyond arrays."""

import ctypes
from typing import Any

import numpy as np

from riskgrid.formulas.backend import BACKEND

DOUBLE = 8  # bytes


def memory(address: Any, length: Any) -> Any:
    """The `length` float64 that begin at an address."""
    return np.ctypeslib.as_array((ctypes.c_double * int(length)).from_address(int(address)))


def widest() -> None:
    """Asks for the processor's widest vectors in the function that calls it; the compiler's habit is half of them."""


if BACKEND == "numba":
    from llvmlite import ir
    from numba import config, types
    from numba.extending import intrinsic, overload

    @intrinsic
    def _memory(typingctx: Any, address: Any, length: Any) -> Any:
        result = types.Array(types.float64, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target = context.make_array(result)(context, builder)
            size = context.get_constant(types.intp, DOUBLE)
            data = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
            context.populate_array(
                target, data=data, shape=[args[1]], strides=[size], itemsize=size, meminfo=None, parent=None
            )
            return target._getvalue()

        return result(types.int64, types.int64), generate

    @intrinsic
    def _widest(typingctx: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            # past llvmlite's own list of attributes: LLVM knows this one, and ignores it on other processors
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            return context.get_dummy_value()

        return types.none(), generate

    @overload(memory, strict=False)
    def _memory_at(address: Any, length: Any) -> Any:
        return lambda address, length: _memory(address, length)

    if not config.DISABLE_JIT:
        widest = _widest
