"""Tables taken from one revision to another by Alembic, in a transaction that may change them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from riskgrid.store import tables
from riskgrid.store.revision import revision_of

__all__ = ["downgrade_on", "upgrade_on"]


def upgrade_on(connection: sa.Connection, to: str) -> None:
    """Bring the tables to a later revision."""
    command.upgrade(_noted(connection), to)


def downgrade_on(connection: sa.Connection, to: str) -> None:
    """Take the tables back to an earlier revision."""
    command.downgrade(_noted(connection), to)


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
