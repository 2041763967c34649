"""Is anybody sending just now? One sender at a time; the operating system frees a dead one's lock at once.

Issues and letters to one person have a lock each: nobody waits for a confirmation until an issue is out.

That is what makes a row found in `sending` tell the truth: who holds the lock and did not claim it knows that its
sender is dead. On SQLite the lock is on a file beside the database; on PostgreSQL it is a session's advisory lock.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from sqlalchemy import Engine, text

from newsletter.db import sqlite_file


class Line(Enum):
    """What waits in line for one sender: the name of the lock's file, and the lock's number on PostgreSQL."""

    ISSUES = ("sender", 0x4E4C5345)  # "NLSE"
    PERSONAL = ("postman", 0x4E4C504D)  # "NLPM"


@contextmanager
def only_sender(engine: Engine, line: Line = Line.ISSUES) -> Iterator[bool]:
    """Hold the lock while the block runs; yields False, and holds nothing, where another sender has it."""
    name, number = line.value
    file = sqlite_file(engine)
    with _file_lock(file.with_name(f"{file.name}.{name}")) if file else _advisory_lock(engine, number) as held:
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
def _advisory_lock(engine: Engine, number: int) -> Iterator[bool]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": number}).scalar_one()
        try:
            yield bool(held)
        finally:
            if held:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": number})
