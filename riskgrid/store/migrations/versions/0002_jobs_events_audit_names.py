"""A run becomes a job; events, attempts of blocks, the audit trail and names of inputs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INDEXES = {
    "run_by_created": ["created"],
    "run_by_name": ["name"],
    "run_by_parent": ["parent"],
    "run_by_status": ["status", "priority", "created"],
}


def upgrade() -> None:
    """Add what a job needs to ``run``, and the tables beside it."""
    # always: the table that came before revisions were noted let its key be null
    with op.batch_alter_table("run", recreate="always" if _embedded() else "auto") as run:
        run.alter_column("run_id", existing_type=_WORDS, nullable=False)
        for column in _columns():
            run.add_column(column)
    op.execute("update run set started = created")
    for name, columns in _INDEXES.items():
        op.create_index(name, "run", columns)
    keyed = sa.text("request_key IS NOT NULL")
    op.create_index(
        "run_by_request",
        "run",
        ["principal", "request_key"],
        unique=True,
        sqlite_where=keyed,
        postgresql_where=keyed,
    )
    _create_tables()


def downgrade() -> None:
    """Keep the runs and their further names; drop the rest."""
    for table in ("event", "attempt", "audit", "input_name"):
        op.drop_table(table)
    for name in ("run_by_request", *_INDEXES):
        op.drop_index(name, "run")
    # revision 0001 has no word for the others, nor for the lease by which one that is running could lapse
    op.execute("update run set status = 'interrupted' where status in ('queued', 'cancelled')")
    op.execute("update run set status = 'interrupted' where status = 'running' and lease_until is not null")
    with op.batch_alter_table("run") as run:
        for column in _columns():
            run.drop_column(column.name)


def _embedded() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _columns() -> list[sa.Column[object]]:
    def words(name: str, default: str = "") -> sa.Column[object]:
        return sa.Column(name, _WORDS, nullable=False, server_default=default)

    def count(name: str) -> sa.Column[object]:
        return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))

    return [
        sa.Column("started", _WORDS),
        sa.Column("ended", _WORDS),
        words("principal"),
        sa.Column("request_key", _WORDS),
        words("request", "{}"),
        words("request_digest"),
        count("priority"),
        sa.Column("runner", _WORDS),
        count("fence"),
        sa.Column("lease_until", _NUMBER),
        count("attempts"),
        sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default=sa.false()),
        words("reason"),
        count("events"),
    ]


def _create_tables() -> None:
    op.create_table(
        "input_name",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("name", _WORDS, nullable=False),
        sa.Column("key", _WORDS, nullable=False),
        sa.Column("principal", _WORDS, nullable=False),
        sa.Column("created", _WORDS, nullable=False),
    )
    op.create_index("input_name_by_name", "input_name", ["kind", "name"])
    op.create_table(
        "event",
        sa.Column("run_id", _WORDS, sa.ForeignKey("run.run_id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", _WORDS, nullable=False),
        sa.Column("kind", _WORDS, nullable=False),
        sa.Column("data", _WORDS, nullable=False),
    )
    op.create_table(
        "attempt",
        sa.Column("run_id", _WORDS, sa.ForeignKey("run.run_id"), primary_key=True),
        sa.Column("block", _WORDS, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", _WORDS, nullable=False),
        sa.Column("runner", _WORDS, nullable=False),
        sa.Column("reason", _WORDS, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("at", _WORDS, nullable=False),
        sa.Column("principal", _WORDS, nullable=False),
        sa.Column("verb", _WORDS, nullable=False),
        sa.Column("subject", _WORDS, nullable=False),
        sa.Column("detail", _WORDS, nullable=False),
    )
    op.create_index("audit_by_subject", "audit", ["subject"])
