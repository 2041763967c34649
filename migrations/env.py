"""Alembic's entry point. The engine comes from the caller (`newsletter.migrations`), never from an ini file."""

from alembic import context
from sqlalchemy import Engine

import newsletter.comparisons.comparison
import newsletter.delivery.ledger
import newsletter.issues.issue
import subscribers.consent
import subscribers.subscriber  # noqa: F401  # each module above puts its tables into the metadata
from newsletter.db import Table

engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    # Batch mode: SQLite cannot alter most things, so Alembic copies the table instead.
    # One transaction over all: a migration is there whole or not at all, and two processes wait for each other.
    context.configure(
        connection=connection, target_metadata=Table.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
