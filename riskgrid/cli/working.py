"""Commands of jobs: queue a run, work through the queue, cancel, resume, and see what happened."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from riskgrid.cli.group import CLUSTERS, STORE, cli, table

__all__ = ["audit", "cancel", "events", "resume", "runner", "submit"]

_LOG = logging.getLogger(__name__)


@cli.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the run [the spec's].")
@click.option("--priority", default=0, show_default=True, help="Larger ones go first; 10 and above is for who waits.")
@click.option("--key", help="Of this request: sent again with the same key it is the same run.")
@STORE
def submit(spec: Path, *, name: str | None, priority: int, key: str | None, store: str | None) -> None:
    """Queue what a YAML file describes; a runner answers it."""
    from riskgrid.jobs import submit as queue
    from riskgrid.settings import settings
    from riskgrid.spec import read_spec
    from riskgrid.store import store_of

    asked = read_spec(spec)
    kept = store_of(store or asked.run.get("store"))
    row = queue(
        asked.question(),
        kept,
        name=name or asked.name,
        principal=settings().principal,
        key=key,
        priority=priority,
        limits=asked.limits(),
    )
    click.echo(
        f"run {row.run_id} ({row.name}) is {row.status}; 'riskgrid events {row.run_id} --follow' shows how it goes"
    )


@cli.command()
@click.option("--cluster", default="threads", show_default=True, help=CLUSTERS)
@click.option("--interactive-cluster", help="The same for runs that somebody waits for [the cluster].")
@click.option("--until-idle", is_flag=True, help="End when nothing waits.")
@click.option("--interactive-lane/--no-interactive-lane", default=True, help="Keep a lane free for who waits.")
@click.option(
    "--lease", type=click.FloatRange(1.0), help="Seconds after which a silent runner's run is another's [30]."
)
@click.option("--while-stdin", is_flag=True, help="End when standard input does: with whoever started it.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Address of the counts.")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Counts for scrapers; needs the extra 'api'.")
@STORE
def runner(*, lease: float | None, while_stdin: bool, metrics_host: str, metrics_port: int | None, **rest: Any) -> None:
    """Answer queued runs until stopped; what is in hand then is given back."""
    import signal
    import sys

    from riskgrid import log
    from riskgrid.cli.tending import counted, when_input_ends
    from riskgrid.lease import LEASE_SECONDS
    from riskgrid.runner import Runner
    from riskgrid.settings import settings
    from riskgrid.store import INTERACTIVE, store_of

    chosen = settings()
    log.set_up(chosen.log, chosen.log_level)
    kept, lanes = store_of(rest["store"]), (None, INTERACTIVE) if rest["interactive_lane"] else (None,)
    with (
        counted(kept, metrics_host, metrics_port) as told,
        Runner(
            kept,
            cluster=rest["cluster"],
            interactive=rest["interactive_cluster"],
            lanes=lanes,
            lease_seconds=lease or LEASE_SECONDS,
            told=told,
        ) as worker,
    ):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if while_stdin:
            when_input_ends(sys.stdin.buffer, worker.stop)
        _LOG.info("runner %s on %s waits for runs in %s", worker.name, rest["cluster"], worker.store.where)
        worker.work(until_idle=rest["until_idle"])


@cli.command()
@click.argument("run_id", metavar="RUN")
@STORE
def cancel(run_id: str, store: str | None) -> None:
    """Cancel a queued or running RUN; its finished blocks are kept."""
    from riskgrid.settings import settings
    from riskgrid.store import store_of

    kept = store_of(store)
    row = kept.catalogue.get(run_id)
    click.echo(f"run {row.run_id} is {kept.queue.cancel(row.run_id, settings().principal)}")


@cli.command()
@click.argument("run_id", metavar="RUN")
@STORE
def resume(run_id: str, store: str | None) -> None:
    """Queue RUN again: one that failed, was cancelled or interrupted, or left trades out; finished blocks are found."""
    from riskgrid.settings import settings
    from riskgrid.store import store_of

    kept = store_of(store)
    row = kept.queue.resume(kept.catalogue.get(run_id).run_id, settings().principal)
    click.echo(f"run {row.run_id} is {row.status}; 'riskgrid runner' answers it")


@cli.command()
@click.argument("run_id", metavar="RUN")
@click.option("--follow", is_flag=True, help="Wait for more until the run has ended.")
@click.option("--after", default=0, help="Number of the last event that you have.")
@STORE
def events(run_id: str, follow: bool, after: int, store: str | None) -> None:
    """Print what happened to RUN, in order."""
    from riskgrid.store import store_of

    kept = store_of(store)
    found = kept.catalogue.get(run_id).run_id
    for event in kept.journal.follow(found, after) if follow else kept.journal.events(found, after):
        click.echo(f"{event.seq:>5}  {event.at[:23].replace('T', ' ')}  {event.kind:<11} {_facts(event)}".rstrip())


def _facts(event: Any) -> str:
    data = event.data
    if event.kind == "progress":
        done = data["priced"] + data["found"] + data["failed"]
        more = "" if data["planned"] else " so far"
        return f"{done:,} of {data['total']:,} blocks{more}, {data['valuations']:,} valuations, {data['seconds']:.1f} s"
    return ", ".join(f"{name} {value}" for name, value in data.items() if value != "")


@cli.command()
@click.option("--subject", help="Only on this run or name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@STORE
def audit(subject: str | None, limit: int, store: str | None) -> None:
    """Print who asked for what, latest first."""
    import contextlib

    from riskgrid.errors import UnknownName
    from riskgrid.store import store_of

    kept = store_of(store)
    with contextlib.suppress(UnknownName):  # a run by its name or the beginning of its id, else as it was noted
        subject = kept.catalogue.get(subject).run_id if subject else None
    lines = kept.journal.audit(subject=subject, limit=limit)
    if not lines:
        click.echo(f"nobody asked for anything of '{subject}'" if subject else "nobody asked for anything yet")
        return
    table(
        ["when (UTC)", "who", "what", "of", "particulars"],
        [
            [
                line.at[:19].replace("T", " "),
                line.principal or "-",
                line.verb,
                line.subject,
                ", ".join(f"{name} {value}" for name, value in line.detail.items()),
            ]
            for line in lines
        ],
    )
