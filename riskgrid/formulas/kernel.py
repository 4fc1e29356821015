"""Elementwise kernels: one callable for numbers, arrays and symbols, over a compiled loop and its specification."""

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from riskgrid.formulas.arrays import Array, Flags
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.compiled import Loop


class Kernel:
    """An elementwise function of (trade, state) arrays.

    name : the function's name.   numpy : its specification.   numba : the same, compiled.
    flags : which arguments are bool.   An argument whose type defines ``__riskgrid_kernel__(kernel, args)`` takes the
    call over: that is how symbols record it.
    """

    def __init__(self, specification: Callable[..., Any], compiled: Loop) -> None:
        functools.update_wrapper(self, specification)
        parameters = inspect.signature(specification).parameters.values()
        self.name = specification.__name__
        self.specification = specification
        self.compiled = compiled
        self.flags = tuple(parameter.annotation is Flags for parameter in parameters)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        # a pickled dispatcher would forget its compiled code; a worker has the kernel under its name
        return _named, (self.__module__, self.name)

    def __call__(self, *args: Any, out: Array | None = None) -> Any:
        """Values of the broadcast shape, float64; written to `out` if given (contiguous last axis, no overlap)."""
        for arg in args:
            if hasattr(type(arg), "__riskgrid_kernel__"):
                return arg.__riskgrid_kernel__(self, args)
        return self.numba(*args, out=out) if BACKEND == "numba" else self.numpy(*args, out=out)

    def numpy(self, *args: Any, out: Array | None = None) -> Any:
        """The specification, evaluated."""
        arrays, shape, out = self._prepared(args, out)
        with np.errstate(all="ignore"):
            out[...] = self.specification(*arrays)
        return out if shape else out[()]

    def numba(self, *args: Any, out: Array | None = None) -> Any:
        """The compiled loop, run over rows of states."""
        arrays, shape, out = self._prepared(args, out)
        if len(shape) > 2:
            arrays = [np.broadcast_to(array, shape).reshape(-1, shape[-1]) if array.ndim else array for array in arrays]
        states = shape[-1] if shape else 1
        trades = out.size // states if states else 0
        if not out.size:
            return out
        if states == 1:  # one state: trades become the contiguous axis
            result = np.empty((1, trades))
            self.compiled(*[_row_or_number(array) for array in arrays], result)
            out[...] = result.reshape(shape)
        elif len(shape) > 2 and not out.flags.c_contiguous:
            out[...] = self.numba(*args)
        else:
            self.compiled(*[_matrix_or_column(array) for array in arrays], out.reshape(trades, states))
        return out if shape else out[()]

    def _prepared(self, args: tuple[Any, ...], out: Array | None) -> tuple[list[Any], tuple[int, ...], Array]:
        if len(args) != len(self.flags):
            raise TypeError(f"{self.name}: {len(args)} arguments given; it takes {len(self.flags)}")
        arrays = [np.asarray(arg, np.bool_ if flag else np.float64) for arg, flag in zip(args, self.flags, strict=True)]
        shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*[array.shape for array in arrays])
        if out is None:
            out = np.empty(shape)
        elif out.shape != shape or out.dtype != np.float64:
            raise ValueError(f"{self.name}: out is {out.dtype} {out.shape}; it must be float64 {shape}")
        return arrays, shape, out


def _row_or_number(array: Any) -> Any:
    return array.reshape(1) if array.size == 1 else np.ascontiguousarray(array.reshape(1, -1))


def _matrix_or_column(array: Any) -> Any:
    if array.size == 1:
        return array.reshape(1)
    if array.ndim == 1:
        return array[None, :]
    return array[:, 0] if array.shape[1] == 1 else array


def _named(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def kernel(compiled: Loop) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorator that joins a specification to the loop that computes the same."""
    return lambda specification: Kernel(specification, compiled)
