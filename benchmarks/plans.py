"""Does a page go through a large table from end to end? The plans of the statements that it has really executed.

SQLite's word for that is SCAN, whether of the table or of a whole index. What a page may scan all the same is said in
`ALLOWED`, with the reason.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine, event

LARGE: Final = 10_000  # rows

REQUESTS: Final = ("AnyIO", "asyncio_", "MainThread", "desk pages")
"""How the threads are called that answer requests; all others do things beside the pages."""

_SCAN: Final = re.compile(r"SCAN (\w+)")
_NAMED: Final = re.compile(r"\b(\w+) AS (\w+)")
_READS: Final = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_LIMITED: Final = re.compile(r"\bLIMIT\b", re.IGNORECASE)


@dataclass(frozen=True)
class Allowed:
    """A scan that a page may do."""

    table: str
    holds: str
    """What the statement has in it."""
    why: str


ALLOWED: Final[tuple[Allowed, ...]] = (
    Allowed(
        "subscribers",
        "SELECT subscribers.status, count(*) AS count_1 FROM subscribers GROUP BY subscribers.status",
        "how many readers there are of each status: 50 ms for a million, from an index alone and with nothing to sort",
    ),
)
"""Besides statements with a LIMIT that sort nothing: they read in the order of an index, and end after a page of it."""


@dataclass
class Watch:
    """The statements that requests have executed, each once, by page."""

    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Page -> statement -> parameters."""
    page: str | None = None

    def note(self, statement: str, parameters: Any) -> None:
        """Keep what has just been executed, if a request did it."""
        if self.page and threading.current_thread().name.startswith(REQUESTS):
            self.asked.setdefault(self.page, {}).setdefault(statement, parameters)


@contextmanager
def watching(engine: Engine) -> Iterator[Watch]:
    """Note what is executed by way of an engine."""
    watch = Watch()

    def executed(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        del cursor, context
        watch.note(statement, parameters[0] if executemany else parameters)

    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield watch
    finally:
        event.remove(engine, "before_cursor_execute", executed)


def sizes(engine: Engine) -> dict[str, int]:
    """Table -> rows."""
    with engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        return {
            name: connection.exec_driver_sql(f'SELECT COUNT(*) FROM "{name}"').scalar_one()
            for name in names
            if not name.startswith("sqlite_")
        }


def scans(engine: Engine, statement: str, parameters: Any, rows: Mapping[str, int], large: int = LARGE) -> list[str]:
    """The large tables that a statement goes through from end to end, without what is allowed; in the plan's words."""
    if not statement.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")):
        return []
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    words = [str(row[-1]) for row in plan]
    if _LIMITED.search(statement) and not any("TEMP B-TREE" in line for line in words):
        return []
    called = {alias: name for name, alias in _NAMED.findall(statement) if name in rows}
    found = []
    for line in words:
        match = _SCAN.match(line)
        scanned = str(match[1]) if match else ""
        table = called.get(scanned, scanned)
        if rows.get(table, 0) > large and not is_allowed(table, statement):
            found.append(f"{table} ({rows[table]:,} rows): {line}")
    return found


def milliseconds(engine: Engine, statement: str, parameters: Any) -> float:
    """How long a statement that only reads takes by itself; 0 for any other."""
    if not _READS.match(statement):
        return 0.0
    with engine.execution_options(read_only=True).connect() as connection:
        begun = time.perf_counter()
        connection.exec_driver_sql(statement, parameters).all()
        return (time.perf_counter() - begun) * 1000


def is_allowed(table: str, statement: str) -> bool:
    """Whether a page may go through a table with this statement."""
    return any(one.table == table and one.holds in " ".join(statement.split()) for one in ALLOWED)
