# ruff: noqa: ARG001, ARG005, PLW0108 - Numba hands its extensions fixed arguments, matched by name
"""What a compiled loop over (trade, state) is written with: rows, lanes, fused multiply-adds and bits.

Every function here has a plain Python body, which is its meaning and what runs where compilation is switched off, and
beside it the code that Numba emits.
"""

from typing import Any

import numpy as np

from riskgrid.formulas.backend import BACKEND

LANES = 64


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once where the processor can.

    Written out in every formula instead of left to `contract`: the compiler then fuses the same products in a vector
    body, in its scalar remainder and in every shape specialisation, so bits do not depend on the tile.
    """
    return a * b + c


def line(matrix: Any, i: Any) -> Any:
    """Row i of a matrix whose last axis is contiguous, as a contiguous array."""
    return matrix[i]


def line_from(matrix: Any, i: Any, j: Any) -> Any:
    """Row i of a matrix whose last axis is contiguous, from column j on; j lies inside, below 0 it does not wrap."""
    return matrix[i, j:]


def row(argument: Any, i: Any) -> Any:
    """What row i of a broadcast argument is: a number of a column (T,), a row of a matrix (T, S); length 1 repeats."""
    return argument[i if argument.shape[0] > 1 else 0]


def at(row_of_argument: Any, j: Any) -> Any:
    """State j of what `row` returned."""
    return row_of_argument[j] if np.ndim(row_of_argument) else row_of_argument


def part(row_of_argument: Any, begin: Any, end: Any) -> Any:
    """States begin to end of what `row` returned."""
    return row_of_argument[begin:end] if np.ndim(row_of_argument) else row_of_argument


def lanes() -> Any:
    """A new buffer of `LANES` numbers on the stack: the compiler knows that nothing else points into it.

    Loops over more than a few arrays become vectors only so: else each pair would need a test at run time.
    """
    return np.empty(LANES)


def bits(x: Any) -> Any:
    """The 64 bits of a float64 as int64."""
    return np.float64(x).view(np.int64)


def from_bits(b: Any) -> Any:
    """The float64 with these 64 bits."""
    return np.int64(b).view(np.float64)


if BACKEND == "numba":
    import llvmlite.binding as llvm
    from llvmlite import ir
    from numba import config, types
    from numba.core import cgutils
    from numba.core.registry import cpu_target
    from numba.extending import intrinsic, overload, register_jitable

    bits = register_jitable(bits)
    from_bits = register_jitable(from_bits)

    def target_fuses() -> bool:
        """Whether the code generator's target has a fused multiply-add; without one each would be a library call."""
        module = llvm.parse_assembly(
            "declare double @llvm.fma.f64(double, double, double)\n"
            "define double @f(double %a, double %b, double %c) {\n"
            "%r = call double @llvm.fma.f64(double %a, double %b, double %c)\nret double %r\n}"
        )
        instructions = cpu_target.target_context.codegen()._tm.emit_assembly(module)
        return "vfm" in instructions or "fmadd" in instructions

    @intrinsic
    def _fused(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.fma(*args)

        return types.float64(types.float64, types.float64, types.float64), generate

    @intrinsic
    def _line(typingctx: Any, matrix: Any, i: Any) -> Any:
        result = types.Array(matrix.dtype, 1, "C", readonly=not matrix.mutable)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source = context.make_array(matrix)(context, builder, args[0])
            stride = cgutils.unpack_tuple(builder, source.strides)[0]
            length = cgutils.unpack_tuple(builder, source.shape)[1]
            start = cgutils.pointer_add(builder, source.data, builder.mul(stride, args[1]), source.data.type)
            target = context.make_array(result)(context, builder)
            size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(matrix.dtype)))
            context.populate_array(
                target, data=start, shape=[length], strides=[size], itemsize=size, meminfo=None, parent=None
            )
            return target._getvalue()

        return result(matrix, types.intp), generate

    @intrinsic
    def _line_from(typingctx: Any, matrix: Any, i: Any, j: Any) -> Any:
        result = types.Array(matrix.dtype, 1, "C", readonly=not matrix.mutable)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source = context.make_array(matrix)(context, builder, args[0])
            strides, shape = (cgutils.unpack_tuple(builder, part) for part in (source.strides, source.shape))
            size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(matrix.dtype)))
            offset = builder.add(builder.mul(strides[0], args[1]), builder.mul(size, args[2]))
            start = cgutils.pointer_add(builder, source.data, offset, source.data.type)
            target = context.make_array(result)(context, builder)
            length = builder.sub(shape[1], args[2])
            context.populate_array(
                target, data=start, shape=[length], strides=[size], itemsize=size, meminfo=None, parent=None
            )
            return target._getvalue()

        return result(matrix, types.intp, types.intp), generate

    @intrinsic
    def _lanes(typingctx: Any) -> Any:
        result = types.Array(types.float64, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            memory = cgutils.alloca_once(builder, ir.ArrayType(ir.DoubleType(), LANES))
            target = context.make_array(result)(context, builder)
            length, size = context.get_constant(types.intp, LANES), context.get_constant(types.intp, 8)
            context.populate_array(
                target,
                data=builder.bitcast(memory, ir.DoubleType().as_pointer()),
                shape=[length],
                strides=[size],
                itemsize=size,
                meminfo=None,
                parent=None,
            )
            return target._getvalue()

        return result(), generate

    if not config.DISABLE_JIT:
        lanes = _lanes  # itself, not a function around it: the memory is that of the caller's frame

    @overload(fma, strict=False)
    def _fma(a: Any, b: Any, c: Any) -> Any:
        if target_fuses():
            return lambda a, b, c: _fused(a, b, c)
        return lambda a, b, c: a * b + c

    @overload(line, strict=False)
    def _contiguous_line(matrix: Any, i: Any) -> Any:
        return lambda matrix, i: _line(matrix, i)

    @overload(line_from, strict=False)
    def _contiguous_line_from(matrix: Any, i: Any, j: Any) -> Any:
        return lambda matrix, i, j: _line_from(matrix, i, j)

    @overload(row, strict=False)
    def _row(argument: Any, i: Any) -> Any:
        if argument.ndim == 1:
            return lambda argument, i: argument[i if argument.shape[0] > 1 else 0]
        return lambda argument, i: _line(argument, i if argument.shape[0] > 1 else 0)

    @overload(at, strict=False)
    def _at(row_of_argument: Any, j: Any) -> Any:
        if isinstance(row_of_argument, types.Array):
            return lambda row_of_argument, j: row_of_argument[j]
        return lambda row_of_argument, j: row_of_argument

    @overload(part, strict=False)
    def _part(row_of_argument: Any, begin: Any, end: Any) -> Any:
        if isinstance(row_of_argument, types.Array):
            return lambda row_of_argument, begin, end: row_of_argument[begin:end]
        return lambda row_of_argument, begin, end: row_of_argument
