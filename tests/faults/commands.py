"""Commands in processes forked from one that has imported what they need, which takes each of them seconds."""

from __future__ import annotations

import importlib
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dask

from tests.forking import forking


class Forked:
    """A process at work, to be asked and ended as one of `subprocess`.

    environment : all that it has.   out, err : files of what it prints.
    """

    def __init__(
        self, work: Callable[..., Any], *arguments: Any, environment: Mapping[str, str], out: Path, err: Path
    ) -> None:
        given = (work, arguments, dict(environment), out, err)
        self._process = forking().Process(target=_begin, args=given, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _begin(work: Callable[..., Any], arguments: Any, environment: Mapping[str, str], out: Path, err: Path) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    dask.config.refresh()  # it has read the environment that was there
    for descriptor, path in ((1, out), (2, err)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    work(*arguments)


def dask_command(command: str, *arguments: str) -> None:
    """``dask scheduler`` or ``dask worker`` with its arguments, in this process."""
    importlib.import_module(f"distributed.cli.dask_{command}").main(arguments)
