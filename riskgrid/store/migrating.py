"""Changing the tables of a catalogue from one revision to another, by Alembic."""

from __future__ import annotations

from riskgrid.errors import UnknownName
from riskgrid.store import tables
from riskgrid.store.altering import downgrade_on, upgrade_on
from riskgrid.store.database import Database
from riskgrid.store.revision import changing, revision_of

__all__ = ["current", "downgrade", "upgrade"]


def upgrade(database: Database, to: str = "head") -> None:
    """Bring a catalogue's tables to a later revision; what it holds is kept."""
    _check(to)
    with database.unprepared() as engine, changing(engine) as connection:
        upgrade_on(connection, to)


def downgrade(database: Database, to: str) -> None:
    """Take a catalogue's tables back to an earlier revision: runs stay, what that revision has no place for goes.

    to : a revision, or ``base`` for none, which drops the runs too.
    """
    _check(to)
    with database.unprepared() as engine, changing(engine) as connection:
        downgrade_on(connection, to)


def current(database: Database) -> str | None:
    """The revision of a catalogue's tables, None where it has none yet."""
    if database.path is not None and not database.path.exists():
        return None
    with database.unprepared() as engine, engine.connect() as connection:
        return revision_of(connection)


def _check(to: str) -> None:
    known = ("head", "base", *tables.REVISIONS)
    if to not in known:
        raise UnknownName("revision of the catalogue", to, known)
