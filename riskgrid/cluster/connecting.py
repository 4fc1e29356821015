"""Workers from one word."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from riskgrid.cluster.elastic import Elastic, Group
from riskgrid.cluster.grid import Grid
from riskgrid.cluster.kubernetes import scheduler_of
from riskgrid.cluster.threads import Threads
from riskgrid.cluster.tls import protocol, security
from riskgrid.cluster.workers import Workers
from riskgrid.errors import BadSpec, ClusterLost, InputError
from riskgrid.settings import WorkerRange, settings

__all__ = ["ANSWER", "WORKER_ENVIRONMENT", "connect"]

#: Seconds that a scheduler may take to answer.
ANSWER = 20.0

#: Set before a worker process starts: handing memory back after every block costs a cluster a quarter of its time.
WORKER_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_KNOWN = "'threads', 'threads:N', 'processes:N', 'processes:LEAST-MOST', 'kubernetes', a scheduler's address"


def connect(where: str | Workers | Any = "threads", *, keep: bool = False, fixed: bool = False) -> Workers:
    """Workers from one word: ``threads``, ``threads:4``, ``processes:2``, ``tcp://host:8786`` or a Dask client.

    ``processes:0-4`` and ``kubernetes:[NAMESPACE/]NAME`` come when a run wants them and go when nobody does; a plain
    ``kubernetes`` is the cluster ``riskgrid`` of this pod's own namespace. Addresses begin with ``tls://`` where the
    settings name certificates.   keep : what was added there stays on leaving, for whoever comes next.
    fixed : the workers of Kubernetes are as many as they are, whatever a run wants.

    BadSpec for anything else, ClusterLost where Kubernetes or the scheduler that runs there does not answer. Use as a
    context manager: what was started here is stopped on leaving.
    """
    if not isinstance(where, str):
        return Grid(where) if hasattr(where, "scheduler_info") else where
    kind, _, rest = where.partition(":")
    if kind == "processes" and "-" in rest.strip("-"):
        return _processes_between(where, rest)
    if kind in ("threads", "processes"):
        if rest and not (rest.isdecimal() and int(rest) > 0):
            raise BadSpec(f"cluster '{where}' asks for '{rest}' workers; a count above 0 is right, e.g. '{kind}:2'")
        count = int(rest) if rest else None
        return Threads(count) if kind == "threads" else _processes(count or settings().threads)
    if kind == "kubernetes":
        return _kubernetes(rest, keep, fixed)
    if "://" in where:
        return _address(where)
    raise BadSpec(f"unknown cluster '{where}'; known: {_KNOWN}")


class _Processes(Group):
    """Worker processes of a scheduler of this process."""

    starting = 3.0

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def size(self) -> int:
        return len(self._cluster.worker_spec)

    def scale(self, workers: int) -> None:
        self._cluster.scale(workers)


def _processes(count: int) -> Workers:
    client, cluster, patient = _local(count)
    return Grid(client, (client, cluster, patient))


def _processes_between(where: str, rest: str) -> Workers:
    try:
        bounds = WorkerRange.of(rest)
    except InputError as error:
        raise BadSpec(f"cluster '{where}': {error}") from None
    client, cluster, patient = _local(bounds.least, threads=bounds.threads)
    elastic = Elastic(client, _Processes(cluster), bounds)
    return Grid(client, (elastic, client, cluster, patient), elastic=elastic)


def _local(count: int, threads: int = 1) -> tuple[Any, Any, contextlib.ExitStack]:
    import dask
    from distributed import Client, LocalCluster, Security

    # else a worker that is just starting anew 15 s after one was lost is given up
    patient = contextlib.ExitStack()
    patient.enter_context(dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"}))
    config: dict[str, Any] = {
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with dask.config.set(config):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=threads,
            processes=True,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            # else any user of this machine may have code run here
            security=security() or Security.temporary(),
            protocol="tls://",
            # who is at fault when a worker dies is found out by the engine, which knows the blocks
            scheduler_kwargs={"allowed_failures": 0, "dashboard": False},
        )
    # not the default of this process: its own Dask arrays, a run's trades among them, are no business of these workers
    return Client(cluster, set_as_default=False), cluster, patient


def _address(address: str) -> Workers:
    client = _client(address)
    return Grid(client, (client,))


def _kubernetes(rest: str, keep: bool, fixed: bool) -> Workers:
    host, group = scheduler_of(rest)
    try:
        client = _client(f"{protocol()}://{host}")
    except BadSpec as error:  # it is started anew there
        raise ClusterLost(str(error)) from error
    if fixed:
        return Grid(client, (client,))
    elastic = Elastic(client, group, settings().workers, shared=True, keep=keep)
    return Grid(client, (elastic, client), elastic=elastic)


def _client(address: str) -> Any:
    from distributed import Client, Security

    secret = security()
    if secret is not None and not address.startswith("tls://"):
        raise BadSpec(
            f"'{address}' is not encrypted and RISKGRID_TLS is set; an address that begins with tls:// is right"
        )
    try:  # a client that was made in vain takes most of a minute to go
        with ThreadPoolExecutor(1) as apart:  # a notebook's own thread has a loop already
            apart.submit(asyncio.run, _greet(address, secret or Security())).result()
        return Client(address, timeout=ANSWER, set_as_default=False, security=secret)
    except (OSError, ValueError, TypeError) as error:
        raise BadSpec(f"no scheduler answers at '{address}': {_said(address, error)}") from error


async def _greet(address: str, secret: Any) -> None:
    from distributed.comm.core import connect as reach

    reached = await reach(address, timeout=ANSWER, **secret.get_connection_args("client"))
    await reached.close()


def _said(address: str, error: Exception) -> str:
    if address.startswith("tls://") and settings().tls is None:
        return "it asks for certificates; RISKGRID_TLS names the folder that has them"
    return str(error)
