"""Compiling functions: scalar formulas for inlining, and loops over arrays once per combination of argument shapes."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from riskgrid.formulas.backend import BACKEND

# No fast-math flag at all: `contract` and `arcp` round one way where an operand is the same for all states and another
# way where it is not, so a value would depend on its tile; `fma` in formulas buys back what they gain.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


def source_digest() -> str:
    """Hash of every source file of this package: a cached loop holds the formulas of other files."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


INTERPRETED = True  # loops run as plain Python: without Numba, or where its compiler is switched off

SOURCE = source_digest()
_COMPILING: Any = threading.Lock()
if BACKEND == "numba":
    import numba
    from numba.core import types
    from numba.core.caching import IndexDataCacheFile
    from numba.core.compiler_lock import global_compiler_lock
    from numba.np.numpy_support import from_dtype

    INTERPRETED = bool(numba.config.DISABLE_JIT)
    # Numba's own, so that who waits for a loop that another thread compiles is seen to wait for a compiler
    _COMPILING = global_compiler_lock

    def jit(function: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
        """Numba's dispatcher of a function, with a disk cache where a folder can be written."""
        dispatcher = numba.njit(**OPTIONS)(function)
        if INTERPRETED:
            return function
        try:
            dispatcher.enable_caching()
        except RuntimeError:  # no folder can be written: compile in every process
            pass
        else:
            _keep(dispatcher, signature)
        if signature:
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        return dispatcher  # type: ignore[no-any-return]

    def _keep(dispatcher: Any, signature: tuple[Any, ...]) -> None:
        """Files of its own on disk for a loop as it is called, good for this source alone.

        Numba stamps a cached loop with its own file only, and formulas inlined from other files would go stale. Its
        index numbers the files of all signatures and processors: two processes that add two of them at once give both
        the same number, and one is later taken for the other.
        """
        kept, name = dispatcher._cache, dispatcher._cache._impl.filename_base
        if signature:
            which = repr((signature, dispatcher.targetctx.codegen().magic_tuple())).encode()
            name = f"{name}-{hashlib.blake2b(which, digest_size=6).hexdigest()}"
        kept._cache_file = _Kept(kept.cache_path, name, SOURCE)

    class _Kept(IndexDataCacheFile):  # type: ignore[misc]
        """Files of a loop, and behind them those that were compiled into the package, where nobody may write now."""

        def __init__(self, folder: str, name: str, stamp: str) -> None:
            super().__init__(folder, name, stamp)
            self._shipped = IndexDataCacheFile(str(Path(__file__).with_name("__pycache__")), name, stamp)

        def load(self, key: Any) -> Any:
            found = super().load(key)
            return self._shipped.load(key) if found is None else found

    def array_type(array: np.ndarray[Any, Any], *, written: bool) -> Any:
        """Widest Numba type of an array, so that slices, memory maps and whole arrays share one compilation."""
        return types.Array(from_dtype(array.dtype), array.ndim, "A", readonly=not written)


def scalar(function: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of numbers, for use inside loops. It must be free of branches, so that loops become vectors.

    Inlined by force: past its own size limit the compiler would leave a call, and a call ends vectors.
    """
    return numba.njit(forceinline=True, **OPTIONS)(function) if BACKEND == "numba" else function


class Loop:
    """A loop over arrays whose last axes are contiguous, compiled per dimensions and dtypes when first called so."""

    def __init__(self, function: Callable[..., Any], writes: tuple[str, ...]) -> None:
        self.function = function
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.written = tuple(name in writes for name in names)
        self.variants: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *args: Any) -> Any:
        """Runs the loop. Raises ValueError for an output whose last axis is not contiguous; inputs are copied."""
        args = tuple(map(contiguous, args, self.written))
        if INTERPRETED:
            with np.errstate(all="ignore"):
                return self.function(*args)
        key = tuple([(a.dtype.char, a.ndim) if isinstance(a, np.ndarray) else type(a) for a in args])
        variant = self.variants.get(key)
        if variant is None:
            with _COMPILING:
                variant = self.variants.get(key) or self.variants.setdefault(key, self.compile(args))
        return variant(*args)

    def compile(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """The variant of the loop for arguments like these."""
        signature = [
            array_type(arg, written=written) if isinstance(arg, np.ndarray) else numba.typeof(arg)
            for arg, written in zip(args, self.written, strict=True)
        ]
        return jit(self.function, *signature)


def loop(*writes: str) -> Callable[[Callable[..., Any]], Loop]:
    """Decorator that makes a function of arrays a `Loop` that writes the named arguments."""
    return lambda function: Loop(function, writes)


def contiguous(argument: Any, written: bool) -> Any:
    """The argument, copied if it is a matrix whose last axis is strided."""
    if not isinstance(argument, np.ndarray) or argument.ndim < 2:
        return argument
    if argument.strides[-1] == argument.itemsize or argument.shape[-1] < 2 or not argument.size:
        return argument
    if written:
        raise ValueError(f"out: last axis has stride {argument.strides[-1]}; it must be contiguous")
    return np.ascontiguousarray(argument)
