"""How the parts of a Dask cluster are started: with certificates, few routes, one process a worker."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from riskgrid.cluster.connecting import WORKER_ENVIRONMENT
from riskgrid.cluster.tls import files, protocol
from riskgrid.errors import BadSpec

__all__ = ["Command", "scheduler_command", "worker_command"]

#: What a scheduler answers over HTTP: whether it lives, its counts, and which of its workers are to be retired.
SCHEDULER_ROUTES = [
    "distributed.http.health",
    "distributed.http.scheduler.prometheus",
    "distributed.http.scheduler.api",
]
WORKER_ROUTES = ["distributed.http.health", "distributed.http.worker.prometheus"]


@dataclass(frozen=True)
class Command:
    """A command line and what its environment has beside this process's."""

    line: list[str]
    environment: dict[str, str]


def scheduler_command(host: str, port: int, http_port: int) -> Command:
    """A scheduler. http_port : of its probes and counts, which speak no TLS."""
    config: dict[str, Any] = {
        "distributed.scheduler.http.routes": SCHEDULER_ROUTES,
        # who is at fault when a worker dies is found out by the engine, which knows the blocks
        "distributed.scheduler.allowed-failures": 0,
        # the engine asks for as many workers as there is work for
        "distributed.scheduler.worker-saturation": 1.1,
    }
    where = [f"--host={protocol()}://{host}", f"--port={port}", f"--dashboard-address={host}:{http_port}"]
    return _command("scheduler", [*where, "--no-dashboard", "--no-show", *_certificates()], config)


def worker_command(address: str, *, threads: int, name: str | None, host: str | None, http_port: int) -> Command:
    """A worker: one process, which a second one watches and starts again. BadSpec for what is no address.

    address : of the scheduler; its protocol is that of this process's certificates, whoever wrote it.   host : at which
    others reach it.   The memory it may take is what the system gives it.
    """
    _, _, rest = address.rpartition("://")
    if not rest.rpartition(":")[2].isdecimal():
        raise BadSpec(f"'{address}' is no scheduler's address; tcp://host:8786 or tls://host:8786 is right")
    config: dict[str, Any] = {
        "distributed.worker.http.routes": WORKER_ROUTES,
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        # the dashboards of Dask are not started, their counts are
        "distributed.worker.profile.enabled": False,
    }
    options = ["--nworkers=1", f"--nthreads={threads}", "--memory-limit=0", f"--dashboard-address=:{http_port}"]
    options += [f"--name={name}"] if name else []
    options += [f"--host={host}"] if host else []
    line = [f"{protocol()}://{rest}", *options, "--no-dashboard", "--protocol", f"{protocol()}://", *_certificates()]
    return _command("worker", line, config)


def _command(part: str, options: list[str], config: Mapping[str, Any]) -> Command:
    import dask.config

    if protocol() == "tls":
        config = {**config, "distributed.comm.require-encryption": True}
    nested: dict[str, Any] = {}
    for path, value in config.items():
        *folders, last = path.split(".")
        at = nested
        for folder in folders:
            at = at.setdefault(folder, {})
        at[last] = value
    # read by Dask in the process that starts and in those that it starts
    inherited = {"DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(nested)}
    return Command([sys.executable, "-m", f"distributed.cli.dask_{part}", *options], inherited)


def _certificates() -> list[str]:
    found = files()
    if found is None:
        return []
    authority, certificate, key = found
    return [f"--tls-ca-file={authority}", f"--tls-cert={certificate}", f"--tls-key={key}"]
