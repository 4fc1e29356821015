"""Runs that a measure asked for know which run they serve."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add ``serves`` to ``run``; nothing is known of the runs that are there."""
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("serves", _WORDS))
    op.create_index("run_by_served", "run", ["serves"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("run_by_served", "run")
    with op.batch_alter_table("run") as run:
        run.drop_column("serves")
