"""Commands that look after a store: its runs, what may go, what is damaged."""

from __future__ import annotations

import click

from riskgrid.cli.group import STORE, cli, table

__all__ = ["gc", "migrate", "remove", "runs", "verify"]

_STATUSES = ("queued", "running", "interrupted", "complete", "partial", "failed", "cancelled")


@cli.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Show at most this many.")
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
@click.option("--all", "every", is_flag=True, help="Those, too, that measures made to revalue another run.")
@STORE
def runs(limit: int, *, status: str | None, every: bool, store: str | None) -> None:
    """List the runs of the store, latest first."""
    from riskgrid.store import store_of

    kept = store_of(store)
    rows = kept.catalogue.list(limit, status=status, served=every)
    if not rows:
        which = f"{status} runs" if status else "runs"
        click.echo(f"no {which} in {kept.where}" + ("" if status else "; 'riskgrid demo' makes three"))
        return
    table(
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
    alone = kept.catalogue.count(served=False)
    more = (kept.catalogue.count() if every else alone) - len(rows) if status is None else 0
    if more > 0:
        click.echo(f"and {more:,} older ones; --limit shows more")
    if not every and (serving := kept.catalogue.count() - alone):
        click.echo(f"and {serving:,} that measures made to revalue these; --all shows them")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, remove nothing.")
@click.option("--grace-hours", default=24.0, show_default=True, help="Keep what is younger: a run may need it soon.")
@STORE
def gc(dry_run: bool, grace_hours: float, store: str | None) -> None:
    """Remove what no run of the store refers to; exit status 1 if nothing goes because a run is being executed."""
    from datetime import timedelta

    from riskgrid.keeping import gc as collect
    from riskgrid.store import store_of

    freed = collect(store_of(store), dry_run=dry_run, grace=timedelta(hours=grace_hours))
    click.echo(str(freed))
    if freed.running:
        raise SystemExit(1)


@cli.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--repair", is_flag=True, help="Throw away what is damaged; asking again makes it anew.")
@STORE
def verify(run_id: str | None, repair: bool, store: str | None) -> None:
    """Read everything that RUN, or every run of the store, refers to; exit status 1 if something is damaged."""
    from riskgrid.keeping import verify as read_all
    from riskgrid.result import open_run
    from riskgrid.store import store_of

    kept = store_of(store)
    found = read_all(kept, open_run(run_id, store=kept).run_id if run_id else None, repair=repair)
    click.echo(str(found))
    if not found.whole:
        raise SystemExit(1)


@cli.command()
@click.argument("run_id", metavar="RUN")
@STORE
def remove(run_id: str, store: str | None) -> None:
    """Forget RUN; what nothing else refers to goes with the next 'riskgrid gc'."""
    from riskgrid.keeping import remove as forget
    from riskgrid.store import store_of

    kept = store_of(store)
    row = kept.catalogue.get(run_id)
    forget(kept, row.run_id)
    click.echo(f"run {row.run_id} ({row.name}) is forgotten; 'riskgrid gc' frees what nothing else refers to")


@cli.command()
@click.option("--to", default="head", show_default=True, help="Revision of the catalogue's tables.")
@STORE
def migrate(to: str, store: str | None) -> None:
    """Bring the tables of the catalogue to this version of riskgrid."""
    from riskgrid.store import store_of
    from riskgrid.store.migrating import current, upgrade

    database = store_of(store).catalogue.database
    before = current(database)
    upgrade(database, to)
    click.echo(f"catalogue {database.address}: {before or 'empty'} -> {current(database)}")
