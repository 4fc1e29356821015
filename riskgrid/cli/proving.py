"""Commands that change, compare and prove: what-ifs, two runs side by side, why they differ, replays."""

from __future__ import annotations

from pathlib import Path

import click

from riskgrid.cli.group import BY, STORE, cli, labels_of

__all__ = ["compare", "diff", "replay", "what_if"]

_CLUSTER = click.option("--cluster", default="threads", show_default=True, help="threads, processes:N, an address.")


@cli.command(name="what-if")
@click.argument("run_id", metavar="RUN")
@click.argument("changes", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Name of the what-if.")
@BY
@STORE
def what_if(run_id: str, changes: Path, *, name: str, by: str, store: str | None) -> None:
    """Value RUN with the CHANGES of a YAML or JSON file, and compare."""
    from riskgrid.analysis.comparing import compare as side_by_side
    from riskgrid.change import Changes
    from riskgrid.result import open_run
    from riskgrid.store import store_of
    from riskgrid.whatif import what_if as changed

    kept = store_of(store)
    base = open_run(run_id, store=kept)
    made = changed(base, Changes.read(changes, store=kept), name=name, progress="auto")
    click.echo(f"run {made.run_id}: {made.manifest.get('changes', 'nothing is changed')}")
    click.echo(str(side_by_side(base, made, by=labels_of(by))))


@cli.command()
@click.argument("base")
@click.argument("others", nargs=-1, required=True)
@BY
@STORE
def compare(base: str, others: tuple[str, ...], *, by: str, store: str | None) -> None:
    """Print PV, VaR and ES of runs side by side, with the change against the BASE."""
    from riskgrid.analysis.comparing import compare as side_by_side
    from riskgrid.result import open_run

    runs = [open_run(run_id, store=store) for run_id in (base, *others)]
    click.echo(str(side_by_side(*runs, by=labels_of(by))))


@cli.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_CLUSTER
@STORE
def diff(before: str, after: str, *, cluster: str, store: str | None) -> None:
    """Explain why the numbers of runs A and B differ, by exact revaluation."""
    from riskgrid.analysis.differing import diff as explain
    from riskgrid.result import open_run

    click.echo(str(explain(open_run(before, store=store), open_run(after, store=store), cluster=cluster)))


@cli.command()
@click.argument("run_id", metavar="RUN")
@_CLUSTER
@STORE
def replay(run_id: str, *, cluster: str, store: str | None) -> None:
    """Compute RUN again from its stored inputs and compare every tick; exit status 1 if one differs."""
    from riskgrid.replaying import replay as again
    from riskgrid.result import open_run

    found = again(open_run(run_id, store=store), cluster=cluster)
    click.echo(str(found))
    if not found.equal:
        raise SystemExit(1)
