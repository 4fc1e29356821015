"""Which revision a database is at; a new one is made at the latest, an embedded one is brought there on opening."""

from __future__ import annotations

import sqlalchemy as sa

from riskgrid.errors import StoreError
from riskgrid.store.address import Address
from riskgrid.store.embedded import READING
from riskgrid.store.revision import changing, revision_of
from riskgrid.store.tables import HEAD, METADATA, REVISIONS, version

__all__ = ["make_ready"]


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
            from riskgrid.store.altering import upgrade_on

            upgrade_on(connection, HEAD)


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
    wrong = f"is at revision {found} and this riskgrid needs {HEAD}; run `riskgrid migrate`"
    refused = StoreError(f"the catalogue {address} {wrong}")
    refused.outward = f"the catalogue {wrong}"
    raise refused
