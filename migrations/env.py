"""Alembic's entry point. The engine comes from the caller (`newsletter.migrations`), never from an ini file."""

from alembic import context
from sqlalchemy import Engine

import subscribers.consent
import subscribers.subscriber  # noqa: F401  # each module above puts its tables into the metadata
from newsletter.db import Table

ADVISORY_LOCK = 0x4E4C4D47  # "NLMG"; one number for all upgrades of a database

engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    if connection.dialect.name == "postgresql":  # SQLite has the write lock already
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    # Batch mode: SQLite cannot alter most things, so Alembic copies the table instead.
    # One transaction over all: a migration is there whole or not at all, and two processes wait for each other.
    context.configure(
        connection=connection, target_metadata=Table.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
