"""The command line's root: one sentence per error, and what every command shares."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from riskgrid import __version__

__all__ = ["BY", "CLUSTERS", "HTML", "STORE", "WHERE", "chosen", "cli", "labels_of", "table", "unpriced"]

STORE = click.option("--store", help="Folder or bucket (s3://...) of the store [$RISKGRID_STORE, $RISKGRID_HOME].")
CLUSTERS = "threads[:N], processes[:N], processes:0-N, kubernetes[:[NAMESPACE/]NAME], a scheduler's address."
BY = click.option("--by", default="region,desk", show_default=True, help="Labels of the table, outermost first.")
HTML = click.option("--html", type=click.Path(path_type=Path), help="Write the report as one HTML page here.")
WHERE = click.option("--where", multiple=True, metavar="LABEL=VALUE", help="Keep only these trades; may be repeated.")


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
        except KeyboardInterrupt as stopped:
            # a run that was being made notes what is kept of it; most commands make none
            click.echo("; ".join(["riskgrid: stopped", *dict.fromkeys(getattr(stopped, "__notes__", ()))]), err=True)
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


def labels_of(by: str) -> tuple[str, ...]:
    """Labels from ``a,b``."""
    return tuple(label.strip() for label in by.split(",") if label.strip())


def chosen(where: tuple[str, ...]) -> dict[str, list[str]] | None:
    """What to keep, from ``LABEL=VALUE`` words."""
    found: dict[str, list[str]] = {}
    for text in where:
        label, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"'{text}' is not LABEL=VALUE", param_hint="--where")
        found.setdefault(label, []).append(value)
    return found or None


def unpriced(made: Any, most: int = 10) -> None:
    """Name the trades without a number, each with its reason."""
    table = made.trade_table()
    lost = table.isel(trade=table["status"].values > 1)
    for trade, problem in zip(lost["trade_id"].values[:most], lost["problem"].values, strict=False):
        click.echo(f"no number for trade '{trade}': {problem}", err=True)
    if lost.sizes["trade"] > most:
        click.echo(f"no number for {lost.sizes['trade'] - most:,} more trades; run.trade_table() lists them", err=True)


def table(header: list[str], rows: list[list[str]], right: set[int] | None = None) -> None:
    """Print a table; ``right`` are the columns of numbers."""
    import shutil

    from rich.console import Console
    from rich.table import Table

    made = Table(*header, box=None, pad_edge=False, header_style="bold")
    for at, column in enumerate(made.columns):
        column.overflow = "fold"  # a cut name is a wrong name
        column.justify = "right" if at in (right or ()) else "left"
    for row in rows:
        made.add_row(*row)
    width = None if sys.stdout.isatty() else max(140, shutil.get_terminal_size().columns)
    Console(width=width, highlight=False, soft_wrap=False).print(made)
