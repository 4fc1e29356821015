"""Compiling kernels ahead of their first use: in an image that is built, or before a run of the tests."""

from __future__ import annotations

import importlib
import pkgutil
import tempfile
import time
from dataclasses import dataclass

import numpy as np

from riskgrid import formulas, sample
from riskgrid.analysis.bumping import sensitivities, spot_vol_ladder
from riskgrid.errors import BadSpec
from riskgrid.formulas.compiled import INTERPRETED, Loop
from riskgrid.reporting import report
from riskgrid.running import price, run

__all__ = ["Compilation", "compile_kernels", "loops"]

#: Sample trades: so few that only the compiler takes time.
_TRADES = 100


@dataclass(frozen=True)
class Compilation:
    """What was compiled. compiled, found : loops as they are called, now and earlier.   where : what keeps them."""

    compiled: int
    found: int
    where: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.compiled} loops compiled, {self.found} found compiled, in {self.seconds:.1f} s; "
            f"kept in {', '.join(self.where)}"
        )


def compile_kernels() -> Compilation:
    """Compile every kernel for numbers and for matrices, and what else the sample book needs; keep it on disk.

    Later processes of the same machine and version load in milliseconds what is compiled here, half a minute of work.
    Calls of other shapes are compiled when they are first made.   BadSpec where nothing is compiled or can be kept.
    """
    if INTERPRETED:
        raise BadSpec("kernels are not compiled here; the extra numba, and NUMBA_DISABLE_JIT not set, is right")
    begun = time.perf_counter()
    for kernel in vars(formulas).values():
        if isinstance(kernel, formulas.Kernel):
            kernel.numba(*[flag or 0.5 for flag in kernel.flags])
            kernel.numba(*[np.full((2, 2), flag or 0.5) for flag in kernel.flags])
    with tempfile.TemporaryDirectory(prefix="riskgrid-") as folder:
        book, market = sample.portfolio(_TRADES), sample.market()
        price(book, market)
        made = run(book, market, sample.scenarios(), store=folder, progress=None)
        report(made, by="desk")
        sensitivities(made, by="desk")
        spot_vol_ladder(made, "equity:SPX")
    told = [variant.stats for loop in loops().values() for variant in loop.variants.values()]
    if not all(one.cache_path for one in told):
        raise BadSpec("compiled kernels are kept nowhere; a folder that can be written, in NUMBA_CACHE_DIR, is right")
    found = sum(bool(one.cache_hits) for one in told)
    where = tuple(sorted({str(one.cache_path) for one in told}))
    return Compilation(len(told) - found, found, where, time.perf_counter() - begun)


def loops() -> dict[str, Loop]:
    """Every loop of the package by its name."""
    names = [f"{formulas.__name__}.{module.name}" for module in pkgutil.iter_modules(formulas.__path__)]
    parts = [vars(importlib.import_module(name)) for name in names]
    return {name: value for part in parts for name, value in part.items() if isinstance(value, Loop)}
