"""Commands that start the parts of a Dask cluster, for whatever keeps processes running: Kubernetes, a batch system."""

from __future__ import annotations

import click

from riskgrid.cli.group import cli

__all__ = ["scheduler", "worker"]


@cli.command()
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen at.")
@click.option("--port", default=8786, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any.")
@click.option("--http-port", default=8787, show_default=True, type=click.IntRange(0, 65_535), help="Probes, counts.")
@click.pass_context
def scheduler(ctx: click.Context, host: str, port: int, http_port: int) -> None:
    """Start a scheduler; RISKGRID_TLS names the certificates without which nobody reaches it."""
    from riskgrid.cluster.parts import run_scheduler

    ctx.exit(0 if run_scheduler(host, port, http_port) else 1)


@cli.command()
@click.argument("address", envvar="DASK_SCHEDULER_ADDRESS")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1), help="Tasks it takes at once.")
@click.option("--name", envvar="DASK_WORKER_NAME", help="Among the workers of its scheduler [its address].")
@click.option("--host", help="Address at which others reach it [found out].")
@click.option(
    "--http-port", default=8788, show_default=True, type=click.IntRange(0, 65_535), help="Probes, counts; 0 takes any."
)
@click.pass_context
def worker(
    ctx: click.Context, address: str, *, threads: int, name: str | None, host: str | None, http_port: int
) -> None:
    """Start a worker of the scheduler at ADDRESS [$DASK_SCHEDULER_ADDRESS]; it needs the run's store.

    It ends with 0 when it is told to, with 1 when its scheduler is lost or sends it away: whatever keeps it running is
    to start it again.
    """
    from riskgrid.cluster.parts import run_worker

    ctx.exit(0 if run_worker(address, threads=threads, name=name, host=host, http_port=http_port) else 1)
