"""The parts of a Dask cluster as processes: with certificates, few routes, and a word of farewell."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from riskgrid import log
from riskgrid.cluster.connecting import WORKER_ENVIRONMENT
from riskgrid.cluster.tls import protocol, security
from riskgrid.errors import BadSpec
from riskgrid.settings import settings

__all__ = ["run_scheduler", "run_worker"]

_LOG = logging.getLogger(__name__)

#: What a scheduler answers over HTTP: whether it lives, its counts, and which of its workers are to be retired.
SCHEDULER_ROUTES = [
    "distributed.http.health",
    "distributed.http.scheduler.prometheus",
    "distributed.http.scheduler.api",
]
WORKER_ROUTES = ["distributed.http.health", "distributed.http.worker.prometheus"]
#: Seconds that a part which is told to end has for what is in its hands.
_FAREWELL = 10.0


def run_scheduler(host: str, port: int, http_port: int) -> bool:
    """A scheduler until this process is told to end; returns whether it was.

    http_port : of its probes and counts, which speak no TLS. BadSpec where a port is in use.
    """
    import dask
    from distributed import Scheduler

    _speak()
    _check_free(host, port)
    _check_free(host, http_port)

    def make() -> Any:
        # who is at fault when a worker dies is found out by the engine, which knows the blocks
        return Scheduler(
            host=host,
            port=port,
            protocol=f"{protocol()}://",
            security=security(),
            dashboard=False,
            dashboard_address=f"{host}:{http_port}",
            allowed_failures=0,
        )

    with dask.config.set({"distributed.scheduler.http.routes": SCHEDULER_ROUTES, **_encrypted()}):
        return asyncio.run(_attended(make, _closed))


def run_worker(address: str, *, threads: int, name: str | None, host: str | None, http_port: int) -> bool:
    """A worker until this process is told to end; returns whether it was, and not sent away or left alone.

    address : of the scheduler; its protocol is that of this process's certificates, whoever wrote it.   host : at which
    others reach it.   The work is done in a process of its own, which is started again when it dies; the memory it may
    take is what the system gives it. BadSpec for what is no address, and where the HTTP port is in use.
    """
    import dask
    from distributed import Nanny

    _speak()
    _, _, rest = address.rpartition("://")
    if not rest.rpartition(":")[2].isdecimal():
        raise BadSpec(f"'{address}' is no scheduler's address; tcp://host:8786 or tls://host:8786 is right")
    _check_free("", http_port)

    def make() -> Any:
        return Nanny(
            f"{protocol()}://{rest}",
            nthreads=threads,
            name=name,
            host=host,
            protocol=f"{protocol()}://",
            security=security(),
            memory_limit=0,
            preload=[__name__],
            dashboard=False,
            dashboard_address=f":{http_port}",
        )

    config = {
        "distributed.worker.http.routes": WORKER_ROUTES,
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        "distributed.worker.profile.enabled": False,
    }
    with dask.config.set({**config, **_encrypted()}):
        told = asyncio.run(_attended(make, _retired))
    if not told:
        _LOG.error("the scheduler at %s was lost, or has sent this worker away", address)
    return told


def dask_setup(worker: Any) -> None:  # noqa: ARG001, Dask calls it so in the process that works
    """Speak as the process that watches this one; a terminal's Ctrl-C is heard by that one alone."""
    _speak()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _attended(make: Callable[[], Any], end: Callable[[Any], Awaitable[None]]) -> bool:
    """Run a part until it ends by itself or a signal comes; whether one came."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    part = make()
    living, waiting = asyncio.ensure_future(_life(part)), asyncio.ensure_future(told.wait())
    await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if told.is_set():
        await end(part)
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await living
        return True
    waiting.cancel()
    try:
        await living
    except (OSError, RuntimeError) as error:
        raise BadSpec(f"it cannot be started: {_innermost(error)}") from None
    return False


async def _life(part: Any) -> None:
    await part
    await part.finished()


async def _closed(scheduler: Any) -> None:
    await scheduler.close(reason="told to end")


async def _retired(nanny: Any) -> None:
    """Say goodbye first: the scheduler hands the tasks to others and holds nobody responsible."""
    if nanny.worker_address is not None:
        with contextlib.suppress(Exception):
            retiring = nanny.scheduler.retire_workers(workers=[nanny.worker_address], close_workers=False, remove=True)
            await asyncio.wait_for(retiring, _FAREWELL)
    await nanny.close(timeout=_FAREWELL, reason="told to end")


def _innermost(error: BaseException) -> str:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def _encrypted() -> dict[str, Any]:
    return {"distributed.comm.require-encryption": True} if protocol() == "tls" else {}


def _check_free(host: str, port: int) -> None:
    """Dask takes any other where a port is in use, and whoever asks there hears nothing."""
    if not port:
        return
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(*found[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except OSError as error:
        raise BadSpec(
            f"port {port} cannot be listened at: {error.strerror}; another one, or 0 for any, is right"
        ) from None


def _speak() -> None:
    """Lines of Dask in the form of ours, a failure in one line where nobody wants to know more."""
    import distributed  # noqa: F401, it sets its loggers up when it is imported

    chosen = settings()
    log.set_up(chosen.log, chosen.log_level)
    for name in ("distributed", "distributed.client", "bokeh", "tornado", "tornado.application"):
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
    if chosen.log_level != "debug":
        for handler in logging.getLogger().handlers:
            handler.addFilter(_in_one_line)


def _in_one_line(record: logging.LogRecord) -> bool:
    if record.exc_info and record.name.startswith(("distributed", "tornado")):
        error = record.exc_info[1]
        record.msg, record.args = f"{record.getMessage()}: {_innermost(error)}" if error else record.msg, ()
        record.exc_info = record.exc_text = None
    return True
