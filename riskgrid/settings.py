"""Where riskgrid keeps its store and how many threads it uses: the only reader of environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from riskgrid.errors import InputError

__all__ = ["Settings", "settings"]


@dataclass(frozen=True)
class Settings:
    """``home``: folder of the embedded store.   ``threads``: worker threads of a run in this process."""

    home: Path
    threads: int


def settings() -> Settings:
    """Settings of this process: ``RISKGRID_HOME``, else the platform's data folder; ``RISKGRID_THREADS``, or all cores.

    InputError where ``RISKGRID_THREADS`` is no count.
    """
    home = os.environ.get("RISKGRID_HOME")
    if home is None:
        import platformdirs

        home = platformdirs.user_data_dir("riskgrid", appauthor=False)
    threads = os.environ.get("RISKGRID_THREADS", "0")
    if not threads.isdecimal():
        raise InputError(f"RISKGRID_THREADS is {threads!r}; a count of threads is right, 0 for all cores")
    return Settings(Path(home).expanduser(), int(threads) or _usable_cores())


def _usable_cores() -> int:
    # macOS has no affinity; Linux containers often allow fewer cores than the machine has
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)
