"""Which revision a database is at; a new one is made at the latest, an embedded one is brought there on opening."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from riskgrid.errors import StoreError
from riskgrid.store.address import Address
from riskgrid.store.embedded import READING
from riskgrid.store.tables import HEAD, METADATA, REVISIONS, version

__all__ = ["changing", "make_ready", "revision_of"]

#: Number of the lock that processes take on a served database to change its tables one after another.
_LOCK = 0x7269736B


def revision_of(connection: sa.Connection) -> str | None:
    """The revision of a database's tables, None for none; what came before revisions were noted counts as 0001."""
    inspector = sa.inspect(connection)
    if inspector.has_table(version.name):
        return connection.scalar(sa.select(version.c.version_num))
    return REVISIONS[0] if inspector.has_table("run") else None


def make_ready(engine: sa.Engine, address: Address) -> None:
    """Bring the tables of a database to where this code expects them. StoreError where that is not for it to do."""
    with engine.execution_options(**{READING: True}).connect() as connection:
        if revision_of(connection) == HEAD:
            return
    with changing(engine) as connection:
        found = revision_of(connection)  # another process may have been here meanwhile
        if found is None:
            METADATA.create_all(connection)
            version.create(connection, checkfirst=True)
            connection.execute(version.insert().values(version_num=HEAD))
        elif found != HEAD:
            _refuse(found, connection, address)
            from riskgrid.store.migrating import upgrade_on

            upgrade_on(connection, HEAD)


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


def _refuse(found: str, connection: sa.Connection, address: Address) -> None:
    if found not in REVISIONS:
        raise StoreError(
            f"the catalogue {address} is at revision {found}, which this riskgrid does not know (it knows those up to "
            f"{HEAD}); the riskgrid that wrote it, or a later one, is right"
        )
    if address.embedded:
        return
    if not sa.inspect(connection).has_table(version.name):
        raise StoreError(f"the database {address} has a table 'run' that riskgrid did not make; an empty one is right")
    raise StoreError(
        f"the catalogue {address} is at revision {found} and this riskgrid needs {HEAD}; run `riskgrid migrate`"
    )
