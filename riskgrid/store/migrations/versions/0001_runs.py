"""Runs and their further names, as the catalogue had them before its revisions were noted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables ``run`` and ``name``."""
    op.create_table(
        "run",
        sa.Column("run_id", _WORDS, primary_key=True),
        sa.Column("content_id", _WORDS, nullable=False),
        sa.Column("result_id", _WORDS),
        sa.Column("parent", _WORDS),
        sa.Column("name", _WORDS, nullable=False),
        sa.Column("as_of", _WORDS, nullable=False),
        sa.Column("created", _WORDS, nullable=False),
        sa.Column("status", _WORDS, nullable=False),
        sa.Column("trades", sa.Integer, nullable=False),
        sa.Column("scenarios", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double().with_variant(sa.REAL(), "sqlite"), nullable=False),
        sa.Column("manifest", _WORDS, nullable=False),
    )
    op.create_index("run_by_content", "run", ["content_id", "status"])
    op.create_table(
        "name",
        sa.Column("name", _WORDS, nullable=False),
        sa.Column("run_id", _WORDS, nullable=False),
        sa.Column("created", _WORDS, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables, and with them the runs."""
    op.drop_table("name")
    op.drop_table("run")
