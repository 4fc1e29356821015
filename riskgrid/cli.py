"""The command line: thin, one sentence per error, everything imported when it is needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from riskgrid import __version__

__all__ = ["cli"]

_STORE = click.option("--store", type=click.Path(path_type=Path), help="Folder of the store [$RISKGRID_HOME].")
_BY = click.option("--by", default="region,desk", show_default=True, help="Labels of the table, outermost first.")
_HTML = click.option("--html", type=click.Path(path_type=Path), help="Write the report as one HTML page here.")


class _Group(click.Group):
    """Shows riskgrid's errors as one sentence; ``--debug`` shows where they come from."""

    def invoke(self, ctx: click.Context) -> Any:
        from riskgrid.errors import RiskgridError

        try:
            return super().invoke(ctx)
        except RiskgridError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"riskgrid: {error}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
            ctx.exit(0)
        except KeyboardInterrupt:
            click.echo("riskgrid: stopped; finished blocks are kept, the same command goes on from them", err=True)
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"riskgrid: {type(error).__name__}: {error} (riskgrid --debug shows where)", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="riskgrid")
def cli(debug: bool) -> None:
    """Value a portfolio under every scenario, and ask any number of the result."""


@cli.command()
@click.option("--trades", default=10_000, show_default=True, help="Trades of the sample portfolio.")
@click.option("--cluster", default="threads", show_default=True, help="threads, threads:N, processes:N, an address.")
@_STORE
def demo(trades: int, cluster: str, store: Path | None) -> None:
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
@_STORE
def run(spec: Path, name: str | None, store: Path | None) -> None:
    """Run what a YAML file describes, and print its report."""
    import dataclasses

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
    told = report(made, by=(by,) if isinstance(by, str) else tuple(by), **options)
    click.echo(str(told))
    _unpriced(made)
    if asked.html is not None:
        asked.html.parent.mkdir(parents=True, exist_ok=True)
        told.to_html(asked.html)
        click.echo(f"report written to {asked.html}")


@cli.command()
@click.argument("run_id", metavar="RUN")
@_BY
@click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Keep only these trades; may be repeated.")
@click.option("--var-level", default=0.99, show_default=True)
@click.option("--es-level", default=0.975, show_default=True)
@_HTML
@_STORE
def report(
    run_id: str,
    *,
    by: str,
    where: tuple[str, ...],
    var_level: float,
    es_level: float,
    html: Path | None,
    store: Path | None,
) -> None:
    """Print PV, VaR and ES of a stored RUN (its id, the beginning of it, or its name)."""
    from riskgrid.reporting import report as make_report
    from riskgrid.result import open_run

    chosen: dict[str, list[str]] = {}
    for text in where:
        label, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"'{text}' is not LABEL=VALUE", param_hint="--where")
        chosen.setdefault(label, []).append(value)
    labels = tuple(label.strip() for label in by.split(",") if label.strip())
    told = make_report(
        open_run(run_id, store=store), by=labels, where=chosen or None, var_level=var_level, es_level=es_level
    )
    click.echo(str(told))
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        told.to_html(html)
        click.echo(f"report written to {html}")


@cli.command()
@click.argument("run_id", metavar="RUN")
@_STORE
def profile(run_id: str, store: Path | None) -> None:
    """Print where the time of a stored RUN went, and what would make it faster."""
    from riskgrid.profiling import profile as make_profile
    from riskgrid.result import open_run

    click.echo(str(make_profile(open_run(run_id, store=store))), nl=False)


@cli.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Measure speed and memory, in a checkout of the source; --help lists workloads and options."""
    import subprocess

    root = Path(__file__).resolve().parents[1]
    if not (root / "tests" / "benchmarks" / "__main__.py").is_file():
        raise click.ClickException(
            "the benchmarks come with the source, not with the installed package; check out riskgrid's repository and "
            "say 'make bench' there"
        )
    paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    raise SystemExit(subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False).returncode)


@cli.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Show at most this many.")
@_STORE
def runs(limit: int, store: Path | None) -> None:
    """List the runs of the store, latest first."""
    from riskgrid.settings import settings
    from riskgrid.store import Store

    root = store or settings().home
    rows = Store(root).catalogue.list(limit)
    if not rows:
        click.echo(f"no runs in {root}; 'riskgrid demo' makes three")
        return
    _table(
        ["run", "name", "as of", "trades", "scenarios", "status", "seconds", "started (UTC)"],
        [
            [
                row.run_id,
                f"{row.name} (what-if of {row.parent})".strip() if row.parent else row.name,
                row.as_of,
                f"{row.trades:,}",
                f"{row.scenarios:,}",
                row.status,
                f"{row.seconds:.2f}",
                row.created[:19].replace("T", " "),
            ]
            for row in rows
        ],
        right={3, 4, 6},
    )


@cli.command()
@click.option("--markdown", is_flag=True, help="As a Markdown table, the form of docs/schema.md.")
def schema(markdown: bool) -> None:
    """Print the dictionary: every name in riskgrid's datasets, with dimensions, unit and a sentence."""
    from riskgrid.schema import describe_schema, schema_page

    if markdown:
        click.echo(schema_page(), nl=False)
        return
    _table(["name", "role", "dimensions", "unit", "meaning"], [list(row) for row in describe_schema()])


@cli.command()
def instruments() -> None:
    """Print every registered instrument with its terms."""
    from riskgrid.registry import INSTRUMENTS

    rows = []
    for name in INSTRUMENTS:
        found = INSTRUMENTS[name]
        rows.append([name, "", "", found.summary])
        for term in found.columns:
            allowed = ", ".join(term.choices) or (str(term.bounds) if term.bounds else "")
            needed = "required" if term.required else "optional"
            rows.append(["", term.name, term.unit, "; ".join(filter(None, (needed, allowed)))])
    _table(["instrument", "term", "unit", "meaning"], rows)


def _unpriced(made: Any, most: int = 10) -> None:
    """Name the trades without a number, each with its reason."""
    table = made.trade_table()
    lost = table.isel(trade=table["status"].values > 1)
    for trade, problem in zip(lost["trade_id"].values[:most], lost["problem"].values, strict=False):
        click.echo(f"no number for trade '{trade}': {problem}", err=True)
    if lost.sizes["trade"] > most:
        click.echo(f"no number for {lost.sizes['trade'] - most:,} more trades; run.trade_table() lists them", err=True)


def _table(header: list[str], rows: list[list[str]], right: set[int] | None = None) -> None:
    import shutil

    from rich.console import Console
    from rich.table import Table

    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for column in right or ():
        table.columns[column].justify = "right"
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else max(140, shutil.get_terminal_size().columns)
    Console(width=width, highlight=False, soft_wrap=False).print(table)
