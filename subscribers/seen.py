"""Which addresses did this file name already? Remembered on the disk, not in memory: a file may have millions of rows.

What is kept are hashes, in a database without a name that is gone when it is closed.
"""

import sqlite3
from collections.abc import Collection, Mapping
from hashlib import blake2b

CACHE = 8 * 1024  # KiB


class Seen:
    """The keys of addresses that were read, with the status in which their reader is by now."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # no name: a temporary file, deleted at once
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(f"PRAGMA cache_size = -{CACHE}")
        self._database.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY, status TEXT) WITHOUT ROWID")

    def among(self, keys: Collection[str]) -> dict[str, str]:
        """Those of many keys that were read before -> status."""
        if not keys:
            return {}
        by_hash = {_hash(key): key for key in keys}
        query = f"SELECT hash, status FROM seen WHERE hash IN ({', '.join('?' * len(by_hash))})"  # noqa: S608  only ?
        return {by_hash[found]: status for found, status in self._database.execute(query, list(by_hash))}

    def add(self, statuses: Mapping[str, str]) -> None:
        """Remember keys with their statuses; the last status counts."""
        rows = [(_hash(key), status) for key, status in statuses.items()]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", rows)
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()
