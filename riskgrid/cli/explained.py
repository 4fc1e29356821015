"""The command that explains P&L: why a portfolio is worth more or less than in an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from riskgrid.cli.group import BY, HTML, STORE, cli, labels_of

__all__ = ["explain_pnl"]


@cli.command(name="explain-pnl")
@click.argument("before", metavar="RUN_A")
@click.argument("after", metavar="RUN_B")
@BY
@click.option(
    "--order",
    type=click.Choice(["from_base", "in_sequence"]),
    default="from_base",
    show_default=True,
    help="Each group of factors alone with a cross, or one after another.",
)
@click.option("--sensitivities", is_flag=True, help="Estimate the same from deltas and gammas of RUN_A, too.")
@click.option("--objects", is_flag=True, help="Show the P&L of each market object alone, too.")
@click.option("--risk", is_flag=True, help="Explain VaR and ES, too: market, scenarios, trades.")
@click.option("--cluster", default="threads", show_default=True, help="threads, processes:N, an address.")
@HTML
@STORE
def explain_pnl(  # noqa: PLR0913, click hands every option over by name
    before: str,
    after: str,
    *,
    by: str,
    order: Literal["from_base", "in_sequence"],
    sensitivities: bool,
    risk: bool,
    objects: bool,
    cluster: str,
    html: Path | None,
    store: str | None,
) -> None:
    """Explain the P&L from RUN_A to the later RUN_B, in pieces that add up exactly."""
    from riskgrid.analysis.explaining import explain
    from riskgrid.result import open_run

    found = explain(
        open_run(before, store=store),
        open_run(after, store=store),
        by=labels_of(by),
        order=order,
        sensitivities=sensitivities,
        risk=risk,
        objects=objects,
        cluster=cluster,
    )
    click.echo(str(found))
    if html is not None:
        found.to_html(html)
        click.echo(f"explanation written to {html}")
