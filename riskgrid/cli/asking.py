"""Commands that ask: the demo, runs and their reports."""

from __future__ import annotations

from pathlib import Path

import click

from riskgrid.cli.group import BY, HTML, STORE, WHERE, chosen, cli, labels_of, unpriced

__all__ = ["demo", "report", "run", "sample"]


@cli.command()
@click.option("--trades", default=10_000, show_default=True, help="Trades of the sample portfolio.")
@click.option("--cluster", default="threads", show_default=True, help="threads, threads:N, processes:N, an address.")
@STORE
def demo(trades: int, cluster: str, store: str | None) -> None:
    """Run the sample portfolio through real market history on three dates, and report VaR by region and desk."""
    from riskgrid.demo import demonstrate

    demonstrate(trades=trades, cluster=cluster, store=store, say=click.echo)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--trades", default=1000, show_default=True, help="Trades of the sample portfolio.")
def sample(folder: Path, trades: int) -> None:
    """Write the sample into a new FOLDER: trades, market, scenarios and a run.yaml to start from."""
    from riskgrid.demo import write_sample

    path = write_sample(folder, trades=trades)
    click.echo(f"written; next: riskgrid run {path}")


@cli.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the run [the spec's].")
@STORE
def run(spec: Path, name: str | None, store: str | None) -> None:
    """Run what a YAML file describes, and print its report."""
    import dataclasses

    from riskgrid.analysis.presenting import chapters
    from riskgrid.reporting import report
    from riskgrid.spec import read_spec

    asked = read_spec(spec)
    options = {**asked.run, **({"store": store} if store else {})}
    asked = dataclasses.replace(asked, run=options, name=name or asked.name)
    for row in asked.portfolio.rejected[:20]:
        click.echo(f"left out: {row}", err=True)
    if len(asked.portfolio.rejected) > 20:
        click.echo(f"left out: {len(asked.portfolio.rejected) - 20} more rows", err=True)
    made = asked.execute()
    counts = made.manifest["blocks"]
    found = "found finished" if made.found else f"{counts['priced']:,} blocks priced, {counts['found']:,} found"
    click.echo(f"run {made.run_id} ({asked.name}): {found}, {made.row.status}")
    options = dict(asked.report)
    by = options.pop("by", ["region", "desk"])
    labels, names = (by,) if isinstance(by, str) else tuple(by), options.pop("chapters", ())
    told = report(made, by=labels, **options)
    more = chapters(made, [names] if isinstance(names, str) else names, labels, **options)
    for one in (told, *more):
        click.echo(str(one))
    unpriced(made)
    if asked.html is not None:
        told.to_html(asked.html, also=more)
        click.echo(f"report written to {asked.html}")


@cli.command()
@click.argument("run_id", metavar="RUN")
@BY
@WHERE
@click.option("--var-level", default="0.99", show_default=True, help="Level of VaR.")
@click.option("--es-level", default="0.975", show_default=True, help="Level of ES.")
@click.option("--var-method", default="inverted_cdf", show_default=True, help="Quantile convention of VaR.")
@click.option("--es-method", default="tail_integral", show_default=True, help="tail_integral or inverted_cdf.")
@click.option(
    "--chapter", multiple=True, metavar="NAME", help="Add a chapter, e.g. classes, stress or tail; may be repeated."
)
@HTML
@STORE
def report(
    run_id: str,
    *,
    by: str,
    where: tuple[str, ...],
    chapter: tuple[str, ...],
    html: Path | None,
    store: str | None,
    **measures: str,
) -> None:
    """Print PV, VaR, ES and what adds to them of a stored RUN (its id, the beginning of it, or its name)."""
    from riskgrid.analysis.presenting import chapters
    from riskgrid.reporting import report as make_report
    from riskgrid.result import open_run

    opened = open_run(run_id, store=store)
    labels, wanted = labels_of(by), chosen(where)
    told = make_report(opened, by=labels, where=wanted, **measures)
    more = chapters(opened, chapter, labels, where=wanted, **measures)
    for one in (told, *more):
        click.echo(str(one))
    if html is not None:
        told.to_html(html, also=more)
        click.echo(f"report written to {html}")
