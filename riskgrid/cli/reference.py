"""Commands that explain: profile, benchmarks, dictionary, instruments; and one that compiles ahead."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from riskgrid.cli.group import STORE, cli, table

__all__ = ["bench", "compile_ahead", "instruments", "measures", "profile", "schema"]


@cli.command()
@click.argument("run_id", metavar="RUN")
@STORE
def profile(run_id: str, store: str | None) -> None:
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

    root = Path(__file__).resolve().parents[2]
    if not (root / "tests" / "benchmarks" / "__main__.py").is_file():
        raise click.ClickException(
            "the benchmarks come with the source, not with the installed package; check out riskgrid's repository and "
            "say 'make bench' there"
        )
    paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    raise SystemExit(subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False).returncode)


@cli.command("compile")
def compile_ahead() -> None:
    """Compile the kernels and keep them on disk: in an image, so that no process that starts from it waits."""
    from riskgrid.compiling import compile_kernels

    click.echo(str(compile_kernels()))


@cli.command()
@click.option("--markdown", is_flag=True, help="As a Markdown table, the form of docs/schema.md.")
def schema(markdown: bool) -> None:
    """Print the dictionary: every name in riskgrid's datasets, with dimensions, unit and a sentence."""
    from riskgrid.schema import describe_schema, schema_page

    if markdown:
        click.echo(schema_page(), nl=False)
        return
    table(["name", "role", "dimensions", "unit", "meaning"], [list(row) for row in describe_schema()])


@cli.command()
@click.option("--markdown", is_flag=True, help="As a Markdown table, the form of docs/measures.md.")
def measures(markdown: bool) -> None:
    """Print every registered measure: its options, what it is checked against, and how closely."""
    from riskgrid.registry import describe_measures, measures_page

    if markdown:
        click.echo(measures_page(), nl=False)
        return
    table(["measure", "of", "options", "checked against", "worst error", "meaning"], describe_measures())


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
    table(["instrument", "term", "unit", "meaning"], rows)
