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
        found["cpu"] = _cpu()
    return found | {name: importlib.metadata.version(name) for name in names}


@functools.cache
def numerics_digest() -> bytes:
    """Digest of :func:`numerics`."""
    return digest(numerics())


def _instructions() -> str:
    # NumPy says it nowhere in public but in show_config, as text for people; of what a processor can do beside, no loop
    # of NumPy makes use, and processors that differ in that alone give the same bits
    told = importlib.import_module("numpy._core._multiarray_umath")
    used = {*told.__cpu_baseline__, *told.__cpu_dispatch__}
    return " ".join(sorted(name for name in used if told.__cpu_features__[name])) or "none"


def _cpu() -> str:
    import llvmlite.binding
    from numba import config

    name = config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    return " ".join(filter(None, (str(name), config.CPU_FEATURES)))
