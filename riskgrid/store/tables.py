"""The tables of the catalogue; ``migrations/`` makes the same ones step by step."""

from __future__ import annotations

import sqlalchemy as sa

from riskgrid.store.clock import now

__all__ = [
    "HEAD",
    "METADATA",
    "REVISIONS",
    "api_key",
    "attempt",
    "audit",
    "event",
    "input_name",
    "name",
    "run",
    "version",
]

#: The revisions of ``migrations/versions``, oldest first.
REVISIONS = ("0001", "0002", "0003", "0004")

#: The one these tables are.
HEAD = REVISIONS[-1]

METADATA = sa.MetaData()

# by code point on both: a language's order would part ids, names and times differently from one server to the next
_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _words(column: str, *, default: str | None = None) -> sa.Column[str]:
    return sa.Column(column, _WORDS, nullable=False, server_default=default)


def _count(column: str) -> sa.Column[int]:
    return sa.Column(column, sa.Integer, nullable=False, server_default=sa.text("0"))


run = sa.Table(
    "run",
    METADATA,
    sa.Column("run_id", _WORDS, primary_key=True),
    _words("content_id"),
    sa.Column("result_id", _WORDS),
    sa.Column("parent", _WORDS),
    _words("name"),
    _words("as_of"),
    _words("created"),
    _words("status"),
    sa.Column("trades", sa.Integer, nullable=False),
    sa.Column("scenarios", sa.Integer, nullable=False),
    sa.Column("seconds", _NUMBER, nullable=False),
    _words("manifest"),
    sa.Column("started", _WORDS),
    sa.Column("ended", _WORDS),
    _words("principal", default=""),
    sa.Column("request_key", _WORDS),
    _words("request", default="{}"),
    _words("request_digest", default=""),
    _count("priority"),
    sa.Column("runner", _WORDS),
    _count("fence"),
    sa.Column("lease_until", _NUMBER),
    _count("attempts"),
    sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
    _words("reason", default=""),
    _count("events"),
    sa.Column("serves", _WORDS),
    _words("rights", default=""),
)
sa.Index("run_by_content", run.c.content_id, run.c.status)
sa.Index("run_by_created", run.c.created)
sa.Index("run_by_name", run.c.name)
sa.Index("run_by_parent", run.c.parent, run.c.rights)
sa.Index("run_by_rights", run.c.rights, run.c.parent, run.c.created)
sa.Index("run_by_served", run.c.serves)
sa.Index("run_by_status", run.c.status, run.c.priority, run.c.created)
_KEYED = run.c.request_key.is_not(None)
sa.Index(
    "run_by_request",
    run.c.principal,
    run.c.request_key,
    unique=True,
    sqlite_where=_KEYED,
    postgresql_where=_KEYED,
)

name = sa.Table("name", METADATA, _words("name"), _words("run_id"), _words("created"))

input_name = sa.Table(
    "input_name",
    METADATA,
    sa.Column("id", _SERIAL, primary_key=True),
    _words("kind"),
    _words("name"),
    _words("key"),
    _words("principal"),
    _words("created"),
    _words("rights", default=""),
    sa.Index("input_name_by_name", "kind", "name"),
)

api_key = sa.Table(
    "api_key",
    METADATA,
    sa.Column("key_id", _WORDS, primary_key=True),
    _words("digest"),
    _words("principal"),
    _words("scopes"),
    _words("rights"),
    _words("note", default=""),
    _words("created"),
    _words("expires"),
    sa.Column("revoked", _WORDS),
)

event = sa.Table(
    "event",
    METADATA,
    sa.Column("run_id", _WORDS, sa.ForeignKey("run.run_id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    _words("at"),
    _words("kind"),
    _words("data"),
)

attempt = sa.Table(
    "attempt",
    METADATA,
    sa.Column("run_id", _WORDS, sa.ForeignKey("run.run_id"), primary_key=True),
    sa.Column("block", _WORDS, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    _words("at"),
    _words("runner"),
    _words("reason"),
)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", _SERIAL, primary_key=True),
    _words("at"),
    _words("principal"),
    _words("verb"),
    _words("subject"),
    _words("detail"),
    sa.Index("audit_by_subject", "subject"),
)

#: Alembic's own: which revision a database is at.
version = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

#: Of a run whose holder has not been heard of for longer than its lease.
LAPSED = sa.and_(run.c.status == "running", run.c.lease_until < now())

#: Status of a run as it reads.
STATUS = sa.case((LAPSED, "interrupted"), else_=run.c.status)
