"""What a function does, as a digest: its source and every value it reads, so that a change of either is seen."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from riskgrid.hashing import digest

__all__ = ["code_of"]

_LIBRARIES = sys.stdlib_module_names | {"riskgrid", "numpy", "scipy", "numba"}


def code_of(function: Callable[..., Any], terms: type) -> bytes | None:
    """Digest of a pricer and its terms as they are now; None where something it reads has no canonical bytes.

    riskgrid's own: the source of their file. A user's: the source, closure, defaults and globals of the function and
    of every function it calls. A class or an object among them cannot be told, since its state may be anywhere.
    """
    try:
        if function.__module__ and function.__module__.startswith("riskgrid."):
            return _file(function.__module__)
        return digest("source", inspect.getsource(terms), _function(function, set()))
    except (OSError, TypeError, AttributeError):
        return None


@functools.cache
def _file(module: str) -> bytes:
    return digest("file", inspect.getsource(sys.modules[module]))


def _function(function: Any, seen: set[Any]) -> list[Any]:
    seen.add(function)
    code: CodeType = function.__code__
    read = {name: function.__globals__[name] for name in _names(code) if name in function.__globals__}
    read |= dict(zip(code.co_freevars, (cell.cell_contents for cell in function.__closure__ or ()), strict=True))
    defaults = [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())]
    # the source of the code, not of the function: a decorator's wrapper claims to be what it wraps
    found: list[Any] = [inspect.getsource(code), [_value(value, seen) for value in defaults]]
    return found + [[name, _value(value, seen)] for name, value in sorted(read.items()) if not _is_library(value)]


def _names(code: CodeType) -> set[str]:
    """Names that a function and the functions inside it look up."""
    return set(code.co_names).union(*(_names(part) for part in code.co_consts if isinstance(part, CodeType)))


def _value(value: Any, seen: set[Any]) -> Any:
    if inspect.isfunction(value):
        return "seen" if value in seen else _function(value, seen)
    if _is_library(value):
        return [value.__module__, getattr(value, "__name__", "")]
    if not isinstance(value, np.ndarray):
        digest(value)  # a TypeError here says that the value has no canonical bytes
    return value


def _is_library(value: Any) -> bool:
    # an object of a library's class, such as a partial, may hold values of the user's; a kernel of ours does not
    kernel = callable(value) and type(value).__module__.startswith("riskgrid.formulas.")
    if not (kernel or isinstance(value, (ModuleType, type, np.ufunc)) or inspect.isroutine(value)):
        return False
    if isinstance(value, np.ufunc):  # SciPy's do not say where they live; a user's are made by np.frompyfunc
        return not value.__name__.endswith("(vectorized)")
    if inspect.isfunction(value):  # a wrapper claims to be what it wraps
        home = value.__globals__.get("__name__")
    else:
        home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return str(home).partition(".")[0] in _LIBRARIES
