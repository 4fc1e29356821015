"""The command that bumps: sensitivities of a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from riskgrid.cli.group import BY, HTML, STORE, chosen, cli, labels_of

__all__ = ["sensitivities"]


@cli.command()
@click.argument("run_id", metavar="RUN")
@BY
@click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Keep only these trades; may be repeated.")
@click.option(
    "--space", default="par", show_default=True, help="par: curves are bumped in quotes; zero: in zero rates."
)
@click.option("--factors", multiple=True, metavar="PATTERN", help="Bump these alone, e.g. 'equity:*'; may be repeated.")
@click.option(
    "--sticky", default="sticky_strike", show_default=True, help="How surfaces move; 'run' keeps the run's rule."
)
@click.option("--spot-vol", metavar="UNDERLYING", help="Also a ladder of its spot and volatility, e.g. equity:SPX.")
@HTML
@STORE
def sensitivities(  # noqa: PLR0913, options of one command
    run_id: str,
    *,
    by: str,
    where: tuple[str, ...],
    space: Any,
    factors: tuple[str, ...],
    sticky: Any,
    spot_vol: str | None,
    html: Path | None,
    store: str | None,
) -> None:
    """Print delta, vega, rho and theta of a stored RUN by node, and its buckets; what is bumped is priced and kept."""
    from riskgrid.analysis.bumping import sensitivities as bump
    from riskgrid.analysis.bumping import spot_vol_ladder
    from riskgrid.result import open_run

    run, kept = open_run(run_id, store=store), chosen(where)
    rule = None if sticky == "run" else sticky
    made = bump(run, labels_of(by), kept, space=space, patterns=factors or None, sticky=rule)
    also = [spot_vol_ladder(run, spot_vol, where=kept, sticky=rule)] if spot_vol else []
    for shown in (made, *also):
        click.echo(str(shown))
    if html is not None:
        made.to_html(html, also=also)
        click.echo(f"report written to {html}")
