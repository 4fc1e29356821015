"""What decides the last bits of a value beside its inputs: riskgrid's own code, and the libraries and processor."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import platform
from pathlib import Path

from riskgrid.formulas import BACKEND
from riskgrid.hashing import digest, file_digest

__all__ = ["engine_code", "numerics", "numerics_digest"]

#: What every value passes through; the pricer's own file is added per instrument.
VALUE_PATH = (
    "formulas",
    "conventions",
    "market",
    "terms.py",
    "quantity.py",
    "program.py",
    "segment.py",
    "assembly.py",
    "hashing.py",
    "engine",
)


def engine_code(package: Path | None = None) -> bytes:
    """Digest of the source that every value passes through."""
    return _own_code() if package is None else file_digest(package / part for part in VALUE_PATH)


@functools.cache
def _own_code() -> bytes:
    return engine_code(Path(__file__).parents[1])


@functools.cache
def numerics() -> dict[str, str]:
    """Backend, instruction set and library versions: equal ones give equal bits."""
    names = ["numpy", "scipy"] + (["numba", "llvmlite"] if BACKEND == "numba" else [])
    interpreted = BACKEND == "numba" and os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    found = {
        "backend": "numba, interpreted" if interpreted else BACKEND,
        "machine": platform.machine(),
        "instructions": _instructions(),
    }
    if BACKEND == "numba":
        found["cpu"] = os.environ.get("NUMBA_CPU_NAME", "") or _host_cpu()
    return found | {name: importlib.metadata.version(name) for name in names}


@functools.cache
def numerics_digest() -> bytes:
    """Digest of :func:`numerics`."""
    return digest(numerics())


def _instructions() -> str:
    # NumPy says it nowhere in public but in show_config, as text for people
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    return " ".join(sorted(name for name, usable in features.items() if usable)) or "none"


def _host_cpu() -> str:
    import llvmlite.binding

    return str(llvmlite.binding.get_host_cpu_name())
