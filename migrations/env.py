"""Alembic's entry point. The engine comes from the caller (`newsletter.migrations`), never from an ini file."""

from alembic import context
from sqlalchemy import Engine

import newsletter.editors.log
import newsletter.editors.sessions
import newsletter.figures
import newsletter.issues.versions
import newsletter.jobs  # noqa: F401
import subscribers.consent
import subscribers.erasure
import subscribers.fingerprint
import subscribers.limits
import subscribers.preferences
import subscribers.signup
import subscribers.subscriber
import subscribers.suppression  # noqa: F401
from newsletter.db import Table, is_sqlite

ADVISORY_LOCK = 0x4E4C4D47  # "NLMG"; one number for all upgrades of a database

engine: Engine = context.config.attributes["engine"]
with engine.connect() as connection:
    if is_sqlite(engine):
        # A table that is made anew is dropped first, and with the references to it on, so would be what refers to it.
        # This can only be said before the transaction begins, so not through SQLAlchemy, which begins one.
        raw = connection.connection.cursor()
        raw.execute("PRAGMA foreign_keys = OFF")
    else:  # SQLite has the write lock already
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    # Batch mode: SQLite cannot alter most things, so Alembic copies the table instead.
    # One transaction over all: a migration is there whole or not at all, and two processes wait for each other.
    context.configure(
        connection=connection, target_metadata=Table.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
        if is_sqlite(engine) and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"the migration would leave rows that refer to nothing: {broken[:5]}")
    connection.commit()
    if is_sqlite(engine):
        raw.execute("PRAGMA foreign_keys = ON")
        raw.close()
