"""The command that says what a book needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from riskgrid.cli.clusters import cluster
from riskgrid.cli.group import STORE

if TYPE_CHECKING:
    from riskgrid.capacity import Capacity, Need
    from riskgrid.store import Store

__all__ = ["capacity"]

_ABOVE = click.FloatRange(0.0, min_open=True)


@cluster.command()
@click.option("--run", "run_id", help="Of the trades, costs and blocks of this run.")
@click.option("--book", type=click.Path(path_type=Path), help="Of the trades and scenarios of this run's YAML file.")
@click.option("--valuations", type=_ABOVE, help="Of so many valuations, with --seconds-each.")
@click.option("--seconds-each", type=_ABOVE, help="Seconds of each, of one thread.")
@click.option(
    "--trades", type=click.FloatRange(1.0), help="As many trades of that kind [those of the run or the book]."
)
@click.option("--scenarios", type=click.IntRange(0), help="[those of the run or the book, else 1000]")
@click.option("--within", type=_ABOVE, help="Seconds in which it is to be over [$RISKGRID_DEADLINE].")
@click.option("--threads", type=click.IntRange(1), help="Of a worker [those of $RISKGRID_WORKERS].")
@click.option("--most", type=click.IntRange(1), help="Workers there may be [those of $RISKGRID_WORKERS].")
@click.option("--cut", type=click.IntRange(1), help="Trades of a block at most [the run's, 4096, or what fits].")
@click.option("--request-ms", default=0.0, show_default=True, type=click.FloatRange(0.0),
              help="Of a request to the store: 0 in a folder, 5 to 30 in a bucket.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@STORE
def capacity(
    *, scenarios: int | None, trades: float | None, cut: int | None, as_json: bool, store: str | None, **asked: Any
) -> None:
    """Say what a book, so many scenarios and a deadline need: workers, memory, traffic, and what binds.

    Every figure says what it rests on: asked, assumed, measured (in a run), simulated (with fake workers) or computed.
    """
    import json

    from riskgrid.capacity import capacity as needed
    from riskgrid.settings import settings
    from riskgrid.store import store_of

    known = settings()
    asked["within"] = asked["within"] or known.deadline
    need = dataclasses.replace(
        _need(asked, scenarios, cut, store_of(store)),
        within=asked["within"],
        threads=asked["threads"] or known.workers.threads,
        most=asked["most"] or known.workers.most,
        request=asked["request_ms"] / 1e3,
    )
    given = {"trades": trades, "scenarios": scenarios, "valuations": asked["valuations"]}
    need = dataclasses.replace(need, given=tuple(name for name, one in given.items() if one is not None))
    if cut is not None:
        need = dataclasses.replace(need, cut=cut)
    if scenarios is not None:
        need = dataclasses.replace(need, scenarios=scenarios)
    made = needed(need.of_trades(need.trades if trades is None else round(trades)))
    click.echo(json.dumps(made.to_dict(), indent=1)) if as_json else _show(made)


def _need(asked: dict[str, Any], scenarios: int | None, cut: int | None, store: Store) -> Need:
    """The need that a run, a book or a number of valuations comes to."""
    from riskgrid import capacity
    from riskgrid.result import open_run
    from riskgrid.spec import read_spec

    told = [name for name in ("run_id", "book", "valuations") if asked[name] is not None]
    if len(told) != 1:
        raise click.UsageError("give one of --run RUN, --book SPEC.yaml, and --valuations N with --seconds-each S")
    if (asked["valuations"] is None) != (asked["seconds_each"] is None):
        raise click.UsageError("--valuations and --seconds-each go together")
    if told == ["run_id"]:
        return capacity.need_of_run(open_run(asked["run_id"], store=store), store)
    if told == ["book"]:
        spec = read_spec(asked["book"])
        return capacity.need_of_book(spec.portfolio, spec.scenarios.sizes["scenario"], store)
    count = 1000 if scenarios is None else scenarios
    return capacity.need_of_valuations(
        asked["valuations"], count, asked["seconds_each"], within=asked["within"], cut=cut
    )


def _show(made: Capacity) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, side in (("", "left"), ("figure", "left"), ("value", "right"), ("", "left"), ("rests on", "left")):
        table.add_column(name, justify=side, no_wrap=name != "rests on")  # type: ignore[arg-type]
    part = ""
    for one in made.figures:
        of = f"{one.rests}: {one.of}" if one.of else one.rests
        table.add_row(one.part if one.part != part else "", one.name, _number(one.value), one.unit, of)
        part = one.part
    Console(width=None if Console().is_terminal else 120).print(table)
    late = "" if made.met else "; the deadline is not met"
    click.echo(f"binds: {made.binds}{late}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == 0.0 or abs(value) >= 100.0 else f"{value:.3g}"
