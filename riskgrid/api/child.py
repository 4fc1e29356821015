"""A runner as a child of the process that serves: started again where it dies, told to stop when that ends."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

__all__ = ["Child", "runner_command"]

_LOG = logging.getLogger(__name__)

#: Seconds before a child that died is started again: at first, and at most.
_PAUSE, _MOST_PAUSE = 0.5, 30.0

#: Seconds after which a child that lived that long is thought to be well.
_WELL = 60.0

#: Seconds that a child has to give back what it holds.
_PATIENCE = 20.0

#: Seconds for which a run stays with a runner that says nothing: both are on one machine, no network parts them.
_LEASE = 10.0


def runner_command(store: str, cluster: str) -> list[str]:
    """The command of a runner that ends with whoever started it."""
    command = [sys.executable, "-m", "riskgrid", "runner", "--store", store, "--cluster", cluster]
    return [*command, "--lease", f"{_LEASE:g}", "--while-stdin"]


class Child:
    """Keeps a command running until the block ends. It ends when its input does, which it does with this process."""

    def __init__(self, command: Sequence[str], name: str = "runner") -> None:
        self._command, self.name = list(command), name
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"riskgrid-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        process = self._process
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # heard by a child that has not come to listen for signals yet, too
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                _LOG.warning("the %s did not end within %.0f s and is killed", self.name, _PATIENCE)
                process.kill()
                process.wait()
        self._thread.join()

    @property
    def pid(self) -> int | None:
        """Of the process as it runs now."""
        return None if self._process is None else self._process.pid

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)
        _LOG.info("the %s is process %d", self.name, self._process.pid)

    def _keep(self) -> None:
        pause = _PAUSE
        while self._process is not None:
            begun = time.monotonic()
            code = self._process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - begun > _WELL:
                pause = _PAUSE
            how = f"signal {-code}" if code < 0 else f"status {code}"
            _LOG.warning("the %s ended with %s and is started again in %.1f s", self.name, how, pause)
            if self._stopping.wait(pause):
                return
            pause = min(2.0 * pause, _MOST_PAUSE)
            self._start()
