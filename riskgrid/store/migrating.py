"""Changing the tables of a catalogue from one revision to another, by Alembic."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from riskgrid.errors import UnknownName
from riskgrid.store import tables
from riskgrid.store.database import Database
from riskgrid.store.versions import changing, revision_of

__all__ = ["current", "downgrade", "upgrade", "upgrade_on"]


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
        command.downgrade(_noted(connection), to)


def current(database: Database) -> str | None:
    """The revision of a catalogue's tables, None where it has none yet."""
    if database.path is not None and not database.path.exists():
        return None
    with database.unprepared() as engine, engine.connect() as connection:
        return revision_of(connection)


def upgrade_on(connection: sa.Connection, to: str) -> None:
    """The same as :func:`upgrade` in a transaction that may change tables."""
    command.upgrade(_noted(connection), to)


def _noted(connection: sa.Connection) -> Config:
    """Alembic's settings, for a database that says which revision it is at."""
    found = revision_of(connection)
    tables.version.create(connection, checkfirst=True)
    if found is not None and connection.scalar(sa.select(tables.version.c.version_num)) is None:
        connection.execute(tables.version.insert().values(version_num=found))
    config = Config()
    # the folder's path goes through a format that reads % as its own
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _check(to: str) -> None:
    known = ("head", "base", *tables.REVISIONS)
    if to not in known:
        raise UnknownName("revision of the catalogue", to, known)
