"""Runs and named inputs know the books of who made them and are found by them; keys of services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OLDER = ("run", "input_name")


def upgrade() -> None:
    """Add ``rights``, with indexes by them, empty for all books as everybody had them before, and the table of keys."""
    for table in _OLDER:
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("rights", _WORDS, nullable=False, server_default=""))
    op.drop_index("run_by_parent", "run")
    op.create_index("run_by_parent", "run", ["parent", "rights"])
    op.create_index("run_by_rights", "run", ["rights", "parent", "created"])
    op.create_table(
        "api_key",
        sa.Column("key_id", _WORDS, primary_key=True),
        sa.Column("digest", _WORDS, nullable=False),
        sa.Column("principal", _WORDS, nullable=False),
        sa.Column("scopes", _WORDS, nullable=False),
        sa.Column("rights", _WORDS, nullable=False),
        sa.Column("note", _WORDS, nullable=False, server_default=""),
        sa.Column("created", _WORDS, nullable=False),
        sa.Column("expires", _WORDS, nullable=False),
        sa.Column("revoked", _WORDS),
    )


def downgrade() -> None:
    """Drop them; runs of some books alone go, as nothing would hide them any more."""
    run = sa.table("run", sa.column("run_id"), sa.column("rights"))
    narrow = sa.select(run.c.run_id).where(run.c.rights != "")
    for name in ("event", "attempt", "name"):
        of_run = sa.table(name, sa.column("run_id"))
        op.execute(of_run.delete().where(of_run.c.run_id.in_(narrow)))
    op.execute(run.delete().where(run.c.rights != ""))
    named = sa.table("input_name", sa.column("rights"))
    op.execute(named.delete().where(named.c.rights != ""))
    op.drop_table("api_key")
    for index in ("run_by_rights", "run_by_parent"):
        op.drop_index(index, "run")
    for table in _OLDER:
        with op.batch_alter_table(table) as changed:
            changed.drop_column("rights")
    op.create_index("run_by_parent", "run", ["parent"])
