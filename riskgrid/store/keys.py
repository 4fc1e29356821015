"""Keys of services in the catalogue: what each may do, until when, and a digest of its secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.store import tables
from riskgrid.store.clock import after, age, stamp
from riskgrid.store.database import Database
from riskgrid.store.journal import noted

__all__ = ["KeyRow", "Keys"]

_KEY = tables.api_key.c


@dataclass(frozen=True)
class KeyRow:
    """A key without its secret. scopes : parted by spaces.   rights : books, see :attr:`riskgrid.store.RunRow.rights`.

    left : seconds until it expires, when read.   created, expires, revoked : ISO 8601, UTC, the database's clock.
    """

    key_id: str
    principal: str
    scopes: str
    rights: str
    digest: str = field(repr=False)
    note: str = ""
    left: float = field(default=0.0, compare=False)
    created: str = ""
    expires: str = ""
    revoked: str | None = None

    @property
    def status(self) -> str:
        """``revoked``, ``expired`` or ``valid``."""
        if self.revoked is not None:
            return "revoked"
        return "valid" if self.left > 0.0 else "expired"


class Keys:
    """Keys of services. Whoever makes or revokes one is noted in the audit trail."""

    def __init__(self, where: Database | Path | str) -> None:
        self.database = Database(where)

    def add(self, row: KeyRow, by: str) -> KeyRow:
        """Keep a new key for ``row.left`` seconds from now; returns it as it is kept."""
        values = {"key_id": row.key_id, "digest": row.digest, "principal": row.principal, "scopes": row.scopes}
        values |= {"rights": row.rights, "note": row.note}
        statement = tables.api_key.insert().values(created=stamp(), expires=after(sa.literal(row.left)), **values)

        def work(connection: sa.Connection) -> KeyRow:
            connection.execute(statement)
            kept = _found(connection, row.key_id)
            assert kept is not None
            detail = {"principal": row.principal, "scopes": row.scopes, "rights": row.rights, "expires": kept.expires}
            noted(connection, by, "make key", row.key_id, detail)
            return kept

        return self.database.write(work)

    def get(self, key_id: str) -> KeyRow | None:
        """A key, None where there is none of this id."""
        return self.database.read(lambda connection: _found(connection, key_id))

    def list(self) -> Sequence[KeyRow]:
        """All keys, the latest first."""
        query = _selected().order_by(_KEY.created.desc(), _KEY.key_id)
        return [KeyRow(**row._mapping) for row in self.database.read(lambda found: found.execute(query).all())]

    def any_valid(self) -> bool:
        """Whether there is a key that opens anything."""
        valid = sa.and_(_KEY.revoked.is_(None), age(_KEY.expires) < 0.0)
        query = sa.select(_KEY.key_id).where(valid).limit(1)
        return self.database.read(lambda connection: connection.execute(query).first()) is not None

    def revoke(self, key_id: str, by: str) -> KeyRow:
        """Let a key open nothing any more; returns it. UnknownName for no key, BadSpec for one revoked before."""
        update = tables.api_key.update().where(_KEY.key_id == key_id, _KEY.revoked.is_(None)).values(revoked=stamp())

        def work(connection: sa.Connection) -> KeyRow:
            changed = connection.execute(update).rowcount
            row = _found(connection, key_id)
            if row is None:
                raise UnknownName("key", key_id, connection.scalars(sa.select(_KEY.key_id).limit(1000)))
            if not changed:
                raise BadSpec(f"key '{key_id}' was revoked already, at {row.revoked}")
            noted(connection, by, "revoke key", key_id, {"principal": row.principal})
            return row

        return self.database.write(work)


def _selected() -> sa.Select[tuple[object, ...]]:
    return sa.select(*tables.api_key.columns, (-age(_KEY.expires)).label("left"))


def _found(connection: sa.Connection, key_id: str) -> KeyRow | None:
    row = connection.execute(_selected().where(_KEY.key_id == key_id)).first()
    return None if row is None else KeyRow(**row._mapping)
