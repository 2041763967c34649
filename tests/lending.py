"""A PostgreSQL database for one test, without the price of making one: emptied after use, and lent again.

Promises: whoever borrows one cannot tell it from a new one. No session of the one before is left, no row, no number
that a sequence has given away; and one whose tables or settings a test has changed is never lent again.
"""

from dataclasses import dataclass

import psycopg

from tests.postgres import Cluster

MOST = 512 * 1024  # bytes of a table with its dead rows, beyond which its room is given back
PATIENCE = 5_000  # milliseconds that a session of a test that is over may take to go

END_SESSIONS = f"""
SELECT pg_terminate_backend(pid, {PATIENCE}) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
TABLES = """
SELECT quote_ident(relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""
LARGEST = "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
COUNT_ANEW = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE last_value IS NOT NULL
"""
LOOKS = """
SELECT concat_ws(' ', 'column', attrelid::regclass, attname, atttypid::regtype, attnotnull, atthasdef, attisdropped)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND attnum > 0
UNION ALL SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid))
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' ', 'trigger', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT concat_ws(' ', 'function', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' ', 'sequence', sequencename, last_value) FROM pg_sequences
UNION ALL SELECT concat_ws(' ', 'schema', nspname) FROM pg_namespace WHERE nspname !~ '^pg_'
UNION ALL SELECT concat_ws(' ', 'setting', setconfig) FROM pg_db_role_setting
JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
ORDER BY 1
"""


@dataclass(frozen=True)
class _Kept:
    """A database, and our own session in it."""

    url: str
    session: "psycopg.Connection[tuple[str]]"
    rows: dict[str, bytes]
    """Table -> the rows that it had when it was new, as COPY has them."""
    looks: list[str]
    """What it was like when it was new."""


class Lending:
    """Lends copies of a template. One test at a time borrows each."""

    def __init__(self, cluster: Cluster, template: str) -> None:
        self._cluster, self._template = cluster, template
        self._free: list[_Kept] = []
        self._lent: dict[str, _Kept] = {}

    def lend(self) -> str:
        """The URL of a database as the template is."""
        kept = self._free.pop() if self._free else self._new()
        self._lent[kept.url] = kept
        return kept.url

    def take_back(self, url: str) -> bool:
        """Empty what was lent; whether it will be lent again."""
        kept = self._lent.pop(url)
        if fresh := _emptied(kept):
            self._free.append(kept)
        else:
            kept.session.close()
        return fresh

    def close(self) -> None:
        for kept in (*self._free, *self._lent.values()):
            kept.session.close()

    def _new(self) -> _Kept:
        url = self._cluster.create(template=self._template)
        session = psycopg.connect(url, autocommit=True)
        session.execute("SET session_replication_role = replica")  # no foreign key minds what goes first
        return _Kept(url, session, {name: _copy(session, name) for name in _column(session, TABLES)}, looks(session))


def looks(session: "psycopg.Connection[tuple[str]]") -> list[str]:
    """All that makes a database what it is, but for the rows of its tables."""
    return _column(session, LOOKS)


def _column(session: "psycopg.Connection[tuple[str]]", query: str) -> list[str]:
    return [value for (value,) in session.execute(query)]


def _copy(session: "psycopg.Connection[tuple[str]]", table: str) -> bytes:
    with session.cursor().copy(f"COPY {table} TO STDOUT") as rows:
        return b"".join(map(bytes, rows))


def _emptied(kept: _Kept) -> bool:
    session = kept.session
    try:
        session.execute(END_SESSIONS)
        session.execute("; ".join(f"DELETE FROM {table}" for table in kept.rows))
        for table, rows in kept.rows.items():
            if rows:
                with session.cursor().copy(f"COPY {table} FROM STDIN") as given:
                    given.write(rows)
        session.execute(COUNT_ANEW)
        (largest,) = session.execute(LARGEST).fetchone() or (0,)
        if int(largest) > MOST:
            session.execute(f"VACUUM {', '.join(kept.rows)}")
        return looks(session) == kept.looks
    except psycopg.Error:  # a table is gone, or our session: a new one comes cheaper than finding out
        return False
