"""Commands of Dask in processes forked from one that has imported what they need."""

import importlib
import os
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import dask

from tests.forking import forking


def forked_command(log: Path, command: str, *arguments: str) -> ForkServerProcess:
    """``dask scheduler`` or ``dask worker`` with its arguments, on its way.   log : what it prints goes there."""
    process = forking().Process(target=_begin, args=(log, command, arguments))
    process.start()
    return process


def _begin(log: Path, command: str, arguments: tuple[str, ...]) -> None:
    os.environ["DEADLY"] = "1"
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        importlib.import_module(f"distributed.cli.dask_{command}").main(arguments)
