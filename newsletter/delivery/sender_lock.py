"""Is anybody sending just now? One sender at a time; the operating system frees a dead one's lock at once.

That is what makes a row found in `sending` tell the truth: who holds the lock and did not claim it knows that its
sender is dead. On SQLite the lock is on a file beside the database; on PostgreSQL it is a session's advisory lock.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from newsletter.db import sqlite_file

ADVISORY_LOCK = 0x4E4C5345  # "NLSE"; one number for all senders of a database


@contextmanager
def only_sender(engine: Engine) -> Iterator[bool]:
    """Hold the lock while the block runs; yields False, and holds nothing, where another sender has it."""
    file = sqlite_file(engine)
    with _file_lock(file.with_name(f"{file.name}.sender")) if file else _advisory_lock(engine) as held:
        yield held


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[bool]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK}).scalar_one()
        try:
            yield bool(held)
        finally:
            if held:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": ADVISORY_LOCK})
