"""Commands that start the parts of a Dask cluster, for whatever keeps processes running: Kubernetes, a batch system."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from riskgrid.cli.group import cli
from riskgrid.cluster.parts import Command, scheduler_command, worker_command

__all__ = ["scheduler", "worker"]


@cli.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen at.")
@click.option("--port", default=8786, show_default=True, type=click.IntRange(0, 65_535))
@click.option("--http-port", default=8787, show_default=True, type=click.IntRange(0, 65_535), help="Probes, counts.")
def scheduler(host: str, port: int, http_port: int) -> None:
    """Start a scheduler; RISKGRID_TLS names the certificates without which nobody reaches it."""
    _become(scheduler_command(host, port, http_port))


@cli.command()
@click.argument("address", envvar="DASK_SCHEDULER_ADDRESS")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1), help="Tasks it takes at once.")
@click.option("--name", envvar="DASK_WORKER_NAME", help="Among the workers of its scheduler [its address].")
@click.option("--host", help="Address at which others reach it [found out].")
@click.option("--http-port", default=8788, show_default=True, type=click.IntRange(0, 65_535), help="Probes, counts.")
def worker(address: str, *, threads: int, name: str | None, host: str | None, http_port: int) -> None:
    """Start a worker of the scheduler at ADDRESS [$DASK_SCHEDULER_ADDRESS]; it needs the run's store."""
    _become(worker_command(address, threads=threads, name=name, host=host, http_port=http_port))


def _become(command: Command) -> NoReturn:
    """Signals reach the part itself, and nothing stays beside it."""
    os.execve(command.line[0], command.line, {**os.environ, **command.environment})
