"""Commands that measure over many runs: a book rolled through a history, and the backtest of its VaR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from riskgrid.cli.group import HTML, STORE, chosen, cli, labels_of

__all__ = ["backtest", "roll"]


@cli.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option("--name", help="Name of the history [the spec's, or 'sample'].")
@click.option("--days", default=250, show_default=True, type=click.IntRange(1), help="Days of P&L.")
@click.option("--until", help="Last date [that of the market].")
@click.option("--trades", default=1000, show_default=True, help="Trades of the sample book, where there is no SPEC.")
@click.option("--restrike", is_flag=True, help="Strike the sample book again each month, where there is no SPEC.")
@STORE
def roll(
    spec: Path | None,
    *,
    name: str | None,
    days: int,
    until: str | None,
    trades: int,
    restrike: bool,
    store: str | None,
) -> None:
    """Run a book on every date of a history: that of a run's YAML file SPEC, or the sample.

    Each date has a run of its own; what is finished is found, so the same command goes on where it was stopped.
    """
    from riskgrid.demo import roll_sample
    from riskgrid.spec import read_spec

    options: dict[str, Any] = {"days": days, "until": until, **({"store": store} if store else {})}
    if spec is None:
        called = name or "sample"
        made = roll_sample(called, trades=trades, restrike=restrike, **options)
    else:
        asked = read_spec(spec)
        called = name or asked.name
        made = asked.roll(called, **options)
    found, ends = sum(run.found for run in made), (made[0].row.as_of, made[-1].row.as_of)
    click.echo(f"history '{called}': {len(made)} runs, {ends[0]} to {ends[1]}, {found} of them found finished")
    click.echo(f"next: riskgrid backtest {called}")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--by", default="region,desk", show_default=True, help="Labels of the table, outermost first.")
@click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Keep only these trades; may be repeated.")
@click.option("--level", default="0.99", show_default=True, help="Level of VaR.")
@click.option("--method", default="inverted_cdf", show_default=True, help="Convention of the quantile.")
@click.option("--time", type=click.Choice(["excluded", "included"]), default="excluded", show_default=True,
              help="The passing of the day in hypothetical P&L.")  # fmt: skip
@HTML
@STORE
def backtest(
    runs: tuple[str, ...],
    *,
    by: str,
    where: tuple[str, ...],
    level: str,
    method: str,
    time: str,
    html: Path | None,
    store: str | None,
) -> None:
    """Test VaR against P&L: over the history RUNS that 'riskgrid roll' made, or over two RUNS or more."""
    from riskgrid.analysis.backtesting import backtest as tested

    asked = runs[0] if len(runs) == 1 else runs
    told = tested(
        asked, by=labels_of(by), where=chosen(where), level=level, method=method, time=time, store=store
    )  # fmt: skip
    click.echo(str(told))
    if html is not None:
        told.to_html(html)
        click.echo(f"backtest written to {html}")
