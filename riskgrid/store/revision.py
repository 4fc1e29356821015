"""The revision that a database's tables are at, and the transaction in which they may be changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from riskgrid.store.tables import REVISIONS, version

__all__ = ["changing", "revision_of"]

#: Number of the lock that processes take on a served database to change its tables one after another.
_LOCK = 0x7269736B


def revision_of(connection: sa.Connection) -> str | None:
    """The revision of a database's tables, None for none; what came before revisions were noted counts as 0001."""
    inspector = sa.inspect(connection)
    if inspector.has_table(version.name):
        return connection.scalar(sa.select(version.c.version_num))
    return REVISIONS[0] if inspector.has_table("run") else None


@contextlib.contextmanager
def changing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that may change tables, one process at a time."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # a table that is made anew under its name would take the rows that refer to it along
            driver: Any = connection.connection.driver_connection
            driver.execute("pragma foreign_keys = off")
            try:
                with connection.begin():
                    yield connection
            finally:
                driver.execute("pragma foreign_keys = on")
        else:
            with connection.begin():
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                yield connection
