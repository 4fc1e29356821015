"""Commands of a cluster: what it is like, its certificates, what Kubernetes must know of Dask."""

from __future__ import annotations

from pathlib import Path

import click

from riskgrid.cli.group import CLUSTERS, cli, table

__all__ = ["certificates", "cluster", "crds", "status"]


@cli.group()
def cluster() -> None:
    """Look at a cluster of workers, size one, and make what one needs."""


@cluster.command()
@click.option("--cluster", "where", default="kubernetes", show_default=True, help=CLUSTERS)
def status(where: str) -> None:
    """Print the workers of a cluster, what waits for them, and which compute otherwise than this process."""
    from riskgrid.cluster.status import look_at
    from riskgrid.engine.numerics import numerics

    found = look_at(where, numerics)
    asked = "" if found.wanted is None else f", {found.wanted} asked for ({found.least} to {found.most} allowed)"
    click.echo(
        f"{found.address}: {len(found.workers)} workers with {found.threads} threads{asked}; "
        f"{found.queued} tasks wait; {found.clients} other clients"
    )
    if found.workers:
        like = {True: "yes", False: "NO: other libraries or instructions", None: "no answer"}
        table(
            ["worker", "address", "threads", "tasks", "memory", "computes alike"],
            [
                [
                    each.name,
                    each.address,
                    str(each.threads),
                    str(each.tasks),
                    f"{each.memory / 1e6:,.0f} MB",
                    like[each.like],
                ]
                for each in found.workers
            ],
        )


@cluster.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3_650), help="For which they hold.")
def certificates(folder: Path, days: int) -> None:
    """Write ca.crt, tls.crt and tls.key into FOLDER: who has them runs code on all workers, others are refused."""
    from riskgrid.cluster.tls import make_certificates

    for path in make_certificates(folder, days=days):
        click.echo(str(path))


@cluster.command()
def crds() -> None:
    """Print what Kubernetes must know of Dask's kinds, for 'kubectl apply --server-side -f -'."""
    import importlib.util

    from riskgrid.errors import BadSpec

    found = importlib.util.find_spec("dask_kubernetes")
    if found is None or not found.submodule_search_locations:
        raise BadSpec("Dask's operator is an extra; pip install 'riskgrid[kubernetes]' installs it")
    folder = Path(found.submodule_search_locations[0]) / "operator" / "deployment" / "helm"
    files = sorted((folder / "dask-kubernetes-operator" / "crds").glob("*.yaml"))
    click.echo("\n---\n".join(file.read_text().strip().removeprefix("---").strip() for file in files))
