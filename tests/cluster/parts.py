"""Parts of a cluster as processes of their own, as pods have them."""

import contextlib
import os
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(said, seconds=60.0):
    """Wait until something holds."""
    ended = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < ended, "it did not come to pass"
        time.sleep(0.01)


@contextlib.contextmanager
def part(*words, told=False, start_new_session=False, **environment):
    """A part of the cluster as a process of its own. told : its standard error can be read."""
    line = [sys.executable, "-m", "riskgrid", *words]
    errors = subprocess.PIPE if told else subprocess.DEVNULL
    how = {"env": {**os.environ, **environment}, "stderr": errors, "start_new_session": start_new_session}
    with subprocess.Popen(line, **how) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)
