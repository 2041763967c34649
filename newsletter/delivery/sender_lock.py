"""Who is sending just now, and who is gone? Every sender holds a lock, which the system takes from a dead one at once.

That is what makes a row found in `sending` tell the truth: its claim names its sender, and whoever can take that one's
lock knows that it is gone. On SQLite the lock is on a file beside the database, and there is one sender at a time. On
PostgreSQL each sender of issues has an advisory lock of its own, held by a session of its own, and there may be many.

Issues and letters to one person are two lines: nobody waits for a confirmation until an issue is out.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from newsletter.db import sqlite_file

EVERYBODY = 0  # the number whose lock a line's only sender holds
MOST = 2**31 - 1  # what PostgreSQL's advisory locks take for a number

_HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :space "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""How many of one line hold their lock in this database."""


class Line(Enum):
    """What waits in line to be sent: its lock's file, its number on PostgreSQL, and whether many may send there."""

    ISSUES = ("sender", 0x4E4C5345, True)  # "NLSE"
    PERSONAL = ("postman", 0x4E4C504D, False)  # "NLPM"


@dataclass(frozen=True)
class Sender:
    """One who may send, for as long as it holds its lock."""

    number: int
    """Chance; stands in its claims."""
    is_dead: Callable[[int], bool]
    """Whether the sender of a number is gone for good, and will claim nothing and call nobody any more."""
    holds: Callable[[], bool]
    """Whether this one still has its lock: a restarted server, a broken line or a deleted file takes it away."""


@contextmanager
def enter(engine: Engine, line: Line = Line.ISSUES) -> Iterator[Sender | None]:
    """Be a sender while the block runs; None where there can be no other beside the one that there is."""
    name, space, many = line.value
    file = sqlite_file(engine)
    with _file_lock(file.with_name(f"{file.name}.{name}")) if file else _advisory_lock(engine, space, many) as sender:
        yield sender


def at_work(engine: Engine, line: Line) -> int:
    """How many senders hold their locks just now. To look takes no lock from anybody, but on SQLite for an instant."""
    name, space, _ = line.value
    file = sqlite_file(engine)
    if file is None:
        with engine.connect() as connection:
            return int(connection.execute(_HELD, {"space": space}).scalar_one())
    try:
        with file.with_name(f"{file.name}.{name}").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return 0  # nobody has ever sent from here
    except BlockingIOError:
        return 1
    return 0


@contextmanager
def _file_lock(path: Path) -> Iterator[Sender | None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            number = _chance()
            if _is_at(path, lock):  # else it was deleted between the two lines above
                yield Sender(number, lambda other: other != number, lambda: _is_at(path, lock))
            else:
                yield None


def _is_at(path: Path, lock: IO[str]) -> bool:
    """Whether an open file is still the one of this name: one that was deleted keeps nobody else out."""
    try:
        return not lock.closed and os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except OSError:
        return False


@contextmanager
def _advisory_lock(engine: Engine, space: int, many: bool) -> Iterator[Sender | None]:
    number = _chance()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        session = _Session(connection, space)
        if not session.lock(number if many else EVERYBODY):
            yield None
            return
        try:
            # Its own lock would be given to it once more.
            yield Sender(
                number, lambda other: other != number and (not many or session.is_free(other)), session.is_there
            )
        finally:
            session.unlock_all()


class _Session:
    """A session of PostgreSQL's that holds advisory locks; safe in several threads."""

    def __init__(self, connection: Connection, space: int) -> None:
        self._connection = connection
        self._space = space
        self._mutex = threading.Lock()

    def lock(self, number: int) -> bool:
        return self._ask("SELECT pg_try_advisory_lock(:space, :number)", number)

    def is_free(self, number: int) -> bool:
        """Whether nobody holds this lock. Takes it for a moment: who asks at the same time is told that it is held."""
        free = self.lock(number)
        if free:
            self._ask("SELECT pg_advisory_unlock(:space, :number)", number)
        return free

    def is_there(self) -> bool:
        """Whether the session, and with it its locks, has not been lost."""
        try:
            return self._ask("SELECT :space = :number", self._space)
        except SQLAlchemyError:
            return False

    def unlock_all(self) -> None:
        """Let go; of a session that is lost there is nothing to let go of."""
        try:
            with self._mutex:
                self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
        except SQLAlchemyError:
            self._connection.invalidate()

    def _ask(self, question: str, number: int) -> bool:
        with self._mutex:
            asked = {"space": self._space, "number": number}
            return bool(self._connection.execute(text(question), asked).scalar_one())


def _chance() -> int:
    return 1 + secrets.randbelow(MOST)
