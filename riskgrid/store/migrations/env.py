"""What Alembic runs to migrate: on the connection, and in the transaction, that ``migrating`` hands it."""

from alembic import context

from riskgrid.store.tables import METADATA


def migrate() -> None:
    """Run the steps."""
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()


if getattr(context, "_proxy", None) is not None:  # none where the module is only imported, e.g. for its doctests
    migrate()
