# ruff: noqa: ARG001, PLW0108 - Numba hands its extensions fixed arguments, matched by name
"""Memory by its address, and the widest vectors to work on it: what the row machine needs beyond arrays."""

import ctypes
from typing import Any

import numpy as np

from riskgrid.formulas.backend import BACKEND

DOUBLE = 8  # bytes
_LINE = 64  # bytes of a cache line


def memory(address: Any, length: Any) -> Any:
    """The `length` float64 that begin at an address."""
    return np.ctypeslib.as_array((ctypes.c_double * int(length)).from_address(int(address)))


def ahead(matrix: Any, i: Any, lines: Any) -> None:
    """Asks for the first cache lines of row i, which will be written; i may lie beyond the matrix."""


def widest() -> None:
    """Asks for the processor's widest vectors in the function that calls it; the compiler's habit is half of them."""


if BACKEND == "numba":
    from llvmlite import ir
    from numba import config, types
    from numba.core import cgutils
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

    @intrinsic
    def _ahead(typingctx: Any, matrix: Any, i: Any, lines: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source = context.make_array(matrix)(context, builder, args[0])
            stride = cgutils.unpack_tuple(builder, source.strides)[0]
            start = cgutils.pointer_add(builder, source.data, builder.mul(stride, args[1]), _BYTES)
            words = [ir.IntType(32)] * 3
            fetch = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [_BYTES, *words]), "llvm.prefetch.p0"
            )
            with cgutils.for_range(builder, args[2]) as each:
                at = builder.gep(start, [builder.mul(each.index, each.index.type(_LINE))])
                builder.call(fetch, [at, *(word(value) for word, value in zip(words, (1, 3, 1), strict=True))])
            return context.get_dummy_value()

        return types.none(matrix, types.intp, types.intp), generate

    _BYTES = ir.IntType(8).as_pointer()

    @overload(memory, strict=False)
    def _memory_at(address: Any, length: Any) -> Any:
        return lambda address, length: _memory(address, length)

    if not config.DISABLE_JIT:
        widest, ahead = _widest, _ahead
