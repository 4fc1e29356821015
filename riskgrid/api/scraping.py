"""A port of its own for the counts of a process: who scrapes them has no token, and reaches nothing else."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server

from riskgrid.errors import BadSpec

__all__ = ["scraped"]

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def scraped(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[int | None]:
    """The port at which counts are given out until the block ends; None for none. BadSpec where it is in use."""
    if port is None:
        yield None
        return
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise BadSpec(
            f"cannot give out counts at {host}:{port}: {error.strerror}; a free --metrics-port is right"
        ) from error
    try:
        found = int(server.server_port)
        _LOG.info("counts are at http://%s:%d/metrics", host, found)
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
