"""Commands that stress: a run's trades under named shocks, and what it takes to lose a given amount."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from riskgrid.cli.group import HTML, STORE, chosen, cli, labels_of

__all__ = ["reverse_stress", "stress"]

_BY = click.option("--by", default="desk", show_default=True, help="Labels of the nodes, outermost first.")
_WHERE = click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Keep only these trades; may be repeated.")


@cli.command()
@click.argument("run_id", metavar="RUN")
@click.option("--file", "shocks", type=click.Path(path_type=Path), help="Scenarios in YAML [round shocks by kind].")
@click.option("--history", metavar="FOLDER", help="Adds the episodes of a history; 'sample' is the bundled one.")
@_BY
@_WHERE
@HTML
@STORE
def stress(run_id: str, *, shocks: Path | None, history: str | None, html: Path | None, **rest: Any) -> None:
    """Print the P&L of RUN's trades under stress, by scenario, risk class and node."""
    from riskgrid.analysis.stressing import stress_report
    from riskgrid.result import open_run

    made = stress_report(
        open_run(run_id, store=rest["store"]),
        shocks,
        labels_of(rest["by"]),
        where=chosen(rest["where"]),
        **_past(history),
    )
    _show(made, html)


@cli.command(name="reverse-stress")
@click.argument("run_id", metavar="RUN")
@click.option("--loss", type=float, required=True, help="Amount to lose, in the reporting currency, e.g. 10e6.")
@click.option("--components", type=click.IntRange(1), help="Principal components of the covariance [all].")
@click.option("--horizon", default=1, show_default=True, help="Days; the covariance is scaled by them.")
@_BY
@_WHERE
@HTML
@STORE
def reverse_stress(run_id: str, *, loss: float, components: int | None, html: Path | None, **rest: Any) -> None:
    """Print the most plausible market move, by the covariance of RUN's scenarios, that loses an amount."""
    from riskgrid.analysis.reversing import reverse_stress as search
    from riskgrid.result import open_run

    made = search(
        open_run(run_id, store=rest["store"]),
        loss,
        by=labels_of(rest["by"]),
        where=chosen(rest["where"]),
        components=components,
        horizon=rest["horizon"],
    )
    _show(made, html)


def _past(history: str | None) -> dict[str, Any]:
    """A history and what goes with it; the bundled one has proxies for what it lacks."""
    if history is None:
        return {}
    if history == "sample":
        from riskgrid import sample

        return {"history": sample.history(), "proxies": sample.proxies()}
    from riskgrid.market.history import MarketHistory

    return {"history": MarketHistory.read(history)}


def _show(made: Any, html: Path | None) -> None:
    click.echo(str(made))
    if html is not None:
        made.to_html(html)
        click.echo(f"report written to {html}")
