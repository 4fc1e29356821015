"""Commands that make, list and revoke keys of services."""

from __future__ import annotations

from collections.abc import Sequence

import click

from riskgrid.cli.group import STORE, cli, table
from riskgrid.errors import BadSpec

__all__ = ["keys"]


@cli.group()
def keys() -> None:
    """Keys by which services ask without a person."""


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, default=("read",), show_default=True, help="read, run or admin.")
@click.option("--books", "chosen", multiple=True, metavar="LABEL=VALUE,...", help="Books it sees, any of those given.")
@click.option("--all-books", is_flag=True, help="It sees all books.")
@click.option("--days", default=90.0, show_default=True, help="Until it expires.")
@click.option("--note", default="", help="What it is for.")
@STORE
def make(
    name: str,
    *,
    scopes: Sequence[str],
    chosen: Sequence[str],
    all_books: bool,
    days: float,
    note: str,
    store: str | None,
) -> None:
    """Make a key for the service NAME and print it, once: only a digest of it is kept."""
    from riskgrid.identity.keys import make_key
    from riskgrid.identity.rights import books_of
    from riskgrid.settings import settings
    from riskgrid.store import store_of

    if all_books == bool(chosen):
        raise BadSpec("say which books the key sees: --books desk=Rates, once or more often, or --all-books")
    books = books_of("all" if all_books else [_choice(text) for text in chosen], "--books")
    text, row = make_key(
        store_of(store).keys, name, books, scopes=scopes, days=days, note=note, by=settings().principal
    )
    click.echo(text)
    sees = "all books" if books is None else str(books)
    until = row.expires[:16].replace("T", " ")
    click.echo(f"'{row.principal}' may {row.scopes.replace(' ', ', ')} until {until} UTC and sees {sees}", err=True)
    click.echo("it is shown this once; 'X-API-Key: ...' or 'Authorization: Bearer ...' carries it", err=True)


@keys.command("list")
@STORE
def listed(store: str | None) -> None:
    """List all keys, the latest first."""
    from riskgrid.books import Books
    from riskgrid.store import store_of

    rows = store_of(store).keys.list()
    if not rows:
        click.echo("no keys; 'riskgrid keys make' makes one")
        return
    table(
        ["id", "principal", "scopes", "books", "status", "made (UTC)", "expires (UTC)", "note"],
        [
            [
                row.key_id,
                row.principal,
                row.scopes.replace(" ", ", "),
                str(Books.read(row.rights)) if row.rights else "all",
                row.status,
                row.created[:16].replace("T", " "),
                row.expires[:16].replace("T", " "),
                row.note,
            ]
            for row in rows
        ],
    )


@keys.command()
@click.argument("key_id", metavar="ID")
@STORE
def revoke(key_id: str, store: str | None) -> None:
    """Let the key ID open nothing any more."""
    from riskgrid.identity.keys import FRESH_SECONDS
    from riskgrid.settings import settings
    from riskgrid.store import store_of

    row = store_of(store).keys.revoke(key_id, settings().principal)
    click.echo(f"key {row.key_id} of '{row.principal}' is revoked; services notice within {FRESH_SECONDS:g} seconds")


def _choice(text: str) -> dict[str, list[str]]:
    """Labels and values from ``desk=Rates,desk=Credit,region=EMEA``."""
    made: dict[str, list[str]] = {}
    for part in text.split(","):
        label, found, value = part.partition("=")
        if not found or not label.strip() or not value.strip():
            raise BadSpec(f"--books is {text!r}; LABEL=VALUE, parted by commas, is right, e.g. region=EMEA,desk=Rates")
        made.setdefault(label.strip(), []).append(value.strip())
    return made
