"""How large is the database, and how much room is left beside it?"""

import shutil
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, text

from newsletter.db import is_sqlite, sqlite_file

LOG: Final = "-wal"  # what SQLite calls its write-ahead log behind the file's name


@dataclass(frozen=True)
class Storage:
    """Sizes in bytes."""

    server: str
    """Which database it is, and its version."""
    size: int
    log: int | None = None
    """SQLite's write-ahead log; None on a server."""
    free: int | None = None
    """On the disk that the file is on; None on a server, which looks after its own."""


def measure(engine: Engine) -> Storage:
    """Measure a database. Raises what the database raises, and OSError where its file cannot be seen."""
    file = sqlite_file(engine)
    with engine.execution_options(read_only=True).connect() as connection:
        if not is_sqlite(engine) or file is None:
            size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
            version = connection.execute(text("SHOW server_version")).scalar_one()
            return Storage(f"PostgreSQL {version}", size)
        version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    log = file.with_name(file.name + LOG)
    return Storage(
        f"SQLite {version}",
        file.stat().st_size,
        log.stat().st_size if log.exists() else 0,
        shutil.disk_usage(file.parent).free,
    )
